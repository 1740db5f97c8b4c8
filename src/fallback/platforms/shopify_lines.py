"""Shopify: which lines of an order ship, and how many units of each.

What remains to be shipped is, by what the payload says: the fulfilment order line's remaining quantity; else the line's
``fulfillable_quantity``; else ``current_quantity`` less what is fulfilled; else ``quantity`` less refunds and
fulfilments; else a finding.

A fulfilment counts when it succeeded, and when it is ``pending`` or ``open``: somebody is working on it, and shipping
twice is worse than shipping late. ``failure``, ``error`` and ``cancelled`` do not count. A refunded *return* does not
reduce what remains: it had been shipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fallback.findings import Finding, quote
from fallback.platforms.base import Node, exact_text, kind_of, line_text
from fallback.platforms.shopify_case import Case, id_shown, key_of, word


@dataclass(frozen=True, slots=True)
class Pick:
    """A line that ships: the order's line and its position, how many, and where id and quantity come from."""

    line: Node
    index: int
    quantity: int
    source: Node


@dataclass(frozen=True, slots=True)
class Picked:
    """The lines of one unit of work: those that ship, why others do not, what is wrong, what ships from elsewhere."""

    picks: tuple[Pick, ...] = ()
    codes: frozenset[str] = frozenset()
    faults: tuple[Finding, ...] = ()
    elsewhere: tuple[Finding, ...] = ()


@dataclass(slots=True)
class _Tray:
    """A Picked in the making."""

    picks: list[Pick] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    faults: list[Finding] = field(default_factory=list)
    elsewhere: list[Finding] = field(default_factory=list)

    def picked(self) -> Picked:
        return Picked(
            tuple(self.picks), frozenset(self.codes), tuple(dict.fromkeys(self.faults)), tuple(self.elsewhere)
        )


# --- how many -----------------------------------------------------------------------------------------------------

_COUNTS = frozenset({"success", "pending", "open"})
_COUNTS_NOT = frozenset({"failure", "error", "cancelled"})


@dataclass(frozen=True, slots=True)
class _Past:
    """What was fulfilled, refunded and returned of each line, by line id; ``None`` where the payload does not say."""

    fulfilled: Counter[str | None] | None
    refunded: Counter[str | None] | None
    returned: Counter[str | None]

    def has_shipped(self, line: Node) -> bool:
        """Whether any unit of the line was fulfilled."""
        return self.fulfilled is not None and self.fulfilled[key_of(line.get("id"))] > 0


def _past(case: Case) -> _Past | Finding:
    returned = Counter[str | None]()
    fulfilled: Counter[str | None] | None = None
    if case.order.get("fulfillments") is not None:
        fulfilled = Counter()
        fulfilments = case.rows(case.order, "fulfillments")
        if isinstance(fulfilments, Finding):
            return fulfilments
        for fulfilment in fulfilments:
            status = word(fulfilment.get("status"))
            if status in _COUNTS_NOT:
                continue
            if status not in _COUNTS:
                place = fulfilment.at("status")
                known = ", ".join(sorted(_COUNTS | _COUNTS_NOT))
                return case.finding(
                    "quantity-unknown",
                    place,
                    found=None if status is None else quote(status),
                    expected=f"one of {known}",
                )
            if fault := _add_up(case, fulfilment, "line_items", "id", fulfilled):
                return fault
    refunded: Counter[str | None] | None = None
    if case.order.get("refunds") is not None:
        refunded = Counter()
        refunds = case.rows(case.order, "refunds")
        if isinstance(refunds, Finding):
            return refunds
        for refund in refunds:
            if fault := _add_up(case, refund, "refund_line_items", "line_item_id", refunded, returned):
                return fault
    return _Past(fulfilled, refunded, returned)


def _add_up(
    case: Case,
    node: Node,
    name: str,
    id_name: str,
    total: Counter[str | None],
    returned: Counter[str | None] | None = None,
) -> Finding | None:
    rows = case.rows(node, name)
    if isinstance(rows, Finding):
        return rows
    for row in rows:
        amount = case.count(row, "quantity")
        if isinstance(amount, Finding):
            return amount
        if amount is None or key_of(row.get(id_name)) is None:
            return case.finding("quantity-unknown", row.place, expected=f"{id_name} and quantity")
        total[key_of(row.get(id_name))] += amount
        if returned is not None and word(row.get("restock_type")) == "return":
            returned[key_of(row.get(id_name))] += amount
    return None


def _remaining(case: Case, line: Node, past: _Past | Finding) -> int | Finding:
    """How many units of an order line are still to be shipped."""
    ordered, current, open_ = (
        case.count(line, name) for name in ("quantity", "current_quantity", "fulfillable_quantity")
    )
    for amount in (open_, current, ordered):
        if isinstance(amount, Finding):
            return amount
    if isinstance(open_, int):
        if isinstance(ordered, int) and open_ > ordered:
            place = line.at("fulfillable_quantity")
            return case.finding("payload-invalid", place, found=str(open_), expected=f"at most {ordered:,}, as ordered")
        return open_
    if word(line.get("fulfillment_status")) == "fulfilled":
        return 0
    if isinstance(past, Finding):
        return past
    key = key_of(line.get("id"))
    fulfilled = _fulfilled(case, line, past)
    if fulfilled is not None:
        out = max(0, fulfilled - past.returned[key])
        if isinstance(current, int):
            return max(0, current - out)
        if isinstance(ordered, int) and (refunded := _refunded(case, line, past)) is not None:
            return max(0, ordered - refunded - out)
    return case.finding(
        "quantity-unknown",
        line.at("quantity"),
        expected="how many units are still to be shipped",
        hint="export again with fulfillable_quantity, or with fulfillments and refunds",
    )


def _fulfilled(case: Case, line: Node, past: _Past) -> int | None:
    if past.fulfilled is not None:
        return past.fulfilled[key_of(line.get("id"))]
    # Without a list of fulfilments only the word of the order that there are none will do.
    told = "fulfillment_status" in case.order.value and word(case.order.get("fulfillment_status")) in (
        None,
        "unfulfilled",
    )
    return 0 if told and word(line.get("fulfillment_status")) in (None, "unfulfilled") else None


def _refunded(case: Case, line: Node, past: _Past) -> int | None:
    if past.refunded is not None:
        return past.refunded[key_of(line.get("id"))]
    return None if "refunded" in (word(case.order.get("financial_status")) or "") else 0


def _part_remaining(case: Case, row: Node) -> int | Finding:
    """How many units of a fulfilment order's line are still to be shipped. Older versions say only ``quantity``."""
    for name in ("remaining_quantity", "fulfillable_quantity", "quantity"):
        amount = case.count(row, name)
        if amount is not None:
            return amount
    return case.finding("quantity-unknown", row.place, expected="the fulfilment order line's remaining quantity")


# --- which lines --------------------------------------------------------------------------------------------------


def _goods_code(case: Case, line: Node) -> str | Finding | None:
    """Why a line is not for any warehouse, if so. A line that does not say so needs shipping."""
    for name, value, code in (("gift_card", True, "gift-card"), ("requires_shipping", False, "not-physical")):
        flag = line.get(name)
        if flag is not None and not isinstance(flag, bool):
            return case.finding("payload-invalid", line.at(name), found=kind_of(flag), expected="true or false")
        if flag is value:
            return code
    return None


def _service_code(case: Case, line: Node) -> str | Finding | None:
    """Whether another place ships a line: without a fulfilment order only its fulfilment service tells."""
    wanted = case.desk.eligibility.locations
    service = line_text(line.get("fulfillment_service"))
    if not wanted or service in wanted:
        return None
    if isinstance(service, str) and service != "manual":
        return "other-location"
    return case.finding(
        "value-missing",
        line.at("fulfillment_service"),
        expected="the location that ships the line",
        hint="export the fulfilment orders too; a shop with one location can name manual under [eligibility] locations",
    )


def picked_from_order(case: Case) -> Picked:
    """The lines that ship of an order without fulfilment orders."""
    lines = case.rows(case.order, "line_items", needed=True)
    if isinstance(lines, Finding):
        return Picked(faults=(lines,))
    tray = _Tray()
    past = _past(case)
    for index, line in enumerate(lines):
        verdict = _goods_code(case, line)
        amount = _remaining(case, line, past) if verdict is None else 0
        if verdict is None and amount == 0:
            gone = not isinstance(past, Finding) and past.has_shipped(line)
            gone = gone or word(line.get("fulfillment_status")) in ("fulfilled", "partial")
            verdict = "already-fulfilled" if gone else "nothing-to-ship"
        elif verdict is None and isinstance(amount, int):
            verdict = _service_code(case, line)
            if verdict == "other-location":
                tray.elsewhere.append(case.finding("line-elsewhere", line.at("fulfillment_service")))
        _sort(tray, verdict, amount, line, index, line)
    return tray.picked()


def picked_from_part(case: Case, part: Node) -> Picked:
    """The lines that ship of one fulfilment order; the order's lines say what they are."""
    lines = case.rows(case.order, "line_items", needed=True)
    inner = part_rows(case, part)
    if isinstance(lines, Finding) or isinstance(inner, Finding):
        return Picked(faults=tuple(value for value in (lines, inner) if isinstance(value, Finding)))
    positions: dict[str | None, list[int]] = {}
    for index, line in enumerate(lines):
        positions.setdefault(key_of(line.get("id")), []).append(index)
    tray = _Tray()
    for row in inner:
        key = key_of(row.get("line_item_id"))
        at = positions.get(key, []) if key is not None else []
        if len(at) != 1:
            found, place = id_shown(row.get("line_item_id")), row.at("line_item_id")
            tray.faults.append(
                case.finding("payload-invalid", place, found=found, expected="the id of one line of the order")
            )
            continue
        line = lines[at[0]]
        verdict = _other_sku(case, row, line) or _goods_code(case, line)
        amount = _part_remaining(case, row) if verdict is None else 0
        if verdict is None and amount == 0:
            verdict = "nothing-to-ship" if row.get("quantity") in (None, 0) else "already-fulfilled"
        _sort(tray, verdict, amount, line, at[0], row)
    return tray.picked()


def part_rows(case: Case, part: Node) -> list[Node] | Finding:
    """The lines of a fulfilment order, under the name that its version of the API gives them."""
    name = "line_items" if "line_items" in part.value else "fulfillment_order_line_items"
    return case.rows(part, name, needed=True)


def _other_sku(case: Case, row: Node, line: Node) -> Finding | None:
    one, two = exact_text(row.get("sku")), exact_text(line.get("sku"))
    if isinstance(one, str) and isinstance(two, str) and one != two:
        return case.finding(
            "payload-invalid", row.at("sku"), found=quote(one), expected=f"{quote(two)}, as in the order"
        )
    return None


def _sort(
    tray: _Tray, verdict: str | Finding | None, amount: int | Finding, line: Node, index: int, source: Node
) -> None:
    if isinstance(verdict, str):
        tray.codes.add(verdict)
    elif isinstance(verdict, Finding):
        tray.faults.append(replace(verdict, order_line=index + 1))
    elif isinstance(amount, Finding):
        # What is wrong in the order's history is not the fault of one line.
        own = amount.place.pointer.startswith(source.place.pointer)
        tray.faults.append(replace(amount, order_line=index + 1) if own else amount)
    else:
        tray.picks.append(Pick(line, index, amount, source))


# --- fulfilment orders against their order ------------------------------------------------------------------------


def refuse_surplus(case: Case, parts: Sequence[Picked]) -> list[Picked]:
    """Several fulfilment orders may not ship more of a line than was ordered: that would be shipping it twice."""
    asked = Counter[int]()
    for picked in parts:
        for pick in picked.picks:
            asked[pick.index] += pick.quantity
    result = []
    for picked in parts:
        faults = list(picked.faults)
        for pick in picked.picks:
            ordered = case.count(pick.line, "quantity")
            if isinstance(ordered, int) and asked[pick.index] > ordered:
                found = f"{asked[pick.index]:,} units in all fulfilment orders that are to ship"
                expected = f"at most {ordered:,}, as ordered"
                faults.append(case.finding("payload-invalid", pick.source.place, found=found, expected=expected))
        result.append(replace(picked, faults=tuple(faults)))
    return result


def has_rest(case: Case, parts: Sequence[Node]) -> bool:
    """Whether something of the order remains to be shipped that no fulfilment order of the payload has."""
    lines = case.rows(case.order, "line_items")
    covered: dict[str | None, float] = Counter()  # type: ignore[assignment]  # infinite where it is not known
    for part in parts:
        inner = part_rows(case, part)
        if isinstance(inner, Finding):
            return False  # told elsewhere
        for row in inner:
            amount = _part_remaining(case, row)
            covered[key_of(row.get("line_item_id"))] += amount if isinstance(amount, int) else float("inf")
    past = _past(case)
    for line in lines if isinstance(lines, list) else []:
        amount = _remaining(case, line, past)
        if isinstance(amount, int) and amount > covered[key_of(line.get("id"))] and _goods_code(case, line) is None:
            return True
    return False
