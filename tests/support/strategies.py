"""Orders as hypothesis draws them: anything that the record allows, or anything that a format carries whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from iso3166 import countries_by_alpha2
from iso4217 import Currency
from stdnum import ean

from fallback.formats.defaults import as_carried
from fallback.formats.kinds import kind_of
from fallback.formats.shape import Column, shape_of
from fallback.formats.spec import Format
from fallback.formats.write import Written
from fallback.records.order import Line, Order, Property, ShipTo
from fallback.records.paths import PATHS, values_of


class Limit:
    """What a format leaves of a path: how long its text may be, of what form, and whether it holds the path at all."""

    def __init__(self, fmt: Format | None, path: str) -> None:
        rows = shape_of(fmt).rows if fmt is not None else ()
        self.fmt = fmt
        self.columns = [column for row in rows for column in row.columns if column.field.path == path]
        self.held = fmt is None or bool(self.columns) or path in fmt.lost
        # What stands in for an absent value is no value; without it, the partner wants one.
        self.needed = any(column.field.required and column.stand_in is None for column in self.columns)
        lengths = [c.field.longest - len(c.field.prefix or "") for c in self.columns if c.field.longest is not None]
        self.longest = min(lengths, default=10_000)
        self.forms = [(c.field.pattern, c.field.prefix or "") for c in self.columns if c.field.pattern is not None]
        self.allowed = next((c.field.allowed for c in self.columns if c.field.allowed), ())
        self.decimals = next((c.field.decimals for c in self.columns if c.field.decimals is not None), None)
        self.width = min((c.field.width for c in self.columns if c.field.width is not None), default=18)
        self.short_year = any("%y" in pattern for c in self.columns for pattern in c.field.dates[:1])
        # The value of another path, in the partner's file: it must be one of that path too.
        self.is_identifier = fmt is not None and f"={path}" in fmt.defaults.values()

    def writable(self, text: str) -> bool:
        return self.fmt is None or kind_of(self.fmt).writable(text, self.fmt)

    def fits(self, value: Any) -> bool:
        """Whether the value can stand in all of its columns."""
        return all(self._stands(column, value) for column in self.columns)

    def _stands(self, column: Column, value: Any) -> bool:
        assert self.fmt is not None
        text, field = column.write(value), column.field
        if text == "":
            return not field.required  # the first part of a text of one word
        comment = self.fmt.delimited.comment
        if column.index == 0 and comment and text.startswith(comment):
            return False
        if field.decimals is not None:
            return self._scaled(value)
        longest = 10_000 if field.longest is None else field.longest
        form = field.pattern is None or re.fullmatch(field.pattern, text) is not None
        form = form and text in (field.allowed or (text,))
        return form and len(text) <= longest and text != column.stand_in and self.writable(text)

    def _scaled(self, amount: Decimal) -> bool:
        whole = amount.scaleb(self.decimals or 0)
        return whole == int(whole) and len(str(int(whole))) <= self.width


def texts(limit: Limit, most: int, *, identifier: bool = False, breaks: bool = False) -> st.SearchStrategy[str]:
    """Text of a record: printable, no white space at its ends; mostly short, at times as long as it may be."""
    if limit.allowed:
        return st.sampled_from(limit.allowed)
    if limit.forms:
        form, prefix = limit.forms[0]
        return st.from_regex(form, fullmatch=True).map(lambda text: text.removeprefix(prefix)).filter(limit.fits)
    encoding = limit.fmt.encoding if limit.fmt is not None else "utf-8"
    codec = {"utf-8-sig": "utf-8", "iso-8859-1": "latin-1"}.get(encoding, encoding)
    identifier = identifier or limit.is_identifier
    signs = "0a\"'\\,;|~=#-*><&[" + ("" if identifier else " ") + ("\n" if breaks else "")
    signs = "".join(sign for sign in signs if limit.writable(sign))
    letters = st.characters(
        codec=codec,
        exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp", *(["Zs"] if identifier else [])],
        exclude_characters=":" if identifier else "",
        include_characters="\n" if breaks and "\n" in signs else "",
    )
    longest = min(most, limit.longest)
    short = min(longest, 12)
    drawn = st.one_of(
        st.text(letters, min_size=1, max_size=short),
        st.text(signs, min_size=1, max_size=short),
        st.integers(max(1, longest - 2), longest).map(lambda n: "x" * n),
    )
    return drawn.map(str.strip).map(lambda text: text or "x").filter(limit.fits)


def instants(limit: Limit) -> st.SearchStrategy[datetime]:
    """From 1970 to 2999, in whole seconds, with offsets in whole minutes; of this century where two digits say it."""
    zones = st.one_of(
        st.just(UTC), st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    )
    years = (2000, 2099) if limit.short_year else (1970, 2999)
    plain = st.datetimes(datetime(years[0], 1, 3), datetime(years[1], 12, 29))
    return st.builds(lambda value, zone: value.replace(microsecond=0, tzinfo=zone), plain, zones)


def money(limit: Limit) -> st.SearchStrategy[Decimal]:
    most = 12 if limit.decimals is None else min(12, limit.width)
    digits = st.integers(0, 10**most - 1)
    places = st.integers(0, 6) if limit.decimals is None else st.just(limit.decimals)
    return st.builds(lambda number, count: Decimal(number).scaleb(-count), digits, places).filter(limit.fits)


gtins = st.sampled_from((7, 11, 12, 13)).flatmap(
    lambda n: st.text("0123456789", min_size=n, max_size=n).map(lambda body: body + ean.calc_check_digit(body))
)
countries = st.sampled_from(sorted(countries_by_alpha2))
currencies = st.sampled_from(sorted(one.code for one in Currency))


_made: dict[str, st.SearchStrategy[Order]] = {}


def orders(fmt: Format | None = None) -> st.SearchStrategy[Order]:
    """Orders: any that the record allows; with a format, any that it carries whole."""
    name = fmt.sha256 if fmt is not None else ""
    if name not in _made:  # building takes longer than drawing
        _made[name] = _orders(fmt)
    return _made[name]


def _orders(fmt: Format | None) -> st.SearchStrategy[Order]:
    """A plain order of some lines, in which some of the values are drawn."""

    def limit(path: str) -> Limit:
        return Limit(fmt, path)

    def text(path: str, most: int = 255, **kinds: bool) -> st.SearchStrategy[str]:
        return texts(limit(path), most, **kinds)

    def whole(path: str, most: int) -> st.SearchStrategy[int]:
        return st.integers(1, min(most, 10 ** min(limit(path).longest, 18) - 1))

    optional = ("company", "address2", "address3", "region", "postal_code", "phone", "email")
    share = min(40, max(1, limit("lines.properties").longest // 5))
    free = Limit(fmt, "")  # both stand in one text, where the format has one
    option = st.builds(Property, name=texts(free, share), value=texts(free, share, breaks=True))
    values: dict[str, st.SearchStrategy[Any]] = {
        **{name: text(name, 64, identifier=True) for name in ("brand", "platform", "order_id", "group")},
        **{name: instants(limit(name)) for name in ("ordered_at", "ship_not_before", "ship_by", "cancel_after")},
        **{name: text(name) for name in ("service", "purchase_order", "carrier")},
        **{name: text(name, 5000, breaks=True) for name in ("instructions", "gift_message")},
        **{f"ship_to.{name}": text(f"ship_to.{name}") for name in ("name", "address1", "city", *optional)},
        **{f"lines.{name}": text(f"lines.{name}") for name in ("description", "lot")},
        "order_number": text("order_number", 64),
        "revision": whole("revision", 999),
        "currency": currencies,
        "ship_to.country": countries,
        "lines.sku": text("lines.sku", 64),
        "lines.quantity": whole("lines.quantity", 999_999),
        "lines.uom": st.text("ABCXYZ0189", min_size=1, max_size=3),
        "lines.gtin": gtins,
        "lines.unit_price": money(limit("lines.unit_price")),
        "lines.expires_after": st.dates(date(1970, 1, 1), date(2999, 12, 31)),
        "lines.hs_code": st.text("0123456789", min_size=6, max_size=12),
        "lines.origin_country": countries,
        "lines.properties": st.lists(option, min_size=1, max_size=2).map(tuple).filter(limit("lines.properties").fits),
    }
    assert set(values) == set(PATHS) - {"lines.line_id", "lines.line_number"}
    held = [path for path in values if limit(path).held]
    # What every order has. Where the partner wants another value, or one more, it is drawn for each order.
    plain = {path: value for path, value in _PLAIN.items() if limit(path).fits(value)}
    needed = [path for path in held if path not in plain and (path in _PLAIN or limit(path).needed)]
    of_order, of_line = (
        st.lists(st.sampled_from([path for path in held if PATHS[path].level == level]), max_size=6, unique=True).map(
            lambda drawn, level=level: dict.fromkeys([*drawn, *(p for p in needed if PATHS[p].level == level)])
        )
        for level in ("order", "line")
    )
    most_lines = (fmt.max_lines if fmt is not None else None) or 4
    numbers = st.lists(st.integers(1, 99_999), min_size=1, max_size=min(most_lines, 4), unique=True)
    ids = st.text("0123456789", min_size=1, max_size=13)
    once = [path for path in values if any(column.field.once for column in limit(path).columns)]

    @st.composite
    def one(draw: st.DrawFn) -> Order:
        own: dict[str, Any] = {"order_id": draw(ids)} | {p: v for p, v in plain.items() if PATHS[p].level == "order"}
        own |= {path: draw(values[path]) for path in draw(of_order) if path in values}
        lines: list[dict[str, Any]] = []
        for number in draw(numbers):
            line = {p: v for p, v in plain.items() if PATHS[p].level == "line"}
            line |= {path: draw(values[path]) for path in draw(of_line)}
            for path in once:
                others = [other.get(path) for other in lines]
                line[path] = draw(values[path].filter(lambda value, others=others: value not in others))  # type: ignore[misc]
            lines.append(line | {"lines.line_id": f"0{number}", "lines.line_number": number})
        if any("lines.unit_price" in line for line in lines):
            own.setdefault("currency", "USD")
        return Order(
            **{path: value for path, value in own.items() if path not in _SHIP_TO},
            ship_to=ShipTo(**{path.removeprefix("ship_to."): own[path] for path in own if path in _SHIP_TO}),
            lines=tuple(Line(**{path.removeprefix("lines."): value for path, value in line.items()}) for line in lines),
        )

    return one()


_PLAIN: dict[str, Any] = {
    "brand": "acme",
    "platform": "shopify",
    "order_number": "#1001",
    "ordered_at": datetime(2026, 11, 23, 14, tzinfo=UTC),
    "service": "STD",
    "ship_to.name": "Ada Example",
    "ship_to.address1": "12 Sample Street",
    "ship_to.city": "Boston",
    "ship_to.country": "US",
    "lines.sku": "0012",
    "lines.quantity": 1,
}

_SHIP_TO = frozenset(path for path in PATHS if path.startswith("ship_to."))


def files(fmt: Format | None = None) -> st.SearchStrategy[list[Order]]:
    """Some orders, none twice; with a format, as many as its files hold, which can tell them apart."""
    by_id: tuple[Callable[[Order], Any], ...] = (lambda order: order.order_id,)
    if fmt is None:
        return st.lists(orders(), min_size=1, max_size=3, unique_by=by_id)
    named = (*by_id, lambda order: known_by(fmt, order))
    return st.lists(orders(fmt), min_size=1, max_size=min(fmt.max_orders or 3, 3), unique_by=named)


def known_by(fmt: Format, order: Order) -> tuple[Any, ...]:
    """What tells an order from the others in a file of the format."""
    carried = as_carried(order, fmt)
    return tuple(values_of(carried, "order_id" if path == "key" else path)[0] for path in fmt.ties)


def readable(fmt: Format, written: Written) -> bool:
    """Whether text in a one-byte encoding cannot be taken for UTF-8, by which a wrong encoding is told."""
    return not any(_is_utf_8(part) for part in written.parts.values()) or fmt.encoding not in ("cp1252", "iso-8859-1")


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not data.isascii()


def variant(base: Format, changes: Mapping[str, Any]) -> Format:
    """The declaration of a format with other settings; ``drops`` removes the fields of those paths too."""
    content = base.model_dump() | dict(changes)
    drops = set(content["drops"])
    keep = [field for field in content["fields"] if field["path"] not in drops]
    records = [
        row | {"fields": [field for field in row["fields"] if field["path"] not in drops]} for row in content["records"]
    ]
    return Format.model_validate(content | {"fields": keep, "records": records})
