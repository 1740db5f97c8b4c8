"""The plan of a drill on one machine: the agreement it is run under, what each side holds, and the shop's orders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fallback.files import write_file
from fallback.records.order import Order
from fallback.records.sample import SKUS, sample_orders
from fallback.validation.checks import DRILL_ORDER

BRAND, WAREHOUSE = "acme", "northdock"

ITEMS = {sku: f"{number:06d}" for number, sku in enumerate(SKUS, 101)}
"""The warehouse's item numbers for the shop's articles. Their zeros are what a spreadsheet takes away first."""

NEW_ARTICLE, NEW_ITEM = "CAP-GREEN", "000190"
"""An article that shop and warehouse have, and the brand's SKU map has not."""

_MISHAP_ORDERS = 60  # more than the mishaps take
_AGREEMENT = """\
# The agreement of a drill on one machine: short limits, and a server that lives as long as the drill.
schema = "fallback.agreement/1"
id = "{brand}-{warehouse}-drill"
version = "1"
effective_from = {today}
review_by = {review}
flows = ["orders"]

[parties.brand]
org = "{brand}"
[parties.warehouse]
org = "{warehouse}"

[format]
orders = "order-lines-csv"
order_key = "{{brand}}:{{platform}}:{{order_id}}:{{group}}"
on_existing = "reject"
load_mode = "all-valid"

[mapping]
sku = "sku-map.csv"
service = "service-map.csv"
owner = "{brand}.it"

[[cutoffs]]
id = "drill"
time = {cutoff}
zone = "UTC"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
window = "PT60M"

[integration]
pause_owner = "{brand}.it"
replay_guard = "ledger"

[commitments]
export = {{ from = "declared", to = "delivered", limit = "PT20S", owner = "brand" }}
acknowledge = {{ from = "delivered", to = "received", limit = "PT10S", owner = "warehouse" }}
load = {{ from = "delivered", to = "processed", limit = "PT30S", owner = "warehouse" }}
fix = {{ from = "refused", to = "corrected", limit = "PT30S", owner = "brand" }}

[delivery]
manifest = "before"
proof = "hash"
[delivery.primary]
kind = "sftp"
host = "127.0.0.1"
port = {port}
in = "in"
out = "out"
host_key = {host_key}
[delivery.drill]
kind = "sftp"
host = "127.0.0.1"
port = {port}
in = "drill/in"
out = "drill/out"
host_key = {host_key}

[limits]
max_orders_per_file = 5000
"""
_LOGIN = """
[delivery.primary]
user = "{side}"
key_file = "key"
[delivery.drill]
user = "{side}"
key_file = "key"
"""


def drill_id(at: datetime) -> str:
    """The id of a drill that begins at an instant: ``D-20261123T140000Z``."""
    return f"D-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def agreement_text(at: datetime, port: int, host_key: str) -> str:
    """The agreement's file. Its cut-off lies in the past, so that what is missing now is due."""
    return _AGREEMENT.format(
        brand=BRAND,
        warehouse=WAREHOUSE,
        today=at.date(),
        review=at.date() + timedelta(days=180),
        cutoff=f"{_cutoff(at):%H:%M}:00",
        port=port,
        host_key=json.dumps(host_key),
    )


def _cutoff(at: datetime) -> datetime:
    return at.astimezone(UTC) - timedelta(minutes=90)


def brand_files(agreement: str) -> dict[str, str]:
    """What lies in the brand's folder before the drill, by name."""
    rows = "".join(f"{sku},{item},\n" for sku, item in ITEMS.items())
    return {
        "agreement.toml": agreement,
        "local.toml": 'side = "brand"\n' + _LOGIN.format(side="brand"),
        "sku-map.csv": f"from,to,note\n{rows}",
        "service-map.csv": "from,to,carrier,note\nStandard,STD,,\n",
    }


def warehouse_files(agreement: str) -> dict[str, str]:
    """What lies in the warehouse's folder before the drill, by name."""
    return {
        "agreement.toml": agreement,
        "local.toml": 'side = "warehouse"\nskus = "items.txt"\n' + _LOGIN.format(side="warehouse"),
        "items.txt": "".join(f"{item}\n" for item in (*ITEMS.values(), NEW_ITEM)),
    }


class Shop:
    """The brand's shop: invented orders that carry the drill's mark, and the payloads that it gives of them."""

    def __init__(self, folder: Path, *, seed: int, orders: int, at: datetime) -> None:
        self.folder = folder
        # A few came before the integration broke: with a list of which next to nothing matches, nobody could tell
        # a broken integration from a wrong key.
        self.before = max(2, orders // 20)
        self.open = orders
        made = sample_orders(
            self.before + orders + _MISHAP_ORDERS,
            seed=seed,
            at=_cutoff(at) - timedelta(minutes=5),
            brand=BRAND,
            marker=DRILL_ORDER,
            service="Standard",
        )
        self._fresh: Iterator[Order] = iter(made)
        self._book: dict[Path, tuple[Order, ...]] = {}

    def take(self, count: int) -> tuple[Order, ...]:
        """The next orders that nobody has placed yet."""
        return tuple(next(self._fresh) for _ in range(count))

    def payload(self, name: str, orders: int | Sequence[Order]) -> Path:
        """The payload of some new orders; the same name again replaces what the shop says of them."""
        placed = self.take(orders) if isinstance(orders, int) else tuple(orders)
        path = self.folder / f"{name}.jsonl"
        write_file(path, as_lines(placed), replace=True)
        self._book[path] = placed
        return path

    def orders(self, path: Path) -> tuple[Order, ...]:
        """The orders of a payload."""
        return self._book[path]

    @property
    def payloads(self) -> tuple[Path, ...]:
        return tuple(self._book)


def as_lines(orders: Sequence[Order]) -> bytes:
    """Orders as JSON Lines, the payload of the platform ``canonical``."""
    return "".join(order.model_dump_json() + "\n" for order in orders).encode()
