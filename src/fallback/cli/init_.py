"""``fallback init``: a folder with everything that a first night needs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from fallback.cli.common import emit, json_option, say, wall_clock
from fallback.errors import FallbackError, WrongUse

if TYPE_CHECKING:
    from fallback.agreement import Agreement
    from fallback.formats.spec import Format

_AGREEMENT = """\
# The agreement between {brand} and {warehouse}. Both sides hold this file; `fallback check` prints its hash.
schema = "fallback.agreement/1"
id = "{brand}-{warehouse}"
version = "1"
effective_from = {today}
review_by = {review}
flows = ["orders"]

[parties.brand]
org = "{brand}"
[parties.warehouse]
org = "{warehouse}"

[format]
orders = {format}
order_key = {order_key}
on_existing = "reject"                  # what the WMS does with an order number that it knows
load_mode = "all-valid"                 # or all-or-nothing

[mapping]                               # the brand's crosswalks: shop -> warehouse
sku = "sku-map.csv"
service = "service-map.csv"
owner = "{brand}.it"

[[cutoffs]]
id = "daily"
time = {cutoff}
zone = {zone}
days = ["mon", "tue", "wed", "thu", "fri"]
window = "PT60M"                        # orders missing from the WMS when it has passed make the fallback due

[integration]
pause_owner = "{brand}.it"              # who pauses it before a fallback file is loaded
replay_guard = "ledger"                 # what stops the orders it sends again: wms, ledger or none
retry_horizon = "P15D"
late_arrival_horizon = "P21D"

[commitments]                           # each: from an event, to an event, within a limit, owed by a side
export = {{ from = "declared", to = "delivered", limit = "PT30M", owner = "brand" }}
acknowledge = {{ from = "delivered", to = "received", limit = "PT15M", owner = "warehouse" }}
load = {{ from = "delivered", to = "processed", limit = "PT60M", owner = "warehouse" }}

[delivery]
primary = {{ {endpoint} }}
manifest = "before"
proof = "hash"

[limits]
max_orders_per_file = 5000
max_units_per_order = 500
max_bytes = 20000000
{numbers}{codes}"""

_SERVICE_MAP = """from,to,carrier,note
Standard,{standard},,
Express,{express},,
Free Shipping,{standard},,
"""


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--side", type=click.Choice(["brand", "warehouse"]), default="brand", show_default=True, help="Whose folder it is."
)
@click.option("--from", "source", type=click.Path(path_type=Path), help="Take this agreement instead of writing one.")
@click.option("--brand", help="The brand's code, such as acme.")
@click.option("--warehouse", help="The warehouse's code, such as northdock.")
@click.option("--format", "format_name", help="A shipped format, or a format.toml; else order-lines-csv.")
@click.option("--drop", help="folder:PATH, or sftp://USER@HOST:PORT/FOLDER where FOLDER holds in/ and out/.")
@click.option("--host-key", help="The server's SHA256 fingerprint, told over a trusted channel.")
@click.option("--key-file", help="This machine's SSH key, for sftp.")
@click.option("--cutoff", help="The daily cut-off, in the warehouse's zone; else 14:00.")
@click.option("--zone", help="The warehouse's IANA time zone; else UTC.")
@json_option
def command(
    folder: Path,
    side: str,
    source: Path | None,
    brand: str | None,
    warehouse: str | None,
    format_name: str | None,
    drop: str | None,
    host_key: str | None,
    key_file: str | None,
    cutoff: str | None,
    zone: str | None,
    as_json: bool,
) -> int:
    """Make FOLDER with an agreement, this side's local.toml, maps and a sample payload.

    Asks for what it is not told. The other side takes the same agreement with --from; nothing is ever overwritten.

    \b
    Examples:
      fallback init acme --brand acme --warehouse northdock --drop folder:drop
      fallback init northdock --side warehouse --from acme/agreement.toml --drop folder:drop
    """
    fixed = {"--brand": brand, "--warehouse": warehouse, "--format": format_name, "--cutoff": cutoff, "--zone": zone}
    if source and (given := [name for name, value in fixed.items() if value is not None]):
        raise click.UsageError(f"--from takes the agreement as it is: without {', '.join(given)}.")
    from fallback.agreement import key_template, load_agreement

    theirs = load_agreement(source) if source else None
    drop = drop or _ask("--drop", "Where is the drop? folder:PATH or sftp://USER@HOST:PORT/FOLDER")
    endpoint, login = _endpoint(drop, host_key, key_file)
    if theirs is None:
        chosen, fmt, files = _format_file(format_name or "order-lines-csv")
        files |= _new_agreement(
            brand=_code("--brand", brand or _ask("--brand", "The brand's code", "acme")),
            warehouse=_code("--warehouse", warehouse or _ask("--warehouse", "The warehouse's code", "northdock")),
            format=_quoted(chosen),
            order_key=_quoted(key_template(fmt)),
            numbers=_numbers(fmt),
            codes=_codes(fmt),
            cutoff=_quoted(cutoff or "14:00"),
            zone=_quoted(zone or "UTC"),
            endpoint=", ".join(f"{name} = {_quoted(value)}" for name, value in endpoint.items()),
            today=wall_clock().date(),
        )
    else:
        _same_drop(theirs, endpoint)
        files = {"agreement.toml": theirs.text, **_of_source(theirs, side)}
    if side == "brand":
        maps = (theirs.mapping.sku, theirs.mapping.service) if theirs else ("sku-map.csv", "service-map.csv")
        for name, text in _brand_files(*maps, theirs.open_format() if theirs else fmt):
            files.setdefault(name, text)
    files["local.toml"] = _local(side, login)
    terms = _write(folder, files, new=theirs is None)
    if as_json:
        emit({"schema": "fallback.init/1", "agreement": terms.ref.model_dump(), "files": [*files]})
        return 0
    for name in files:
        click.echo(folder / name)
    say(f"agreement {terms.id} version {terms.version}: sha256 {terms.sha256[:12]}, the same on both sides")
    if lacking := terms.open_format().codes - set(terms.codes):
        say(f"agree on [codes] before the first export: {', '.join(sorted(lacking))}")
    say(f"next: cd {shlex.quote(str(folder))} && fallback status")
    return 0


def _ask(option: str, question: str, default: str | None = None) -> str:
    """What was not told; where nobody answers, say which option is missing."""
    try:
        answer: str = click.prompt(question, default=default, err=True)
    except click.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise
        click.echo(err=True)
        raise click.UsageError(f"{option} is missing, and nobody is there to be asked.") from None
    return answer


def _code(option: str, text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,29}", text):
        raise click.UsageError(f"{option} is a code of small letters, digits and dashes, such as acme.")
    return text


def _quoted(value: str | int) -> str:
    return json.dumps(value, ensure_ascii=False)  # TOML's basic strings and integers are written as in JSON


def _new_agreement(*, today: date, **terms: str) -> dict[str, str]:
    return {"agreement.toml": _AGREEMENT.format(today=today, review=today + timedelta(days=180), **terms)}


def _write(folder: Path, files: Mapping[str, str], *, new: bool) -> Agreement:
    """Write all files once they are known to be sound and none is there already."""
    from fallback.agreement import load_agreement
    from fallback.delivery import open_drop
    from fallback.files import write_file

    if folder.exists() and not folder.is_dir():
        raise click.UsageError(f"{folder} is a file.")
    for name in files:
        if (folder / name).exists():
            raise click.UsageError(f"{folder / name} is there already; nothing was written.")
    with TemporaryDirectory() as scratch:
        for name, text in files.items():
            write_file(Path(scratch) / name, text.encode())
        try:
            load_agreement(scratch).open_format()
        except FallbackError as error:
            if not new:
                raise
            text = f"this does not make an agreement, nothing was written: {error.message}"
            raise WrongUse("wrong-use", text, hint=error.hint or "correct the options") from None
    for name, text in files.items():
        write_file(folder / name, text.encode())
    terms = load_agreement(folder)
    if terms.delivery.primary.kind == "folder":
        open_drop(terms, create=True).close()
    return terms


# --- the drop


def _endpoint(drop: str, host_key: str | None, key_file: str | None) -> tuple[dict[str, str | int], str]:
    """The agreement's endpoint for a drop, and this machine's login in local.toml."""
    from urllib.parse import urlsplit

    kind, _, rest = drop.partition(":")
    if kind == "folder" and rest:
        # Where the user stands when typing it, whatever folder is being made.
        root = Path(rest).expanduser().absolute()
        return {"kind": "folder", "in": "in", "out": "out"}, f"root = {_quoted(str(root))}\n"
    try:
        parts = urlsplit(drop)
        port = parts.port or 22
    except ValueError:
        raise click.UsageError("--drop: the port is not a number up to 65535.") from None
    if kind != "sftp" or not parts.hostname or not parts.username:
        raise click.UsageError("--drop is folder:PATH or sftp://USER@HOST:PORT/FOLDER.")
    if parts.password:
        raise click.UsageError("--drop: never a password; put the name of an environment variable into local.toml.")
    base = parts.path.rstrip("/")
    endpoint: dict[str, str | int] = {"kind": "sftp", "host": parts.hostname, "port": port}
    endpoint |= {"in": f"{base}/in", "out": f"{base}/out"}
    if host_key:
        endpoint["host_key"] = host_key
    login = f"user = {_quoted(parts.username)}\n"
    if key_file:
        login += f"key_file = {_quoted(str(Path(key_file).expanduser().absolute()))}\n"
    else:
        login += 'password_env = "FALLBACK_PASSWORD"   # the name of the variable, never the password\n'
    return endpoint, login


def _same_drop(theirs: Agreement, endpoint: Mapping[str, Any]) -> None:
    """Refuse another drop than the agreed one: only the login, and where a folder is mounted, are this machine's."""
    agreed = theirs.delivery.primary.model_dump(by_alias=True)
    compared = ["kind"] if endpoint["kind"] == "folder" else list(endpoint)
    if wrong := [name for name in compared if agreed[name] != endpoint[name]]:
        found = ", ".join(f"{name} {agreed[name]}" for name in wrong)
        raise click.UsageError(f"--drop is not the agreement's: agreed is {found}.")


# --- the files


def _format_file(name: str) -> tuple[str, Format, dict[str, str]]:
    """What a new agreement calls its format, and the format. One of their own is copied beside it, so that both sides
    hold it."""
    from fallback.formats.library import load_format, shipped

    fmt = load_format(name)
    if fmt.direction == "read":
        raise FallbackError("format-read-only", f"files of the format {fmt.name} are read, never written")
    if name in shipped():
        return name, fmt, {}
    file = Path(name) / "format.toml" if Path(name).is_dir() else Path(name)
    return file.name, fmt, {file.name: file.read_text("utf-8")}


def _numbers(fmt: Format) -> str:
    """Shopify's numbers begin with #, which some warehouses do not take."""
    from fallback.formats.check import cell_problem

    field = next(field for field in fmt.all_fields if field.path == "order_number")
    if cell_problem(field, "#1001") is None:
        return ""
    return '\n[eligibility]\nnumber_prefix = "#"                     # the shop\'s; the warehouse knows #1001 as 1001\n'


def _codes(fmt: Format) -> str:
    """The section for what the warehouse calls things, each to be agreed on: nothing is made up that would be sent."""
    wanted = {field.code: field for field in fmt.all_fields if field.code}
    if not wanted:
        return ""
    lines = [f'# {code} = ""                    # {field.name}: {field.doc}\n' for code, field in wanted.items()]
    return "\n[codes]                                 # what the warehouse calls things\n" + "".join(lines)


def _of_source(theirs: Agreement, side: str) -> dict[str, str]:
    """The files that the other side's agreement needs beside it: its own format, and for a brand its maps."""
    own = Path(theirs.format.orders)
    names = [str(own / "format.toml" if (theirs.folder / own).is_dir() else own)]
    if side == "brand":
        names += [name for name in (theirs.mapping.sku, theirs.mapping.service, theirs.mapping.uom) if name]
    inside = [name for name in names if not Path(name).is_absolute() and ".." not in Path(name).parts]
    return {name: (theirs.folder / name).read_text("utf-8") for name in inside if (theirs.folder / name).is_file()}


def _local(side: str, login: str) -> str:
    own = (
        'outbox = "outbox.sqlite"\noutgoing = "outgoing"\nreceipts = "receipts"\n'
        if side == "brand"
        else 'ledger = "sqlite:///ledger.sqlite"\n# skus = "items.txt"        # the item list, one SKU a line\n'
    )
    wms = (
        "" if side == "brand" else '\n[wms]\nkind = "file"\nfolder = "wms"              # accepted orders appear here\n'
    )
    return (
        f"# This machine's own: never shared, never hashed, no secret in it.\n"
        f'side = "{side}"\n{own}{wms}\n[delivery.primary]\n{login}'
    )


def _brand_files(sku_map: str | None, service_map: str | None, fmt: Format) -> Iterator[tuple[str, str]]:
    """Maps to begin with, under their agreed names, and a payload to try them on."""
    from fallback.cli.samples import payload
    from fallback.records.sample import SKUS

    if sku_map:
        yield sku_map, "from,to,note\n" + "".join(f"{sku},{sku},\n" for sku in SKUS)
    if service_map:
        agreed = next(iter(field.allowed for field in fmt.all_fields if field.path == "service"), ()) or ("STD", "EXP")
        yield service_map, _SERVICE_MAP.format(standard=agreed[0], express=agreed[-1])
    yield "sample-orders.json", payload(wall_clock())
