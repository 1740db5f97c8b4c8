"""One run of the screen over a file: from the bytes to the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fallback.documents.diagnosis import Diagnosis
from fallback.documents.lazy import Lazy
from fallback.documents.report import Report, Verdict
from fallback.errors import FallbackError
from fallback.formats import shape, table
from fallback.formats.assemble import Desk, GivenUp, ReadOrder, finding_order
from fallback.formats.kinds.rows import Row
from fallback.formats.pair import names_of
from fallback.formats.spec import Format
from fallback.records.order import Order
from fallback.records.paths import PATHS
from fallback.validation.checks import DRILL_FILE, Terms, against_terms, of_file
from fallback.validation.damage import MOST_FINDINGS, diagnose, rewritten, silent
from fallback.validation.parts import Parts
from fallback.validation.screen import arrays
from fallback.validation.screen.blocks import BLOCK, Batch, Reader, Source, Unproven
from fallback.validation.screen.orders import EXACT, Judge, rows_of
from fallback.validation.screen.tally import Tally

if TYPE_CHECKING:
    from fallback.agreement import Agreement

_MOST_TORN = 20_000
_MOST_DIAGNOSED = 32 << 20
_MOST_FIELDS = 60
_BRAND_UNTOLD = "unknown"


def run(
    source: bytes | Path,
    *,
    fmt: Format,
    agreement: Agreement | None,
    name: str,
    skus: Collection[str] | None,
    show_values: bool,
    max_findings: int | None,
    block: int = BLOCK,
) -> Report | None:
    """The report; None where the file as a whole is not proven. ``block``: bytes that are looked at in one go."""
    items = frozenset(skus) if skus is not None else None
    terms = Terms(fmt, agreement, None, name, items)
    if not _is_provable(terms) or name.startswith(DRILL_FILE):
        return None
    defaults = {} if "brand" in fmt.carried else {"brand": agreement.brand if agreement else _BRAND_UNTOLD}
    codes = agreement.codes if agreement else None
    desk = Desk(shape.shape_of(fmt), name, codes, defaults, show_values)
    where = Source(None, source) if isinstance(source, bytes) else Source(source)
    try:
        return _Run(where, desk, terms, max_findings, block).report()
    except (Unproven, GivenUp):
        return None


def _is_provable(terms: Terms) -> bool:
    """Whether the screen knows all that the format and the agreement may ask of a cell, and of cells together."""
    fmt = terms.format
    named = {field.path for field in fmt.fields if field.path}
    plain = all(
        not (field.again or field.part or field.guard or field.only or field.per_line)
        and not (field.path in _TOGETHER and (field.placeholder or field.prefix))
        and field.path not in ("key", "purpose", "envelope_at")
        for field in fmt.fields
    )
    needed = {path for path, info in PATHS.items() if info.required}
    held = named | fmt.defaults.keys() | {"brand"}
    if not plain or not needed <= held or len(fmt.fields) > _MOST_FIELDS or fmt.row_order.sorted_by:
        return False
    if fmt.row_order.follow or fmt.row_order.tied_by or named & fmt.defaults.keys():
        return False
    if "lines.unit_price" in named and "currency" not in named | fmt.defaults.keys():
        return False
    if any(PATHS[path].kind not in ("text", "integer") for path in fmt.once):
        return False
    return _defaults_are_plain(fmt) and bool(_key_paths(terms))


_TOGETHER = frozenset(
    (
        *("brand", "platform", "order_id", "order_number", "group", "currency", "order_lines", "order_units"),
        *("lines.line_number", "lines.line_id", "lines.quantity", "lines.unit_price"),
    )
)
"""The paths whose cells are held against others."""


def _defaults_are_plain(fmt: Format) -> bool:
    for path, text in fmt.defaults.items():
        info = PATHS[path]
        if info.path in ("lines.line_number", "lines.line_id"):
            good = text in ("#", "=lines.line_number") and text != f"={path}"
        elif text == "#" or (info.level == "line" and text.startswith("=")):
            good = False
        elif text.startswith("="):
            source = PATHS.get(text[1:])
            good = source is not None and (source.level, source.kind, info.kind) == ("order", "text", "text")
            good = good and text[1:] in fmt.carried
        else:
            good = True
        if not good:
            return False
    return True


def _key_paths(terms: Terms) -> list[str]:
    """The tied paths that the key is made of: orders that differ there have different keys."""
    parts = set(terms.agreement.key_parts) if terms.agreement else {"brand", "platform", "order_id", "group"}
    alike = {text[1:] for path, text in terms.format.defaults.items() if path in parts and text.startswith("=")}
    return [path for path in terms.format.ties if path in parts | alike]


@dataclass
class _Run:
    source: Source
    desk: Desk
    terms: Terms
    most: int | None
    block: int
    tied: list[int] = field(default_factory=list)
    keyed: list[int] = field(default_factory=list)

    def report(self) -> Report:
        stamp = self._stamp()
        agreement = self.terms.agreement
        most_orders = agreement.limits.max_orders_per_file if agreement else None
        judge = self._judge()
        self.tied = judge.tied
        paths = self.terms.format.ties
        self.keyed = [judge.tied[paths.index(path)] for path in _key_paths(self.terms)]
        reader, tally, labels, keys = self._pass(judge, None)
        if agreement is not None and reader.size > agreement.limits.max_bytes:
            raise Unproven("more bytes than agreed")
        torn = _doubled(keys)
        if len(torn) and self.keyed != self.tied:
            if not _each_once(labels, keys):
                raise Unproven("orders that may be the same")
            torn = _doubled(labels)
        if len(torn):
            if len(torn) > _MOST_TORN or self.terms.format.row_order.adjacent:
                raise Unproven("the rows of most orders stand apart")
            reader, tally, _, _ = self._pass(judge, torn)
        if not tally.orders:
            raise Unproven("no orders")
        if most_orders is not None and tally.orders > most_orders:
            raise Unproven("more orders than agreed")
        return self._made(reader, tally, torn, stamp)

    def _judge(self) -> Judge:
        agreement, skus = self.terms.agreement, self.terms.skus
        also: dict[str, Callable[[str], bool]] = {}
        if skus is not None:
            also["lines.sku"] = skus.__contains__
        if agreement is not None:
            also["brand"] = agreement.brand.__eq__
        return Judge(self.desk, also, agreement.limits.max_units_per_order if agreement else None)

    def _pass(self, judge: Judge, torn: Any) -> tuple[Reader, Tally, list[Any], list[Any]]:
        """One reading. ``torn`` are the labels of orders whose rows stand in several places: they are judged last."""
        reader = Reader(self.source, self.terms.format, judge.tied, self.block)
        stand_ins = {"group"} | ({"brand"} if self.terms.agreement is not None else set())
        tally = Tally(judge, self.terms, self.most, MOST_FINDINGS, frozenset(stand_ins))
        labels: list[Any] = []
        keys: list[Any] = []
        waiting: list[Row] = []
        for batch in reader.ahead():
            label = _label(batch, self.tied)
            apart = arrays.bools(pc.is_in(label, value_set=torn)) if torn is not None else None
            if torn is None:
                labels.append(label)
                keys.append(label if self.keyed == self.tied else _label(batch, self.keyed))
            judged = judge.judge(batch)
            tally.take(batch, judged, apart)
            exact = judged.kinds == EXACT
            if apart is not None and apart.any():
                waiting += rows_of(batch, apart)
                exact &= ~apart
            if exact.any():
                self._exact(rows_of(batch, exact), tally, torn=False)
        if waiting:
            self._exact(waiting, tally, torn=True)
        return reader, tally, labels, keys

    def _exact(self, rows: list[Row], tally: Tally, *, torn: bool) -> None:
        orders, about_file, _ = table.read_all(rows, self.desk)
        if about_file:
            raise Unproven("a finding about the file")
        damaged = rewritten(orders, b"E+", self.terms.format)
        for index, order in enumerate(orders):
            found = [*order.findings, *against_terms(order, self.terms)]
            if index in damaged:
                found.append(damaged[index])
            tally.read(order, found, torn=torn)

    def _made(self, reader: Reader, tally: Tally, torn: Any, stamp: Any) -> Report:
        terms, fmt = self.terms, self.terms.format
        names = names_of(fmt, terms.file)
        role = fmt.roles[0]
        head = Parts({role: self.source.ends()}, names, None)
        about_file = of_file(Parts({role: b""}, names, None), tally.orders, terms)
        about_file += silent(head, fmt, about_file)
        refused = any(finding.refuses_file for finding in about_file)
        if refused or (terms.agreement and terms.agreement.format.load_mode == "all-or-nothing" and tally.rejected):
            raise Unproven("the file as a whole is refused")
        if tally.doubtful:
            raise Unproven("orders that may be the same")
        told = list(dict.fromkeys([*about_file, *tally.told()]))
        diagnosis: tuple[Diagnosis, ...] = ()
        if told:
            # The bytes are sound, and no order is in them twice: what else happened shows at the beginning.
            seen = Parts({role: self.source.beginning(_MOST_DIAGNOSED)}, names, None)
            diagnosis = diagnose(seen, fmt, told, orders=tally.orders, records=reader.records, skus=terms.skus)
        verdict: Verdict = "rejected" if not tally.accepted else "partial" if tally.rejected else "accepted"
        accepted = Lazy(tally.accepted, lambda: self._accepted(tally, torn, stamp))
        report = Report(
            file=terms.file,
            format=fmt.name,
            verdict=verdict,
            orders=accepted,
            keys=Lazy(tally.accepted, lambda: (terms.key(order) for order in accepted)),
            rejected=Lazy(tally.rejected, tally.rejections),
            findings=tuple(finding_order(told)),
            diagnosis=diagnosis,
            records=reader.records,
            sha256=reader.hash.hexdigest(),
            bytes=reader.size,
            counted=(tally.lines, tally.units),
            found=tally.totals + Counter(finding.code for finding in about_file),
        )
        return report if self.most is None else report.shortened(self.most)

    def _stamp(self) -> tuple[int, ...] | None:
        if self.source.path is None:
            return None
        try:
            about = self.source.path.stat()
        except OSError as error:
            raise FallbackError("file-unreadable", f"{self.source.path}: {error.strerror}") from None
        return about.st_size, about.st_mtime_ns, about.st_ino

    def _accepted(self, tally: Tally, torn: Any, stamp: Any) -> Iterator[Order]:
        """The orders that may be loaded, read again one block after the other."""
        if self._stamp() != stamp:
            raise FallbackError(
                "file-unreadable", f"{self.source.path} has changed since it was validated", hint="validate it again"
            )
        bad = np.sort(np.concatenate([np.zeros(0, np.int64), *tally.bad]))
        apart = sorted(tally.torn, key=lambda one: one[0])
        for batch in Reader(self.source, self.terms.format, self.tied, self.block).batches():
            firsts = batch.record + batch.starts
            good = ~np.isin(firsts, bad)
            if len(torn):
                good &= ~arrays.bools(pc.is_in(_label(batch, self.tied), value_set=torn))
            orders: list[ReadOrder] = table.read_all(rows_of(batch, good), self.desk)[0] if good.any() else []
            for read in orders:
                while apart and apart[0][0] < read.place.record:
                    yield apart.pop(0)[1]
                assert read.order is not None
                yield read.order
        yield from (order for _, order in apart)


def _label(batch: Batch, columns: list[int]) -> Any:
    """The cells of these columns in the first row of each order, as one text an order."""
    tied = [arrays.take(batch.columns[index], batch.starts) for index in columns]
    if len(tied) == 1:
        return tied[0]
    if not batch.clean and b"\x1f" in bytes(batch.raw):
        raise Unproven("the sign between the parts of a label")
    return pc.binary_join_element_wise(*tied, _SEPARATOR)


_SEPARATOR = arrays.texts(["\x1f"])[0]


def _doubled(labels: list[Any]) -> Any:
    """The labels that stand in several places. Where they rise from order to order there are none."""
    last = None
    for label in labels:
        rising = pc.all(pc.less(label.slice(0, len(label) - 1), label.slice(1))).as_py() is not False
        if not rising or (last is not None and last.as_py() >= label[0].as_py()):
            break
        last = label[len(label) - 1]
    else:
        return arrays.texts([])
    counted = pc.value_counts(pa.chunked_array(labels))
    many = np.frombuffer(counted.field("counts").buffers()[1], np.int64, len(counted)) > 1
    return counted.field("values").filter(arrays.mask(many))


def _each_once(labels: list[Any], keys: list[Any]) -> bool:
    """Whether as many different labels are there as different keys."""
    return len(pc.unique(pa.chunked_array(labels))) == len(pc.unique(pa.chunked_array(keys)))
