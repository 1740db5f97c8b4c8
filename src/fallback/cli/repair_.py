"""``fallback repair``: a new file where the repair is provable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fallback.cli.common import agreement_option, emit, item_list, json_option, load_agreement, say

if TYPE_CHECKING:
    from fallback.validation.mending import Repair


@click.command("repair")
@click.argument("file", type=click.Path(path_type=Path))
@agreement_option
@click.option("--format", "format_name", help="A format by name or file, where there is no agreement.")
@click.option("--out", type=click.Path(path_type=Path), help="The new file. By default NAME.repaired beside it.")
@click.option("--skus", type=click.Path(path_type=Path), help="The warehouse's item list, one SKU a line.")
@json_option
def command(
    file: Path, agreement: Path | None, format_name: str | None, out: Path | None, skus: Path | None, as_json: bool
) -> int:
    """Write a new file where the repair of a damaged one is provable.

    Encoding, byte order mark, delimiter, quotation marks, line ends and the order of columns are mended; a value is
    never changed, and the damaged file stays as it is. With its manifest beside it, the new file must be the one that
    was sent, byte for byte; without, less must be found in it, and no order lost. Exit code 0 when the file is valid
    then, 1 when findings are left or nothing is provable. No other file is ever overwritten.

    \b
    Examples:
      fallback repair ACME_ORDERS_20261123T140000Z_000001.csv --format order-lines-csv
      fallback repair damaged.csv --out mended.csv
    """
    if format_name and agreement:
        raise click.UsageError("Give --agreement or --format, not both.")
    target = out or file.with_name(f"{file.stem}.repaired{file.suffix}")
    if target.resolve() == file.resolve():
        raise click.UsageError("--out: the damaged file stays as it is; name another one.")
    from fallback.files import write_file
    from fallback.formats.library import load_format
    from fallback.validation.mending import repair

    terms = None if format_name else load_agreement(agreement)
    fmt = load_format(format_name) if format_name else None
    made = repair(file, agreement=terms, format=fmt, skus=item_list(terms, skus))
    if made.data is not None:
        write_file(target, made.data)
    written = str(target) if made.data is not None else None
    if as_json:
        emit(made.document(written))
        return made.exit_code
    _tell(made, target)
    if written:
        click.echo(written)
    return made.exit_code


def _tell(made: Repair, target: Path) -> None:
    from fallback.render import words
    from fallback.render.text import repair_text

    say(repair_text(made.file, made.before.diagnosis, made.done, made.left))
    if made.data is None:
        say("Nothing is written." if made.left else "Nothing is wrong with it: nothing is written.")
        return
    after = made.after or made.before
    if made.proven == "hash":
        say(f"Proven: {target.name} is the file that was sent, byte for byte, by its manifest.")
    say(f"{target.name}: {words.report_sentence(after)}.")
