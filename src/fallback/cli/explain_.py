"""``fallback explain``: what a code means."""

from __future__ import annotations

import click


@click.command("explain")
@click.argument("code", required=False)
def command(code: str | None) -> int:
    """What a code means, and what to do.

    \b
    Example:
      fallback explain sku-unknown
    """
    from fallback.findings import CATALOGUE
    from fallback.render.text import explain_text

    if code is None:
        for entry in CATALOGUE.values():
            click.echo(f"{entry.code:24} {entry.meaning}")
        return 0
    click.echo(explain_text(code))
    return 0 if code in CATALOGUE else 2
