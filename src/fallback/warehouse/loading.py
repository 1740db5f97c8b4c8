"""Loading each order once: plan, claim, ask again, load, settle; for a file, and for the integration through us."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from fallback.documents.base import State
from fallback.documents.manifest import DeclaredOrder, Manifest
from fallback.documents.receipt import INSIDE, AnsweredOrder
from fallback.errors import FallbackError, Refused
from fallback.records.order import Order, fingerprint
from fallback.validation.checks import DRILL_ORDER
from fallback.warehouse.answers import answer, grouped_otherwise, judge_all, left_out, outcome
from fallback.warehouse.ledger import WHOLE, Claim, Ledger, LedgerOrder
from fallback.warehouse.wms import LoadOrder, Outcome, Way, Wms, WmsOrder, ask, hand_over

if TYPE_CHECKING:
    from fallback.agreement import Agreement


def plan(
    manifest: Manifest,
    rejected: Mapping[str, AnsweredOrder],
    *,
    agreement: Agreement,
    ledger: Ledger,
    wms: Wms,
    state: State,
    at: datetime,
) -> tuple[AnsweredOrder, ...]:
    """Decide every order of a file and claim those that are to be loaded. Returns the answers for the others.

    The warehouse system is asked once more after the claim: from then on nothing that goes through this ledger can
    load these keys, and what went past it shows. The plan is kept, so that a receiver that is killed goes on with it.
    """
    batch_id = manifest.file_id
    all_or_nothing = agreement.format.load_mode == "all-or-nothing"
    answers = _in_two_groupings(manifest.orders, agreement) | dict(rejected)
    wanted = [order for order in manifest.orders if order.key not in answers]
    answers |= _known(wanted, batch_id, agreement, ledger, wms, state)
    free = [order for order in wanted if order.key not in answers]
    if all_or_nothing and _stopped(answers):
        answers |= {order.key: left_out(order) for order in free}
    elif free:
        claims = [_claim(order, agreement) for order in free]
        ledger.claim(batch_id, claims, state=state, at=at, file_id=manifest.file_id)
        answers |= _known(free, batch_id, agreement, ledger, wms, state)
        if all_or_nothing and _stopped(answers):
            answers |= {order.key: left_out(order) for order in free if order.key not in answers}
    return ledger.save_answers(manifest.file_id, batch_id, tuple(answers.values()), state=state)


def _claim(order: DeclaredOrder, agreement: Agreement) -> Claim:
    base, group = agreement.base_key(order.key) or (None, None)
    return Claim(order.key, order.fingerprint, order.revision, base=base, group=group)


def _in_two_groupings(declared: Sequence[DeclaredOrder], agreement: Agreement) -> dict[str, AnsweredOrder]:
    """The answers for orders that one file holds whole and by their parts: which is right cannot be known."""
    claims = {order.key: _claim(order, agreement) for order in declared}
    whole, parts = (
        {claim.base for claim in claims.values() if claim.base and (claim.group == WHOLE) is as_whole}
        for as_whole in (True, False)
    )
    both = whole & parts
    return {o.key: answer(o, "rejected", "group-changed") for o in declared if claims[o.key].base in both}


def _known(
    declared: Sequence[DeclaredOrder], batch_id: str, agreement: Agreement, ledger: Ledger, wms: Wms, state: State
) -> dict[str, AnsweredOrder]:
    """The answers for those that ledger or warehouse system know. A claim of this batch does not count: it is ours.

    A part of an order is known by the whole order too, and the whole one by what the ledger has of its parts.
    """
    keys = [order.key for order in declared]
    whole = {key: agreement.whole_key(key) or key for key in keys}
    theirs = ask(wms, list(dict.fromkeys([*keys, *whole.values()])))
    ours = {key: row for key, row in ledger.find(keys, state=state).items() if row.batch_id != batch_id}
    answers = judge_all(declared, ours, theirs)
    rest = [order for order in declared if order.key not in answers]
    regrouped = ledger.regrouped([_claim(order, agreement) for order in rest], state=state, batch_id=batch_id)
    for order in rest:
        if there := regrouped.get(order.key) or theirs.get(whole[order.key]):
            answers[order.key] = grouped_otherwise(order, there)
    return answers


def _stopped(answers: Mapping[str, AnsweredOrder]) -> bool:
    return any(answer.state not in INSIDE for answer in answers.values())


def load_batch(
    batch_id: str,
    orders: Sequence[LoadOrder],
    *,
    ledger: Ledger,
    wms: Wms,
    state: State,
    now: Callable[[], datetime],
) -> dict[str, LedgerOrder]:
    """Load what the batch has claimed and is not settled; what became of each order, by key.

    Called again after a kill it hands the same batch over again, which the loader knows by its id. An order that the
    loader did not answer for is looked up once; it is never loaded again on that account.
    """
    rows = ledger.batch(batch_id, state=state)
    waiting = {key for key, row in rows.items() if row.status == "claimed"}
    if not waiting:
        return rows
    ready = {order.key: order for order in orders if order.key in waiting}
    told = hand_over(wms, batch_id, tuple(ready.values())) if ready else {}
    outcomes = dict.fromkeys(waiting, Outcome("unknown")) | told
    if silent := {key: rows[key] for key in waiting if outcomes[key].state == "unknown"}:
        outcomes |= _looked_up(silent, wms)
    ledger.settle(batch_id, outcomes, state=state, at=now())
    return ledger.batch(batch_id, state=state)


def _looked_up(silent: Mapping[str, LedgerOrder], wms: Wms) -> dict[str, Outcome]:
    """Those that are there after all. Not being there proves nothing: the system may still be at it."""
    try:
        found = ask(wms, tuple(silent))
    except FallbackError:
        return {}
    return {key: Outcome("loaded", there.wms_ref) for key, there in found.items() if _is_ours(silent[key], there)}


def _is_ours(row: LedgerOrder, there: WmsOrder) -> bool:
    return there.path == row.path and there.fingerprint == row.fingerprint


def load_from_integration(
    orders: Iterable[Order],
    *,
    agreement: Agreement,
    ledger: Ledger,
    wms: Wms,
    now: Callable[[], datetime],
    state: State = "live",
) -> tuple[AnsweredOrder, ...]:
    """Load what the integration delivers, past everything that the fallback has loaded already.

    For warehouses whose integration loads through us (``replay_guard = "ledger"``): an order that is known comes back
    as ``duplicate-same`` or ``duplicate-conflict`` and is not loaded. One answer for each order, in their order. May
    be called again with any of the same orders at any time. Raises Refused ``marker-wrong`` for a drill's order
    among live ones, or the reverse, before anything is loaded.
    """
    ledger.keep_template(agreement.format.order_key, state=state)
    drops = agreement.open_format().lost
    delivered = tuple(orders)
    marks = {name.startswith(DRILL_ORDER) for order in delivered for name in (order.order_id, order.order_number)}
    if (state == "live") in marks:
        raise Refused(
            "marker-wrong",
            f"the integration delivers {'live' if state == 'drill' else 'drill'} orders to the {state} side",
            hint="nothing was loaded; find out which system sends them",
        )
    loads = []
    for order in delivered:
        key = agreement.key(order)
        loads.append(LoadOrder(key, fingerprint(order, key, drops), order, "integration"))
    return tuple(_load_one(load, agreement, ledger, wms, state, now) for load in loads)


def _load_one(
    load: LoadOrder, agreement: Agreement, ledger: Ledger, wms: Wms, state: State, now: Callable[[], datetime]
) -> AnsweredOrder:
    # One batch an order, named by its content: however the integration groups its retries, it is the same batch.
    batch_id = "I-" + hashlib.sha256(f"{load.key} {load.fingerprint}".encode()).hexdigest()[:32]
    declared = DeclaredOrder(key=load.key, revision=load.order.revision, fingerprint=load.fingerprint)
    row = ledger.find([load.key], state=state).get(load.key)
    if row is None or row.status != "claimed" or row.batch_id != batch_id:
        if known := _known([declared], "", agreement, ledger, wms, state):
            return known[load.key]
        path: Way = "integration"
        others = ledger.claim(batch_id, [_claim(declared, agreement)], state=state, at=now(), path=path)
        if there := others.get(load.key):
            if there.key != load.key:
                return grouped_otherwise(declared, there)
            return judge_all([declared], others, ask(wms, [load.key]))[load.key]
    rows = load_batch(batch_id, [load], ledger=ledger, wms=wms, state=state, now=now)
    return outcome(declared, rows.get(load.key))
