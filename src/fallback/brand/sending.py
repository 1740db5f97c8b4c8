"""Sending a fallback file to the drop, and collecting what the warehouse says of it. One the way back of the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from fallback.agreement import Agreement
from fallback.brand.outbox import Outbox, OutboxFile
from fallback.brand.standing import answered_orders
from fallback.delivery.drop import Delivered, Drop, sha256
from fallback.documents.base import MANIFEST_SUFFIX, State
from fallback.documents.manifest import FileEntry, Manifest
from fallback.documents.receipt import INSIDE, AnsweredOrder, Receipt, Stage
from fallback.documents.receipt import SUFFIX as RECEIPT_SUFFIX
from fallback.errors import FallbackError, Refused, WrongUse
from fallback.files import write_file
from fallback.findings import Finding, Place
from fallback.formats.pair import names_of
from fallback.validation.checks import DRILL_FILE

Clock = Callable[[], datetime]

_STAGES: tuple[Stage, ...] = ("received", "checked", "processed")


@dataclass(frozen=True, slots=True)
class Sent:
    """Proof that a fallback file is on the drop: of its manifest, and of each of its data files.

    ``confirmed``: whether it is the proof that the agreement asks for; a drop that can only compare sizes is not one
    that reads back. ``findings`` are warnings. ``integration`` is what the manifest says of it: while it is live the
    warehouse does not load by itself.
    """

    file_id: str
    name: str
    manifest: Delivered
    data: tuple[Delivered, ...]
    confirmed: bool
    integration: str = "live"
    findings: tuple[Finding, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when delivery is proven as agreed, else 4."""
        return 0 if self.confirmed else 4


def send(path: Path, *, agreement: Agreement, drop: Drop, outbox: Outbox, now: Clock) -> Sent:
    """Put a fallback file and its manifest on the drop, once everything speaks for it. Safe to repeat.

    Of a pair both files go, and ``path`` is that of either.

    Nothing is put before the bytes are those of the manifest, file, manifest and drop are all live or all of a drill,
    and the outbox allows it. From then on its orders count as sent, even where the program is killed: sent again, the
    same bytes are found there.

    Raises WrongUse for a file that the outbox did not make; Refused ``file-size-differs``, ``file-hash-differs``,
    ``file-changed``, ``agreement-differs``, ``marker-wrong``, ``key-template-changed``, ``order-in-flight``,
    ``file-superseded`` or ``name-taken``; FallbackError as the drop and the outbox do.
    """
    path = _first_file(path, agreement)
    manifest = _manifest_beside(path)
    data = [(entry.name, _read_as_declared(path.parent / entry.name, entry)) for entry in manifest.files]
    findings = _check_agreement(manifest, agreement)
    _check_marker(manifest, drop.state, drop.title)
    outbox.keep_template(agreement.format.order_key, manifest.state)
    _check_outbox(manifest, outbox)

    first = outbox.begin_sending(manifest.file_id, now())
    parcels = [(manifest.name, manifest.to_bytes()), *data]
    if agreement.delivery.manifest == "after":
        parcels = [*parcels[1:], parcels[0]]
    proofs: dict[str, Delivered] = {}
    try:
        for name, content in parcels:
            proofs[name] = drop.put("in", name, content)
    except Refused:
        # No data was put, not now and not before: the orders are free again.
        if first and not proofs.keys() - {manifest.name}:
            outbox.withdraw_sending(manifest.file_id)
        raise
    outbox.mark_sent(manifest.file_id, tuple(proofs.values()), now())
    return Sent(
        file_id=manifest.file_id,
        name=path.name,
        manifest=proofs[manifest.name],
        data=tuple(proofs[name] for name, _ in data),
        confirmed=agreement.delivery.proof == "size" or all(one.proof == "read-back" for one in proofs.values()),
        integration=manifest.integration.state,
        findings=findings,
    )


def fallback_files(paths: Iterable[Path], agreement: Agreement) -> list[Path]:
    """The fallback files that are named, in order of their sequence; of a pair either file names it, or both do.

    Raises WrongUse for a file without its manifest.
    """
    found = dict.fromkeys(_first_file(path, agreement) for path in paths)
    return sorted(found, key=lambda path: _manifest_beside(path).sequence)


def _first_file(path: Path, agreement: Agreement) -> Path:
    """The file beside which the manifest lies, from the path of any file of a fallback file."""
    if path.with_name(path.name + MANIFEST_SUFFIX).is_file():
        return path
    return path.with_name(next(iter(names_of(agreement.open_format(), path.name).values())))


def _manifest_beside(path: Path) -> Manifest:
    beside = path.with_name(path.name + MANIFEST_SUFFIX)
    if not beside.is_file():
        raise WrongUse(
            "wrong-use",
            f"there is no {beside.name} beside the file",
            hint="a file made with --format alone cannot be sent; export it with --agreement",
        )
    manifest = Manifest.from_json(_read(beside), beside.name)
    if manifest.name != beside.name:
        raise Refused("file-changed", f"{beside.name} is the manifest of another file", hint="never rename a file")
    return manifest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FallbackError("file-unreadable", f"{path}: {error.strerror or 'cannot be read'}") from None


def _read_as_declared(path: Path, entry: FileEntry) -> bytes:
    """The bytes of a file if they are those that its manifest names."""
    data = _read(path)
    hint = "it was changed after the export; export again, and send the file as it is"
    if len(data) != entry.bytes:
        raise Refused("file-size-differs", f"{path.name} has {len(data):,} bytes, declared {entry.bytes:,}", hint=hint)
    if sha256(data) != entry.sha256:
        raise Refused("file-hash-differs", f"{path.name} does not have the SHA-256 of its manifest", hint=hint)
    return data


def _check_agreement(manifest: Manifest, agreement: Agreement) -> tuple[Finding, ...]:
    made, ours = manifest.agreement, agreement.ref
    if made.id != ours.id:
        raise Refused(
            "agreement-differs",
            f"{manifest.files[0].name} was made under the agreement {made.id}, this is {ours.id}",
            hint="send it from the folder of its own agreement",
        )
    if made == ours:
        return ()
    return (
        Finding(
            "agreement-stale",
            Place(file=manifest.files[0].name),
            found=f"version {made.version}, {made.sha256[:12]}",
            expected=f"version {ours.version}, {ours.sha256[:12]}",
        ),
    )


def _check_marker(manifest: Manifest, state: State, title: str) -> None:
    """File names, manifest and drop are all live or all of a drill, else nothing is sent."""
    for entry in manifest.files:
        marked: State = "drill" if entry.name.startswith(DRILL_FILE) else "live"
        if not marked == manifest.state == state:
            raise Refused(
                "marker-wrong",
                f"{entry.name} is {marked} by its name, {manifest.state} by its manifest; {title} is {state}",
                hint="a drill's files go to the drill drop only, live ones to the live drop only",
            )


def _check_outbox(manifest: Manifest, outbox: Outbox) -> None:
    exported = outbox.manifest(manifest.file_id)
    if exported is None:
        raise WrongUse(
            "wrong-use",
            f"the outbox {outbox.path.name} did not export {manifest.files[0].name}",
            hint="send it from the machine that exported it, or export it here with --agreement",
        )
    if exported != manifest:
        raise Refused(
            "file-changed",
            f"{manifest.name} is not the manifest that was written at export",
            hint="find out who changed it; export again rather than send it",
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """A receipt on the drop that was not taken: the name of its file, a code of the catalogue, and why."""

    name: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the warehouse says of one file now. ``orders`` is empty until ``processed``, then every declared order."""

    file_id: str
    name: str
    receipt: Receipt
    orders: tuple[AnsweredOrder, ...]
    new: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that is sent and not answered: since when, and the last stage heard of. ``sent_at`` None: sending it was
    interrupted, so it may or may not be there; sending it again is safe."""

    file_id: str
    name: str
    sent_at: datetime | None
    waited: timedelta
    stage: Stage | None


@dataclass(frozen=True, slots=True)
class Collected:
    """The warehouse's answers, from all receipts on the drop.

    ``not_inside``: orders that it does not have and no later file has settled. ``notes`` tell of receipts passed over.
    """

    answers: tuple[Answer, ...]
    open: tuple[Waiting, ...]
    not_inside: tuple[AnsweredOrder, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """7 a foreign receipt, 4 a file without a processed receipt, 3 an unreadable one, 1 orders not inside, or 0."""
        if any(problem.code == "receipt-foreign" for problem in self.problems):
            return 7
        if self.open:
            return 4
        if self.problems:
            return 3
        return 1 if self.not_inside else 0


def collect(*, agreement: Agreement, drop: Drop, outbox: Outbox, receipts_folder: Path, now: Clock) -> Collected:
    """Read every receipt in the drop's ``out``, keep a copy (mode 0600) and enter the answers into the outbox.

    The receipts stay on the drop; collecting again finds the same. A receipt that is not about what was sent, or cannot
    be read, is a problem and changes nothing; one of a file that this outbox did not make is passed over with a note.
    Raises FallbackError as the drop and the outbox do, and ``file-unwritable``.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    read: list[tuple[Receipt, str, bytes]] = []
    for entry in drop.list("out"):
        if entry.name.endswith(RECEIPT_SUFFIX):
            try:
                data = drop.read("out", entry.name, limit=agreement.limits.max_bytes)
                read.append((Receipt.from_json(data, entry.name), entry.name, data))
            except FallbackError as error:
                if error.code not in ("document-unreadable", "file-unreadable"):
                    raise
                problems.append(Problem(entry.name, error.code, error.message))

    known = {file.file_id for file in outbox.files()}
    new: dict[str, bool] = {}
    # As they were written, so that one which supersedes another comes after it.
    for receipt, name, data in sorted(
        read, key=lambda one: (one[0].times.issued_at, _STAGES.index(one[0].stage), one[1])
    ):
        if receipt.file.file_id not in known:
            notes.append(f"{name}: about a file that this outbox did not make")
            continue
        try:
            _check_receipt(receipt, agreement, drop.state)
            added = outbox.record_receipt(receipt)
        except Refused as error:
            problems.append(Problem(name, error.code, error.message))
            continue
        _keep(receipts_folder, name, data)
        new[receipt.file.file_id] = new.get(receipt.file.file_id, False) or added

    files = outbox.files(drop.state)
    answers = tuple(_answer(file, outbox, new[file.file_id]) for file in files if file.file_id in new)
    return Collected(
        answers=answers,
        open=tuple(_waiting(file, now()) for file in files if file.open),
        not_inside=_not_inside(answers, outbox, drop.state),
        problems=tuple(sorted(problems, key=lambda problem: problem.name)),
        notes=tuple(notes),
    )


def _check_receipt(receipt: Receipt, agreement: Agreement, state: State) -> None:
    if receipt.state != state:
        problem = f"it is {receipt.state} and lies on a {state} drop"
    elif receipt.agreement.id != agreement.id:
        problem = "it is under another agreement"
    else:
        return
    raise Refused("receipt-foreign", f"the receipt {receipt.name}: {problem}")


def _answer(file: OutboxFile, outbox: Outbox, new: bool) -> Answer:
    manifest, receipt = outbox.manifest(file.file_id), file.receipt
    assert manifest is not None and receipt is not None
    orders = answered_orders(manifest, receipt) if file.answered else ()  # checked is not loaded
    return Answer(file_id=file.file_id, name=file.name, receipt=receipt, orders=orders, new=new)


def _waiting(file: OutboxFile, now: datetime) -> Waiting:
    since = file.sent_at or file.sending_at or file.made_at
    stage = file.receipt.stage if file.receipt is not None else None
    return Waiting(file_id=file.file_id, name=file.name, sent_at=file.sent_at, waited=now - since, stage=stage)


def _not_inside(answers: Iterable[Answer], outbox: Outbox, state: State) -> tuple[AnsweredOrder, ...]:
    standings = outbox.open_keys(state)
    last: dict[str, AnsweredOrder] = {}
    for answer in answers:
        last.update((order.key, order) for order in answer.orders)
    return tuple(
        order
        for key, order in sorted(last.items())
        if order.state not in INSIDE and standings[key].code not in ("already-accepted", "already-sent")
    )


def _keep(folder: Path, name: str, data: bytes) -> None:
    """Keep a receipt as it came. Other bytes under a name that is taken are kept beside it, under their hash."""
    try:
        write_file(folder / name, data)
    except Refused:
        write_file(folder / f"{name.removesuffix(RECEIPT_SUFFIX)}.{sha256(data)[:12]}{RECEIPT_SUFFIX}", data)
