"""Every shipped format that is written goes the whole way: export, drop, warehouse, receipts, and the integration after
it. What a format does not keep, by agreement, is no difference between the two paths."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from fallback.agreement import Local
from fallback.brand.outbox import open_outbox
from fallback.brand.outgoing import Export, export
from fallback.brand.sending import collect, send
from fallback.delivery.memory import MemoryDrop
from fallback.documents.manifest import Integration
from fallback.formats.defaults import as_carried
from fallback.formats.spec import Format
from fallback.records.order import Order
from fallback.warehouse.ledger import open_ledger
from fallback.warehouse.loading import load_from_integration
from fallback.warehouse.wms import LoadOrder, Outcome
from support.sent import AT, WRITTEN, sent, terms_of
from warehouse_kit import StubWms, Warehouse, ticking


class Night:
    """A brand and a warehouse that have agreed on a format, with a drop in memory between them."""

    def __init__(self, fmt: Format, folder: Path) -> None:
        self.fmt, self.folder = fmt, folder
        self.drop = MemoryDrop("live")
        agreement = terms_of(fmt)
        self.brand = agreement.at(folder, Local(side="brand"))
        self.house = Warehouse(agreement.at(folder, Local(side="warehouse")), folder, self.drop, Loading())
        self.clock: Iterator[datetime] = ticking()

    def export(self, orders: tuple[Order, ...]) -> Export:
        payload = self.folder / "orders.jsonl"
        payload.write_text("".join(order.model_dump_json() + "\n" for order in orders), "utf-8")
        paused = Integration(state="paused", confirmed_by="J. Ops", at=AT)
        with open_outbox(self.folder / "outbox.sqlite") as outbox:
            return export(
                [payload], agreement=self.brand, outbox=outbox, now=AT, platform="canonical", integration=paused
            )

    def send(self, made: Export) -> None:
        assert made.path is not None
        with open_outbox(self.folder / "outbox.sqlite") as outbox:
            send(made.path, agreement=self.brand, drop=self.drop, outbox=outbox, now=lambda: next(self.clock))

    def answers(self) -> dict[str, str]:
        with open_outbox(self.folder / "outbox.sqlite") as outbox:
            collect(
                agreement=self.brand, drop=self.drop, outbox=outbox, receipts_folder=self.folder / "receipts",
                now=lambda: next(self.clock),
            )  # fmt: skip
            return dict(outbox.answers("live"))


class Loading(StubWms):
    """A warehouse system that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Order] = []

    def _create(self, batch_id: str, item: LoadOrder) -> Outcome:
        self.given.append(item.order)
        return super()._create(batch_id, item)


@pytest.mark.parametrize("fmt", WRITTEN, ids=lambda fmt: fmt.name)
def test_a_format_goes_the_whole_way_and_the_integration_brings_nothing_twice(fmt: Format, tmp_path: Path) -> None:
    night = Night(fmt, tmp_path)
    orders = sent(fmt.name).orders
    made = night.export(orders)
    assert made.manifest is not None
    keys = [night.brand.key(order) for order in orders]
    assert sorted(entry.key for entry in made.manifest.orders) == sorted(keys)
    night.send(made)
    names = sorted([*(entry.name for entry in made.manifest.files), made.manifest.name])
    assert night.house.names("in") == names
    result = night.house.receive()
    assert (result.exit_code, result.notes, night.house.names("done"), night.house.names("in")) == (0, (), names, [])
    assert night.answers() == dict.fromkeys(keys, "accepted")
    given = sorted(night.house.wms.given, key=night.brand.key)
    assert given == sorted((as_carried(order, fmt) for order in orders), key=night.brand.key)
    with open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger:
        late = load_from_integration(
            orders, agreement=night.house.agreement, ledger=ledger, wms=night.house.wms,
            now=lambda: next(night.clock),
        )  # fmt: skip
    assert [answer.state for answer in late] == ["duplicate-same"] * len(orders)
    assert set(night.house.wms.created.values()) == {1}


@pytest.mark.parametrize("fmt", WRITTEN, ids=lambda fmt: fmt.name)
def test_of_a_file_that_was_damaged_on_the_drop_nothing_is_loaded(fmt: Format, tmp_path: Path) -> None:
    for number, role in enumerate(fmt.roles):
        folder = tmp_path / role
        folder.mkdir()
        night = Night(fmt, folder)
        made = night.export(sent(fmt.name).orders)
        assert made.manifest is not None
        night.send(made)
        name = made.manifest.files[number].name
        data = bytearray(night.drop.read("in", name))
        data[len(data) // 2] ^= 1
        night.drop.remove("in", name)
        night.drop.put("in", name, bytes(data))
        result = night.house.receive()
        (receipt,) = result.processed
        assert receipt.disposition == "rejected"
        assert {(order.state, order.resend) for order in receipt.orders} == {("rejected", "as-is")}
        named = name if number else None  # a reason without a name is about the first file, whose receipt it is
        assert ("file-hash-differs", named) in [(reason.code, reason.file) for reason in receipt.reasons]
        assert night.house.wms.given == []
        assert set(night.answers().values()) == {"rejected"}
        assert len(night.house.names("bad")) == len(fmt.roles) + 1
