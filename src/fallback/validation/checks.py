"""Checks beyond one order's own fields: the file against its manifest, its orders against the terms."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from fallback.documents.base import State
from fallback.findings import Finding, Place, quote
from fallback.formats.assemble import ReadOrder, is_name
from fallback.formats.defaults import fill
from fallback.formats.spec import Format
from fallback.records.order import Order, fingerprint

if TYPE_CHECKING:
    from fallback.agreement import Agreement
    from fallback.documents.manifest import DeclaredOrder, FileEntry, Manifest
    from fallback.validation.parts import Parts

DRILL_FILE = "DRILL_"
DRILL_ORDER = "DRILL-"
_LIKE_DRILL = re.compile(r"drill[\W_]", re.IGNORECASE)
_NAMING = ("brand", "platform", "order_id", "order_number", "group")
_DEFAULT_KEY = "{brand}:{platform}:{order_id}:{group}"  # the agreement's own default, which is not imported for it
# Looking for the nearest of a million SKUs takes seconds for each unknown one; up to here it takes milliseconds.
_NEAREST_AMONG = 20_000
_NEAREST_FOR = 50


@dataclass(frozen=True)
class Terms:
    """What a file is held against."""

    format: Format
    agreement: Agreement | None
    manifest: Manifest | None
    file: str
    skus: frozenset[str] | None

    @property
    def state(self) -> State:
        """Live or drill, as the manifest says, else as the file's name does."""
        if self.manifest is not None:
            return self.manifest.state
        return "drill" if self.file.startswith(DRILL_FILE) else "live"

    @property
    def brand(self) -> str:
        """The brand of orders that do not name it: the agreement's; without one a partner's file has none."""
        if self.agreement is not None:
            return self.agreement.brand
        return "" if "brand" in self.format.carried else "unknown"

    def key(self, order: Order) -> str:
        if self.agreement is not None:
            return self.agreement.key(order)
        parts = ("brand", "platform", "order_id", "group")
        return _DEFAULT_KEY.format(**{part: getattr(order, part) for part in parts})

    def key_of(self, read: ReadOrder) -> str | None:
        """The key of an order of the file, a refused one too, where its identifying fields could be read."""
        if read.order is not None:
            return self.key(read.order)
        parts: dict[str, str] = {"brand": self.brand, "group": "0"}
        parts |= {path: text for path, text in read.identity if is_name(text)}
        fill(parts, [], self.format)
        names = self.agreement.key_parts if self.agreement is not None else ("brand", "platform", "order_id")
        if not all(parts.get(name) for name in names):
            return None
        parts = {name: parts.get(name, "") for name in _NAMING}
        return self.agreement.key_of(**parts) if self.agreement is not None else _DEFAULT_KEY.format(**parts)

    @cached_property
    def items(self) -> list[str]:
        """The item list in an order that does not change from run to run, for the nearest SKU."""
        return sorted(self.skus or ())

    @cached_property
    def nearest(self) -> dict[str, str | None]:
        """For SKUs that are not on the item list the nearest that is, as far as it was looked up."""
        return {}

    @cached_property
    def declared(self) -> dict[str, DeclaredOrder]:
        return {order.key: order for order in self.manifest.orders} if self.manifest else {}

    @staticmethod
    def sha256_of(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()


def of_file(parts: Parts, orders: int, terms: Terms) -> list[Finding]:
    """Findings about the file as a whole: bytes, format, agreement, marker, limits."""
    return list(_of_file(parts, orders, terms))


def _of_file(parts: Parts, orders: int, terms: Terms) -> Iterator[Finding]:
    place = Place(terms.file)
    agreement = terms.agreement
    if agreement is not None:
        limits = agreement.limits
        if len(parts.joined) > limits.max_bytes:
            yield over_limit(place, len(parts.joined), limits.max_bytes, "bytes")
        elif orders > limits.max_orders_per_file:
            yield over_limit(place, orders, limits.max_orders_per_file, "orders")
    if any(terms.state != ("drill" if name.startswith(DRILL_FILE) else "live") for name in parts.names.values()):
        name = f"a file name that {'begins' if terms.state == 'live' else 'does not begin'} with {DRILL_FILE}"
        yield Finding("marker-wrong", place, found=name, expected=f"the name of a {terms.state} file")
    manifest = terms.manifest
    if manifest is None:
        if agreement is not None:
            yield Finding("manifest-absent", place, expected=f"{terms.file}.manifest.json beside the file")
        if orders and terms.format.uncounted is not None:
            yield Finding("uncounted", place, expected="a manifest: a lost row would make a smaller, valid order")
        return
    if manifest.state == "live" and manifest.drill_id is not None:
        yield Finding("marker-wrong", place, found="the id of a drill in its manifest", expected="a live file")
    for role, data in parts.data.items():
        yield from _bytes_of(data, parts.declared(role), Place(parts.name(role)), manifest.files[0].name)
    if manifest.format != terms.format.ref:
        found = f"{manifest.format.name} version {manifest.format.version}, {manifest.format.sha256[:12]}"
        expected = f"{terms.format.name} version {terms.format.version}, {terms.format.sha256[:12]}"
        yield Finding("format-differs", place, found=found, expected=expected)
    if agreement is not None:
        yield from _agreement_of(manifest, agreement, place)


def over_limit(place: Place, found: int, most: int, unit: str) -> Finding:
    """More orders or bytes than the agreement allows in one file."""
    return Finding("orders-over-limit", place, found=f"{found:,} {unit}", expected=f"at most {most:,}")


def _bytes_of(data: bytes, entry: FileEntry | None, place: Place, title: str) -> Iterator[Finding]:
    if entry is None or entry.name != place.file:
        yield Finding("file-hash-differs", place, found="the manifest of another file", expected=title)
    elif entry.bytes != len(data):
        yield Finding("file-size-differs", place, found=f"{len(data):,} bytes", expected=f"{entry.bytes:,} bytes")
    elif entry.sha256 != Terms.sha256_of(data):
        found = f"sha256 {Terms.sha256_of(data)[:12]}"
        yield Finding("file-hash-differs", place, found=found, expected=f"sha256 {entry.sha256[:12]}")


def _agreement_of(manifest: Manifest, agreement: Agreement, place: Place) -> Iterator[Finding]:
    if manifest.agreement.id != agreement.id:
        yield Finding("agreement-differs", place, found=manifest.agreement.id[:80], expected=agreement.id)
    elif manifest.agreement.sha256 != agreement.sha256:
        found = f"version {manifest.agreement.version[:20]}, {manifest.agreement.sha256[:12]}"
        expected = f"version {agreement.version}, {agreement.sha256[:12]}"
        yield Finding("agreement-stale", place, found=found, expected=expected)


def against_terms(read: ReadOrder, terms: Terms) -> list[Finding]:
    """Findings about one order: brand, key, limits, item list."""
    return [] if read.order is None else list(_against_terms(read, read.order, terms))


def _against_terms(read: ReadOrder, order: Order, terms: Terms) -> Iterator[Finding]:
    agreement = terms.agreement
    if agreement is not None:
        if order.brand != agreement.brand:
            yield Finding(
                "brand-wrong", read.place, order=read.number, path="brand",
                found=quote(order.brand), expected=quote(agreement.brand),
            )  # fmt: skip
        if read.key is not None and read.key != agreement.key(order):
            yield Finding(
                "value-wrong", read.place, order=read.number, path="key",
                found=quote(read.key), expected=quote(agreement.key(order)),
            )  # fmt: skip
        if order.units > agreement.limits.max_units_per_order:
            most = f"at most {agreement.limits.max_units_per_order:,}"
            yield Finding(
                "units-over-limit", read.place, order=read.number, found=f"{order.units:,} units", expected=most
            )
    if terms.skus is not None:
        yield from _skus(read, order, terms)


def _skus(read: ReadOrder, order: Order, terms: Terms) -> Iterator[Finding]:
    column = next((f.name for f in terms.format.all_fields if f.path == "lines.sku"), None)
    for line, place in zip(order.lines, read.line_places, strict=True):
        if line.sku in (terms.skus or ()):
            continue
        nearest = _nearest(line.sku, terms)
        near = f"nearest is {quote(nearest)}; " if nearest else ""
        yield Finding(
            "sku-unknown",
            place,
            order=read.number,
            order_line=line.line_number,
            field=column,
            path="lines.sku",
            found=quote(line.sku),
            expected="a SKU of the warehouse's item list",
            hint=f"{near}add it to the SKU map or correct the order",
        )


def _nearest(sku: str, terms: Terms) -> str | None:
    # Each search takes milliseconds, and a file for another warehouse has thousands of unknown SKUs.
    if sku not in terms.nearest and len(terms.items) <= _NEAREST_AMONG and len(terms.nearest) < _NEAREST_FOR:
        import difflib

        terms.nearest[sku] = next(iter(difflib.get_close_matches(sku, terms.items, 1)), None)
    return terms.nearest.get(sku)


def belongs(order: Order, state: State) -> bool:
    """Whether number and id both carry the marker of a drill; live, neither carries it or anything taken for it.

    ``drill-7`` and ``DRILL_7`` are what a program makes of the marker that writes small letters or no dashes.
    """
    names = (order.order_number, order.order_id)
    if state == "drill":
        return all(name.startswith(DRILL_ORDER) for name in names)
    return not any(map(like_drill, names))


def like_drill(name: str) -> bool:
    """Whether a number or an id carries the marker of a drill, or what may be taken for it."""
    return _LIKE_DRILL.match(name) is not None


def markers(orders: Sequence[ReadOrder], terms: Terms) -> dict[int, Finding]:
    """The orders of a drill in a live file, or live ones in a drill's, by their position; the same finding for all."""
    wrong = [
        index for index, read in enumerate(orders) if read.order is not None and not belongs(read.order, terms.state)
    ]
    if not wrong:
        return {}
    first = orders[wrong[0]]
    marked = "without" if terms.state == "drill" else "with"
    found = f"{len(wrong):,} of {len(orders):,} orders {marked} {DRILL_ORDER} on number or id"
    expected = f"orders of a {terms.state} file only"
    return dict.fromkeys(
        wrong, Finding("marker-wrong", first.place, order=first.number, found=found, expected=expected)
    )


def doubled(orders: Mapping[int, ReadOrder], terms: Terms) -> dict[int, Finding]:
    """The same order twice in one file, by the position of each copy: none may be loaded, be one of them damaged."""
    copies: dict[str, list[int]] = {}
    for index, read in orders.items():
        if (key := terms.key_of(read)) is not None:
            copies.setdefault(key, []).append(index)
    found: dict[int, Finding] = {}
    for indexes in copies.values():
        if len(indexes) > 1:
            places = [orders[index].place for index in indexes]
            lines = ", ".join(str(place.line) for place in places[:5])
            words = f"the order {len(indexes)} times, in lines {lines}"
            again = Finding("order-doubled", places[1], order=orders[indexes[0]].number, found=words, expected="once")
            found |= dict.fromkeys(indexes, again)
    return found


def against_manifest(read: ReadOrder, terms: Terms) -> list[Finding]:
    """Findings about one order that the manifest declares otherwise, or not at all."""
    if read.order is None or terms.manifest is None:
        return []
    key = terms.key(read.order)
    declared = terms.declared.get(key)
    if declared is None:
        return [Finding("order-undeclared", read.place, order=read.number, expected="a declared key")]
    made = fingerprint(read.order, key, terms.format.lost)
    if declared.fingerprint != made or declared.revision != read.order.revision:
        found = f"revision {read.order.revision}, {made[:12]}"
        expected = f"revision {declared.revision}, {declared.fingerprint[:12]}"
        return [Finding("fingerprint-differs", read.place, order=read.number, found=found, expected=expected)]
    return []
