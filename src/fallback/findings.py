"""Findings: "we found something". A finding is a value with a code, a place and a remedy, never an exception.

``CATALOGUE`` lists every code of the project, those of errors and of orders left out too, so that
``fallback explain CODE`` answers for all of them and no second list can disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]
About = Literal["file", "order", "left-out", "run"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One code: whether it stops (error) or not (warning), what it is about, what it means and what to do.

    ``about``: ``file`` refuses the whole file, ``order`` one order, ``left-out`` is why an order is not in a file,
    ``run`` is an error that ended an operation.
    """

    code: str
    severity: Severity
    about: About
    meaning: str
    remedy: str


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something was found.

    ``line`` is the physical line as an editor shows it, from 1, the header counted; ``record`` the data record, from 1,
    the header not counted; ``pointer`` a JSON path in a payload (``$.orders[3].line_items[0].sku``); ``at`` the place in
    the row where the format has no separators (``columns 10-14``), or in an interchange (``segment 12, element 3``).
    """

    file: str = ""
    line: int = 0
    record: int = 0
    pointer: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found in data. ``found`` is masked at birth where it may be a customer's.

    ``order`` is the order number, ``order_line`` the line number within it, ``field`` the name in the file (column),
    ``path`` the canonical path.
    """

    code: str
    place: Place = Place()
    order: str | None = None
    order_line: int | None = None
    field: str | None = None
    path: str | None = None
    found: str | None = None
    expected: str | None = None
    hint: str | None = None

    @property
    def severity(self) -> Severity:
        return CATALOGUE[self.code].severity

    @property
    def about(self) -> About:
        return CATALOGUE[self.code].about

    @property
    def is_error(self) -> bool:
        return CATALOGUE[self.code].severity == "error"

    @property
    def refuses_file(self) -> bool:
        """Whether no order of the file may be loaded because of this."""
        entry = CATALOGUE[self.code]
        return entry.severity == "error" and (entry.about == "file" or (entry.about == "order" and self.order is None))

    def document(self) -> dict[str, Any]:
        """The finding as it stands in ``fallback.report/1``."""
        return {
            "code": self.code,
            "severity": self.severity,
            "line": self.place.line or None,
            "record": self.place.record or None,
            "pointer": self.place.pointer or None,
            "at": self.place.at or None,
            "field": self.field,
            "path": self.path,
            "order": self.order,
            "order_line": self.order_line,
            "found": self.found,
            "expected": self.expected,
            "hint": self.hint or CATALOGUE[self.code].remedy,
        }


def mask(value: str) -> str:
    """What is said of a value that must not be shown: its length only."""
    return f"{len(value):,} characters (hidden, --show-values shows them)"


def quote(value: str, limit: int = 60) -> str:
    """A value in double quotes for a message, shortened in the middle of nothing: beginning and length."""
    shown = value if len(value) <= limit else value[:limit]
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)
    return f'"{text}"' if shown == value else f'"{text}" and more, {len(value):,} characters'


_ERROR: Severity = "error"
_WARNING: Severity = "warning"

_ENTRIES: tuple[tuple[str, Severity, About, str, str], ...] = (
    # --- the bytes and the layout of a file
    ("file-empty", _ERROR, "file", "The file holds no bytes or no order.",
     "If the sender had orders, ask for the file again: a query that failed often leaves an empty file."),
    ("encoding-wrong", _ERROR, "file", "The bytes are not text in the agreed encoding.",
     "The file was saved by another program. Ask for the original file; do not convert it by hand."),
    ("text-garbled", _WARNING, "file", "Letters such as ü were read in a wrong encoding and saved so, or were replaced.",
     "Names and addresses would be printed so. Ask for the original file before labels are printed."),
    ("byte-order-mark", _ERROR, "file", "The file begins with a byte order mark that the format does not have.",
     "A spreadsheet or an editor has saved the file. Ask for the original file: zeros and dates may be damaged too."),
    ("nul-character", _ERROR, "file", "The file holds NUL bytes.",
     "The upload or the disk has damaged the file, or it is UTF-16. Ask for it to be sent again."),
    ("line-ends", _WARNING, "file", "The lines end otherwise than agreed, all in the same way.",
     "Nothing is lost. Tell the sender: a transfer in text mode or an editor has changed the file."),
    ("line-ends-mixed", _ERROR, "file", "The lines of the file end in different ways.",
     "Two files were joined or the file was edited. Ask for the original file."),
    ("delimiter-wrong", _ERROR, "file", "The header is separated by another character than agreed.",
     "A spreadsheet has saved the file in its own way. Ask for the original file."),
    ("quote-unclosed", _ERROR, "file", "A quotation mark is opened and never closed; the rest cannot be told apart.",
     "Ask for the file again; the line named is where the mark was opened."),
    ("quote-stray", _ERROR, "order", "A quotation mark stands where the format allows none.",
     "Ask the sender for this order again, written by the agreed export."),
    ("file-cut", _ERROR, "order", "The file ends in the middle of a row.",
     "The upload broke off. Ask for the file to be sent again."),
    ("header-missing", _ERROR, "file", "The first row is not the agreed header.",
     "Ask for the file with its header row, as the format says."),
    ("column-missing", _ERROR, "file", "A column of the agreed format is absent.",
     "Ask for the file in the agreed format; `fallback formats show FORMAT` lists the columns."),
    ("column-unknown", _ERROR, "file", "The file has a column that the agreed format does not know.",
     "Ask for the file in the agreed format, or agree on a new version of it."),
    ("column-renamed", _ERROR, "file", "A column has another name than agreed.",
     "Ask for the file with the agreed header; one side may use an older version of the format."),
    ("column-doubled", _ERROR, "file", "Two columns have the same name.",
     "Ask for the file in the agreed format."),
    ("column-moved", _WARNING, "file", "The columns stand in another order than agreed; they were read by name.",
     "Nothing is lost here. Tell the sender: a loader that goes by position would load this file wrongly."),
    ("columns-swapped", _ERROR, "file", "Two names in the header have changed places, and their cells have not.",
     "Load nothing of it: each value would go to the other's place. Ask for the file with the agreed header."),
    ("row-cells", _ERROR, "order", "A row has more or fewer cells than the format has columns.",
     "A separator was lost or added. Ask for this order again."),
    ("row-blank", _WARNING, "file", "There is an empty row in the file.",
     "Nothing is lost. Tell the sender: somebody has edited the file."),
    ("record-unknown", _ERROR, "file", "A row begins with a tag that the format does not have.",
     "Ask for the file in the agreed format."),
    ("line-orphan", _ERROR, "order", "A detail row stands under another order, or its order is not there.",
     "Rows were lost or moved. Ask for the orders named to be sent again."),
    ("trailer-missing", _ERROR, "file", "The closing row with the counts is absent: the end of the file may be lost.",
     "Ask for the file to be sent again."),
    ("trailer-differs", _ERROR, "file", "A count in the closing row differs from what the file holds.",
     "Orders or lines were lost or added on the way. Ask for the file to be sent again."),
    ("json-invalid", _ERROR, "order", "A line is not valid JSON.",
     "The line was cut or edited. Ask for this order to be sent again."),
    ("json-key-doubled", _ERROR, "order", "A JSON object names the same key twice.",
     "Ask for this order again; which of the two values holds cannot be known."),
    ("document-invalid", _ERROR, "file", "The file is not whole JSON, or not the agreed document.",
     "The file was cut or edited. Ask for it to be sent again."),
    ("xml-invalid", _ERROR, "file", "The file is not whole XML.",
     "The file was cut or edited. Ask for it to be sent again."),
    ("xml-forbidden", _ERROR, "file", "The file declares a document type or entities, which could draw in other files.",
     "Do not open it in another program. Ask the sender what made it."),
    ("envelope-wrong", _ERROR, "file", "An envelope of the interchange is not as it should be: ISA, GS, GE or IEA.",
     "Segments were lost or added on the way. Ask for the interchange again."),
    ("transaction-torn", _ERROR, "order", "A transaction does not have the segments that it counts.",
     "A segment was lost or added. Ask for this order again; never ship the smaller order."),
    ("segment-unknown", _WARNING, "order", "The order holds a segment or element that the format does not know.",
     "It was not read. If the warehouse needs it, agree on a format that carries it."),
    ("cancellation", _ERROR, "order", "The transaction cancels an order; it is not an order to ship.",
     "Do not ship it. Look the order up and stop it, if it is there."),
    ("part-missing", _ERROR, "file", "Half of a pair of files is absent.",
     "Ask for both files, the orders and their lines."),
    ("rows-apart", _ERROR, "order", "The rows of one order do not stand together.",
     "The file was sorted by another column. Ask for the original file."),
    ("rows-unsorted", _WARNING, "file", "The orders do not stand in the agreed order.",
     "Nothing is lost here. Tell the sender: the partner's loader demands it."),
    ("wrapper-wrong", _ERROR, "file", "The file is not packed as agreed, or unpacks to too much.",
     "Ask for the file packed as agreed; do not unpack it by hand."),
    # --- values
    ("value-missing", _ERROR, "order", "A value that the order needs is absent.",
     "Ask the brand for the value; fill it in the shop and export again."),
    ("value-too-long", _ERROR, "order", "A value is longer than the field may be.",
     "It is never cut to fit. Shorten it in the shop and export again."),
    ("value-not-allowed", _ERROR, "order", "The value is not one of those agreed for this field.",
     "Correct the value, or agree on it and add it to the format."),
    ("value-malformed", _ERROR, "order", "The value does not have the agreed form.",
     "Correct the value in the shop and export again."),
    ("value-wrong", _ERROR, "order", "A field that always has the same value holds another.",
     "The file may be meant for another client or warehouse. Do not load it; call the sender."),
    ("number-invalid", _ERROR, "order", "The value is not a whole number in plain digits.",
     "No sign, no separators, no decimals, no leading zeros. A spreadsheet may have rewritten the number."),
    ("number-out-of-range", _ERROR, "order", "The number is smaller or larger than allowed.",
     "Correct the number, or remove the line if nothing is to be shipped."),
    ("money-invalid", _ERROR, "order", "The value is not an amount such as 19.90.",
     "A point before the decimals, no separators, no currency sign."),
    ("date-invalid", _ERROR, "order", "The value is not a date in the agreed form.",
     "Correct the date in the form that the format shows."),
    ("zone-missing", _ERROR, "order", "The date and time does not say its offset from UTC.",
     "Add the offset (Z or +01:00): without it a cut-off can be missed by hours."),
    ("control-character", _ERROR, "order", "The value holds a character that cannot be printed, or a line break.",
     "Remove it in the shop and export again; labels and loaders break on it."),
    ("bidi-character", _ERROR, "order", "The value holds a character that reverses the direction of text.",
     "Remove it: what a person reads would differ from what a machine loads."),
    ("white-space", _ERROR, "order", "The value begins or ends with white space.",
     "Remove the white space in the shop and export again."),
    ("identifier-invalid", _ERROR, "order", "An identifier holds white space or a colon.",
     "Identifiers are compared to the letter and joined into keys. Use the platform's own id."),
    ("country-unknown", _ERROR, "order", "The country is not an ISO 3166-1 two-letter code.",
     "Write the code in capitals, such as US, ES or GB."),
    ("currency-unknown", _ERROR, "order", "The currency is not an ISO 4217 code.",
     "Write the code in capitals, such as USD or EUR."),
    ("currency-missing", _ERROR, "order", "Lines have prices and the order has no currency.",
     "Add the order's currency."),
    ("gtin-invalid", _ERROR, "order", "The article number has a wrong length or check digit.",
     "Compare it with the article's bar code. Zeros at its beginning may have been lost in a spreadsheet."),
    ("scientific-notation", _ERROR, "order", "An identifier is written as a number such as 5.55E+12: digits are lost.",
     "A spreadsheet has saved the file. Ask for the original file: other values may be damaged too."),
    ("numbers-rewritten", _WARNING, "file", "Identifiers were taken for numbers: zeros or digits of them are lost.",
     "A spreadsheet or a script has saved the file. Ask for the original file: orders and articles may be taken for others."),
    ("properties-invalid", _ERROR, "order", "The line's properties are not written as name=value; name=value.",
     "Ask for this order again, written by the agreed export."),
    # --- an order as a whole
    ("order-fields-differ", _ERROR, "order", "The rows of one order disagree about a field of the order.",
     "Which row is right cannot be known. Ask the brand for this order again."),
    ("line-count", _ERROR, "order", "The order says how many lines it has, and the file holds another number.",
     "A row was lost or added. Ask for this order again; never ship the smaller order."),
    ("unit-count", _ERROR, "order", "The order says how many units it has, and its lines sum up to another number.",
     "A quantity was changed or a line lost. Ask for this order again."),
    ("check-differs", _ERROR, "order", "The check digits of the order do not fit its identifiers, SKUs and quantities.",
     "One of them was changed after the file was made. Ask for this order again."),
    ("line-doubled", _ERROR, "order", "A line of the order is there twice.",
     "A row was doubled. Ask for this order again; never ship both."),
    ("order-doubled", _ERROR, "order", "The same order is in the file twice.",
     "None of the copies is loaded. Ask the brand which is right."),
    ("sku-unknown", _ERROR, "order", "The SKU is not on the warehouse's item list.",
     "Add it to the SKU map or correct the order."),
    ("units-over-limit", _ERROR, "order", "The order has more units than the agreement allows in a fallback file.",
     "Confirm it by phone with the brand; a limit is lifted in the agreement, not in the file."),
    ("marker-wrong", _ERROR, "file", "A drill order is in a live file, or a live order in a drill file.",
     "Do not load it. A drill's orders and files carry DRILL- and never mix with live ones."),
    ("brand-wrong", _ERROR, "order", "The order is of another brand than the agreement's.",
     "Do not load it; call the sender."),
    # --- a file against its manifest and agreement
    ("manifest-absent", _WARNING, "file", "There is no manifest beside the file: it cannot be proven complete.",
     "Ask for NAME.manifest.json; without it a file cut between two orders looks whole."),
    ("uncounted", _WARNING, "file", "The format has no count of an order's lines, and no manifest proves the file.",
     "Do not trust it alone: a lost row makes a smaller order and nothing shows it. Ask for NAME.manifest.json."),
    ("file-size-differs", _ERROR, "file", "The file is shorter or longer than its manifest says.",
     "The upload broke off or the file was changed. Ask for its orders in a new file; this name is used up."),
    ("file-hash-differs", _ERROR, "file", "The bytes are not those that the manifest names.",
     "The file was damaged or saved by another program. Ask for its orders in a new file; this name is used up."),
    ("count-differs", _ERROR, "file", "The file holds another number of orders, lines or units than declared.",
     "Ask for its orders in a new file, exported again."),
    ("order-undeclared", _ERROR, "order", "The order is in the file and not in its manifest.",
     "Do not load it; ask the brand for a new file."),
    ("fingerprint-differs", _ERROR, "order", "The content of the order is not the one that the manifest names.",
     "Do not load it; ask the brand for this order again."),
    ("agreement-differs", _ERROR, "file", "The file was made under another agreement.",
     "Do not load it. Compare the agreement's id on both sides."),
    ("agreement-stale", _WARNING, "file", "The file was made under another version of the agreement.",
     "The orders load. Exchange the agreement file: both sides must hold the same one."),
    ("agreement-review", _WARNING, "run", "The agreement is past its review date.",
     "It still holds tonight. Review it with the other side."),
    ("format-differs", _ERROR, "file", "The file was made with another format, or another version of it, than agreed.",
     "Do not load it. Compare the format's version on both sides."),
    ("orders-over-limit", _ERROR, "file", "The file holds more orders, or more bytes, than the agreement allows.",
     "Confirm by phone; the limit is there so that one file cannot flood the floor."),
    ("findings-over-limit", _ERROR, "file", "So much is wrong with the file that it was not read to its end.",
     "Load nothing of it. It is not what the agreed export writes: ask for the file to be made anew."),
    # --- export: what our side refuses before sending
    ("value-not-carried", _ERROR, "order", "The order holds a value that the format has no field for.",
     "Agree to drop it (`drops` in the format) or use a format that carries it."),
    ("value-not-writable", _ERROR, "order", "The value holds a character that the file cannot carry.",
     "Change it in the shop, or agree on a format with quoting or a wider encoding."),
    ("placeholder-taken", _ERROR, "order", "The value equals the agreed stand-in for an absent one.",
     "Read back it would be taken for absent. Correct the value."),
    ("read-back-differs", _ERROR, "file", "The file, read back, does not give the orders that were written.",
     "Nothing was written. This is a fault of the format or of this program: report it."),
    ("sku-unmapped", _ERROR, "order", "The shop's SKU has no row in the SKU map.",
     "Add the row to the SKU map; its owner is named in the agreement."),
    ("service-unmapped", _ERROR, "order", "The shop's shipping service has no row in the service map.",
     "Add the row to the service map; its owner is named in the agreement."),
    ("uom-unmapped", _ERROR, "order", "The unit of measure has no row in the unit map.",
     "Add the row with its integer ratio to the unit map."),
    ("uom-fraction", _ERROR, "order", "The quantity is not a whole number of the warehouse's units.",
     "Correct the quantity or the ratio in the unit map; nothing is rounded."),
    ("map-invalid", _ERROR, "run", "A mapping table cannot be used.",
     "Correct the row named; identifiers are text, columns from and to are needed, each from once."),
    # --- a platform's own file
    ("needs-api", _ERROR, "order", "The file does not say what of the order remains to be shipped.",
     "It may be shipped, refunded or cancelled in part. Take it from the platform's API, which says what remains."),
    # --- a platform's payload
    ("payload-invalid", _ERROR, "order", "A part of the payload is not what the platform documents.",
     "The other orders are exported. Look at the payload at the place named."),
    ("quantity-unknown", _ERROR, "order", "The payload does not say how many units remain to be shipped.",
     "Export again with the fulfilment orders, or with fulfillable or current quantities."),
    ("payload-doubled", _ERROR, "order", "The payload holds the same order twice with different content.",
     "Export again in one query; which of the two is right cannot be known."),
    ("fulfilment-order-alone", _ERROR, "order", "A fulfilment order has no order in the payload to take its lines from.",
     "Add the orders' payload to the same export."),
    ("line-elsewhere", _WARNING, "order", "A line of the order is not in the file: another location ships it.",
     "Nothing to do, if the [eligibility] locations of the agreement are right."),
    ("payload-unreadable", _ERROR, "run", "The payload is not JSON, or not of a platform that is known.",
     "Give the platform's own export; --platform names it where it cannot be guessed."),
    # --- orders left out of a file, counted in its manifest
    ("cancelled", _WARNING, "left-out", "The order is cancelled on the platform.", "Nothing to do."),
    ("closed", _WARNING, "left-out", "The order is archived, or its fulfilment order closed or incomplete.",
     "Nothing to do, or reopen it in the shop if it should ship."),
    ("test-order", _WARNING, "left-out", "It is a test order of the shop.", "Nothing to do."),
    ("on-hold", _WARNING, "left-out", "The fulfilment order is on hold.", "Release the hold in the shop if it should ship."),
    ("scheduled", _WARNING, "left-out", "The order is to be fulfilled later.", "It will be in a later file."),
    ("cancel-requested", _WARNING, "left-out", "A cancellation has been asked for.", "Decide it in the shop."),
    ("gift-card", _WARNING, "left-out", "Only gift cards remain.", "Nothing to do."),
    ("not-physical", _WARNING, "left-out", "Nothing in it needs shipping.", "Nothing to do."),
    ("pickup", _WARNING, "left-out", "The customer collects it.", "Nothing to do."),
    ("already-fulfilled", _WARNING, "left-out", "Everything in it has been shipped.", "Nothing to do."),
    ("nothing-to-ship", _WARNING, "left-out", "No quantity remains: refunded or removed.", "Nothing to do."),
    ("no-address", _WARNING, "left-out", "The payload has no ship-to address.",
     "If it should ship: check the export's permission to read addresses."),
    ("unpaid", _WARNING, "left-out", "The payment state does not allow shipping by the agreement's [eligibility].",
     "Nothing to do, or capture the payment."),
    ("other-location", _WARNING, "left-out", "It is assigned to another location.", "Nothing to do."),
    ("fulfilment-order-absent", _WARNING, "left-out", "No fulfilment order of the payload has what remains of the order.",
     "If it should ship from here: check the export's permission to read all fulfilment orders."),
    ("service-excluded", _WARNING, "left-out", "The agreement excludes its shipping service.", "Nothing to do."),
    ("already-sent", _WARNING, "left-out", "It is in a file that was sent and is not answered yet.",
     "Wait for the receipt (`fallback collect`); sending it again could ship it twice."),
    ("already-accepted", _WARNING, "left-out", "The warehouse has accepted it, from an earlier file or by the integration.",
     "Nothing to do. If the warehouse does not find it: call, and decide with them how it ships."),
    ("awaiting-decision", _WARNING, "left-out", "The warehouse holds it in another form, or could not say.",
     "Call the warehouse and decide which one ships."),
    ("group-changed", _WARNING, "left-out", "It is at the warehouse already, whole instead of by fulfilment order or the reverse.",
     "Call the warehouse and decide what still ships. Export every time with, or every time without, fulfilment orders."),
    ("next-file", _WARNING, "left-out", "The agreed format holds so many orders a file, and this file is full.",
     "Send this file and export again: the next orders follow in the next file."),
    ("refused-here", _WARNING, "left-out", "It was refused by our own checks before sending.",
     "See the findings of the export; correct the order and export again."),
    # --- reasons in a receipt
    ("duplicate-same", _WARNING, "order", "The warehouse has this order already, with the same content.",
     "Do not send it again: it ships once."),
    ("duplicate-conflict", _ERROR, "order", "The warehouse has this order already, with other content.",
     "Do not pick it from the file. Call the brand: one of the two must be withdrawn."),
    ("duplicate-unproven", _WARNING, "order",
     "The warehouse has this order already; whether with the same content, its records do not say.",
     "It is not loaded again: it ships once, as it stands there. Compare the two by order number if in doubt."),
    ("duplicate-cancelled", _ERROR, "order", "The warehouse has this order already, and it is cancelled there.",
     "It is not loaded again and does not ship by itself. Decide with the brand whether it ships."),
    ("file-refused", _ERROR, "order", "The whole file was refused, so this order was not loaded.",
     "Send the file again once the reason is mended."),
    ("wms-refused", _ERROR, "order", "The warehouse system did not accept the order.",
     "Read the system's reason, correct the order and send it in a new file."),
    ("wms-no-answer", _ERROR, "order", "The warehouse system was asked to load the order and did not say whether it did.",
     "Look the order up in the system. Never load it again before that."),
    ("not-stated", _ERROR, "order", "The receipt does not name this order.", "Call the warehouse: silence is not acceptance."),
    # --- errors that end an operation
    ("wrong-use", _ERROR, "run", "The call is missing something or contradicts itself.", "Read the help of the command."),
    ("agreement-missing", _ERROR, "run", "There is no agreement file here.",
     "Go to its folder, name it, or make one with `fallback init DIR`."),
    ("agreement-invalid", _ERROR, "run", "The agreement file cannot be used.", "Correct the places named."),
    ("local-invalid", _ERROR, "run", "local.toml cannot be used.", "Correct the places named."),
    ("agreement-gap", _WARNING, "run", "The agreement leaves something open that a night may need.",
     "Agree on it and write it down before the first night."),
    ("format-unknown", _ERROR, "run", "There is no format of that name.", "`fallback formats list` shows those there are."),
    ("format-read-only", _ERROR, "run", "The format is one that is read and never written.",
     "Agree on a format that can be written; `fallback formats list` shows those there are."),
    ("format-invalid", _ERROR, "run", "The format file cannot be used.", "Correct the places named."),
    ("key-not-carried", _ERROR, "run", "The order key cannot be computed from a file of the agreed format.",
     "Choose a template whose parts the format carries, or add a field with path = \"key\"."),
    ("file-unreadable", _ERROR, "run", "A file cannot be read.", "Check that it is there and may be read."),
    ("file-unwritable", _ERROR, "run", "A file cannot be written; nothing is under its final name.",
     "Check the folder, its permissions and the free space."),
    ("document-unreadable", _ERROR, "run", "A manifest, receipt or journal is damaged or of an unknown version.",
     "Ask for it again; both sides should use the same version of this program."),
    ("nothing-to-export", _WARNING, "run", "No order is left to write; no file was made.",
     "If orders were expected, look at what was left out and why."),
    ("unreachable", _ERROR, "run", "The server does not answer, or the connection broke.",
     "Check host and port with the warehouse; the file is not under its final name. Send again."),
    ("login-refused", _ERROR, "run", "The server does not accept the login.",
     "Check user and key in local.toml, and ask the warehouse whether the account is open."),
    ("host-key-changed", _ERROR, "run", "The server shows another host key than agreed.",
     "Do not send. Call the warehouse on the agreed number; only a new agreement may change the key."),
    ("host-key-unknown", _ERROR, "run", "No host key is agreed for this server.",
     "Put its SHA256 fingerprint, told over a trusted channel, into the agreement as host_key."),
    ("delivery-failed", _ERROR, "run", "The file did not arrive whole; it is not under its final name.", "Send it again."),
    ("name-taken", _ERROR, "run", "There is a file of that name with other bytes.",
     "Never overwrite it. Find out which of the two is right; export again under a new sequence number."),
    ("name-unsafe", _ERROR, "run", "A file name holds a path, a link or characters that names may not have.",
     "Do not open it. Tell the other side; names are letters, digits, dot, dash and underscore."),
    ("folder-missing", _ERROR, "run", "A folder of the drop is missing or may not be used.",
     "Ask the warehouse to create it, or correct [delivery]."),
    ("integration-live", _ERROR, "run", "The integration is not confirmed as paused: loading now can ship orders twice.",
     "Pause its delivery leg and confirm by whom; or load with --integration-live and your name."),
    ("list-stale", _ERROR, "run", "The warehouse system's own list is too old to tell what the integration has loaded.",
     "Have the system write a new orders.csv and receive again; or load with --integration-live and your name."),
    ("file-changed", _ERROR, "run", "A file of the same name or id was received before with other bytes.",
     "Do not load it. Call the brand."),
    ("duplicate-file", _WARNING, "run", "The same file was received before.",
     "Nothing is loaded again; the first receipt answers for it."),
    ("file-absent", _WARNING, "run", "A manifest is there and its file is not.",
     "The file is still on its way, or its upload broke off. If it does not come, ask the brand to send it again."),
    ("order-in-flight", _ERROR, "run", "An order of this file is with the warehouse already: unanswered, accepted or undecided.",
     "Wait for the receipt (`fallback collect`); then export what is still open."),
    ("file-superseded", _ERROR, "run", "A newer file holds orders of this one, which was never sent.",
     "Send the newer file; only one of the two may go."),
    ("receipt-foreign", _ERROR, "run", "A receipt does not belong to what was sent.",
     "Do not act on it. Call the warehouse."),
    ("not-confirmed", _ERROR, "run", "What was sent is not confirmed.",
     "Do not send it again. Wait, then call the warehouse's contact."),
    ("ledger-unusable", _ERROR, "run", "The ledger cannot be used; without it nothing is loaded.",
     "Check its URL in local.toml, its permissions and the free space."),
    ("key-template-changed", _ERROR, "run", "The agreement makes keys otherwise than those of the orders known here.",
     "Put the order_key of [format] back on both sides: under another one, orders would be sent and loaded again."),
    ("outbox-unusable", _ERROR, "run", "The outbox cannot be used; without it nothing is exported or sent.",
     "Check its path in local.toml, its permissions and the free space."),
    ("wms-unusable", _ERROR, "run", "The warehouse system cannot be asked or written to.",
     "Check the loader in local.toml; nothing was loaded."),
    ("extract-unusable", _ERROR, "run", "A list for the reconciliation cannot be used.",
     "Give a list with a header and the columns that the key needs."),
    ("drill-failed", _ERROR, "run", "The drill found that the procedure does not hold.", "Read its report; mend and repeat."),
    ("program-fault", _ERROR, "run", "This program has met something that it was not made for.",
     "Nothing of yours is at fault. See with `fallback status` where you stand, and report the places named; `python -X dev -m fallback ...` shows more, and may show customers' values."),
    ("interrupted", _ERROR, "run", "The operation was stopped by hand.", "Start it again: it goes on where it was."),
)  # fmt: skip

CATALOGUE: dict[str, Entry] = {entry[0]: Entry(*entry) for entry in _ENTRIES}
