"""Shopify: from a unit of work and its lines to an Order, an Excluded, or everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from fallback.findings import Finding, Place, quote
from fallback.platforms.base import (
    Node,
    Outcome,
    country_code,
    exact_text,
    findings_of,
    first_given,
    identifier,
    kind_of,
    line_text,
    money,
    note_text,
    whole_seconds,
)
from fallback.platforms.shopify_case import NAME, Case
from fallback.platforms.shopify_lines import Pick, Picked
from fallback.records.judge import Loc, Problem, judge

# Of several reasons why no line is left, the one that a person asks about first.
_REASONS = ("other-location", "already-fulfilled", "nothing-to-ship", "not-physical", "gift-card")


def record(case: Case, picked: Picked) -> Iterator[Outcome]:
    """What becomes of one unit of work, once its lines are known."""
    if not picked.picks and not picked.faults:
        yield case.excluded(next((code for code in _REASONS if code in picked.codes), "nothing-to-ship"))
        return
    address = _address(case)
    services = _services(case)
    if address is None and not picked.faults:
        yield case.excluded("no-address")
        return
    if isinstance(services, list) and any(set(one) & set(case.desk.eligibility.services_excluded) for one in services):
        yield case.excluded("service-excluded")
        return
    faults = [*picked.faults, *(fault for fault in (address, services) if isinstance(fault, Finding))]
    if isinstance(address, Node):
        data, more = _data(case, picked, address, services if isinstance(services, list) else [])
        faults += more
        judged = judge(data)
        if not isinstance(judged, list) and not faults:
            yield from picked.elsewhere
            yield judged
            return
        problems = judged if isinstance(judged, list) else []
        told: set[Loc] = {("service",)} if isinstance(services, Finding) else set()
        told |= {("lines",)} if picked.faults else set()
        faults += findings_of(
            [problem for problem in problems if problem.loc not in told],
            _places(case, picked, address),
            order=case.identity.order_number,
            show_values=case.desk.show_values,
            hint=_hint,
            line=lambda index: picked.picks[index].index + 1,
        )
    yield from dict.fromkeys(faults)
    yield case.excluded("refused-here")


def _hint(problem: Problem) -> str | None:
    if problem.path == "ship_to.postal_code" and problem.code == "value-malformed":
        return "as a number it may have lost zeros at its beginning; export it as text, as the shop has it"
    if problem.path == "lines.sku" and problem.code == "value-missing":
        return "give the variant a SKU in the shop and export again"
    if problem.path == "service" and problem.code == "value-missing":
        return "give the order a shipping method in the shop and export again"
    return None


# --- the ship-to --------------------------------------------------------------------------------------------------

_SOMEWHERE = ("name", "first_name", "last_name", "company", "address1", "city", "zip")


def _address(case: Case) -> Node | Finding | None:
    """The order's ship-to, else the fulfilment order's destination; ``None`` where neither says anything.

    The order's comes first because it has the country's code. Both given and not alike is a finding: which is right
    cannot be known.
    """
    given: list[Node] = []
    for node, name in ((case.order, "shipping_address"), (case.part, "destination")):
        value = node.get(name) if node is not None else None
        if value is None or node is None:
            continue
        if not isinstance(value, dict):
            return case.finding("payload-invalid", node.at(name), found=kind_of(value), expected="an address")
        # Without the permission to read addresses the platform sends one with its personal fields blank.
        if any(line_text(value.get(field)) is not None for field in _SOMEWHERE):
            given.append(Node(value, node.at(name)))
    if len(given) == 2 and (field := _unlike(*given)):
        place = given[1].at(field)
        return case.finding("payload-invalid", place, expected=f"the {field} of the order's shipping_address")
    return given[0] if given else None


def _unlike(one: Node, two: Node) -> str | None:
    for field in ("address1", "city", "zip"):
        values = {re.sub(r"\s+", "", str(node.get(field) or "")).casefold() for node in (one, two)}
        if len(values) > 1 and "" not in values:
            return field
    return None


def _ship_to(case: Case, address: Node) -> dict[str, Any]:
    value = {name: line_text(content) for name, content in address.value.items()}
    parts = [value.get("first_name"), value.get("last_name")]
    odd = next((part for part in parts if part is not None and not isinstance(part, str)), None)
    joined = odd if odd is not None else " ".join(part for part in parts if part) or None
    name, company = first_given(value.get("name"), joined), value.get("company")
    if name is None:  # a firm that named nobody is itself the recipient
        name, company = company, None
    order = {name: line_text(case.order.get(name)) for name in ("email", "contact_email", "phone")}
    return {
        "name": name,
        "company": company,
        "address1": value.get("address1"),
        "address2": value.get("address2"),
        "city": value.get("city"),
        "region": first_given(value.get("province_code"), value.get("province")),
        "postal_code": value.get("zip"),
        "country": first_given(value.get("country_code"), country_code(value.get("country"))),
        "phone": first_given(value.get("phone"), order["phone"]),
        "email": first_given(order["email"], order["contact_email"], value.get("email")),
    }


# --- service and notes --------------------------------------------------------------------------------------------


def _services(case: Case) -> list[tuple[str, ...]] | Finding:
    """The one shipping service, as code and title; empty where there is none."""
    lines = case.rows(case.order, "shipping_lines")
    if isinstance(lines, Finding):
        return lines
    found: list[tuple[str, ...]] = []
    for line in lines:
        if line.get("is_removed") is True:
            continue
        names = [line_text(line.get(name)) for name in ("code", "title")]
        for name, value in zip(("code", "title"), names, strict=True):
            if value is not None and not isinstance(value, str):
                return case.finding("payload-invalid", line.at(name), found=kind_of(value), expected="text")
        service = tuple(name for name in names if name is not None)
        if service and service not in found:
            found.append(service)
    if len({service[0] for service in found}) > 1:
        place = case.order.at("shipping_lines")
        names = [quote(service[0]) for service in found]
        return case.finding("payload-invalid", place, found=", ".join(names[:3]), expected="one shipping service")
    return found


_GIFT = re.compile(r"[\s_-]*gift[\s_-]*(message|note)[\s_:]*", re.IGNORECASE)


def _notes(case: Case) -> tuple[Any, Any] | Finding:
    """Gift message and instructions. What is not text stays as it is, for the judge."""
    place = case.order.at("note_attributes")
    attributes = _pairs(case.order.get("note_attributes"))
    if attributes is None:
        return case.finding("payload-invalid", place, expected="a list of names and values")
    note = note_text(case.order.get("note"))
    if note is not None and not isinstance(note, str):
        return None, note
    gifts = [value for name, value in attributes if _GIFT.fullmatch(name)]
    lines = [note, *_requests(case)]
    lines += [f"{name}: {value}" for name, value in attributes if not _GIFT.fullmatch(name)]
    return "\n".join(gifts) or None, "\n".join(line for line in lines if line) or None


def _requests(case: Case) -> list[str]:
    """What the merchant told the fulfilment service, and who pays the duties."""
    if case.part is None:
        return []
    told: list[Any] = []
    requests = case.part.get("merchant_requests")
    for request in requests if isinstance(requests, list) else []:
        if isinstance(request, dict) and request.get("kind") == "fulfillment_request":
            options = request.get("request_options")
            told += [request.get("message"), options.get("note") if isinstance(options, dict) else None]
    duties = case.part.get("international_duties")
    incoterm = line_text(duties.get("incoterm")) if isinstance(duties, dict) else None
    texts = [note_text(text) for text in told if isinstance(text, str)]
    return [text for text in texts if text] + ([f"incoterm: {incoterm}"] if isinstance(incoterm, str) else [])


def _pairs(value: Any) -> list[tuple[str, str]] | None:
    """Names and values of attributes or properties, less those with a blank value; ``None`` for another shape.

    A list of ``{name, value}``, one such object, an object of names to values, ``{}`` and ``null`` are all in use.
    """
    if value is None:
        return []
    if isinstance(value, dict):
        single = value.keys() == {"name", "value"}
        given = [(value["name"], value["value"])] if single else list(value.items())
    elif isinstance(value, list):
        if not all(isinstance(item, dict) and "name" in item for item in value):
            return None
        given = [(item["name"], item.get("value")) for item in value]
    else:
        return None
    pairs: list[tuple[str, str]] = []
    for raw_name, raw in given:
        name, text = line_text(_scalar(raw_name)), note_text(_scalar(raw))
        if text is None and raw is not None and not isinstance(raw, str):
            return None
        if text is None:
            continue
        if not isinstance(name, str):
            return None
        pairs.append((name, text))
    return pairs


def _scalar(value: Any) -> str | None:
    """Text, a number or true/false as text; ``None`` for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | Decimal) else None


# --- the record ---------------------------------------------------------------------------------------------------


def _data(
    case: Case, picked: Picked, address: Node, services: list[tuple[str, ...]]
) -> tuple[dict[str, Any], list[Finding]]:
    """The order in canonical terms for the judge, and what is wrong with shapes that he does not see."""
    order, part, faults = case.order, case.part, []
    notes = _notes(case)
    if isinstance(notes, Finding):
        faults.append(notes)
        notes = None, None
    lines = []
    for number, pick in enumerate(picked.picks, start=1):
        properties = _pairs(pick.line.get("properties"))
        if properties is None:
            place = pick.line.at("properties")
            fault = case.finding("payload-invalid", place, expected="a list of names and values")
            faults.append(replace(fault, order_line=pick.index + 1))
        lines.append(_line(pick, number, properties or []))
    data = {
        "brand": case.desk.brand,
        "platform": NAME,
        "order_id": case.identity.order_id,
        "order_number": case.identity.order_number,
        "group": case.identity.group,
        "ordered_at": whole_seconds(line_text(order.get("created_at"))),
        "ship_not_before": whole_seconds(line_text(part.get("fulfill_at"))) if part else None,
        "ship_by": whole_seconds(line_text(part.get("fulfill_by"))) if part else None,
        "purchase_order": line_text(order.get("po_number")),
        "currency": line_text(order.get("currency")),
        "ship_to": _ship_to(case, address),
        "service": services[0][0] if services else None,
        "gift_message": notes[0],
        "instructions": notes[1],
        "lines": lines,
    }
    return data, faults


def _line(pick: Pick, number: int, properties: list[tuple[str, str]]) -> dict[str, Any]:
    line = pick.line
    name, title = line_text(line.get("name")), line_text(line.get("title"))
    # The name is the title with the variant, and may exceed what a title may have: then the title alone.
    whole = title if isinstance(name, str) and len(name) > 255 else first_given(name, title)
    return {
        "line_id": identifier(pick.source.get("id")),
        "line_number": number,
        "sku": exact_text(line.get("sku")),
        "description": whole,
        "quantity": pick.quantity,
        "unit_price": money(line_text(line.get("price"))),
        "properties": [{"name": name, "value": value} for name, value in properties],
    }


_ORDER = {
    "order_id": "id",
    "order_number": "name",
    "ordered_at": "created_at",
    "purchase_order": "po_number",
    "service": "shipping_lines",
    "instructions": "note",
    "gift_message": "note_attributes",
    "lines": "line_items",
}
_ADDRESS = {"region": "province_code", "postal_code": "zip", "country": "country_code"}
_LINE = {"description": "name", "unit_price": "price", "quantity": "quantity"}


def _places(case: Case, picked: Picked, address: Node) -> Callable[[Loc], Place]:
    """Where in the payload a canonical value comes from."""

    def place(loc: Loc) -> Place:
        if not loc:
            return case.order.place
        name = str(loc[-1])
        if loc[0] == "lines" and len(loc) > 2 and isinstance(loc[1], int):
            pick = picked.picks[loc[1]]
            if loc[2] == "line_id":
                return pick.source.at("id")
            return pick.line.at(_LINE.get(str(loc[2]), str(loc[2])))
        if loc[0] == "ship_to" and len(loc) > 1:
            if name == "email" and "email" not in address.value:
                return case.order.at("email")
            field = _ADDRESS.get(name, name)
            return address.at("country" if field == "country_code" and field not in address.value else field)
        if case.part is not None and name in ("ship_not_before", "ship_by"):
            return case.part.at("fulfill_at" if name == "ship_not_before" else "fulfill_by")
        return case.order.at(_ORDER.get(name, name))

    return place
