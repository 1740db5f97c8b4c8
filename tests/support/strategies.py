"""Orders as hypothesis draws them: anything that the record allows, or anything that a format carries whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from iso3166 import countries_by_alpha2
from iso4217 import Currency
from stdnum import ean

from fallback.formats.kinds import kind_of
from fallback.formats.spec import Format
from fallback.formats.write import Written
from fallback.records.order import Line, Order, Property, ShipTo
from fallback.records.paths import PATHS

Limits = Callable[[str], "Limit"]


class Limit:
    """What a format leaves of a path: how long its text may be, and whether it holds the path at all."""

    def __init__(self, fmt: Format | None, path: str) -> None:
        field = next((f for f in fmt.all_fields if f.path == path), None) if fmt is not None else None
        self.fmt = fmt
        self.longest = field.max_length if field is not None and field.max_length else 10_000
        self.held = fmt is None or field is not None or path in fmt.drops
        self.reserved = field.stand_in if field is not None else None

    def fits(self, text: str) -> bool:
        if len(text) > self.longest or text == self.reserved:
            return False
        return self.fmt is None or kind_of(self.fmt).writable(text, self.fmt)


def texts(limit: Limit, most: int, *, identifier: bool = False, breaks: bool = False) -> st.SearchStrategy[str]:
    """Text of a record: printable, no white space at its ends; mostly short, at times as long as it may be."""
    encoding = limit.fmt.encoding if limit.fmt is not None else "utf-8"
    codec = {"utf-8-sig": "utf-8", "iso-8859-1": "latin-1"}.get(encoding, encoding)
    signs = "0a\"'\\,;|~=#-" + ("" if identifier else " ") + ("\n" if breaks else "")
    letters = st.characters(
        codec=codec,
        exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp", *(["Zs"] if identifier else [])],
        exclude_characters=":" if identifier else "",
        include_characters="\n" if breaks else "",
    )
    longest = min(most, limit.longest)
    short = min(longest, 12)
    drawn = st.one_of(
        st.text(letters, min_size=1, max_size=short),
        st.text(signs, min_size=1, max_size=short),
        st.integers(max(1, longest - 2), longest).map(lambda n: "x" * n),
    )
    return drawn.map(str.strip).map(lambda text: text or "x").filter(limit.fits)


def instants() -> st.SearchStrategy[datetime]:
    """From 1970 to 2999, in whole seconds, with offsets in whole minutes."""
    zones = st.one_of(
        st.just(UTC), st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    )
    plain = st.datetimes(datetime(1970, 1, 3), datetime(2999, 12, 29)).map(lambda value: value.replace(microsecond=0))
    return st.builds(lambda value, zone: value.replace(tzinfo=zone), plain, zones)


def money() -> st.SearchStrategy[Decimal]:
    digits = st.integers(0, 10**12 - 1)
    return st.builds(lambda number, places: Decimal(number).scaleb(-places), digits, st.integers(0, 6))


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

    optional = ("company", "address2", "address3", "region", "postal_code", "phone", "email")
    option = st.builds(Property, name=text("lines.properties", 40), value=text("lines.properties", 40, breaks=True))
    values: dict[str, st.SearchStrategy[Any]] = {
        **{name: text(name, 64, identifier=True) for name in ("brand", "platform", "order_id", "group")},
        **{name: instants() for name in ("ordered_at", "ship_not_before", "ship_by", "cancel_after")},
        **{name: text(name) for name in ("service", "purchase_order", "carrier")},
        **{name: text(name, 5000, breaks=True) for name in ("instructions", "gift_message")},
        **{f"ship_to.{name}": text(f"ship_to.{name}") for name in ("name", "address1", "city", *optional)},
        **{f"lines.{name}": text(f"lines.{name}") for name in ("description", "lot")},
        "order_number": text("order_number", 64),
        "revision": st.integers(1, 999),
        "currency": currencies,
        "ship_to.country": countries,
        "lines.sku": text("lines.sku", 64),
        "lines.quantity": st.integers(1, 999_999),
        "lines.uom": st.text("ABCXYZ0189", min_size=1, max_size=3),
        "lines.gtin": gtins,
        "lines.unit_price": money(),
        "lines.expires_after": st.dates(date(1970, 1, 1), date(2999, 12, 31)),
        "lines.hs_code": st.text("0123456789", min_size=6, max_size=12),
        "lines.origin_country": countries,
        "lines.properties": st.lists(option, min_size=1, max_size=2).map(tuple),
    }
    assert set(values) == set(PATHS) - {"lines.line_id", "lines.line_number"}
    held = [path for path in values if limit(path).held]
    of_order = st.lists(
        st.sampled_from([path for path in held if PATHS[path].level == "order"]), max_size=6, unique=True
    )
    of_line = st.lists(st.sampled_from([path for path in held if PATHS[path].level == "line"]), max_size=5, unique=True)
    numbers = st.lists(st.integers(1, 99_999), min_size=1, max_size=4, unique=True)
    ids = st.text("0123456789", min_size=1, max_size=13)

    @st.composite
    def one(draw: st.DrawFn) -> Order:
        chosen = {path: draw(values[path]) for path in draw(of_order)}
        ship_to = {path.removeprefix("ship_to."): chosen.pop(path) for path in list(chosen) if path in _SHIP_TO}
        lines = []
        for number in draw(numbers):
            line = {path.removeprefix("lines."): draw(values[path]) for path in draw(of_line)}
            lines.append(Line(**{"sku": "0012", "quantity": 1, **line}, line_id=f"0{number}", line_number=number))
        if any(line.unit_price is not None for line in lines):
            chosen.setdefault("currency", "USD")
        plain = {
            "brand": "acme",
            "platform": "shopify",
            "order_id": draw(ids),
            "order_number": "#1001",
            "service": "STD",
        }
        place = {"name": "Ada Example", "address1": "12 Sample Street", "city": "Boston", "country": "US"}
        return Order(
            **{"ordered_at": datetime(2026, 11, 23, 14, tzinfo=UTC), **plain, **chosen},
            ship_to=ShipTo(**{**place, **ship_to}),
            lines=tuple(lines),
        )

    return one()


_SHIP_TO = frozenset(path for path in PATHS if path.startswith("ship_to."))


def files(fmt: Format | None = None) -> st.SearchStrategy[list[Order]]:
    """Some orders, none twice."""
    return st.lists(orders(fmt), min_size=1, max_size=3, unique_by=lambda order: order.order_id)


def readable(fmt: Format, written: Written) -> bool:
    """Whether text in a one-byte encoding cannot be taken for UTF-8, by which a wrong encoding is told."""
    if fmt.encoding not in ("cp1252", "iso-8859-1") or written.data.isascii():
        return True
    try:
        written.data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def variant(base: Format, changes: Mapping[str, Any]) -> Format:
    """The declaration of a format with other settings; ``drops`` removes the fields of those paths too."""
    content = base.model_dump() | dict(changes)
    drops = set(content["drops"])
    keep = [field for field in content["fields"] if field["path"] not in drops]
    records = [
        row | {"fields": [field for field in row["fields"] if field["path"] not in drops]} for row in content["records"]
    ]
    return Format.model_validate(content | {"fields": keep, "records": records})
