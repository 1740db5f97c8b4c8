"""Uploads that break off: one that is noticed while sending, and one that only the manifest gives away."""

from __future__ import annotations

from fallback.brand.outgoing import manifest_path
from fallback.documents.journal import Proof
from fallback.drills.mishaps.base import Observed, Staging, first_reason, refusal
from fallback.drills.roles import file_of
from fallback.drills.setting import Setting


def _truncated_upload(setting: Setting) -> Observed:
    brand, warehouse, note = setting.brand, setting.warehouse, setting.evidence.note
    exported = brand.export(setting.shop.payload("broken-upload", 2))
    path = file_of(exported)
    setting.server.cut_after(manifest_path(path).stat().st_size + path.stat().st_size // 2, "brand")
    error = refusal(lambda: brand.send(exported))
    seen = sum(entry.name == path.name for entry in warehouse.drop.list("in"))
    loaded = len(warehouse.system_orders())
    waiting = warehouse.receive().waiting
    loaded = len(warehouse.system_orders()) - loaded
    note("warehouse", "waiting", f"{len(waiting)} file is announced and not there; nothing to take")
    brand.send(exported)
    warehouse.receive()
    brand.answer(exported)
    proof = Proof(
        id="no-half-file",
        text="Of an upload that broke off the warehouse saw no file, and loaded nothing",
        holds=not seen and not loaded and len(waiting) == 1,
        numbers={"files_seen": seen, "orders_loaded": loaded},
    )
    return Observed(error.code if error else None, "The line was cut half-way. Sent again, it arrived whole.", (proof,))


def _cut_file(setting: Setting) -> Observed:
    brand = setting.brand
    payload = setting.shop.payload("cut-file", 3)
    exported = brand.export(payload)
    path = file_of(exported)
    data = path.read_bytes()
    # At the end of a row: nothing in the file itself shows that more was there.
    cut = data[: data.rstrip(b"\r\n").rindex(b"\r\n") + 2]
    brand.drop.put("in", manifest_path(path).name, manifest_path(path).read_bytes())
    brand.drop.put("in", path.name, cut)
    setting.warehouse.receive()
    receipt = brand.answer(exported)
    setting.carry(payload)
    text = "A tool that compares nothing left a file without its last row. Refused whole; in a new file, all came in."
    return Observed(first_reason(receipt), text)


TRUNCATED_UPLOAD = Staging(
    "truncated-upload", "The connection breaks in the middle of the file", "unreachable", "brand", _truncated_upload
)
CUT_FILE = Staging("cut-file", "A file cut at the end of a row", "file-size-differs", "warehouse", _cut_file)
