"""The drill: the whole procedure between two sides, the mishaps, and the evidence that is left of it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fallback.agreement import Agreement
from fallback.documents.base import MANIFEST_SUFFIX
from fallback.documents.journal import Journal, Mishap, Proof, Side
from fallback.documents.manifest import Manifest
from fallback.documents.receipt import INSIDE, Receipt
from fallback.documents.receipt import SUFFIX as RECEIPT_SUFFIX
from fallback.drills import evidence as evidence_of
from fallback.drills.evidence import Evidence
from fallback.drills.mishaps import MISHAPS, Observed, Staging
from fallback.drills.plan import drill_id as name_drill
from fallback.drills.roles import OPERATOR, Brand, Warehouse, keyed
from fallback.drills.setting import Setting, kept_documents, left_on_drop, live_state, open_setting
from fallback.errors import FallbackError, Refused, WrongUse
from fallback.files import write_file
from fallback.render.html import journal_html


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill that was run: its journal, and the path of its page; ``journal.json`` lies beside the page."""

    journal: Journal
    report: Path

    @property
    def exit_code(self) -> int:
        """0 when the drill was passed, else 8."""
        return 0 if self.journal.verdict == "passed" else 8


def drill(
    *,
    folder: Path,
    now: Callable[[], datetime],
    seed: int = 1,
    orders: int = 12,
    drill_id: str | None = None,
    keep: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Drill:
    """Rehearse the whole procedure on this machine, with mishaps, and leave the evidence in ``folder``.

    Brand and warehouse are two roles with their own folders, agreements, memories and logins; between them is a real
    SFTP server on loopback with a fresh host key. What they do is the real procedure. Takes some seconds.

    Args:
        folder: where ``journal.json`` and ``report.html`` are written; evidence that is there is never replaced.
        now: the clock, aware and with fractions of a second.
        seed: the same seed gives the same orders and the same journal, but for times and hashes.
        orders: how many orders the broken integration has not delivered.
        drill_id: the drill's name; by default made of the time.
        keep: a new or empty folder to work in, which is left as it is; by default one that is removed afterwards.
        say: is told of each event.

    What goes wrong in the procedure is in the journal, and makes its verdict. Raises FallbackError where the drill
    itself could not be set up or its evidence not be written, Refused ``name-taken`` where there is evidence already.
    Stopped by hand, it cleans up, writes the journal of an aborted drill, and raises KeyboardInterrupt.
    """
    started_at = now()
    name = drill_id or name_drill(started_at)
    _make_room(folder)
    evidence = Evidence(now, say)
    threads = set(threading.enumerate())
    interruption: KeyboardInterrupt | None = None
    with (
        _workplace(keep) as root,
        open_setting(root, evidence=evidence, now=now, seed=seed, orders=orders, drill_id=name) as setting,
    ):
        agreement = setting.brand.agreement
        try:
            _rehearse(setting)
        except FallbackError as error:
            evidence.stopped = f"the drill could not go on: {error.code}: {error.message}"
        except KeyboardInterrupt as stop:
            interruption = stop
            evidence.stopped = "the drill was stopped by hand"
    _prove_cleaned_up(evidence, threads, root, kept=keep is not None)
    result = _write(folder, evidence, agreement, name, started_at, now(), aborted=interruption is not None)
    if interruption is not None:
        raise interruption
    return result


def _make_room(folder: Path) -> None:
    """Refuse before the drill what could only fail after it."""
    if any((folder / name).exists() for name in ("journal.json", "report.html")):
        raise Refused(
            "name-taken", f"{folder} holds the evidence of another drill", hint="name another folder with --report"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FallbackError("file-unwritable", f"{folder}: {error.strerror or 'cannot be made'}") from None


@contextmanager
def _workplace(keep: Path | None) -> Iterator[Path]:
    """The folder that the drill plays in: one that is removed at the end, or one that was named to be kept."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="fallback-drill-") as name:
            yield Path(name).resolve()
        return
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise WrongUse("wrong-use", f"{keep} is not an empty folder", hint="--keep takes a new or an empty one")
    yield keep.resolve()


def _rehearse(setting: Setting) -> None:
    evidence = setting.evidence
    before = live_state(setting)
    _procedure(setting)
    evidence.brief = True
    for staging in MISHAPS:
        _play(staging, setting)
    evidence.brief = False
    _final_state(setting, before)


def _procedure(setting: Setting) -> None:
    """A night without mishaps, step by step."""
    brand, warehouse, shop, note = setting.brand, setting.warehouse, setting.shop, setting.evidence.note
    _preflight("brand", brand, setting.evidence)
    _preflight("warehouse", warehouse, setting.evidence)
    normal, open_ = shop.payload("before-the-break", shop.before), shop.payload("after-the-break", shop.open)
    came = setting.integration_delivers([normal])
    note("warehouse", "baseline", f"{len(came)} orders came by the integration, then it falls silent")

    found = brand.reconcile(shop.payloads, warehouse.put_list())
    note("brand", "detected", f"{found.verdict}: {len(found.missing)} orders are past their due time and missing")
    note("brand", "declared", f"the fallback begins; the integration is paused; by name: {OPERATOR}")
    exported = brand.export(open_)
    note(
        "brand",
        "exported",
        f"{exported.counts.orders} orders, {exported.counts.lines} lines, {exported.counts.units} units",
        artefact=exported.path.name if exported.path else None,
        sha256=exported.sha256,
    )
    brand.send(exported)
    warehouse.receive()
    receipt = brand.answer(exported)
    inside = sum(order.state in INSIDE for order in receipt.orders)
    note("brand", "collected", f"{inside} of {shop.open} orders are in the warehouse, by its own receipt")
    after = brand.reconcile(shop.payloads, warehouse.put_list())
    note("brand", "reconciled", f"{after.verdict}: {len(after.missing)} orders are missing")
    setting.evidence.proofs.append(
        Proof(
            id="found-and-closed",
            text="The break was found as due, with every missing order by key; after the fallback all is clear",
            holds=(found.verdict, len(found.missing), after.verdict) == ("due", shop.open, "clear"),
            numbers={"missing_before": len(found.missing), "missing_after": len(after.missing)},
        )
    )


def _preflight(side: Side, role: Brand | Warehouse, evidence: Evidence) -> None:
    """One side is ready: it holds the agreement, and reaches a drop on which nothing of an earlier drill lies."""
    lying = len(role.drop.list("in")) + len(role.drop.list("out"))
    text = f"holds the agreement and reaches the drop; files of a drill that lie there: {lying}"
    evidence.note(side, "preflight", text, artefact="agreement.toml", sha256=role.agreement.sha256)


def _play(staging: Staging, setting: Setting) -> None:
    """Stage one mishap and observe it. One that the procedure does not survive is one that was not answered."""
    evidence = setting.evidence
    evidence.note("brand", "mishap", staging.title)
    try:
        observed = staging.play(setting)
    except FallbackError as error:
        observed = Observed(None, f"The procedure could not go on: {error.code}: {error.message}")
    evidence.note(staging.side, "answered", observed.code or "nothing")
    evidence.add_mishap(
        Mishap(
            id=staging.id, title=staging.title, expected=staging.expected, observed=observed.code, text=observed.text
        ),
        observed.proofs,
    )


def _final_state(setting: Setting, before: dict[str, str]) -> None:
    """What is left when all is over, counted from what lies there and not from what was said."""
    brand, warehouse, shop, evidence = setting.brand, setting.warehouse, setting.shop, setting.evidence
    system = keyed(warehouse.agreement, warehouse.system_orders())
    ours = keyed(brand.agreement, brand.eligible(shop.payloads))
    manifests, receipts = _documents_on_drop(setting)
    answers = [order for receipt in receipts for order in receipt.orders]
    explained = {order.key for order in answers if order.reasons}
    explained |= {one.key for manifest in manifests for one in manifest.excluded}
    # What a receipt calls taken must be there: no other word about it explains that it is not.
    explained -= {order.key for order in answers if order.state in INSIDE}
    final = brand.reconcile(shop.payloads, warehouse.put_list())
    evidence.note("brand", "reconciled", f"{final.verdict}: {len(final.missing)} orders are missing at the end")
    left = left_on_drop(setting)
    evidence.proofs += [
        evidence_of.loaded_once([key for key, _ in system]),
        evidence_of.every_declared_order_answered(manifests, receipts),
        evidence_of.nothing_lost([key for key, _ in ours], [key for key, _ in system], explained),
        evidence_of.same_content(dict(ours), dict(system)),
        Proof(
            id="clear-at-the-end",
            text="Shop and warehouse agree on every order at the end",
            holds=final.exit_code == 0 and final.verdict == "clear" and not final.differences,
            numbers={"compared": final.counts.get("matched", 0), "differences": len(final.differences)},
        ),
        evidence_of.live_untouched(before, live_state(setting)),
        evidence_of.drop_clean(left),
    ]
    evidence.note("warehouse", "steady-state", f"{sum(left.values())} files wait on the drill's drop; live is compared")
    orders = [order for payload in shop.payloads for order in shop.orders(payload)]
    said = "\n".join(part.model_dump_json() for part in (*evidence.events, *evidence.mishaps, *evidence.proofs))
    documents = [*kept_documents(setting), said.encode()]
    evidence.proofs.append(evidence_of.no_customer_data(evidence_of.private_values(orders), documents))


def _documents_on_drop(setting: Setting) -> tuple[list[Manifest], list[Receipt]]:
    """What both sides have declared and answered, from the drop alone."""
    drop = setting.warehouse.drop
    manifests = [
        Manifest.from_json(drop.read(folder, entry.name))
        for folder in ("in", "work", "done", "bad")
        for entry in drop.list(folder)
        if entry.name.endswith(MANIFEST_SUFFIX)
    ]
    receipts = [
        Receipt.from_json(drop.read("out", entry.name))
        for entry in drop.list("out")
        if entry.name.endswith(RECEIPT_SUFFIX)
    ]
    return manifests, receipts


def _prove_cleaned_up(evidence: Evidence, threads: set[threading.Thread], root: Path, *, kept: bool) -> None:
    started = set(threading.enumerate()) - threads
    for thread in started:
        thread.join(2)  # one that has been told to end may need a moment
    running = sum(thread.is_alive() for thread in started)
    folders = int(root.exists() and not kept)
    where = "kept as it is, as asked" if kept else "removed"
    evidence.note("warehouse", "cleaned-up", f"server and connections are closed; the working folder is {where}")
    evidence.proofs.append(
        Proof(
            id="cleaned-up",
            text="No server, connection or working folder of the drill is left",
            holds=not running and not folders,
            numbers={"running": running, "folders_left": folders},
        )
    )


def _write(
    folder: Path,
    evidence: Evidence,
    agreement: Agreement,
    drill_id: str,
    started_at: datetime,
    ended_at: datetime,
    *,
    aborted: bool,
) -> Drill:
    journal = evidence_of.journal_of(
        evidence,
        drill_id=drill_id,
        agreement=agreement,
        started_at=started_at,
        ended_at=ended_at,
        tool=_tool(),
        aborted=aborted,
    )
    write_file(folder / "journal.json", journal.to_bytes())
    write_file(folder / "report.html", journal_html(journal).encode())
    return Drill(journal, folder / "report.html")


def _tool() -> str:
    try:
        return f"fallback {version('fallback')}"
    except PackageNotFoundError:
        return "fallback, not installed"
