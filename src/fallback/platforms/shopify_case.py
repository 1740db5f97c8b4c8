"""Shopify: one unit of work, its identity, and how its payload is read without believing its shape."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from fallback.findings import Finding, Place, quote
from fallback.platforms.base import (
    Eligibility,
    Excluded,
    Node,
    exact_text,
    findings_of,
    first_given,
    identifier,
    is_whole,
    kind_of,
)
from fallback.records.judge import problems_of
from fallback.records.order import Record
from fallback.records.values import Identifier, OrderNumber

NAME = "shopify"


@dataclass(frozen=True, slots=True)
class Desk:
    """What is the same for every order of one call."""

    brand: str
    eligibility: Eligibility
    now: datetime
    show_values: bool


class Identity(Record):
    """The names of a unit of work, as far as a payload gives them."""

    order_id: Identifier
    order_number: OrderNumber
    group: Identifier = "0"


@dataclass(frozen=True, slots=True)
class Case:
    """One unit of work: an order, or one of its fulfilment orders (``part``)."""

    desk: Desk
    order: Node
    part: Node | None
    identity: Identity

    def excluded(self, code: str) -> Excluded:
        return Excluded(code, NAME, self.identity.order_id, self.identity.order_number, self.identity.group)

    def finding(
        self, code: str, place: Place, *, found: str | None = None, expected: str | None = None, hint: str | None = None
    ) -> Finding:
        return Finding(code, place, order=self.identity.order_number, found=found, expected=expected, hint=hint)

    def rows(self, node: Node, name: str, *, needed: bool = False) -> list[Node] | Finding:
        """The objects in a list of the payload. An absent list is empty, or a finding where it is needed."""
        value = node.get(name)
        if value is None and not needed:
            return []
        if value is None:
            return self.finding("value-missing", node.at(name), expected="a list")
        if not isinstance(value, list):
            return self.finding("payload-invalid", node.at(name), found=kind_of(value), expected="a list")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                return self.finding("payload-invalid", node.at(name, index), found=kind_of(item), expected="an object")
        return [Node(item, node.at(name, index)) for index, item in enumerate(value)]

    def count(self, node: Node, name: str) -> int | Finding | None:
        """A number of units; ``None`` where the payload does not say it."""
        value = node.get(name)
        if value is None or (is_whole(value) and value >= 0):
            return value  # type: ignore[no-any-return]
        found = quote(value) if isinstance(value, str) else kind_of(value) if isinstance(value, bool) else str(value)
        if isinstance(value, list | dict):
            found = kind_of(value)
        return self.finding("payload-invalid", node.at(name), found=found, expected="a whole number, 0 or more")


def case_of(desk: Desk, order: Node, part: Node | None) -> Case | list[Finding]:
    """The unit of work with its identity, or what is wrong with its ids."""
    number = first_given(exact_text(order.get("name")), identifier(order.get("order_number")))
    data = {"order_id": identifier(order.get("id")), "order_number": number}
    places = {"order_id": order.at("id"), "order_number": order.at("name")}
    if part is not None:
        data["group"] = identifier(part.get("id"))
        places["group"] = part.at("id")
    try:
        return Case(desk, order, part, Identity.model_validate(data))
    except ValidationError as error:
        return findings_of(
            problems_of(error),
            lambda loc: places[str(loc[0])],
            order=number if part is not None else None,
            show_values=desk.show_values,
        )


def key_of(value: Any) -> str | None:
    """An id as text; ``None`` for what can be none."""
    text = identifier(value)
    return text if isinstance(text, str) else None


def id_shown(value: Any) -> str:
    """An id as a finding shows it."""
    key = key_of(value)
    return kind_of(value) if key is None else quote(key)


def word(value: Any) -> str | None:
    """A value of one of Shopify's enumerations, which REST writes small and GraphQL in capitals."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return value.strip().lower() if isinstance(value, str) else kind_of(value)
