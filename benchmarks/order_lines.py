"""A large file of order lines such as a shop's peak day, for ``benchmarks/format``: seeded, with errors where asked.

Run as ``python benchmarks/order_lines.py LINES FILE [SHARE_OF_BAD_ROWS]``. What is wrong in which data row, counted
from 0, goes to ``FILE.truth.json``.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from fallback.formats.library import load_format

FORMAT = Path(__file__).parent / "format"
COLUMNS = [field.name for field in load_format(FORMAT).fields]
_AT = {name: at for at, name in enumerate(COLUMNS)}

_PLACES = [  # country, currency, offset, dial, city, region, postal code
    *[("US", "USD", "-05:00", "+1", *place) for place in (
        ("Cambridge", "MA", "02138"), ("Newark", "NJ", "07102"), ("Austin", "TX", "73301"), ("Boise", "ID", "83702"))],
    ("CA", "CAD", "-05:00", "+1", "Montréal", "QC", "H2Y 1C6"),
    ("GB", "GBP", "+00:00", "+44", "Leeds", "", "LS1 4AP"),
    ("DE", "EUR", "+01:00", "+49", "Düsseldorf", "", "40213"),
    ("DE", "EUR", "+01:00", "+49", "Görlitz", "", "02826"),
    ("FR", "EUR", "+01:00", "+33", "Saint-Étienne", "", "42000"),
    ("ES", "EUR", "+01:00", "+34", "Málaga", "", "29001"),
    ("SE", "SEK", "+01:00", "+46", "Malmö", "", "211 20"),
    ("PL", "EUR", "+01:00", "+48", "Łódź", "", "90-001"),
    ("DK", "EUR", "+01:00", "+45", "Aarhus", "", "8000"),
    ("IE", "EUR", "+00:00", "+353", "Dublin", "", "D02 AF30"),
]  # fmt: skip
_FIRST = (
    "Aoife",
    "Björn",
    "Chloé",
    "Eszter",
    "François",
    "Grace",
    "Hiroshi",
    "José",
    "Łukasz",
    "Mary",
    "Øyvind",
    "Zoë",
)
_LAST = ("Andersson", "Brown", "Dvořák", "García", "Ibáñez", "Lefèvre", "Müller", "Nguyen", "O'Brien", "Rossi", "Weiß")
_STREETS = ("High Street", "Rue de la République", "Hauptstraße", "Calle Mayor", "Storgatan", "Nørregade", "Elm Road")
_THINGS = ("Mug", "Candle", "Backpack", "Crème brûlée torch", "Socks", "Notebook", "Lámpara", "Poster")
_LOOKS = ("blue", '"Classic"', '12" wide', "soft, washable", "grün", "size 42", "2-pack", "XL")
_GIFTS = ("Happy birthday!", "Joyeux anniversaire,\nbises", 'Merry Christmas,\nlove "Gran"', "Alles Gute")
_NOTES = ("Leave at the door", "Ring the bell, 2nd floor", "Livrer après 18h", 'Call "Bob" first')
_SERVICES = ("STANDARD", "EXPRESS", "NEXT_DAY", "ECONOMY", "SAME_DAY")
_CARRIERS = ("UPS", "FEDEX", "DHL", "USPS", "DPD", "GLS")


def _gtin(digits: str) -> str:
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return digits + str(-total % 10)


def _articles(chance: random.Random, count: int) -> list[list[str]]:
    """SKU, article number, description and price of each."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    return [
        [
            f"{''.join(chance.choices(letters, k=3))}-{number:05d}-{chance.choice(('S', 'XL', 'BLK', '42', '2P'))}",
            _gtin(f"{chance.randrange(10**12) // (10 if number % 5 else 1):012d}"),
            f"{chance.choice(_THINGS)}, {chance.choice(_LOOKS)} {number % 97}",
            f"{chance.randrange(99, 49999) / 100:.2f}",
        ]
        for number in range(count)
    ]


def _changed(column: str, change: Callable[[str], str]) -> Callable[[list[str]], None]:
    def spoil(row: list[str]) -> None:
        row[_AT[column]] = change(row[_AT[column]])

    return spoil


def _other_digit(text: str) -> str:
    return text[:-1] + str((int(text[-1]) + 3) % 10)


def _american(text: str) -> str:
    year, month, day = text.split("-")
    return f"{month}/{day}/{year}"


ERRORS: dict[str, tuple[str, Callable[[list[str]], None]]] = {
    "a value lost": ("value-missing", _changed("sku", lambda _: "")),
    "a fraction": ("number-invalid", _changed("quantity", lambda _: "2.5")),
    "a quantity of nought": ("number-out-of-range", _changed("quantity", lambda _: "0")),
    "a decimal comma": ("value-malformed", _changed("unit_price", lambda text: text.replace(".", ","))),
    "an unknown service": ("value-not-allowed", _changed("service_level", lambda _: "Overnite")),
    "a SKU in small letters": ("value-malformed", _changed("sku", str.lower)),
    "a check digit": ("gtin-invalid", _changed("gtin", _other_digit)),
    "scientific notation": ("value-malformed", _changed("gtin", lambda text: f"{float(text):.5E}")),
    "a lost zero": ("value-malformed", _changed("postal_code", lambda text: text.lstrip("0"))),
    "a date of a locale": ("date-invalid", _changed("requested_ship_date", _american)),
    "a phone number": ("value-malformed", _changed("phone", lambda text: text.replace("+", "00 "))),
    "a mail address": ("value-malformed", _changed("email", lambda text: text.replace("@", " at "))),
    "a long description": ("value-too-long", _changed("description", lambda text: f"{text} — édition limitée" * 4)),
    "another address": ("order-fields-differ", _changed("address1", lambda _: "1 Wrong Street")),
    "a line twice": ("line-doubled", _changed("line_number", lambda text: str(int(text) - 1))),
}
"""Fifteen kinds of error: the code by which each is found, and what it does to a row."""

OF_ORDER = frozenset(("an unknown service", "a lost zero", "a date of a locale", "a phone number", "a mail address"))
"""Errors in a field of the order: where it has other rows, these then disagree with the wrong one."""


def rows(lines: int, bad: float = 0.0, seed: int = 7) -> Iterator[tuple[list[str], str]]:
    """Each row, and what is wrong with it."""
    chance = random.Random(seed)
    articles = _articles(chance, 20_000)
    kinds = list(ERRORS)
    number = spoiled = 0
    left = lines
    while left:
        number += 1
        count = min(left, chance.choices((1, 2, 3, 4, 5, 6, 8), (34, 25, 18, 11, 6, 4, 2))[0])
        left -= count
        country, currency, offset, dial, city, region, postal = chance.choice(_PLACES)
        first, last, house = chance.choice(_FIRST), chance.choice(_LAST), chance.randrange(1, 9999)
        day, second = chance.randrange(1, 29), chance.randrange(86_400)
        ordered = f"2026-11-{day:02d}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}{offset}"
        own = [
            currency, f"{first} {last}", f"{last} & Co, Ltd" if chance.random() < 0.1 else "",
            f"{house} {chance.choice(_STREETS)}", f"Apt. {house % 80}, Bldg 2" if chance.random() < 0.15 else "",
            city, region, postal, country,
            f"{dial}{chance.randrange(10**8):08d}", f"user{number}@example{house % 50}.com",
            chance.choice(_SERVICES), chance.choice(_CARRIERS), f"2026-12-{day:02d}",
            chance.choice(_GIFTS) if chance.random() < 0.2 else "",
            chance.choice(_NOTES) if chance.random() < 0.3 else "",
        ]  # fmt: skip
        for line in range(1, count + 1):
            sku, gtin, description, price = chance.choice(articles)
            quantity = str(min(1 + int(chance.expovariate(1)), 500))
            row = [f"SO-{10_000_000 + number}", ordered, str(line), sku, gtin, description, quantity, price, *own]
            wrong = ""
            if chance.random() < bad:
                wrong = kinds[spoiled % len(kinds)]
                spoiled += 1
                if wrong in ("another address", "a line twice") and line == 1:
                    wrong = "a check digit"
                if wrong == "a lost zero" and not postal.startswith("0"):
                    wrong = "a date of a locale"
                ERRORS[wrong][1](row)
            yield row, wrong


def make(lines: int, file: Path, bad: float = 0.0, seed: int = 7) -> dict[int, str]:
    """Write such a file. Returns what is wrong in which data row, counted from 0."""
    truth: dict[int, str] = {}
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for at, (row, wrong) in enumerate(rows(lines, bad, seed)):
            writer.writerow(row)
            if wrong:
                truth[at] = wrong
    return truth


if __name__ == "__main__":
    path = Path(sys.argv[2])
    made = make(int(sys.argv[1]), path, float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
    path.with_name(path.name + ".truth.json").write_text(json.dumps(made))
