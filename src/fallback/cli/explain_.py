"""``fallback explain``: what a code means."""

from __future__ import annotations

import click

from fallback.cli.common import emit, json_option


@click.command("explain")
@click.argument("code", required=False)
@json_option
def command(code: str | None, as_json: bool) -> int:
    """What a code or a diagnosis means, and what to do. Without CODE, all of them.

    \b
    Example:
      fallback explain sku-unknown
    """
    from dataclasses import asdict

    from fallback.documents.diagnosis import DIAGNOSES
    from fallback.findings import CATALOGUE
    from fallback.render.text import explain_text

    text = explain_text(code) if code else ""
    entries = [entry for entry in CATALOGUE.values() if code in (None, entry.code)]
    named = [
        {"name": name, "meaning": meaning, "remedy": remedy}
        for name, (meaning, remedy) in DIAGNOSES.items()
        if code in (None, name)
    ]
    if as_json:
        emit({"schema": "fallback.codes/1", "codes": [asdict(entry) for entry in entries], "diagnoses": named})
    elif code:
        click.echo(text)
    else:
        click.echo("\n".join(f"{entry.code:24} {entry.meaning}" for entry in entries))
        click.echo("\nWhat can have happened to a file")
        click.echo("\n".join(f"{one['name']:24} {one['meaning']}" for one in named))
    return 0
