"""``fallback formats``: the agreed file formats."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fallback.cli.common import (
    agreement_option,
    at_option,
    emit,
    json_option,
    load_agreement,
    say,
    show_values_option,
    wall_clock,
)

if TYPE_CHECKING:
    from fallback.records.order import Order


@click.group("formats")
def command() -> None:
    """List, show, check and sample the agreed file formats.

    A format is the name of a shipped one, or the path of its own format.toml.

    \b
    Example:
      fallback formats show order-lines-csv
    """


@command.command("list")
@json_option
def list_(as_json: bool) -> int:
    """The shipped formats.

    \b
    Example:
      fallback formats list
    """
    from fallback.formats.library import load_format, shipped

    formats = [load_format(name) for name in shipped()]
    if as_json:
        listed = [{"name": f.name, "version": f.version, "title": f.title, "sha256": f.sha256} for f in formats]
        emit({"schema": "fallback.formats/1", "formats": listed})
    else:
        for fmt in formats:
            click.echo(f"{fmt.name:28} {fmt.kind:11} {fmt.layout:14} {fmt.title}")
    return 0


@command.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> int:
    """Every field of a format, with its meaning.

    Name, canonical path, whether it is required, its longest value, its form and where the rule comes from.

    \b
    Example:
      fallback formats show order-lines-csv
    """
    from fallback.formats.describe import describe
    from fallback.formats.library import load_format

    fmt = load_format(name)
    if as_json:
        emit({"schema": "fallback.format/1", "sha256": fmt.sha256, **fmt.model_dump(mode="json")})
    else:
        click.echo(describe(fmt), nl=False)
    return 0


@command.command()
@click.argument("name")
@json_option
def check(name: str, as_json: bool) -> int:
    """Is a format sound, and does what it writes read back?

    Sample orders are written and read back, and those of the orders.jsonl beside a format.toml. Exit code 0 when all
    is well, 3 with every mistake when it is not.

    \b
    Example:
      fallback formats check partner/format.toml
    """
    from fallback.cli.soundness import Soundness, soundness_of
    from fallback.errors import FallbackError
    from fallback.formats.library import load_format

    try:
        fmt = load_format(name)
    except FallbackError as error:
        if not as_json or error.code != "format-invalid":
            raise
        head, *places = error.message.split("\n")
        emit(Soundness(name, mistakes=tuple(place.strip() for place in places) or (head,)).told())
        return error.exit_code
    found = soundness_of(name, fmt, wall_clock())
    if as_json:
        emit(found.told())
        return 3 if found.mistakes else 0
    if found.mistakes:
        raise FallbackError("format-invalid", f"{fmt.name}: {'; '.join(found.mistakes)}")
    click.echo(found.text(), nl=False)
    return 0


@command.command()
@click.argument("name")
@click.option("--orders", "count", type=click.IntRange(1, 100_000), default=5, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same orders.")
@click.option("--brand", default="acme", show_default=True, help="The brand's code.")
@click.option("--out", type=click.Path(path_type=Path), help="Write a file with its agreed name into this folder.")
@at_option
def sample(name: str, count: int, seed: int, brand: str, out: Path | None, at: datetime | None) -> int:
    """A valid file, with people who do not exist.

    To standard output, or with --out under its agreed name into a folder; a pair of files with --out only. Where the
    partner takes fewer orders in a file, it has fewer.

    \b
    Example:
      fallback formats sample order-lines-csv | fallback validate - --format order-lines-csv
    """
    from fallback.brand.outgoing import file_name, write_parts
    from fallback.formats.library import load_format
    from fallback.formats.samples import fitting, sample_codes
    from fallback.formats.write import write
    from fallback.render.words import count as words

    if not re.fullmatch(r"[\w.-]{1,64}", brand, re.ASCII):
        raise click.UsageError("--brand is a code of letters, digits, dashes and dots, such as acme.")
    fmt = load_format(name)
    if out is None and len(fmt.roles) > 1:
        raise click.UsageError(f"{fmt.name} is a pair of files: give --out, the folder for them.")
    now = at or wall_clock()
    codes = sample_codes(fmt)

    def key(order: Order) -> str:
        return f"{brand}:shopify:{order.order_id}:{order.group}"

    count = min(count, fmt.max_orders or count)
    orders = fitting(fmt, count, codes=codes, key=key, seed=seed, at=now, brand=brand)
    written = write(fmt, orders, codes=codes, key=key)
    if out is None:
        click.echo(written.data, nl=False)
    else:
        paths = write_parts(out / file_name(fmt, brand=brand, now=now, sequence=1, state="live"), written, fmt)
        say(words(len(written.orders), "order"))
        click.echo("\n".join(map(str, paths)))
    return 0


@command.command()
@click.argument("old")
@click.argument("new")
@json_option
def diff(old: str, new: str, as_json: bool) -> int:
    """What a change of a format breaks.

    Each change is said with whether old files still read, and whether the partner must change. Exit code 0 when nothing
    breaks, else 1.

    \b
    Example:
      fallback formats diff old/format.toml new/format.toml
    """
    from fallback.formats.compare import diff as compare
    from fallback.formats.library import load_format
    from fallback.render.words import count as words

    before, after = load_format(old), load_format(new)
    changes = compare(before, after)
    breaking = sum(change.breaks for change in changes)
    if as_json:
        listed = [{**asdict(change), "breaks": change.breaks} for change in changes]
        sides = {"old": before.ref.model_dump(), "new": after.ref.model_dump()}
        emit({"schema": "fallback.format-diff/1", **sides, "breaks": breaking > 0, "changes": listed})
        return 1 if breaking else 0
    for change in sorted(changes, key=lambda change: not change.breaks):
        click.echo(f"{'breaks' if change.breaks else 'harmless':9} {change.place}: {change.text}")
        if change.breaks:
            files = "still read" if change.old_files_read else "may be refused"
            partner = "must change too" if change.partner_must_change else "need not change"
            click.echo(f"{'':9} old files {files}; the partner {partner}")
    if changes:
        click.echo(f"{words(len(changes), 'change')}, of which {breaking} {'breaks' if breaking == 1 else 'break'}")
    else:
        click.echo("nothing changes")
    return 1 if breaking else 0


@command.command()
@click.argument("name")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["markdown", "html", "json-schema", "data-package"]),
    default="markdown",
    show_default=True,
    help="What to write.",
)
@click.option("--file", "files", multiple=True, help="The file that a data package names; of a pair, both.")
def scope(name: str, kind: str, files: tuple[str, ...]) -> int:
    """The field-level scope sheet of a format, as a contract can attach it; to standard output.

    As Markdown, as one HTML page to print and sign, as the JSON Schema of the orders that the format carries, or as a
    data package of Frictionless, whose Table Schema checks a file without this program.

    \b
    Example:
      fallback formats scope order-lines-csv --as html > scope.html
    """
    from fallback.formats import scope as scopes
    from fallback.formats.describe import describe, facts, proofs
    from fallback.formats.library import load_format

    fmt = load_format(name)
    if kind == "json-schema":
        emit(scopes.json_schema(fmt))
    elif kind == "data-package":
        if len(files) not in (0, len(fmt.roles)):
            raise click.UsageError(f"--file: {fmt.name} has {len(fmt.roles)}: name each")
        emit(scopes.data_package(fmt, files or [f"{role}.csv" for role in fmt.roles]))
    elif kind == "markdown":
        click.echo(describe(fmt), nl=False)
    else:
        from fallback.formats.samples import samples
        from fallback.render.html import sheet_html

        title = f"{fmt.name}, version {fmt.version}"
        fields = scopes.sheet(fmt, samples(fmt, 20, at=wall_clock()))
        page = sheet_html(title, fmt.title, fmt.sha256, facts(fmt), fields, list(proofs(fmt)))
        click.echo(page, nl=False)
    return 0


@command.command()
@click.argument("left", type=click.Path(path_type=Path))
@click.argument("right", type=click.Path(path_type=Path))
@click.option("--format", "format_names", multiple=True, help="The format of a file; may be given twice.")
@click.option("--brand", default="acme", show_default=True, help="The brand of the orders, without an agreement.")
@agreement_option
@show_values_option
@json_option
def parity(
    left: Path,
    right: Path,
    format_names: tuple[str, ...],
    brand: str,
    agreement: Path | None,
    show_values: bool,
    as_json: bool,
) -> int:
    """The same orders as two sources show them, field by field: equal, dropped by agreement, or different.

    Each side is a file of --format, canonical orders, one a line, or a platform's payload. With --agreement its brand,
    key, format, codes and mapping count. Exit code 0 when both sides show the same orders, else 1.

    \b
    Example:
      fallback formats parity orders.json ACME_ORDERS_20261123T140000Z_000001.csv --format order-lines-csv
    """
    from fallback.cli.sides import parity_text, side_of
    from fallback.formats.library import load_format
    from fallback.formats.parity import parity as compare

    terms = load_agreement(agreement) if agreement else None
    formats = [load_format(one) for one in format_names] or ([terms.open_format()] if terms else [])
    sides = [side_of(path, formats, brand, terms, wall_clock()) for path in (left, right)]
    found = compare(
        *(side.orders for side in sides),
        key=terms.key if terms else lambda order: f"{order.brand}:{order.platform}:{order.order_id}:{order.group}",
        formats=[side.format for side in sides if side.format],
        show_values=show_values,
    )
    if as_json:
        told = {"left": sides[0].told(), "right": sides[1].told(), "equal": found.equal}
        emit({"schema": "fallback.parity/1", **told, "differences": [asdict(one) for one in found.differences]})
    else:
        click.echo(parity_text(found, *sides), nl=False)
    return 0 if found.same and not any(side.unread for side in sides) else 1


@command.command("new")
@click.argument("sample_file", type=click.Path(path_type=Path))
@click.option("--name", default="partner-orders", show_default=True, help="The name of the format.")
@click.option("--out", type=click.Path(path_type=Path), help="Write it here; another file is never replaced.")
def new_(sample_file: Path, name: str, out: Path | None) -> int:
    """A draft format from a partner's sample file; what is doubtful is marked CHECK.

    To standard output, or with --out into a new file. It holds nothing of the sample's rows, which are customers'.

    \b
    Example:
      fallback formats new their-sample.csv --out format.toml
    """
    from fallback.errors import FallbackError
    from fallback.files import write_file
    from fallback.formats.draft import draft
    from fallback.formats.library import load_format
    from fallback.formats.sniff import MOST_BYTES

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name):
        raise click.UsageError("--name is small letters, digits and dashes, such as partner-orders.")
    try:
        with sample_file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise FallbackError("file-unreadable", f"{sample_file}: {error.strerror or 'cannot be read'}") from None
    docs = {field.path: field.doc for field in load_format("order-lines-csv").fields if field.path}
    text = draft(data, name, sample_file.name, docs)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_file(out, text.encode())
        click.echo(out)
        say(f"`fallback formats check {out}` says what is left to do")
    return 0
