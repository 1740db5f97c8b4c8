"""``fallback formats``: the agreed file formats."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fallback.cli.common import at_option, emit, json_option, say, wall_clock

if TYPE_CHECKING:
    from fallback.formats.spec import Format
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

    Exit code 0 when it does, 3 with every mistake when it does not.

    \b
    Example:
      fallback formats check partner/format.toml
    """
    from fallback.errors import FallbackError
    from fallback.formats.library import load_format
    from fallback.formats.read import read
    from fallback.formats.samples import samples
    from fallback.formats.write import write

    fmt = load_format(name)
    orders = samples(fmt, 50, at=wall_clock()) if fmt.direction == "both" else []
    codes = {field.code: "X" for field in fmt.all_fields if field.code}
    step = fmt.max_orders or 50
    fitting, codes_found = 0, set()
    for begin in range(0, len(orders), step):
        written = write(fmt, orders[begin : begin + step], codes=codes, key=lambda order: order.order_id)
        fitting += len(written.orders)
        codes_found |= {finding.code for finding in written.findings}
        if not written.orders:
            continue
        content = read(fmt, written.parts, name=fmt.name, codes=codes, defaults={"brand": "acme"})
        if [one.order for one in content.orders] != list(written.orders) or content.findings:
            raise FallbackError("format-invalid", f"{fmt.name}: what it writes does not read back as it was")
    refused = sorted(codes_found)
    if as_json:
        emit({"schema": "fallback.soundness/1", **fmt.ref.model_dump(), "sound": True, "refused": refused})
        return 0
    tried = f"{fitting} sample orders read back as written" if orders else "it is read and never written"
    click.echo(f"{fmt.name} version {fmt.version} is sound: {tried}")
    if refused:
        click.echo(f"  {len(orders) - fitting} more do not fit it: {', '.join(refused)}")
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
    from fallback.formats.samples import fitting
    from fallback.formats.write import write
    from fallback.render.words import count as words

    if not re.fullmatch(r"[\w.-]{1,64}", brand, re.ASCII):
        raise click.UsageError("--brand is a code of letters, digits, dashes and dots, such as acme.")
    fmt = load_format(name)
    if out is None and len(fmt.roles) > 1:
        raise click.UsageError(f"{fmt.name} is a pair of files: give --out, the folder for them.")
    now = at or wall_clock()
    codes = {field.code: "X" for field in fmt.all_fields if field.code}

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

    Exit code 0 when nothing does, 1 when a file of one version does not read by the other.

    \b
    Example:
      fallback formats diff old/format.toml new/format.toml
    """
    from dataclasses import asdict

    from fallback.formats.compare import diff as compare
    from fallback.formats.library import load_format

    changes = compare(load_format(old), load_format(new))
    if as_json:
        emit([asdict(change) for change in changes])
    else:
        for change in changes:
            click.echo(f"{change.effect:10} {change.place}: {change.text}")
        if not changes:
            click.echo("nothing differs")
    return 1 if any(change.effect == "breaking" for change in changes) else 0


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
@click.option(
    "--file", "data_file", default="orders.csv", show_default=True, help="The file that a data package names."
)
def scope(name: str, kind: str, data_file: str) -> int:
    """The field-level scope sheet of a format, as a contract can attach it; to standard output.

    \b
    Example:
      fallback formats scope order-lines-csv --as html
    """
    from fallback.formats import scope as scopes
    from fallback.formats.describe import describe, facts
    from fallback.formats.library import load_format
    from fallback.records.sample import sample_orders

    fmt = load_format(name)
    if kind == "json-schema":
        emit(scopes.json_schema(fmt))
    elif kind == "data-package":
        emit(scopes.data_package(fmt, data_file))
    elif kind == "markdown":
        click.echo(describe(fmt), nl=False)
    else:
        from fallback.render.html import sheet_html

        example = sample_orders(1, at=wall_clock())[0]
        title = f"{fmt.name}, version {fmt.version}"
        click.echo(sheet_html(title, fmt.title, fmt.sha256, facts(fmt), scopes.sheet(fmt, example)), nl=False)
    return 0


@command.command()
@click.argument("left", type=click.Path(path_type=Path))
@click.argument("right", type=click.Path(path_type=Path))
@click.option("--format", "format_name", help="The format of the sides that are files; others are payloads.")
@click.option("--brand", default="acme", show_default=True, help="The brand of the payloads.")
@json_option
def parity(left: Path, right: Path, format_name: str | None, brand: str, as_json: bool) -> int:
    """The same orders as two sources show them, field by field: equal, dropped by agreement, or different.

    Each side is a platform payload, or a file of --format. Exit code 1 when something differs.

    \b
    Example:
      fallback formats parity orders.json ACME_ORDERS_20261123T140000Z_000001.csv --format order-lines-csv
    """
    from dataclasses import asdict

    from fallback.formats.compare import parity as compare
    from fallback.formats.library import load_format

    fmt = load_format(format_name) if format_name else None
    sides = [_orders_of(path, fmt, brand) for path in (left, right)]
    differences = compare(
        *sides, key=lambda order: f"{order.brand}:{order.platform}:{order.order_id}:{order.group}", fmt=fmt
    )
    if as_json:
        emit([asdict(one) for one in differences])
    else:
        click.echo(f"{len(sides[0]):,} orders in {left.name}, {len(sides[1]):,} in {right.name}")
        for one in differences:
            click.echo(f"{one.verdict:10} {one.key} {one.path}".rstrip())
        click.echo("equal" if not differences else f"{len(differences):,} differences")
    return 1 if any(one.verdict != "dropped" for one in differences) else 0


def _orders_of(path: Path, fmt: Format | None, brand: str) -> list[Order]:
    """The orders of one side: a payload where it is JSON of a platform, else a file of the format."""
    from fallback.errors import FallbackError, WrongUse
    from fallback.formats.read import read
    from fallback.platforms.base import Eligibility
    from fallback.platforms.population import read_orders
    from fallback.validation.parts import open_parts

    try:
        return list(read_orders([path], brand=brand, eligibility=Eligibility(), now=wall_clock()).orders)
    except FallbackError as error:
        if error.code != "payload-unreadable" or fmt is None:
            raise
    parts = open_parts(path, fmt)
    content = read(fmt, parts.data, name=parts.names, defaults={"brand": brand})
    if any(finding.refuses_file for finding in content.findings):
        raise WrongUse("wrong-use", f"{path.name} is no whole file of {fmt.name}", hint="`fallback validate` says why")
    return [one.order for one in content.orders if one.order is not None]


@command.command("new")
@click.argument("sample_file", type=click.Path(path_type=Path))
@click.option("--name", default="partner-orders", show_default=True, help="The name of the format.")
def new_(sample_file: Path, name: str) -> int:
    """A draft format from a partner's sample file; what is doubtful is marked CHECK. To standard output.

    \b
    Example:
      fallback formats new their-sample.csv > format.toml
    """
    from fallback.errors import FallbackError
    from fallback.formats.draft import draft

    try:
        data = sample_file.read_bytes()
    except OSError as error:
        raise FallbackError("file-unreadable", f"{sample_file}: {error.strerror or 'cannot be read'}") from None
    click.echo(draft(data, name, sample_file.name), nl=False)
    return 0
