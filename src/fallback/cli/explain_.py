"""``fallback explain``: what a code means."""

from __future__ import annotations

import click

from fallback.cli.common import emit, json_option


@click.command("explain")
@click.argument("code", required=False)
@json_option
def command(code: str | None, as_json: bool) -> int:
    """What a code means, and what to do. Without CODE, all of them.

    \b
    Example:
      fallback explain sku-unknown
    """
    from dataclasses import asdict

    from fallback.findings import CATALOGUE
    from fallback.render.text import explain_text

    text = explain_text(code) if code else ""
    entries = [CATALOGUE[code]] if code else list(CATALOGUE.values())
    if as_json:
        emit({"schema": "fallback.codes/1", "codes": [asdict(entry) for entry in entries]})
    elif code:
        click.echo(text)
    else:
        for entry in entries:
            click.echo(f"{entry.code:24} {entry.meaning}")
    return 0
