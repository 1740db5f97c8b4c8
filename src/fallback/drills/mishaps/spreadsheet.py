"""A file that somebody has opened in a spreadsheet, looked at, and saved."""

from __future__ import annotations

import csv
import io
import re

from fallback.brand.outgoing import manifest_path
from fallback.documents.journal import Proof
from fallback.documents.manifest import Manifest
from fallback.drills.mishaps.base import Observed, Staging, first_reason
from fallback.drills.roles import file_of
from fallback.drills.setting import Setting
from fallback.validation import validate

_LONGEST_SHOWN = 11  # digits; a longer whole number is shown, and saved, in scientific notation


def resave(data: bytes) -> bytes:
    """What a spreadsheet makes of a CSV file when it opens and saves it, where the comma is the decimal mark.

    Whole numbers lose their zeros, long ones their digits; cells are separated by semicolons, and the file begins with
    a byte order mark.
    """
    rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=";", lineterminator="\r\n").writerows([_cell(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + stream.getvalue().encode()


def _cell(text: str) -> str:
    if not re.fullmatch(r"[0-9]+", text):
        return text
    number = str(int(text))
    return number if len(number) <= _LONGEST_SHOWN else f"{int(number):.2E}".replace(".", ",")


def _spreadsheet_resave(setting: Setting) -> Observed:
    brand, warehouse = setting.brand, setting.warehouse
    payload = setting.shop.payload("spreadsheet", 3)
    exported = brand.export(payload)
    path = file_of(exported)
    name, manifest = path.name, manifest_path(path).read_bytes()
    brand.drop.put("in", manifest_path(path).name, manifest)
    brand.drop.put("in", name, resave(path.read_bytes()))
    warehouse.receive()
    receipt = brand.answer(exported)
    report = validate(
        warehouse.drop.read("bad", name),
        name=name,
        agreement=warehouse.agreement,
        manifest=Manifest.from_json(manifest),
        skus=warehouse.skus,
    )
    setting.carry(payload)
    said = next((one.sentence for one in report.diagnosis if one.name == "spreadsheet-saved"), "no diagnosis")
    proof = Proof(
        id="damage-named",
        text="The damage was named as what it is, a file saved by a spreadsheet program, and none of it was loaded",
        holds="spreadsheet" in said and not receipt.counts.by_state.get("accepted"),
        numbers={"loaded": receipt.counts.by_state.get("accepted", 0)},
    )
    return Observed(first_reason(receipt), f"Diagnosis: {said}", (proof,))


SPREADSHEET_RESAVE = Staging(
    "spreadsheet-resave",
    "The file was opened in a spreadsheet and saved",
    "file-size-differs",
    "warehouse",
    _spreadsheet_resave,
)
