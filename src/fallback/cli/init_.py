"""``fallback init``: a folder with everything that a first night needs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from fallback.cli.common import say, wall_clock

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
orders = "{format}"
order_key = "{{brand}}:{{platform}}:{{order_id}}:{{group}}"
on_existing = "reject"                  # what the WMS does with an order number that it knows
load_mode = "all-valid"                 # or all-or-nothing

[mapping]                               # the brand's crosswalks: shop -> warehouse
sku = "sku-map.csv"
service = "service-map.csv"
owner = "{brand}.it"

[[cutoffs]]
id = "daily"
time = "{cutoff}"
zone = "{zone}"
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
{delivery}
manifest = "before"
proof = "hash"

[limits]
max_orders_per_file = 5000
max_units_per_order = 500
max_bytes = 20000000
"""

_SKU_MAP = "from,to,note\n{rows}"
_SERVICE_MAP = """from,to,carrier,note
Standard,STD,,
Express,EXP,,
Free Shipping,STD,,
"""


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--side", type=click.Choice(["brand", "warehouse"]), default="brand", show_default=True)
@click.option("--from", "source", type=click.Path(path_type=Path), help="Take this agreement instead of writing one.")
@click.option("--brand", help="The brand's code, such as acme.")
@click.option("--warehouse", help="The warehouse's code, such as northdock.")
@click.option("--format", "format_name", default="order-lines-csv", show_default=True, help="The agreed file format.")
@click.option("--drop", help="folder:PATH, or sftp://USER@HOST:PORT/FOLDER where FOLDER holds in/ and out/.")
@click.option("--host-key", help="The server's SHA256 fingerprint, told over a trusted channel.")
@click.option("--key-file", help="This machine's SSH key, for sftp.")
@click.option("--cutoff", default="14:00", show_default=True, help="The daily cut-off, in the warehouse's zone.")
@click.option("--zone", default="UTC", show_default=True, help="The warehouse's IANA time zone.")
def command(
    folder: Path,
    side: str,
    source: Path | None,
    brand: str | None,
    warehouse: str | None,
    format_name: str,
    drop: str | None,
    host_key: str | None,
    key_file: str | None,
    cutoff: str,
    zone: str,
) -> int:
    """Make FOLDER with an agreement, this side's local.toml, maps and a sample payload.

    Asks for what it is not told. The other side takes the same agreement with --from; nothing is ever overwritten.

    \b
    Examples:
      fallback init acme --brand acme --warehouse northdock --drop folder:drop
      fallback init northdock --side warehouse --from acme/agreement.toml --drop folder:drop
    """
    from fallback.agreement import load_agreement
    from fallback.files import write_file

    drop = drop or click.prompt("Where is the drop? folder:PATH or sftp://USER@HOST:PORT/FOLDER")
    endpoint, login = _endpoint(drop, host_key, key_file)
    files: dict[str, str] = {}
    if source is None:
        brand = brand or click.prompt("The brand's code", default="acme")
        warehouse = warehouse or click.prompt("The warehouse's code", default="northdock")
        today = wall_clock().date()
        files["agreement.toml"] = _AGREEMENT.format(
            brand=brand,
            warehouse=warehouse,
            format=format_name,
            cutoff=cutoff,
            zone=zone,
            today=today,
            review=today + timedelta(days=180),
            delivery=endpoint,
        )
        files |= _brand_files()
    else:
        files["agreement.toml"] = load_agreement(source).text
    files["local.toml"] = _local(side, login)
    for name in files:
        if (folder / name).exists():
            raise click.UsageError(f"{folder / name} is there already; nothing was written.")
    for name, text in files.items():
        write_file(folder / name, text.encode())
    terms = load_agreement(folder)
    terms.open_format()
    _make_folders(drop)
    for name in files:
        click.echo(folder / name)
    say(f"agreement {terms.id} version {terms.version}: sha256 {terms.sha256[:12]}, the same on both sides")
    say(f"next: cd {folder} && fallback status")
    return 0


def _endpoint(drop: str, host_key: str | None, key_file: str | None) -> tuple[str, str]:
    """The agreement's line for a drop, and this machine's login in local.toml."""
    from urllib.parse import urlsplit

    kind, _, rest = drop.partition(":")
    if kind == "folder" and rest:
        root = _root(rest)
        return 'primary = { kind = "folder", in = "in", out = "out" }', f"root = {_quoted(str(root))}\n"
    try:
        parts = urlsplit(drop)
        port = parts.port or 22
    except ValueError:
        raise click.UsageError("--drop: the port is not a number") from None
    if kind != "sftp" or not parts.hostname or not parts.username:
        raise click.UsageError("--drop is folder:PATH or sftp://USER@HOST:PORT/FOLDER")
    if parts.password:
        raise click.UsageError("--drop: never a password; put the name of an environment variable into local.toml")
    base = parts.path.rstrip("/")
    key = f", host_key = {_quoted(host_key)}" if host_key else ""
    line = (
        f'primary = {{ kind = "sftp", host = {_quoted(parts.hostname)}, port = {port}, '
        f"in = {_quoted(base + '/in')}, out = {_quoted(base + '/out')}{key} }}"
    )
    login = f"user = {_quoted(parts.username)}\n"
    if key_file:
        login += f"key_file = {_quoted(str(Path(key_file).expanduser().absolute()))}\n"
    else:
        login += 'password_env = "FALLBACK_PASSWORD"   # the name of the variable, never the password\n'
    return line, login


def _root(path: str) -> Path:
    """The drop's folder: where the user stands when typing it, whatever folder is being made."""
    return Path(path).expanduser().absolute()


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)  # a TOML basic string and a JSON string are written alike


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


def _brand_files() -> dict[str, str]:
    from fallback.cli.samples import payload
    from fallback.records.sample import SKUS

    rows = "".join(f"{sku},{sku},\n" for sku in SKUS)
    return {
        "sku-map.csv": _SKU_MAP.format(rows=rows),
        "service-map.csv": _SERVICE_MAP,
        "sample-orders.json": payload(wall_clock()),
    }


def _make_folders(drop: str) -> None:
    if drop.startswith("folder:"):
        for name in ("in", "out"):
            (_root(drop.partition(":")[2]) / name).mkdir(parents=True, exist_ok=True)
