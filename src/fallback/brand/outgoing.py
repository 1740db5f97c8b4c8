"""Export: from the platform's payload to the fallback file and its manifest. Nothing is left out in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fallback.agreement import Agreement
from fallback.brand.outbox import Outbox
from fallback.brand.standing import Grouping, Standing, grouping
from fallback.delivery.drop import safe_name, sha256
from fallback.documents.base import MANIFEST_SUFFIX, Counts, State, joint_sha256, moment
from fallback.documents.manifest import (
    DeclaredOrder,
    ExcludedOrder,
    FileEntry,
    Integration,
    Manifest,
    hash_total,
)
from fallback.errors import FallbackError, Refused, WrongUse
from fallback.files import write_file
from fallback.findings import Finding
from fallback.formats.defaults import as_carried
from fallback.formats.pair import names_of
from fallback.formats.read import read
from fallback.formats.spec import Format
from fallback.formats.write import Written, write
from fallback.mapping import Mapping as Crosswalk
from fallback.mapping import load_mapping
from fallback.platforms.base import Eligibility
from fallback.platforms.population import Population, read_orders
from fallback.records.order import Order, fingerprint
from fallback.validation.checks import DRILL_FILE, DRILL_ORDER, belongs


@dataclass(frozen=True, slots=True)
class Export:
    """What an export made. ``path`` and ``manifest`` are None where no order was left to write.

    ``findings`` are about orders that were refused; ``excluded`` counts the orders left out, by code.
    """

    platform: str
    path: Path | None
    manifest: Manifest | None
    sha256: str | None
    counts: Counts
    excluded: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 when every order is in the file or left out by the terms, 1 when some were refused."""
        return 1 if any(finding.is_error for finding in self.findings) else 0

    def document(self) -> dict[str, Any]:
        """The export as ``fallback.export/1``."""
        return {
            "schema": "fallback.export/1",
            "file": self.path.name if self.path else None,
            "manifest": self.manifest.name if self.manifest else None,
            "sha256": self.sha256,
            "counts": self.counts.model_dump(),
            "excluded": dict(self.excluded),
            "findings": [finding.document() for finding in self.findings],
        }


def export(
    payloads: Sequence[str | Path],
    *,
    agreement: Agreement,
    outbox: Outbox,
    now: datetime,
    out: Path | None = None,
    platform: str | None = None,
    integration: Integration | None = None,
    state: State = "live",
    drill_id: str | None = None,
    sequence: int | None = None,
    show_values: bool = False,
) -> Export:
    """Make the fallback file and its manifest from platform payloads, under an agreement.

    Args:
        payloads: files of the platform's JSON.
        outbox: what was sent before; orders that are on their way or accepted are left out.
        now: the instant of the export, aware.
        out: the folder to write to; by default the one of local.toml.
        platform: its name, where the payload shall not be guessed.
        integration: what is known of the integration; by default it counts as live, and the warehouse will not load.
        sequence: the number of the file, where the outbox shall not give it.

    The file is written, read back and compared before it gets its name. Raises FallbackError where there is no payload
    or the limits of the agreement are passed; Refused ``marker-wrong`` where drill and live orders mix, or
    ``key-template-changed`` where keys are made otherwise than those in the outbox.
    """
    terms = agreement.eligibility
    fmt = agreement.open_format()
    outbox.keep_template(agreement.format.order_key, state)
    population = read_orders(
        payloads, brand=agreement.brand, platform=platform, eligibility=terms, now=now, show_values=show_values
    )
    desk = _Desk(agreement, population, outbox.open_keys(state), fmt, show_values)
    chosen = desk.choose(crosswalk(agreement))
    _same_state(chosen, state)
    most = fmt.max_orders or max(len(chosen), 1)
    _within(min(len(chosen), most), agreement.limits.max_orders_per_file, "orders")
    written = desk.write(chosen, most)
    if not written.orders:
        return desk.result(None, None, None)
    _within(sum(map(len, written.parts.values())), agreement.limits.max_bytes, "bytes")
    _read_back(fmt, written.parts, written.orders, agreement.codes, agreement.brand)
    number = sequence or outbox.next_sequence(state)
    name = file_name(fmt, brand=agreement.brand, now=now, sequence=number, state=state)
    manifest = Manifest(
        file_id=name.rpartition(".")[0] or name,
        state=state,
        drill_id=drill_id,
        sequence=number,
        created_at=moment(now.astimezone(UTC)),
        agreement=agreement.ref,
        format=fmt.ref,
        files=tuple(
            FileEntry(name=own, role=role, bytes=len(written.parts[role]), sha256=sha256(written.parts[role]))
            for role, own in names_of(fmt, name).items()
        ),
        counts=count(written.orders),
        hash_total=hash_total(order.order_number for order in written.orders),
        orders=tuple(desk.declare(order) for order in written.orders),
        excluded=tuple(desk.excluded),
        population=len(written.orders) + len(desk.excluded),
        integration=integration or Integration(),
    )
    path = (out if out is not None else agreement.path(agreement.local.outgoing)) / name
    _publish(path, written.parts, manifest, outbox)
    return desk.result(path, manifest, manifest.sha256)


def _within(found: int, most: int, unit: str) -> None:
    """The warehouse refuses a file beyond the agreed limits: it is not made."""
    if found > most:
        raise FallbackError(
            "orders-over-limit",
            f"{found:,} {unit} are to go, the agreement allows {most:,} a file",
            hint="export the payload in parts, or agree on a higher limit",
        )


def _publish(path: Path, parts: Mapping[str, bytes], manifest: Manifest, outbox: Outbox) -> None:
    """The file or files, the manifest and the memory of it: all of them, or nothing under the final names."""
    made: list[Path] = []
    files = [(path.with_name(entry.name), parts[entry.role]) for entry in manifest.files]
    try:
        for target, content in (*files, (manifest_path(path), manifest.to_bytes())):
            there = target.exists()
            write_file(target, content)
            made += [] if there else [target]
        outbox.register_export(manifest)
    except FallbackError:
        for target in made:
            target.unlink(missing_ok=True)
        raise


def export_plain(
    payloads: Sequence[str | Path],
    *,
    format: Format,
    brand: str,
    now: datetime,
    out: Path,
    platform: str | None = None,
    eligibility: Eligibility | None = None,
    sequence: int = 1,
    show_values: bool = False,
) -> Export:
    """Make a file in a format without an agreement: to look at, to validate, to test. It has no key, mapping, manifest
    or memory, so it cannot be sent."""
    population = read_orders(
        payloads, brand=brand, platform=platform, eligibility=eligibility or Eligibility(), now=now,
        show_values=show_values,
    )  # fmt: skip
    _same_state(population.orders, "live")
    written = write(format, population.orders, show_values=show_values)
    findings = (*population.findings, *written.findings)
    excluded = Counter(one.code for one in population.excluded)
    excluded["refused-here"] += population.nameless
    excluded["refused-here"] += len(population.orders) - len(written.orders)
    path = digest = None
    if written.orders:
        digest = joint_sha256([sha256(part) for part in written.parts.values()])
        _read_back(format, written.parts, written.orders, {}, brand)
        path = out / file_name(format, brand=brand, now=now, sequence=sequence, state="live")
        write_parts(path, written, format)
    return Export(
        population.platform, path, None, digest, count(written.orders), dict(+excluded), findings,
    )  # fmt: skip


def crosswalk(agreement: Agreement) -> Crosswalk:
    """The agreement's mapping tables. Raises FallbackError ``map-invalid``, or ``agreement-invalid`` for kits."""
    terms = agreement.mapping
    if terms.kit is not None:
        raise FallbackError(
            "agreement-invalid", "[mapping] kit: kits are not exploded yet", hint="map kits in the shop, or remove it"
        )

    def table(name: str | None) -> Path | None:
        return None if name is None else agreement.path(name)

    return load_mapping(sku=table(terms.sku), service=table(terms.service), uom=table(terms.uom))


class _Desk:
    """What one export knows of its orders: which go, which are left out, and why."""

    def __init__(
        self, agreement: Agreement, population: Population, standing: Mapping[str, Standing], fmt: Format, show: bool
    ) -> None:
        self.agreement = agreement
        self.population = population
        self.standing = standing
        self.format = fmt
        self.drops = fmt.lost
        self.show = show
        self.findings: list[Finding] = list(population.findings)
        self.excluded: list[ExcludedOrder] = [
            ExcludedOrder(
                key=agreement.key_of(
                    brand=agreement.brand,
                    platform=one.platform,
                    order_id=one.order_id,
                    order_number=one.order_number,
                    group=one.group,
                ),
                code=one.code,
            )
            for one in population.excluded
        ]
        # Orders without a name count too: included and excluded are the whole population.
        self.excluded += [
            ExcludedOrder(key=f"unread:{number}", code="refused-here") for number in range(1, population.nameless + 1)
        ]

    def leave_out(self, order: Order, code: str) -> None:
        self.excluded.append(ExcludedOrder(key=self.agreement.key(order), code=code))

    def choose(self, mapping: Crosswalk) -> list[Order]:
        """The orders to write, mapped, with their revisions. Every other one is left out with its code."""
        chosen = []
        told: set[str] = set()
        keys = Counter(self.agreement.key(order) for order in self.population.orders)
        at_warehouse = self._groupings(key for key, one in self.standing.items() if one.code is not None)
        here = self._groupings(keys)
        for order in self.population.orders:
            key = self.agreement.key(order)
            standing = self.standing.get(key)
            grouped = grouping(self.agreement.base_key(key))
            mapped = mapping.apply(order)
            if standing is not None and standing.code is not None:
                self.leave_out(order, standing.code)
            elif grouped is not None and grouped.other in at_warehouse:
                self.leave_out(order, "group-changed")
            elif keys[key] > 1 or (grouped is not None and grouped.other in here):
                if key not in told:
                    self._tell_doubled(order, key, keys[key])
                told.add(key)
                self.leave_out(order, "refused-here")
            elif isinstance(mapped, list):
                self.findings += mapped
                self.leave_out(order, "refused-here")
            elif self._too_large(mapped):
                self.leave_out(order, "refused-here")
            elif standing is not None:
                revision = standing.next_revision(fingerprint(mapped, key, self.drops))
                chosen.append(mapped.model_copy(update={"revision": revision}))
            else:
                chosen.append(mapped)
        return chosen

    def _groupings(self, keys: Iterable[str]) -> frozenset[Grouping]:
        """How these orders are told: the platform can say one whole or by fulfilment order, and the keys differ."""
        told = (grouping(self.agreement.base_key(key)) for key in keys)
        return frozenset(one for one in told if one is not None)

    def _tell_doubled(self, order: Order, key: str, copies: int) -> None:
        found = f"{copies} orders of the key {key}" if copies > 1 else f"{key} whole and by fulfilment order"
        self.findings.append(Finding("order-doubled", order=order.order_number, found=found, expected="one"))

    def _too_large(self, order: Order) -> bool:
        most = self.agreement.limits.max_units_per_order
        if order.units <= most:
            return False
        self.findings.append(
            Finding(
                "units-over-limit",
                order=order.order_number,
                found=f"{order.units:,} units",
                expected=f"at most {most:,}",
            )
        )
        return True

    def write(self, chosen: Sequence[Order], most: int) -> Written:
        """The first orders of which any fits, at most so many; the others are for the files after this one."""
        at = 0
        while True:
            part = chosen[at : at + most]
            codes, key = self.agreement.codes, self.agreement.key
            written = write(self.format, part, codes=codes, key=key, show_values=self.show)
            self.refuse(written.findings, part, written.orders)
            at += most
            if written.orders or at >= len(chosen):
                break
        for order in chosen[at:]:
            self.leave_out(order, "next-file")
        return written

    def refuse(self, findings: Sequence[Finding], chosen: Sequence[Order], written: Sequence[Order]) -> None:
        """Take the findings of writing, and leave out the orders that were not written."""
        self.findings += findings
        keys = {self.agreement.key(order) for order in written}
        for order in chosen:
            if self.agreement.key(order) not in keys:
                self.leave_out(order, "refused-here")

    def declare(self, order: Order) -> DeclaredOrder:
        key = self.agreement.key(order)
        return DeclaredOrder(
            key=key,
            revision=order.revision,
            fingerprint=fingerprint(order, key, self.drops),
            ship_by=order.ship_by,
        )

    def result(self, path: Path | None, manifest: Manifest | None, sha256: str | None) -> Export:
        return Export(
            platform=self.population.platform,
            path=path,
            manifest=manifest,
            sha256=sha256,
            counts=manifest.counts if manifest else Counts(),
            excluded=dict(Counter(one.code for one in self.excluded)),
            findings=tuple(self.findings),
        )


def _same_state(orders: Sequence[Order], state: State) -> None:
    """Drill and live never mix, whichever way it was tried."""
    for order in orders:
        if not belongs(order, state):
            marked = "is not" if state == "drill" else "is"
            raise Refused(
                "marker-wrong",
                f"order {order.order_number} {marked} a drill's, and the export is {state}",
                hint=f"a drill's orders carry {DRILL_ORDER} on number and id, live ones never do",
            )


def count(orders: Sequence[Order]) -> Counts:
    """Orders, their lines and units."""
    return Counts(
        orders=len(orders),
        lines=sum(len(order.lines) for order in orders),
        units=sum(order.units for order in orders),
    )


def _read_back(
    fmt: Format, data: Mapping[str, bytes], orders: Sequence[Order], codes: Mapping[str, str], brand: str
) -> None:
    """The file must say what was meant: it is read as the warehouse will read it, and compared."""
    content = read(fmt, data, codes=codes, defaults={} if "brand" in fmt.carried else {"brand": brand})
    expected = [as_carried(order, fmt) for order in orders]
    if content.findings or [order.order for order in content.orders] != expected:
        raise FallbackError(
            "read-back-differs",
            f"the file, read back in the format {fmt.name}, does not give the orders that were written",
            hint="nothing was written; this is a fault of the format or of this program",
        )


def file_name(fmt: Format, *, brand: str, now: datetime, sequence: int, state: State) -> str:
    """The name of a file by the format's template, of a pair that of its first file.

    Raises WrongUse for an instant without zone or a sequence below 1, Refused ``name-unsafe`` where a part is not fit
    for a name.
    """
    if now.tzinfo is None or sequence < 1:
        raise WrongUse("wrong-use", "an export needs an instant with its zone, and a sequence number from 1")
    marker = DRILL_FILE if state == "drill" else ""
    role = fmt.roles[0].upper()
    sent = now.astimezone(UTC)
    return safe_name(fmt.file_name.format(marker=marker, brand=brand.upper(), sent=sent, sequence=sequence, role=role))


def write_parts(path: Path, written: Written, fmt: Format, *, replace: bool = False) -> tuple[Path, ...]:
    """Write what a format made, of a pair both files; ``path`` is the first one's. Returns the paths."""
    paths = {role: path.with_name(name) for role, name in names_of(fmt, path.name).items()}
    for role, data in written.parts.items():
        write_file(paths[role], data, replace=replace)
    return tuple(paths.values())


def manifest_path(path: Path) -> Path:
    """Where the manifest of a file lies."""
    return path.with_name(path.name + MANIFEST_SUFFIX)
