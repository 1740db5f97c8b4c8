"""The whole procedure, as two sides that share nothing but the drop: by command, over every kind of drop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fallback.cli import main
from fallback.delivery.server import Account, LoopbackServer
from fallback.documents.manifest import Manifest
from fallback.documents.receipt import Receipt
from support.sshd import Sshd

SAMPLES = Path(__file__).parents[2] / "shared" / "samples" / "shopify"
EXAMPLES = Path(__file__).parents[1] / "examples" / "payloads"


@dataclass
class Sides:
    """The two folders, each with its own agreement and local.toml."""

    brand: Path
    warehouse: Path

    def run(self, side: str, *args: str) -> int:
        """A command in the folder of one side; its exit code."""
        folder = self.brand if side == "brand" else self.warehouse
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.chdir(folder)
            main(args)
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def manifests(self) -> list[Manifest]:
        files = sorted((self.brand / "outgoing").glob("*.manifest.json"))
        return [Manifest.from_json(file.read_bytes()) for file in files]

    def processed(self) -> list[Receipt]:
        files = sorted((self.brand / "receipts").glob("*.processed.receipt.json"))
        return [Receipt.from_json(file.read_bytes()) for file in files]

    def loaded(self) -> list[str]:
        """The order ids that the warehouse system was really handed, one for each time."""
        files = (self.warehouse / "wms" / "import").glob("*.jsonl")
        lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
        return [json.loads(line)["order_id"] for line in lines]


def make_sides(base: Path, *drop: str, warehouse_drop: tuple[str, ...] = ()) -> Sides:
    sides = Sides(base / "acme", base / "northdock")
    start = Sides(base, base)
    made = start.run("brand", "init", "acme", "--brand", "acme", "--warehouse", "northdock", *drop)
    taken = start.run(
        "brand", "init", "northdock", "--side", "warehouse", "--from", "acme/agreement.toml", *(warehouse_drop or drop)
    )
    assert (made, taken) == (0, 0)
    return sides


@pytest.fixture(params=["folder", "loopback", "sshd"])
def sides(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sides]:
    if request.param == "folder":
        yield make_sides(tmp_path, "--drop", f"folder:{tmp_path / 'drop'}")
        return
    root = tmp_path / "served"
    for name in ("in", "out", "work", "done", "bad"):
        (root / name).mkdir(parents=True)
    if request.param == "loopback":
        accounts = {
            "acme": Account(password="brand-secret", folders=frozenset({"in", "out"})),
            "northdock": Account(password="warehouse-secret"),
        }
        with LoopbackServer(root, accounts) as server, pytest.MonkeyPatch.context() as patch:
            patch.setenv("FALLBACK_PASSWORD", "brand-secret")
            host = f"127.0.0.1:{server.port}/"
            pinned = ("--host-key", server.fingerprint)
            made = make_sides(
                tmp_path,
                *("--drop", f"sftp://acme@{host}", *pinned),
                warehouse_drop=("--drop", f"sftp://northdock@{host}"),
            )
            local = made.warehouse / "local.toml"
            local.write_text(local.read_text().replace("FALLBACK_PASSWORD", "NORTHDOCK_PASSWORD"))
            patch.setenv("NORTHDOCK_PASSWORD", "warehouse-secret")
            yield made
        return
    sshd: Sshd = request.getfixturevalue("sshd")
    drop = f"sftp://{sshd.user}@127.0.0.1:{sshd.port}{root}"
    yield make_sides(tmp_path, "--drop", drop, "--host-key", sshd.fingerprint, "--key-file", str(sshd.key_file))


def add_skus(sides: Sides, *skus: str) -> None:
    with (sides.brand / "sku-map.csv").open("a") as table:
        table.writelines(f"{sku},{sku},\n" for sku in skus)


PAUSED = ("--integration", "paused", "--confirmed-by", "J. Ops")


def send_all(sides: Sides, payload: Path) -> Manifest:
    assert sides.run("brand", "export", str(payload), *PAUSED) == 0
    manifest = sides.manifests()[-1]
    assert sides.run("brand", "send", f"outgoing/{manifest.files[0].name}") == 0
    assert sides.run("brand", "collect") == 4, "sent and not confirmed"
    return manifest


def test_from_the_payload_to_a_receipt_for_every_order(sides: Sides) -> None:
    manifest = send_all(sides, sides.brand / "sample-orders.json")
    assert len(manifest.orders) == 4
    assert [one.code for one in manifest.excluded] == ["cancelled"]
    assert sides.run("warehouse", "receive") == 0
    assert sides.run("brand", "collect") == 0
    (receipt,) = sides.processed()
    assert receipt.disposition == "accepted"
    assert [(o.key, o.revision, o.fingerprint) for o in receipt.orders] == [
        (o.key, o.revision, o.fingerprint) for o in manifest.orders
    ]
    assert sides.run("brand", "reconcile", "--platform", "sample-orders.json", "--wms", "../northdock/wms") == 0
    assert sides.run("brand", "status") == sides.run("warehouse", "status") == 0
    assert len(set(sides.loaded())) == len(sides.loaded()) == 4


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not here")
def test_a_public_payload_to_a_processed_receipt(sides: Sides) -> None:
    """Shopify's own test order of 2008: three lines, a failed fulfilment, an engraving, no mapping to begin with."""
    payload = SAMPLES / "rubyapi_orders.json"
    assert sides.run("brand", "export", str(payload), *PAUSED) == 1, "its SKUs are not in the map yet"
    assert sides.manifests() == []
    add_skus(sides, "IPOD2008GREEN", "IPOD2008RED", "IPOD2008BLACK")
    manifest = send_all(sides, payload)
    assert sides.run("warehouse", "receive") == 0
    assert sides.run("brand", "collect") == 0
    (receipt,) = sides.processed()
    assert [order.key for order in receipt.orders] == [order.key for order in manifest.orders]
    assert [order.state for order in receipt.orders] == ["accepted"]
    assert receipt.counts.received == manifest.counts
    assert sides.loaded() == ["450789469"]


def test_doing_everything_twice_loads_nothing_twice(sides: Sides) -> None:
    manifest = send_all(sides, sides.brand / "sample-orders.json")
    name = f"outgoing/{manifest.files[0].name}"
    assert sides.run("brand", "send", name) == 0
    assert sides.run("warehouse", "receive") == 0
    assert sides.run("warehouse", "receive") == 0
    assert sides.run("brand", "collect") == sides.run("brand", "collect") == 0
    assert sides.run("brand", "export", "sample-orders.json", *PAUSED) == 0
    assert len(sides.manifests()) == 1, "what is accepted is not exported again"
    assert sides.run("brand", "send", name) == 7, "an answered file is not sent again"
    assert len(sides.loaded()) == len(manifest.orders)


def test_a_live_integration_is_a_fence(sides: Sides) -> None:
    assert sides.run("brand", "export", "sample-orders.json") == 0
    name = sides.manifests()[-1].files[0].name
    assert sides.run("brand", "send", f"outgoing/{name}") == 0
    assert sides.run("warehouse", "receive") == 7
    assert sides.loaded() == []
    assert sides.run("brand", "collect") == 4
    assert sides.run("warehouse", "receive", "--integration-live", "S. Lead") == 0
    assert len(sides.loaded()) == 4
    assert sides.run("brand", "collect") == 0
    (receipt,) = sides.processed()
    assert receipt.by.person == "S. Lead"


def test_a_refused_order_goes_again_under_the_next_revision(sides: Sides) -> None:
    (sides.warehouse / "items.txt").write_text("TEE-BLK-M\nTEE-BLK-L\nMUG-11OZ\nCAP-RED\nSOCK-42\n")
    local = sides.warehouse / "local.toml"
    local.write_text(local.read_text().replace('# skus = "items.txt"', 'skus = "items.txt"'))
    payload = sides.brand / "sample-orders.json"
    shop = json.loads(payload.read_text())
    shop["orders"][0]["line_items"][0]["sku"] = "0012"
    payload.write_text(json.dumps(shop))
    first = send_all(sides, payload)
    assert sides.run("warehouse", "receive") == 1
    assert sides.run("brand", "collect") == 1
    refused = [order for order in sides.processed()[0].orders if order.state == "rejected"]
    assert {reason.code for order in refused for reason in order.reasons} == {"sku-unknown"}
    assert {order.resend for order in refused} == {"corrected"}
    for order in shop["orders"]:
        for line in order["line_items"]:
            line["sku"] = "CAP-RED" if line["sku"] == "0012" else line["sku"]
    payload.write_text(json.dumps(shop))
    second = send_all(sides, payload)
    assert {order.key for order in second.orders} == {order.key for order in refused}
    assert {order.revision for order in second.orders} == {2}
    assert sides.run("warehouse", "receive") == 0
    assert sides.run("brand", "collect") == 0
    assert len(sides.loaded()) == len(set(sides.loaded())) == len(first.orders)


def test_a_damaged_file_on_the_drop_is_refused_whole(tmp_path: Path) -> None:
    sides = make_sides(tmp_path, "--drop", f"folder:{tmp_path / 'drop'}")
    manifest = send_all(sides, sides.brand / "sample-orders.json")
    file = tmp_path / "drop" / "in" / manifest.files[0].name
    file.write_bytes(file.read_bytes().replace(b",", b";"))
    assert sides.run("warehouse", "receive") == 1
    assert sides.run("brand", "collect") == 1
    (receipt,) = sides.processed()
    assert receipt.disposition == "rejected"
    assert {order.state for order in receipt.orders} == {"rejected"}
    assert {order.resend for order in receipt.orders} == {"as-is"}
    assert len(receipt.orders) == len(manifest.orders)
    assert sides.loaded() == []
    assert sides.run("brand", "export", "sample-orders.json", *PAUSED) == 0
    assert {order.revision for order in sides.manifests()[-1].orders} == {1}, "as it is means the same revision"


CANARIES = ("Ada Example", "12 Sample Street", "617 555 0101", "@example.com", "porter")


def test_no_customer_data_but_in_the_payload_and_the_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sides = make_sides(tmp_path, "--drop", f"folder:{tmp_path / 'drop'}")
    payload = sides.brand / "sample-orders.json"
    shop = json.loads(payload.read_text())
    shop["orders"][0]["shipping_address"] |= {"name": "Ada Example\u202e", "address1": "12 Sample Street"}
    shop["orders"][1]["shipping_address"] |= {"name": "Ada Example", "phone": "+1 617 555 0101 " * 40}
    shop["orders"][2]["note"] = "Leave with the porter\x07"
    payload.write_text(json.dumps(shop))
    assert sides.run("brand", "export", "sample-orders.json", *PAUSED) == 1
    name = sides.manifests()[-1].files[0].name
    assert sides.run("brand", "send", f"outgoing/{name}") == 0
    assert sides.run("warehouse", "receive", "--html", "pages") == 0
    assert sides.run("brand", "collect") == 0
    out = capfd.readouterr()
    may_hold = {payload.name, name, name.replace(".csv", ".jsonl")}
    texts = {"output": out.out + out.err} | {
        str(path): path.read_bytes().decode("utf-8", "replace")
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name not in may_hold
    }
    leaks = [(where, canary) for where, text in texts.items() for canary in CANARIES if canary in text]
    assert leaks == []
    assert all((path.stat().st_mode & 0o077) == 0 for path in tmp_path.rglob(name)), "for the owner's eyes only"


def fulfilment_order(order: dict[str, object]) -> dict[str, object]:
    """The whole order as one fulfilment order."""
    lines = order["line_items"]
    assert isinstance(lines, list)
    return {
        "id": 7001,
        "order_id": order["id"],
        "status": "open",
        "request_status": "unsubmitted",
        "assigned_location_id": 1,
        "line_items": [
            {
                "id": 8000 + n,
                "line_item_id": line["id"],
                "quantity": line["quantity"],
                "fulfillable_quantity": line["quantity"],
            }
            for n, line in enumerate(lines)
        ],
    }


@pytest.mark.parametrize("split_first", [False, True])
def test_an_order_told_in_another_way_does_not_go_twice(tmp_path: Path, split_first: bool) -> None:
    """With and without fulfilment orders the same order has two keys: neither WMS nor ledger would see it."""
    sides = make_sides(tmp_path, "--drop", f"folder:{tmp_path / 'drop'}")
    shop = json.loads((sides.brand / "sample-orders.json").read_text())
    order = shop["orders"][0]
    whole, split = tmp_path / "whole.json", tmp_path / "split.json"
    whole.write_text(json.dumps({"orders": [order]}))
    split.write_text(json.dumps({"orders": [order], "fulfillment_orders": [fulfilment_order(order)]}))
    first, second = (split, whole) if split_first else (whole, split)
    send_all(sides, first)
    assert sides.run("warehouse", "receive") == 0
    assert sides.run("brand", "collect") == 0
    assert sides.run("brand", "export", str(second), *PAUSED) == 0
    assert len(sides.manifests()) == 1, "nothing was left to write"
    assert len(sides.loaded()) == 1


@pytest.mark.parametrize("damage", [{"line_items": None}, {"id": None}, {"name": {"no": "name"}}])
def test_an_order_that_could_not_be_read_is_counted_and_never_clear(tmp_path: Path, damage: dict[str, object]) -> None:
    """Included and excluded are the population, and nobody knows whether such an order is in the warehouse."""
    sides = make_sides(tmp_path, "--drop", f"folder:{tmp_path / 'drop'}")
    payload = sides.brand / "sample-orders.json"
    shop = json.loads(payload.read_text())
    shop["orders"][0] |= damage
    payload.write_text(json.dumps(shop))
    assert sides.run("brand", "export", "sample-orders.json", *PAUSED) == 1
    manifest = sides.manifests()[-1]
    assert manifest.population == len(shop["orders"])
    assert sorted(one.code for one in manifest.excluded) == ["cancelled", "refused-here"]
    assert sides.run("brand", "send", f"outgoing/{manifest.files[0].name}") == 0
    assert sides.run("warehouse", "receive") == 0
    assert sides.run("brand", "collect") == 0
    assert sides.run("brand", "reconcile", "--platform", "sample-orders.json", "--wms", "../northdock/wms") == 6
