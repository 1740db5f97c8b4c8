"""Receiving: claim a file, check it, load it, answer for every declared order, put it away.

Each step can be done twice with the same result, and what was said is kept in the ledger before it is given out. A
receiver that is killed anywhere leaves the file in ``work``; the next one goes on with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Literal

from fallback.delivery.drop import Drop, Folder, sha256
from fallback.documents.base import MANIFEST_SUFFIX, joint_sha256
from fallback.documents.manifest import Integration, Manifest
from fallback.documents.receipt import AnsweredOrder, By, Reason, Receipt, ReceivedFile
from fallback.documents.report import Report
from fallback.errors import FallbackError, Refused
from fallback.findings import Finding, Place
from fallback.formats.pair import names_of
from fallback.validation import validate
from fallback.validation.checks import DRILL_FILE
from fallback.warehouse import answers
from fallback.warehouse.fence import Fence, fence_of
from fallback.warehouse.ledger import Ledger, LedgerFile
from fallback.warehouse.loading import load_batch, plan
from fallback.warehouse.wms import LoadOrder, Wms

if TYPE_CHECKING:
    from fallback.agreement import Agreement

_GOOD = frozenset({"accepted", "accepted-changed", "duplicate-same"})


@dataclass(frozen=True, slots=True)
class Note:
    """A file that was not answered by a receipt of its own, and why: ``waiting`` in its place, or ``refused``."""

    kind: Literal["waiting", "refused"]
    name: str
    code: str
    text: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Received:
    """What one sweep of the drop did: the receipts given, in their order, and the files that got none."""

    receipts: tuple[Receipt, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def waiting(self) -> tuple[Note, ...]:
        return tuple(note for note in self.notes if note.kind == "waiting")

    @property
    def refused(self) -> tuple[Note, ...]:
        return tuple(note for note in self.notes if note.kind == "refused")

    @property
    def processed(self) -> tuple[Receipt, ...]:
        """The last word on each file."""
        return tuple(receipt for receipt in self.receipts if receipt.stage == "processed")

    @property
    def exit_code(self) -> int:
        """7 when a safety guard refused something, 3 when something could not be read, 1 when an order was not simply
        taken, else 0."""
        codes = [note.exit_code for note in self.notes]
        codes += [1 for receipt in self.processed for order in receipt.orders if order.state not in _GOOD]
        return max(codes, default=0)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a receiver works with."""

    agreement: Agreement
    drop: Drop
    ledger: Ledger
    wms: Wms
    now: Callable[[], datetime]
    skus: Collection[str] | None
    integration_live_by: str | None
    person: str | None
    roles: Callable[[str], Mapping[str, str]]

    @property
    def limit(self) -> int:
        return self.agreement.limits.max_bytes

    def files(self, name: str) -> tuple[str, ...]:
        """The names of the data files that go with the first of them: itself, and the other half of a pair."""
        names = tuple(self.roles(name).values())
        return names if names[0] == name else (name,)

    def fence(self, said: Integration) -> Fence | None:
        return fence_of(said, self.agreement, self.wms, self.now())

    def first(self, name: str) -> str:
        """The file beside which the manifest of a data file lies."""
        return next(iter(self.roles(name).values()))


def receive(
    *,
    agreement: Agreement,
    drop: Drop,
    ledger: Ledger,
    wms: Wms,
    now: Callable[[], datetime],
    skus: Collection[str] | None = None,
    integration_live_by: str | None = None,
    person: str | None = None,
) -> Received:
    """Sweep the drop once: finish what a killed receiver left, then take each file that has its manifest beside it.

    ``skus`` is the warehouse's item list. ``integration_live_by`` names who answers for loading although the manifest
    does not say that the integration is paused; the receipt names them. ``person`` is who receives.

    Raises FallbackError where the drop or the ledger cannot be used (``unreachable``, ``ledger-unusable``, ...), and
    Refused ``key-template-changed``: nothing is lost, receive again. What is wrong with one file does not stop the
    others: it is in the receipts and notes. So is what the warehouse system does with one (``wms-unusable``).
    """
    ledger.keep_template(agreement.format.order_key, state=drop.state)
    fmt = cache(agreement.open_format)  # once there is a file
    roles = cache(lambda name: names_of(fmt(), name))
    desk = _Desk(agreement, drop, ledger, wms, now, skus, integration_live_by, person, roles)
    said: list[Receipt | Note] = []
    for name, step in _sweep(desk):
        try:
            said.extend(step(desk, name))
        except Refused as error:
            said.append(Note("refused", name, error.code, error.message, error.exit_code))
        except FallbackError as error:
            if error.code == "wms-unusable":
                said.append(Note("waiting", name, error.code, f"{name} waits: {error.message}", error.exit_code))
            elif error.code == "file-unreadable":
                said.append(Note("refused", name, error.code, error.message, error.exit_code))
            else:
                raise
        except Exception:
            # A fault of ours that one file brings about must not keep the others from being answered.
            if sys.flags.dev_mode:
                raise
            text = f"{name} has met a fault of this program; it stays where it is, and nobody has answered for it"
            said.append(Note("refused", name, "program-fault", text, FallbackError.exit_code))
    receipts = tuple(item for item in said if isinstance(item, Receipt))
    return Received(receipts, tuple(item for item in said if isinstance(item, Note)))


_Data = Mapping[str, bytes]  # the bytes of each file by its role


_Step = Callable[[_Desk, str], Iterable["Receipt | Note"]]


def _sweep(desk: _Desk) -> Iterator[tuple[str, _Step]]:
    """The files to work on, each with what is to be done; those left in ``work`` first."""
    work = _names(desk, "work")
    for name in sorted(work):
        if not name.endswith(MANIFEST_SUFFIX):
            first = desk.first(name)
            if name == first or not work & {first, first + MANIFEST_SUFFIX}:  # else it goes with the first one
                yield name, _resume
        elif name.removesuffix(MANIFEST_SUFFIX) not in work:
            yield name.removesuffix(MANIFEST_SUFFIX), _tidy
    came = _names(desk, "in")
    for name in sorted(came):
        if not name.endswith(MANIFEST_SUFFIX):
            yield from _arrived(desk, name, came)
        elif name.removesuffix(MANIFEST_SUFFIX) not in came:
            yield name.removesuffix(MANIFEST_SUFFIX), _wait_for_file


def _arrived(desk: _Desk, name: str, came: set[str]) -> Iterator[tuple[str, _Step]]:
    """What to do with a file in ``in``: nothing is taken before all is there. Of a pair the first file speaks."""
    first = desk.first(name)
    if name != first and came & {first, first + MANIFEST_SUFFIX}:
        return
    absent = [file for file in desk.files(name) if file not in came]
    if name + MANIFEST_SUFFIX not in came:
        yield name, _wait_for_manifest
    elif absent:
        yield absent[0], _wait_for_file
    else:
        yield name, _take


def _names(desk: _Desk, folder: Folder) -> set[str]:
    return {entry.name for entry in desk.drop.list(folder)}


# --- taking a file


def _wait_for_manifest(desk: _Desk, name: str) -> tuple[Note, ...]:
    # The manifest is agreed to come first: a file without one has lost it, or was put there by somebody else.
    late = desk.agreement.delivery.manifest == "before"
    text = f"{name} has no manifest beside it" + (", which should have come first" if late else " yet")
    return (Note("waiting", name, "manifest-absent", text, 1 if late else 0),)


def _fenced(fence: Fence, name: str, folder: Folder) -> Note:
    return Note("refused", name, fence.code, f"{name}: {fence.why}; the file stays in {folder}/", Refused.exit_code)


def _wait_for_file(desk: _Desk, name: str) -> tuple[Note, ...]:
    early = desk.agreement.delivery.manifest == "before"
    text = f"{name} is announced by its manifest and is not there" + (" yet" if early else "")
    return (Note("waiting", name, "file-absent", text, 0 if early else 1),)


def _take(desk: _Desk, name: str) -> Iterator[Receipt | Note]:
    """Claim a file by renaming it: of two receivers one gets it, and with it the other half of a pair."""
    with desk.ledger.hold(name, state=desk.drop.state) as alone:
        if not alone:
            return
        manifest = _manifest(desk, "in", name)
        fence = desk.fence(manifest.integration) if isinstance(manifest, Manifest) else None
        if fence and not desk.integration_live_by:
            yield _fenced(fence, name, "in")
            return
        if desk.drop.move(name, "in", "work"):
            if absent := _claim_rest(desk, name, set()):
                yield from _wait_for_file(desk, absent)
                return
            desk.drop.move(name + MANIFEST_SUFFIX, "in", "work")
            yield from _answer(desk, name)


def _claim_rest(desk: _Desk, name: str, work: set[str]) -> str | None:
    """Claim what goes with the first file of a pair; the name of one that is not there."""
    for file in desk.files(name)[1:]:
        if file not in work and not desk.drop.move(file, "in", "work"):
            return file
    return None


def _resume(desk: _Desk, name: str) -> Iterator[Receipt | Note]:
    """Go on with a file that is in ``work``, unless another receiver is at it."""
    with desk.ledger.hold(name, state=desk.drop.state) as alone:
        work = _names(desk, "work") if alone else set()
        if name not in work:
            return
        if absent := _claim_rest(desk, name, work):
            yield from _wait_for_file(desk, absent)
            return
        if name + MANIFEST_SUFFIX not in work and not desk.drop.move(name + MANIFEST_SUFFIX, "in", "work"):
            text = f"{name} was taken, and its manifest is gone; it stays in work/"
            yield Note("refused", name, "manifest-absent", text, 1)
            return
        _finish_move(desk, name)
        yield from _answer(desk, name)


def _finish_move(desk: _Desk, name: str) -> None:
    """Take out of ``in`` what is in ``work`` too: on some drops a rename is two steps, and the receiver was killed."""
    came = {entry.name: entry.size for entry in desk.drop.list("in")}
    for part in (*desk.files(name), name + MANIFEST_SUFFIX):
        size = next(entry.size for entry in desk.drop.list("work") if entry.name == part)
        if came.get(part) != size or size > desk.limit:
            continue
        if desk.drop.read("in", part, desk.limit) == desk.drop.read("work", part, desk.limit):
            desk.drop.remove("in", part)


def _tidy(desk: _Desk, name: str) -> tuple[Note, ...]:
    """Put a manifest away whose file was put away by a receiver that was killed then; of a pair the rest too."""
    with desk.ledger.hold(name, state=desk.drop.state) as alone:
        work = _names(desk, "work") if alone else set()
        if name in work or name + MANIFEST_SUFFIX not in work:
            return ()
        manifest = _manifest(desk, "work", name)
        target: Folder = "bad"
        if isinstance(manifest, Manifest) and manifest.name == name + MANIFEST_SUFFIX:
            for file in desk.ledger.files(manifest.file_id, name, state=desk.drop.state):
                last = file.receipts.get("processed")
                if last is not None and file.sha256 == manifest.sha256:
                    target = _target(last)
                if last is not None and file.name == name:
                    desk.ledger.close_file(file.file_id, state=desk.drop.state, at=desk.now())
        for part in (*desk.files(name), name + MANIFEST_SUFFIX):
            if part in work:
                _put_away(desk, part, target)
    return ()


# --- what is known of a file before it is read


def _manifest(desk: _Desk, folder: Folder, name: str) -> Manifest | FallbackError:
    try:
        return Manifest.from_json(desk.drop.read(folder, name + MANIFEST_SUFFIX, desk.limit), name + MANIFEST_SUFFIX)
    except FallbackError as error:
        if error.code not in ("file-unreadable", "document-unreadable"):
            raise
        return error


def _marked_wrong(desk: _Desk, manifest: Manifest, name: str) -> bool:
    marked = "drill" if name.startswith(DRILL_FILE) else "live"
    return not manifest.state == marked == desk.drop.state


def _answer(desk: _Desk, name: str) -> Iterator[Receipt | Note]:
    """Find out what a claimed file is: refused, a duplicate, or to be answered."""
    drop, state = desk.drop, desk.drop.state
    manifest = _manifest(desk, "work", name)
    if isinstance(manifest, FallbackError):
        yield _refuse(desk, name, manifest.code, f"{manifest.message}; the file is in bad/", manifest.exit_code)
        return
    files = desk.files(name)
    if tuple(entry.name for entry in manifest.files) != files:
        text = f"the manifest beside {name} is that of another file; {'both' if len(files) == 1 else 'all'} are in bad/"
        yield _refuse(desk, name, "file-hash-differs", text, 1)
        return
    size = sum(entry.size for entry in drop.list("work") if entry.name in files)
    data = None
    if size <= desk.limit:
        data = {role: drop.read("work", part, desk.limit) for role, part in desk.roles(name).items()}
    file = ReceivedFile(
        file_id=manifest.file_id,
        name=name,
        # A file that is too large is not read; what its manifest says stands in for its hash.
        sha256=manifest.sha256 if data is None else joint_sha256([sha256(part) for part in data.values()]),
        bytes=size,
    )
    seen = desk.ledger.files(file.file_id, name, state=state)
    if any(before.sha256 != file.sha256 for before in seen):
        text = f"{name}, or its id, was received before with other bytes; what came now is in bad/"
        yield _refuse(desk, name, "file-changed", text, Refused.exit_code)
        return
    fence = None if any("received" in before.receipts for before in seen) else desk.fence(manifest.integration)
    if fence and not desk.integration_live_by:
        yield _fenced(fence, name, "work")
        return
    before = (seen or desk.ledger.open_file(file, state=state, at=desk.now()))[0]
    if before.closed_at is None and (before.file_id, before.name) == (file.file_id, name):
        yield from _work_through(desk, manifest, file, data, before)
    else:
        yield from _repeat(desk, name, before)


def _refuse(desk: _Desk, name: str, code: str, text: str, exit_code: int) -> Note:
    _put_all_away(desk, name, "bad")
    return Note("refused", name, code, text, exit_code)


def _repeat(desk: _Desk, name: str, before: LedgerFile) -> Iterator[Receipt | Note]:
    """The same file once more: nothing is loaded, the first answer is given again."""
    first = before.receipts.get("processed")
    if first is None:
        text = f"{name} is the same as {before.name}, which is not answered yet; it waits in work/"
        yield Note("waiting", name, "duplicate-file", text, 0)
        return
    receipt = answers.again(first)
    desk.drop.put("out", receipt.name, receipt.to_bytes())
    yield receipt
    _put_all_away(desk, name, _target(first))


# --- from the bytes to the last receipt


def _work_through(
    desk: _Desk, manifest: Manifest, file: ReceivedFile, data: _Data | None, before: LedgerFile
) -> Iterator[Receipt | Note]:
    state = desk.drop.state
    # Of a file that was taken in time, nobody has to answer for what has grown old since.
    fence = desk.fence(manifest.integration) if desk.integration_live_by else None
    first = _say(
        desk,
        answers.received_receipt(
            manifest,
            file,
            state=state,
            agreement=desk.agreement.ref,
            by=By(org=desk.agreement.parties.warehouse.org, person=desk.integration_live_by if fence else desk.person),
            reasons=(Reason(code=fence.code),) if fence else (),
            at=desk.now(),
        ),
    )
    yield first
    if "processed" in before.receipts:
        yield from (_say(desk, receipt) for receipt in before.receipts.values() if receipt.stage != "received")
        last = before.receipts["processed"]
    else:
        report = _check(desk, manifest, file, data)
        if any(finding.code == "marker-wrong" for finding in report.findings):
            text = f"{file.name}: a drill's file in a live folder, or the reverse; nothing was loaded"
            yield Note("refused", file.name, "marker-wrong", text, Refused.exit_code)
        rejected = answers.rejections(manifest, report)
        checked = _say(desk, answers.checked_receipt(first, manifest, report, rejected, desk.now()))
        yield checked
        last = _say(desk, answers.processed_receipt(checked, _load(desk, manifest, report, before), desk.now()))
        yield last
    _put_all_away(desk, file.name, _target(last))
    desk.ledger.close_file(file.file_id, state=state, at=desk.now())


def _say(desk: _Desk, receipt: Receipt) -> Receipt:
    """Keep a receipt, then give it out; what was said first at this stage is said again."""
    saved = desk.ledger.save_receipt(receipt)
    desk.drop.put("out", saved.name, saved.to_bytes())
    return saved


def _check(desk: _Desk, manifest: Manifest, file: ReceivedFile, data: _Data | None) -> Report:
    refused = "marker-wrong" if _marked_wrong(desk, manifest, file.name) else ""
    if data is not None and not refused:
        return validate(data, name=file.name, agreement=desk.agreement, manifest=manifest, skus=desk.skus)
    finding = Finding(refused or "orders-over-limit", Place(file.name))
    return Report(
        file=file.name,
        format=manifest.format.name,
        verdict="rejected",
        findings=(finding,),
        sha256=file.sha256,
        bytes=file.bytes,
    )


def _load(desk: _Desk, manifest: Manifest, report: Report, before: LedgerFile) -> tuple[AnsweredOrder, ...]:
    """Every declared order with what became of it, once."""
    ledger, wms, state = desk.ledger, desk.wms, desk.drop.state
    planned = before.answers
    if planned is None:
        planned = plan(
            manifest,
            answers.rejections(manifest, report),
            agreement=desk.agreement,
            ledger=ledger,
            wms=wms,
            state=state,
            at=desk.now(),
        )
    good = answers.passed(manifest, report)
    fingerprints = {order.key: order.fingerprint for order in manifest.orders}
    loads = [LoadOrder(key, fingerprints[key], order) for key, order in good.items()]
    rows = load_batch(manifest.file_id, loads, ledger=ledger, wms=wms, state=state, now=desk.now)
    decided = {answer.key: answer for answer in planned}
    return tuple(decided.get(o.key) or answers.outcome(o, rows.get(o.key)) for o in manifest.orders)


# --- putting it away


def _target(receipt: Receipt) -> Folder:
    return "bad" if receipt.disposition == "rejected" else "done"


def _put_all_away(desk: _Desk, name: str, target: Folder) -> None:
    # The first file first, the manifest last: whoever finds it without that file knows that it was put away.
    for part in (*desk.files(name), name + MANIFEST_SUFFIX):
        _put_away(desk, part, target)


def _put_away(desk: _Desk, name: str, target: Folder) -> None:
    """Move a file out of ``work``; where the name is taken by other bytes, under the name and its hash."""
    drop = desk.drop
    try:
        moved = drop.move(name, "work", target)
    except Refused:  # the name is taken
        moved = False
    if moved or name not in _names(desk, "work"):
        return
    data = drop.read("work", name, desk.limit)
    there = next((entry.size for entry in drop.list(target) if entry.name == name), None)
    if there != len(data) or data != drop.read(target, name, desk.limit):
        drop.put(target, f"{name}.{sha256(data)[:12]}", data)
    drop.remove("work", name)
