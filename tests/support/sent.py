"""Files as a brand sends them: orders that a format takes, their bytes, and the manifest that declares them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from brand_kit import make_agreement
from fallback.agreement import Agreement, key_template
from fallback.documents.base import Counts
from fallback.documents.manifest import DeclaredOrder, FileEntry, Manifest, hash_total
from fallback.documents.report import Report
from fallback.formats.defaults import as_carried
from fallback.formats.library import load_format, shipped, shipped_folder
from fallback.formats.pair import names_of
from fallback.formats.read import read
from fallback.formats.samples import fitting
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Order, check_code, fingerprint
from fallback.validation import validate

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
FORMATS = [load_format(name) for name in shipped()]
WRITTEN = [fmt for fmt in FORMATS if fmt.direction == "both"]

Parts = Mapping[str, bytes]


def terms_of(fmt: Format, **terms: Any) -> Agreement:
    """An agreement on a format: with the codes that it needs, and a key of what it carries."""
    form = {"orders": fmt.name, "order_key": key_template(fmt)}
    codes = dict.fromkeys(fmt.codes, "C1")
    return make_agreement(**{"codes": codes, **terms, "format": form | terms.get("format", {})})


def name_of(fmt: Format, sequence: int = 1, marker: str = "") -> str:
    """The name that the format gives a file, of a pair the first."""
    role = fmt.roles[0].upper()
    return fmt.file_name.format(marker=marker, brand="ACME", sent=AT, sequence=sequence, role=role)


@dataclass(frozen=True)
class Sent:
    """A file of a format under an agreement. ``orders`` are what a reader gets from its ``parts``."""

    fmt: Format
    agreement: Agreement
    orders: tuple[Order, ...]
    parts: Parts

    @property
    def name(self) -> str:
        return name_of(self.fmt)

    @property
    def manifest(self) -> Manifest:
        return manifest_of(self.fmt, self.parts, self.orders, self.name, self.agreement)

    def holding(self, orders: Sequence[Order]) -> Sent:
        """The same with other orders in it, whatever their fields hold."""
        made = write(self.fmt, orders, codes=self.agreement.codes, key=self.agreement.key)
        assert not made.findings, made.findings
        return replace(self, orders=tuple(orders), parts=dict(made.parts))

    def with_copy(self, index: int, name: str) -> Parts:
        """The bytes with one of its orders twice, the second one to somebody else: written under another number, since
        nobody writes the same order twice, and then renamed."""
        order = self.orders[index]
        own = order.order_number[-4:]
        other = f"9{own[1:]}"
        lines = tuple(line.model_copy(update={"line_id": line.line_id.replace(own, other)}) for line in order.lines)
        names = {name: getattr(order, name).replace(own, other) for name in ("order_id", "order_number")}
        copy = _to(order.model_copy(update={**names, "lines": lines}), {"ship_to.name": name})
        both = self.holding([*self.orders, copy])
        numbers = [one.order_number for one in both.orders]
        said, meant = hash_total(numbers), hash_total([*numbers[:-1], order.order_number])
        changes = {other: own, said: meant}
        if "order_check" in self.fmt.carried:
            twin = _to(order, {"ship_to.name": name})
            changes[check_code(copy, self.fmt.carried)] = check_code(twin, self.fmt.carried)
        for old, new in changes.items():
            both = replace(both, parts={role: d.replace(old.encode(), new.encode()) for role, d in both.parts.items()})
        return both.parts

    def plain(self, parts: Parts | None = None, **how: Any) -> Report:
        """Validated by the format alone: nothing but the file proves it."""
        return validate(self.parts if parts is None else parts, format=self.fmt, name=self.name, **how)

    def proven(self, parts: Parts | None = None, **how: Any) -> Report:
        """Validated under the agreement with the manifest of what was sent."""
        data = self.parts if parts is None else parts
        return validate(data, agreement=self.agreement, format=self.fmt, manifest=self.manifest, name=self.name, **how)

    def known(self, order: Order) -> Order:
        """The order as it is known without an agreement: where the file does not name the brand, nobody does."""
        return order if "brand" in self.fmt.carried else order.model_copy(update={"brand": "unknown"})


@lru_cache
def sent(name: str, count: int = 5) -> Sent:
    """A file of a shipped format: of sample orders that it takes; of one that is only read, its sample file."""
    fmt = load_format(name)
    agreement = terms_of(fmt)
    if fmt.direction == "read":
        return _exported(fmt, agreement)
    orders = fitting(fmt, fmt.max_orders or count, codes=agreement.codes, key=agreement.key, at=AT)
    return Sent(fmt, agreement, (), {}).holding(orders)


@lru_cache
def golden(name: str) -> Sent:
    """The example file of a shipped format: its own orders, in which everything is that is hard."""
    file = sent(name)
    if file.fmt.direction == "read":
        return file
    lines = (shipped_folder() / name / "orders.jsonl").read_text("utf-8").splitlines()
    orders = [as_carried(Order.model_validate_json(line), file.fmt) for line in lines]
    terms = terms_of(file.fmt, limits={"max_units_per_order": 10**9})
    return replace(file, agreement=terms).holding(orders[: file.fmt.max_orders])


def separators(fmt: Format) -> str:
    """What tells the values of a file apart."""
    marks = {"fixed-width": " \n", "json-lines": ',"\n:{}', "json": ',"\n:{}', "xml": '<>/"= \n', "x12": "*~\n"}
    return marks.get(fmt.kind) or f'{fmt.delimited.delimiter}"\n'


def _exported(fmt: Format, agreement: Agreement, cells: Mapping[str, str] | None = None) -> Sent:
    """The partner's own sample file, as far as its orders may be loaded; ``cells`` take the place of what is there."""
    (path,) = shipped_folder().glob(f"{fmt.name}/sample.*")

    def orders(data: bytes) -> dict[str, Order]:
        content = read(fmt, data, codes=agreement.codes, defaults={"brand": agreement.brand})
        return {one.number: one.order for one in content.orders if one.order is not None}

    good = orders(path.read_bytes())
    number = next(field.name for field in fmt.fields if field.path == "order_number")
    sample = io.StringIO(path.read_bytes().decode(fmt.encoding), newline="")
    rows = [row for row in csv.DictReader(sample) if row[number] in good]
    for row in rows:
        row |= {name: cell for name, cell in (cells or {}).items() if row[name]}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator=fmt.newline_text)
    writer.writeheader()
    writer.writerows(rows)
    data = text.getvalue().encode(fmt.encoding)
    return Sent(fmt, agreement, tuple(orders(data).values()), {fmt.roles[0]: data})


CANARY = {
    "ship_to.name": "Zebulon Kanarienvogel",
    "ship_to.address1": "77 Canary Wharf Lane",
    "ship_to.address2": "Nest Eleven",
    "ship_to.city": "Vogelstadt",
    "ship_to.postal_code": "C4N 4RY",
    "ship_to.phone": "+44 1632 960555",
    "ship_to.email": "zebulon@canary.example",
    "instructions": "under the yellow mat\nthen ring",
    "gift_message": "happy birthday Zeb",
}
"""A customer whom one would know again."""
SECRETS = (*(text for path, text in CANARY.items() if path.startswith("ship_to.")),
           "Kanarienvogel", "1632 960555", "canary.example", "under the yellow mat", "happy birthday Zeb")  # fmt: skip


# A character that cannot be printed, as a document of the kind can hold it; elsewhere it stands there itself.
_BELL = {"json-lines": b"\\u0007", "json": b"\\u0007", "xml": b"&#x85;"}


def unprintable(fmt: Format, parts: Parts) -> Parts:
    """The bytes with a character in the canary's name that cannot be printed; as wide as before."""
    bell = _BELL.get(fmt.kind, b"\x07")
    return {role: data.replace(b"Kanarienvogel", b"Kanarienvoge" + bell) for role, data in parts.items()}


@lru_cache
def canaries(name: str) -> Sent:
    """A file of a shipped format to one customer, with all of it that the format takes."""
    file = sent(name)
    fmt = file.fmt
    fields = {field.path: field.name for field in fmt.all_fields}
    if fmt.direction == "read":
        return _exported(fmt, file.agreement, {fields[path]: text for path, text in CANARY.items() if path in fields})
    held: dict[str, str] = {}
    for path, text in CANARY.items():
        for tried in (text, text.replace("\n", " ")):
            some = held | {path: tried}
            if path in fields and not write(fmt, [_to(file.orders[0], some)], codes=file.agreement.codes).findings:
                held = some
                break
    return file.holding([_to(order, held) for order in file.orders])


def _to(order: Order, texts: Mapping[str, str]) -> Order:
    own = {path: text for path, text in texts.items() if "." not in path}
    place = {path.partition(".")[2]: text for path, text in texts.items() if "." in path}
    return order.model_copy(update={**own, "ship_to": order.ship_to.model_copy(update=place)})


def manifest_of(
    fmt: Format, data: bytes | Parts, orders: Sequence[Order], file: str, agreement: Agreement, **changes: Any
) -> Manifest:
    """The manifest of a file under an agreement; ``changes`` are what it declares otherwise."""
    keys = [agreement.key(order) for order in orders]
    parts = data if isinstance(data, Mapping) else {fmt.roles[0]: data}
    names = names_of(fmt, file)
    content: dict[str, Any] = {
        "file_id": file.partition(".")[0],
        "state": "live",
        "sequence": 1,
        "created_at": AT,
        "agreement": agreement.ref,
        "format": fmt.ref,
        "files": tuple(
            FileEntry(name=names[role], role=role, bytes=len(part), sha256=hashlib.sha256(part).hexdigest())
            for role, part in parts.items()
        ),
        "counts": Counts(
            orders=len(orders),
            lines=sum(len(order.lines) for order in orders),
            units=sum(order.units for order in orders),
        ),
        "hash_total": hash_total(order.order_number for order in orders),
        "orders": tuple(
            DeclaredOrder(key=key, revision=order.revision, fingerprint=fingerprint(order, key, fmt.lost))
            for key, order in zip(keys, orders, strict=True)
        ),
        "population": len(orders),
    }
    return Manifest.model_validate(content | changes)
