"""A draft format from a partner's sample file: its form, its header, guessed paths. Onboarding begins with a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fallback.formats.cells import CellError, reader
from fallback.formats.contradictions import TO_DO
from fallback.formats.sniff import Sample, sniff
from fallback.records.paths import PATHS

# What partners call our paths, small letters and digits only; without the words of _BEFORE.
_CALLED = {
    "platform": "channel channelname ordersource",
    "order_id": "externalid merchantfulfillmentorderid orderid sourceorderid uniqueid",
    "order_number": (
        "clientordernumber displayableorderid order ordernbr orderno ordernumber orderref orderreference "
        "referencenumber salesordernumber"
    ),
    "ordered_at": "createdat createddate date dateorder dateordered displayableorderdate orderdate",
    "ship_not_before": "earliestshipdate holduntildate shipafter",
    "ship_by": "latestshipdate requestedshipdate shipby shipbydate",
    "cancel_after": "cancelafterdate canceldate",
    "purchase_order": "clientorderref customerpo customerponumber pono ponumber",
    "service": "deliverysla requestedservice servicelevel servicetype shipmethod shippingmethod shippingservice",
    "carrier": "carriercode scac",
    "instructions": "comment deliveryinstructions internalnotes note notes",
    "gift_message": "giftnote greeting",
    "ship_to.name": "addressname contactname customername fullname name recipient recipientname shiptoname",
    "ship_to.company": "company companyname shiptocompany",
    "ship_to.address1": "address addressfieldone addressline addressline1 shiptoaddress street street1",
    "ship_to.address2": "addressfieldtwo addressline2 street2",
    "ship_to.address3": "addressfieldthree addressline3 street3",
    "ship_to.city": "addresscity shiptocity town",
    "ship_to.region": "county province provincecode shiptostate state stateorregion stateprovince",
    "ship_to.postal_code": "postalcode postcode shiptozip zip zipcode",
    "ship_to.country": "countrycode shiptocountry",
    "ship_to.phone": "phonenumber shiptophone telephone",
    "ship_to.email": "emailaddress mail notificationemail",
    "lines.line_id": "lineid merchantfulfillmentorderitemid",
    "lines.line_number": "line linenbr lineno",
    "lines.sku": "item itemcode itemnumber lineitemsku merchantsku productcode",
    "lines.gtin": "barcode ean upc",
    "lines.description": "itemname productname",
    "lines.quantity": "lineitemquantity orderqty qty quantityorder quantityordered units",
    "lines.uom": "unit",
    "lines.unit_price": "price",
    "lines.lot": "batch lotnumber",
    "lines.hs_code": "hstariff",
    "lines.origin_country": "countryoforigin",
    "order_lines": "linecount lines numberoflines orderlines totallines",
    "order_units": "orderunits totalunits",
}

_BEFORE = re.compile(r"^(?:x|shipto|shipping|ship|delivery|recipient|lineitem|orderline|item|address)")
_VAGUE = ("name", "group", "description", "date", "comment", "order", "id", "company", "country", "phone", "email")
"""Names that are as often used for something else: a biller's, a product's, a file's."""


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_OWN = {_word(path.rpartition(".")[2]): path for path in reversed(PATHS)}
_KNOWN = {word: path for path, words in _CALLED.items() for word in words.split()}


def _path(name: str) -> tuple[str | None, bool]:
    """The path that a column's name means, as far as can be told, and whether it is the project's own word."""
    word = _word(name)
    if word in _OWN:
        return _OWN[word], word not in _VAGUE
    if word in _KNOWN:
        return _KNOWN[word], False
    while (rest := _BEFORE.sub("", word)) != word:
        word = rest
        if word in _OWN or word in _KNOWN:
            return _OWN.get(word) or _KNOWN[word], False
    return None, False


def _paths(names: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """The path of each name that is recognised, and whether that is sure; each path once, vague names last."""
    found: dict[str, tuple[str, bool]] = {}
    for name in sorted(names, key=lambda name: _word(name) in _VAGUE):
        path, sure = _path(name)
        if path is not None and path not in (taken for taken, _ in found.values()):
            found[name] = path, sure
    return found


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column probably is. ``sure``: its name says so in the project's own words. ``doubt`` is in words."""

    name: str
    path: str | None
    sure: bool
    longest: int
    filled: bool
    blank: bool
    date: tuple[str, ...] = ()
    doubt: str = ""


def draft(data: bytes, name: str, file: str = "the sample", docs: Mapping[str, str] | None = None) -> str:
    """The TOML of a draft format for a sample file; what is doubtful is marked ``CHECK``.

    Args:
        docs: what the paths mean, in words; a field whose path is guessed takes them over.

    Nothing of the rows is repeated in it, for they are customers'. Raises FallbackError ``file-unreadable`` where the
    sample is no delimited text with a row to learn from.
    """
    sample = sniff(data, file, lambda text: _path(text)[0] is not None)
    guesses = list(_guess(sample))
    return "\n".join(_toml(name, sample, guesses, docs or {})) + "\n"


def _guess(sample: Sample) -> Iterator[Guess]:
    names = sample.names or tuple(f"column{at}" for at in range(1, max(map(len, sample.rows)) + 1))
    paths = _paths(names)
    for index, name in enumerate(names):
        cells = [row[index] for row in sample.rows if index < len(row)]
        filled = [cell for cell in cells if cell]
        path, sure = paths.get(name, (None, False))
        dates, doubt = _fits(path, filled)
        longest = max(map(len, cells), default=0)
        yield Guess(name, path, sure, longest, len(filled) == len(sample.rows), not filled, dates, doubt)


def _fits(path: str | None, cells: list[str]) -> tuple[tuple[str, ...], str]:
    """The patterns by which the cells are dates, and what in them speaks against the path."""
    kind = PATHS[path].kind if path in PATHS else "integer" if path else "text"
    if kind in ("instant", "day"):
        dates = tuple(pattern for pattern in _PATTERNS[kind] if cells and all(_reads(cells, kind, pattern)))
        return dates, "" if dates or not cells else "its values are in no form of date that is known"
    if kind != "text" and not all(_reads(cells, kind, None)):
        return (), f"not each of its values is {'a whole number in plain digits' if kind == 'integer' else 'a ' + kind}"
    if path in _COUNTRIES and not all(re.fullmatch("[A-Z]{2}", cell) for cell in cells):
        return (), "its values are no two-letter country codes"
    return (), ""


_COUNTRIES = ("ship_to.country", "lines.origin_country")
_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%-m/%-d/%Y", "%-d/%-m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y%m%d",
         "%m/%d/%y", "%d/%m/%y")  # fmt: skip
_TIMES = (" %H:%M:%S", "T%H:%M:%S", " %H:%M", "%H%M%S", "")
_PATTERNS = {
    "day": ("iso8601", *_DAYS),
    "instant": ("iso8601", *(day + time + zone for day in _DAYS for time in _TIMES for zone in ("%z", " %z", ""))),
}


def _reads(cells: list[str], kind: str, pattern: str | None) -> Iterator[bool]:
    read = reader(kind, pattern, None if "%z" in (pattern or "%z") else "UTC")  # type: ignore[arg-type]
    for cell in cells:
        try:
            read(cell)
        except CellError:
            yield False
            return
        yield True


def _quoted(text: str) -> str:
    """A TOML string; what is not printable is escaped."""
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in shown)


def _toml(name: str, sample: Sample, guesses: list[Guess], docs: Mapping[str, str]) -> Iterator[str]:
    found = {guess.path for guess in guesses}
    yield f"# A draft from a sample file. Every {TO_DO} is a guess or a gap: read the partner's guide, then remove it."
    yield from (f"# {TO_DO}: {doubt}" for doubt in sample.doubts)
    yield from (f"name = {_quoted(name)}", 'version = "0"', f'title = "{TO_DO}"', 'record = "order"')
    layout = _layout(guesses)
    yield from ('kind = "delimited"', f'layout = "{layout}"  # {TO_DO}: line, or first-line')
    yield from (f"encoding = {_quoted(sample.encoding)}", f"newline = {_quoted(sample.newline)}")
    ending = "tsv" if sample.delimiter == "\t" else "csv"
    yield f'file_name = "{{marker}}{{brand}}_ORDERS_{{sent:%Y%m%dT%H%M%SZ}}_{{sequence:06d}}.{ending}"  # {TO_DO}'
    yield 'status = "unverified"'
    if "order_lines" not in found:
        yield f'uncounted = "the sample has no count of the lines of an order"  # {TO_DO}'
    spare = [
        path for path, info in PATHS.items() if path not in found and info.default in (None, ()) and not info.required
    ]
    if spare:
        yield "# An order that holds one of these is refused, until a field carries it, or both sides agree to lose it:"
        yield from (f"# {line}" for line in _wrapped("drops = [" + ", ".join(map(_quoted, spare)) + "]"))
    yield from _defaults(found)
    yield from ("", "[delimited]", f"delimiter = {_quoted(sample.delimiter)}", f'quoting = "{sample.quoting}"')
    yield f'header = "{sample.header}"'
    if sample.comment:
        yield f"comment = {_quoted(sample.comment)}"
    for guess in guesses:
        yield from _field(guess, docs)


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 110, break_long_words=False)


def _layout(guesses: list[Guess]) -> str:
    """First-line where a column of the order that stands in some rows is blank in others, and the lines' never are."""
    of_order = [guess for guess in guesses if guess.path in PATHS and PATHS[guess.path].required]
    sparse = [guess for guess in of_order if not guess.filled and not guess.blank]
    return "first-line" if sparse and all(PATHS[guess.path or ""].level == "order" for guess in sparse) else "line"


_INSTEAD = {"platform": TO_DO, "service": TO_DO, "order_id": "=order_number", "order_number": "=order_id",
            "lines.line_number": "#", "lines.line_id": "#"}  # fmt: skip
"""What may stand for a path that the sample has no column for."""


def _defaults(found: set[str | None]) -> Iterator[str]:
    missing = [path for path, info in PATHS.items() if info.required and path not in found and path != "brand"]
    if {"order_id", "order_number"} <= set(missing):
        instead = {path: text for path, text in _INSTEAD.items() if not path.startswith("order_")}
    else:
        instead = _INSTEAD
    if any(path in instead for path in missing):
        yield from ("", "[defaults]")
    for path in missing:
        if path in instead:
            yield f"{_quoted(path)} = {_quoted(instead[path])}  # {TO_DO}: no column was recognised as it"
        else:
            yield f"# {TO_DO}: no column was recognised as {path}, which every order needs"


def _field(guess: Guess, docs: Mapping[str, str]) -> Iterator[str]:
    yield from ("", "[[fields]]", f"name = {_quoted(guess.name)}")
    if guess.path is None and guess.blank:
        yield f"unused = true  # {TO_DO}: blank in the whole sample"
    elif guess.path is None:
        yield f'constant = "{TO_DO}"  # not recognised: a path, a code of the agreement, or unused = true'
    else:
        yield f"path = {_quoted(guess.path)}" + ("" if guess.sure else f"  # {TO_DO}")
        if guess.doubt:
            yield f"# {TO_DO}: {guess.doubt}"
        yield from _date(guess)
        if guess.filled:
            needed = guess.path not in PATHS or PATHS[guess.path].required
            yield f"{'' if needed else '# '}required = true  # {TO_DO}: it is in every row of the sample"
    if guess.longest:
        yield f"# The longest value of the sample has {guess.longest:,} characters; max_length is the partner's to say."
    yield f"doc = {_quoted(docs.get(guess.path or '', TO_DO))}"


def _date(guess: Guess) -> Iterator[str]:
    kind = PATHS[guess.path].kind if guess.path in PATHS else ""
    if kind not in ("instant", "day"):
        return
    first = guess.date[0] if guess.date else "iso8601"
    others = [pattern for pattern in guess.date[1:] if pattern.replace("%-", "%") != first.replace("%-", "%")]
    if first == "iso8601":
        others = []  # which takes more forms than they do
    doubt = f", or {' or '.join(others)}" if others else "" if guess.date else ": nothing in the sample tells"
    yield f"date = {_quoted(first)}" + (f"  # {TO_DO}{doubt}" if others or not guess.date else "")
    if kind == "instant" and first != "iso8601":
        if "%z" not in first:
            yield f'zone = "UTC"  # {TO_DO}: the sample does not say its zone'
        if not all(part in first for part in ("%H", "%M", "%S")):
            yield f"coarse = true  # {TO_DO}: what is less than this is lost by agreement"
