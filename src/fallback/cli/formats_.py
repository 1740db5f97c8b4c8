"""``fallback formats``: the agreed file formats."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import click

from fallback.cli.common import at_option, emit, json_option, say, wall_clock


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
    from fallback.formats.write import write
    from fallback.records.paths import without
    from fallback.records.sample import sample_orders

    fmt = load_format(name)
    orders = [without(order, fmt.drops) for order in sample_orders(50, at=wall_clock())]
    codes = {field.code: "X" for field in fmt.all_fields if field.code}
    written = write(fmt, orders, codes=codes, key=lambda order: order.order_id)
    content = read(fmt, written.data, name=fmt.name, codes=codes, defaults={"brand": "acme"})
    if [one.order for one in content.orders] != list(written.orders) or content.findings:
        raise FallbackError("format-invalid", f"{fmt.name}: what it writes does not read back as it was")
    refused = sorted({finding.code for finding in written.findings})
    if as_json:
        emit({"schema": "fallback.soundness/1", **fmt.ref.model_dump(), "sound": True, "refused": refused})
    else:
        click.echo(
            f"{fmt.name} version {fmt.version} is sound: {len(written.orders)} sample orders read back as written"
        )
        if refused:
            click.echo(f"  {len(orders) - len(written.orders)} more do not fit it: {', '.join(refused)}")
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

    To standard output, or with --out under its agreed name into a folder.

    \b
    Example:
      fallback formats sample order-lines-csv | fallback validate - --format order-lines-csv
    """
    from fallback.brand.outgoing import file_name
    from fallback.files import write_file
    from fallback.formats.library import load_format
    from fallback.formats.write import write
    from fallback.records.paths import without
    from fallback.records.sample import sample_orders
    from fallback.render.words import count as words

    if not re.fullmatch(r"[\w.-]{1,64}", brand, re.ASCII):
        raise click.UsageError("--brand is a code of letters, digits, dashes and dots, such as acme.")
    fmt = load_format(name)
    now = at or wall_clock()
    orders = [without(order, fmt.drops) for order in sample_orders(count, seed=seed, at=now, brand=brand)]
    codes = {field.code: "X" for field in fmt.all_fields if field.code}
    written = write(fmt, orders, codes=codes, key=lambda order: f"{brand}:shopify:{order.order_id}:{order.group}")
    if out is None:
        click.echo(written.data, nl=False)
    else:
        path = out / file_name(fmt, brand=brand, now=now, sequence=1, state="live")
        write_file(path, written.data)
        say(words(len(written.orders), "order"))
        click.echo(path)
    return 0
