"""Checks beyond one order's own fields: the file against its manifest, its orders against the terms."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from fallback.documents.base import State
from fallback.documents.manifest import DeclaredOrder, Manifest
from fallback.findings import Finding, Place, quote
from fallback.formats.assemble import ReadOrder
from fallback.formats.spec import Format
from fallback.records.order import Order, fingerprint

if TYPE_CHECKING:
    from fallback.agreement import Agreement

DRILL_FILE = "DRILL_"
DRILL_ORDER = "DRILL-"
# Looking for the nearest of a million SKUs takes seconds for each unknown one; up to here it takes milliseconds.
_NEAREST_AMONG = 20_000


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

    def key(self, order: Order) -> str:
        if self.agreement is not None:
            return self.agreement.key(order)
        return f"{order.brand}:{order.platform}:{order.order_id}:{order.group}"

    @cached_property
    def declared(self) -> dict[str, DeclaredOrder]:
        return {order.key: order for order in self.manifest.orders} if self.manifest else {}

    @staticmethod
    def sha256_of(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()


def of_file(data: bytes, terms: Terms) -> list[Finding]:
    """Findings about the file as a whole: bytes, format, agreement, marker, limits."""
    return list(_of_file(data, terms))


def _of_file(data: bytes, terms: Terms) -> Iterator[Finding]:
    place = Place(terms.file)
    agreement = terms.agreement
    if agreement is not None and len(data) > agreement.limits.max_bytes:
        yield Finding(
            "orders-over-limit", place, found=f"{len(data):,} bytes", expected=f"at most {agreement.limits.max_bytes:,}"
        )
    if terms.state != ("drill" if terms.file.startswith(DRILL_FILE) else "live"):
        name = f"a file name that {'begins' if terms.state == 'live' else 'does not begin'} with {DRILL_FILE}"
        yield Finding("marker-wrong", place, found=name, expected=f"the name of a {terms.state} file")
    manifest = terms.manifest
    if manifest is None:
        if agreement is not None:
            yield Finding("manifest-absent", place, expected=f"{terms.file}.manifest.json beside the file")
        return
    yield from _bytes_of(data, manifest, place)
    if manifest.format != terms.format.ref:
        found = f"{manifest.format.name} version {manifest.format.version}, {manifest.format.sha256[:12]}"
        expected = f"{terms.format.name} version {terms.format.version}, {terms.format.sha256[:12]}"
        yield Finding("format-differs", place, found=found, expected=expected)
    if agreement is not None:
        yield from _agreement_of(manifest, agreement, place)


def _bytes_of(data: bytes, manifest: Manifest, place: Place) -> Iterator[Finding]:
    entry = manifest.files[0]
    if entry.name != place.file:
        yield Finding("file-hash-differs", place, found="the manifest of another file", expected=entry.name)
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
        yield Finding("agreement-stale", place, found=found, expected=f"{agreement.version}, {agreement.sha256[:12]}")
    if len(manifest.orders) > agreement.limits.max_orders_per_file:
        most = f"at most {agreement.limits.max_orders_per_file:,}"
        yield Finding("orders-over-limit", place, found=f"{len(manifest.orders):,} orders", expected=most)


def against_terms(read: ReadOrder, terms: Terms) -> list[Finding]:
    """Findings about one order: brand, marker, key, limits, item list."""
    return [] if read.order is None else list(_against_terms(read, read.order, terms))


def _against_terms(read: ReadOrder, order: Order, terms: Terms) -> Iterator[Finding]:
    drill = terms.state == "drill"
    if order.order_number.startswith(DRILL_ORDER) != drill or order.order_id.startswith(DRILL_ORDER) != drill:
        yield Finding(
            "marker-wrong",
            read.place,
            order=read.number,
            found="a live order" if drill else f"an order of a drill ({DRILL_ORDER})",
            expected=f"orders of a {terms.state} file only",
        )
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
    assert terms.skus is not None
    column = next((f.name for f in terms.format.all_fields if f.path == "lines.sku"), None)
    for line, place in zip(order.lines, read.line_places, strict=True):
        if line.sku in terms.skus:
            continue
        nearest = difflib.get_close_matches(line.sku, terms.skus, 1) if len(terms.skus) <= _NEAREST_AMONG else []
        near = f"nearest is {quote(nearest[0])}; " if nearest else ""
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


def against_manifest(read: ReadOrder, terms: Terms) -> list[Finding]:
    """Findings about one order that the manifest declares otherwise, or not at all."""
    if read.order is None or terms.manifest is None:
        return []
    key = terms.key(read.order)
    declared = terms.declared.get(key)
    if declared is None:
        return [Finding("order-undeclared", read.place, order=read.number, found=quote(key), expected="a declared key")]
    made = fingerprint(read.order, key, terms.format.drops)
    if declared.fingerprint != made or declared.revision != read.order.revision:
        found = f"revision {read.order.revision}, {made[:12]}"
        expected = f"revision {declared.revision}, {declared.fingerprint[:12]}"
        return [Finding("fingerprint-differs", read.place, order=read.number, found=found, expected=expected)]
    return []
