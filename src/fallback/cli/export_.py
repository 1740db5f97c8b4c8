"""``fallback export``: payloads to a fallback file and its manifest."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fallback.cli.common import (
    MOST_SEQUENCE,
    PersonName,
    agreement_option,
    at_option,
    emit,
    json_option,
    load_agreement,
    of_side,
    say,
    show_values_option,
    wall_clock,
)

if TYPE_CHECKING:
    from fallback.brand.outgoing import Export


@click.command("export")
@click.argument("payloads", nargs=-1, required=True, type=click.Path(path_type=Path))
@agreement_option
@click.option("--format", "format_name", help="A format alone: the file can be validated, not sent.")
@click.option("--brand", help="The brand's code, with --format.")
@click.option("--platform", help="The platform, where it shall not be guessed from the payload.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write to.")
@at_option
@click.option(
    "--sequence",
    type=click.IntRange(1, MOST_SEQUENCE),
    help="The number of the file, where the outbox shall not give it.",
)
@click.option(
    "--integration",
    type=click.Choice(["paused", "down", "live"]),
    default="live",
    show_default=True,
    help="What is known of the integration. While it is live the warehouse does not load.",
)
@click.option(
    "--confirmed-by",
    type=PersonName(),
    metavar="NAME",
    help="Who has confirmed that the integration is paused or down.",
)
@show_values_option
@json_option
def command(
    payloads: tuple[Path, ...],
    agreement: Path | None,
    format_name: str | None,
    brand: str | None,
    platform: str | None,
    out: Path | None,
    at: datetime | None,
    sequence: int | None,
    integration: str,
    confirmed_by: str | None,
    show_values: bool,
    as_json: bool,
) -> int:
    """Platform payloads to a fallback file and its manifest.

    Leaves out what must not ship, says why, and counts it. Prints the path of the file. Exit code 1 when orders were
    refused by our own checks; the others are in the file all the same.

    \b
    Example:
      fallback export orders.json --integration paused --confirmed-by "J. Ops"
    """
    if format_name and agreement:
        raise click.UsageError("Give --agreement or --format, not both.")
    if (integration != "live") != (confirmed_by is not None):
        raise click.UsageError("--integration paused or down goes with --confirmed-by NAME, and the name with it.")
    from fallback.brand.outgoing import export, export_plain
    from fallback.documents.manifest import Integration

    now = at or wall_clock()
    result: Export
    if format_name:
        from fallback.formats.library import load_format

        if not brand:
            raise click.UsageError("--format needs --brand: a payload does not say whose orders they are.")
        result = export_plain(
            payloads,
            format=load_format(format_name),
            brand=brand,
            now=now,
            out=out or Path(),
            platform=platform,
            sequence=sequence or 1,
            show_values=show_values,
        )
    else:
        from fallback.brand.outbox import open_outbox

        terms = load_agreement(agreement)
        of_side(terms, "brand")
        if brand and brand != terms.brand:
            raise click.UsageError(f"The agreement's brand is {terms.brand}.")
        confirmed = Integration(state=integration, confirmed_by=confirmed_by, at=now if confirmed_by else None)
        with open_outbox(terms.path(terms.local.outbox)) as outbox:
            result = export(
                payloads,
                agreement=terms,
                outbox=outbox,
                now=now,
                out=out,
                platform=platform,
                integration=confirmed,
                sequence=sequence,
                show_values=show_values,
            )
    if platform is None:
        say(f"platform: {result.platform} (guessed from the payload)")
    if as_json:
        emit(result.document())
    else:
        _tell(result, integration)
    return result.exit_code


def _tell(result: Export, integration: str) -> None:
    from fallback.render.text import finding_text
    from fallback.render.words import count

    for finding in result.findings:
        say(finding_text(finding))
    inside = ((result.counts.orders, "order"), (result.counts.lines, "line"), (result.counts.units, "unit"))
    say(f"in the file: {', '.join(count(number, noun) for number, noun in inside)}")
    for code, number in sorted(result.excluded.items()):
        say(f"left out:    {number:,} {code}")
    if "next-file" in result.excluded:
        say("the format holds no more orders a file: send this one, then export again for the next")
    if result.path is None:
        say("no file was made: no order is left to write. `fallback explain nothing-to-export`")
        return
    if result.manifest is None:
        say("without an agreement there is no manifest: this file can be validated, not sent")
    elif integration == "live":
        say("the integration counts as live: the warehouse will not load this file")
        say("  pause it, then export again with --integration paused --confirmed-by NAME")
    click.echo(result.path)
