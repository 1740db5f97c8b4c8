"""A draft format from a partner's sample file: dialect, header, guessed paths. Onboarding begins with a file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fallback.errors import FallbackError
from fallback.records.paths import PATHS

# Names that partners give to what we call otherwise, letters only; each means the path beside it.
_SYNONYMS: dict[str, str] = {
    "orderid": "order_id", "externalid": "order_id", "sourceorderid": "order_id", "uniqueid": "order_id",
    "order": "order_number", "orderno": "order_number", "ordernumber": "order_number", "orderref": "order_number",
    "ordernbr": "order_number", "referencenumber": "order_number", "salesordernumber": "order_number",
    "clientordernumber": "order_number", "name": "ship_to.name", "recipient": "ship_to.name",
    "recipientname": "ship_to.name", "shiptoname": "ship_to.name", "customername": "ship_to.name",
    "addressname": "ship_to.name", "company": "ship_to.company", "shiptocompany": "ship_to.company",
    "address": "ship_to.address1", "street": "ship_to.address1", "addressline": "ship_to.address1",
    "shiptoaddress": "ship_to.address1", "addressfieldone": "ship_to.address1", "addressfieldtwo": "ship_to.address2",
    "addressfieldthree": "ship_to.address3", "town": "ship_to.city", "addresscity": "ship_to.city",
    "shiptocity": "ship_to.city", "state": "ship_to.region", "province": "ship_to.region",
    "shiptostate": "ship_to.region", "county": "ship_to.region", "zip": "ship_to.postal_code",
    "postcode": "ship_to.postal_code", "postalcode": "ship_to.postal_code", "zipcode": "ship_to.postal_code",
    "shiptozip": "ship_to.postal_code", "countrycode": "ship_to.country", "shiptocountry": "ship_to.country",
    "telephone": "ship_to.phone", "phonenumber": "ship_to.phone", "shiptophone": "ship_to.phone",
    "mail": "ship_to.email", "emailaddress": "ship_to.email", "shippingmethod": "service", "shipmethod": "service",
    "servicelevel": "service", "servicetype": "service", "shippingservice": "service", "carriercode": "carrier",
    "scac": "carrier", "notes": "instructions", "comment": "instructions", "deliveryinstructions": "instructions",
    "giftnote": "gift_message", "orderdate": "ordered_at", "createdat": "ordered_at", "createddate": "ordered_at",
    "date": "ordered_at", "shipby": "ship_by", "requestedshipdate": "ship_by", "ponumber": "purchase_order",
    "customerpo": "purchase_order", "pono": "purchase_order", "item": "lines.sku", "itemnumber": "lines.sku",
    "itemcode": "lines.sku", "productcode": "lines.sku", "merchantsku": "lines.sku", "lineitemsku": "lines.sku",
    "qty": "lines.quantity", "orderqty": "lines.quantity", "quantityordered": "lines.quantity",
    "lineitemquantity": "lines.quantity", "line": "lines.line_number", "lineno": "lines.line_number",
    "linenbr": "lines.line_number", "lineid": "lines.line_id", "upc": "lines.gtin", "ean": "lines.gtin",
    "barcode": "lines.gtin", "productname": "lines.description", "itemname": "lines.description",
    "price": "lines.unit_price", "unit": "lines.uom", "lotnumber": "lines.lot", "batch": "lines.lot",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column probably is. ``sure``: its name says so in the project's own words."""

    name: str
    path: str | None
    sure: bool
    longest: int
    filled: bool


def draft(data: bytes, name: str, file: str = "") -> str:
    """The TOML of a draft format for a sample file; what is doubtful is marked ``CHECK``.

    Raises FallbackError ``file-unreadable`` where the sample is no text with a header and at least one row.
    """
    encoding = next((one for one in ("utf-8-sig", "utf-8", "cp1252") if _decodes(data, one)), None)
    if encoding == "utf-8-sig" and not data.startswith(b"\xef\xbb\xbf"):
        encoding = "utf-8"
    text = data.decode(encoding or "iso-8859-1")
    newline = "crlf" if "\r\n" in text else "lf" if "\n" in text else "cr"
    lines = text.splitlines()
    if len(lines) < 2:
        raise FallbackError("file-unreadable", f"{file or 'the sample'} has no header and row to learn from")
    delimiter = max(",;\t|", key=lambda mark: (lines[0].count(mark), mark == ","))
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    bracketed = all(cell.startswith("[") and cell.endswith("]") for cell in rows[0] if cell)
    header = [cell.strip("[]") if bracketed else cell for cell in rows[0]]
    guesses = list(_guess(header, [row for row in rows[1:] if any(row)]))
    quoting = "all" if lines[1].startswith('"') and lines[1].count('"') >= 2 * len(header) else "minimal"
    return "\n".join(_toml(name, encoding or "iso-8859-1", newline, delimiter, quoting, bracketed, guesses)) + "\n"


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _guess(header: list[str], rows: list[list[str]]) -> Iterator[Guess]:
    taken: set[str] = set()
    for index, name in enumerate(header):
        cells = [row[index] for row in rows if index < len(row)]
        word = re.sub(r"[^a-z0-9]", "", name.lower())
        exact = next((path for path in PATHS if word == re.sub(r"[^a-z0-9]", "", path.rpartition(".")[2])), None)
        path = exact or _SYNONYMS.get(word) or _SYNONYMS.get(re.sub(r"^(shipping|shipto|delivery)", "", word))
        if path in taken:
            path = None
        if path is not None:
            taken.add(path)
        longest = max((len(cell) for cell in cells), default=0)
        yield Guess(name, path, exact is not None, longest, bool(cells) and all(cells))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _toml(
    name: str, encoding: str, newline: str, delimiter: str, quoting: str, bracketed: bool, guesses: list[Guess]
) -> Iterator[str]:
    missing = [path for path, info in PATHS.items() if info.required and path not in {guess.path for guess in guesses}]
    yield "# A draft from a sample file. Every line with CHECK is a guess: read the partner's guide, remove the word."
    yield from (f"name = {_quoted(name)}", 'version = "0"', 'title = "CHECK"', 'record = "order"')
    yield from ('kind = "delimited"', 'layout = "line"  # CHECK: or first-line', f"encoding = {_quoted(encoding)}")
    yield f"newline = {_quoted(newline)}"
    yield 'file_name = "{marker}{brand}_ORDERS_{sent:%Y%m%dT%H%M%SZ}_{sequence:06d}.csv"  # CHECK'
    yield 'status = "unverified"'
    yield ""
    yield "[delimited]"
    yield f"delimiter = {_quoted(delimiter)}"
    yield f"quoting = {_quoted(quoting)}"
    yield f"header = {_quoted('bracketed' if bracketed else 'required')}"
    for path in missing:
        yield f"# CHECK: no column was recognised as {path}, which every order needs: a field, or a line in [defaults]"
    for guess in guesses:
        yield ""
        yield "[[fields]]"
        yield f"name = {_quoted(guess.name)}"
        if guess.path is None:
            yield 'constant = "CHECK"  # CHECK: not recognised; a path, a code of the agreement, or remove it'
        else:
            yield f"path = {_quoted(guess.path)}" + ("" if guess.sure else "  # CHECK")
            if PATHS[guess.path].kind in ("instant", "day"):
                yield 'date = "iso8601"  # CHECK'
        if guess.filled and guess.path:
            yield "required = true  # CHECK"
        if guess.longest:
            yield f"# the longest value of the sample has {guess.longest} characters; max_length = CHECK"
        yield 'doc = "CHECK"'
