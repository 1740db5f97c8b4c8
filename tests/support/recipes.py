"""What befalls the golden files of the three formats whose every damage is made by hand.

A recipe makes a bad file of a golden one; its name begins with the code that must be found in it.
"""

from __future__ import annotations

from collections.abc import Callable

Recipe = Callable[[bytes], bytes]


def put(old: str, new: str) -> Recipe:
    """Replaces every place of a text, which must be there."""

    def recipe(golden: bytes) -> bytes:
        assert old.encode() in golden, old
        return golden.replace(old.encode(), new.encode())

    return recipe


def both(*recipes: Recipe) -> Recipe:
    """One change after another."""

    def recipe(golden: bytes) -> bytes:
        for one in recipes:
            golden = one(golden)
        return golden

    return recipe


def rows(change: Callable[[list[bytes]], list[bytes]]) -> Recipe:
    """A change of the rows, which keep their line ends; one with a line break between quotation marks is one row."""

    def recipe(golden: bytes) -> bytes:
        if golden.startswith(b"{"):  # JSON escapes the line breaks of its values
            return b"".join(change(golden.splitlines(keepends=True)))
        found = [b""]
        for line in golden.splitlines(keepends=True):
            whole = found[-1].count(b'"') % 2 == 0
            found = [*found, line] if whole else [*found[:-1], found[-1] + line]
        return b"".join(change(found[1:]))

    return recipe


def row(mark: str, *make: Callable[[bytes], bytes]) -> Recipe:
    """In place of the one row that holds a mark, the rows that are made of it."""

    def change(lines: list[bytes]) -> list[bytes]:
        assert sum(mark.encode() in line for line in lines) == 1, mark
        return [new for line in lines for new in ([one(line) for one in make] if mark.encode() in line else [line])]

    return rows(change)


def same(line: bytes) -> bytes:
    return line


def cell(mark: str, old: str, new: str) -> Recipe:
    """In the one row that holds a mark, the last place of a text, which must be there, is changed."""

    def make(line: bytes) -> bytes:
        assert old.encode() in line, old
        return new.encode().join(line.rsplit(old.encode(), 1))

    return row(mark, make)


def encoded(encoding: str) -> Recipe:
    return lambda golden: golden.decode().encode(encoding, "replace")


def cut_after(mark: str) -> Recipe:
    """The file ends behind a mark."""
    return lambda golden: golden[: golden.index(mark.encode()) + len(mark.encode())]


ANY: dict[str, Recipe] = {
    "file-empty": lambda _: b"",
    "encoding-wrong-cp1252": encoded("cp1252"),
    "encoding-wrong-utf-16": encoded("utf-16"),
    "byte-order-mark": lambda golden: b"\xef\xbb\xbf" + golden,
    "nul-character": put("Boston", "Bo\0ton"),
    "bidi-character": put("Leeds", "Lee\u202eds"),
    "identifier-invalid": put("5550000001006", "5550:1006"),
    "white-space": put("Portland", "Portland "),
    "marker-wrong": both(put("#1007", "DRILL-#1007"), put("5550000001007", "DRILL-5550000001007")),
}
"""What may befall a file of any format."""

CSV: dict[str, Recipe] = {
    **ANY,
    "country-unknown": put(",GB,", ",UK,"),
    "line-ends": lambda golden: golden.replace(b"\r\n", b"\r").replace(b"\n", b"\r"),
    "line-ends-lf": lambda golden: golden.replace(b"\r\n", b"\n"),
    "line-ends-mixed": row("#1006", lambda line: line.replace(b"\r\n", b"\n")),
    "delimiter-wrong": lambda golden: golden.replace(b",", b";"),
    "file-empty-header-only": rows(lambda lines: lines[:1]),
    "header-missing": rows(lambda lines: lines[1:]),
    "header-missing-joined": rows(lambda lines: [lines[0].rstrip(), *lines[1:]]),
    "column-missing": row("OrderNo", lambda line: line.replace(b",GTIN", b"")),
    "column-unknown": row("OrderNo", lambda line: line.replace(b",SKU", b",Colour,SKU")),
    "column-renamed": row("OrderNo", lambda line: line.replace(b"Quantity", b"Qty")),
    "column-doubled": row("OrderNo", lambda line: line.replace(b"GTIN", b"SKU")),
    "column-moved": rows(
        lambda lines: [
            line.replace(b"Brand,Platform", b"Platform,Brand")
            .replace(b"acme,shopify,", b"shopify,acme,")
            .replace(b"acme,manual,", b"manual,acme,")
            for line in lines
        ]
    ),
    "row-cells": cell("#1006", ",EXP,", ",EXP"),
    "row-cells-line-break": cell("#1006", "Leeds", "Lee\r\nds"),
    "row-cells-separator-added": row("3004", lambda line: line.replace(b",EUR,", b",EUR,,")),
    "row-blank": row("#1006", same, lambda _: b"\r\n", lambda line: b"," * 40 + b"\r\n"),
    "quote-stray": cell("#1006", "Leave with the porter", 'Leave "with" the porter'),
    "quote-stray-swallows": cell("#1006", "Leeds", '"Leeds'),
    "quote-unclosed": cell("7003", ",EA,", ',"EA,'),
    "file-cut": cut_after("7003,00"),
    "file-cut-header": cut_after("Brand,Platform,OrderId,Ord"),
    "quote-unclosed-cut": cut_after("Tor 2 | Klingel"),
    "line-count-lost": row("3002"),
    "line-count-cut": row("7003"),
    "line-doubled": row("7002", same, same),
    "line-doubled-repeated": rows(lambda lines: lines + lines[-3:]),
    "line-doubled-joined": rows(lambda lines: [*lines, *lines[1:]]),
    "order-fields-differ": cell("3002", "Berlin,Berlin", "Berlin,Bonn"),
    "number-invalid": both(
        cell("90001", ",1,EA,", ",1.5,EA,"),
        cell("L-0100", ",2,EA,", ',"1,000",EA,'),
        cell("L-0101", ",12,EA,", ",1_000,EA,"),
        cell("3003", ",1,EA,", ",-1,EA,"),
        cell("4001", ",2,EA,", ", 7 ,EA,"),
        cell("4002", ",2,EA,", ",1e3,EA,"),
        cell("#1006", ",999999,", ",007,"),
    ),
    "number-out-of-range": both(cell("90001", ",1,EA,", ",0,EA,"), cell("#1006", ",1,6001,", ",0,6001,")),
    "value-missing": both(cell("90001", ",TEE-BLK-M,", ",,"), cell("#1006", ",Leeds,", ",,")),
    "value-too-long": cell("90001", "TEE-BLK-M", "4" * 40),
    "value-malformed": cell("90001", ",EA,", ",ea,"),
    "zone-missing": cell("90001", "09:15:00+01:00", "09:15:00"),
    "date-invalid": both(
        cell("90001", "2026-11-23T09", "2026-02-30T09"),
        cell("#1006", "2026-11-23T13:59:59Z", "23/11/2026 13:59"),
        cell("3003", "2026-11-22T23:59:59-05:00", "46349"),
    ),
    "money-invalid": cell("90001", "19.90", '"19,90"'),
    "currency-unknown": cell("90001", ",EUR,", ",Eur,"),
    "currency-missing": cell("90001", ",EUR,", ",,"),
    "gtin-invalid": cell("L-0100", "2000000000015", "200000000015"),
    "properties-invalid": cell("4002", "Wrap=red", "Wrap"),
    "control-character": cell("#1006", "Leeds", '"Lee\r\nds"'),
    "control-character-tab": cell("#1006", "Leeds", "Lee\tds"),
    "scientific-notation": both(
        put("5550000001001", "5.55E+12"), put("5550000001006", "5.55E+12"), put("+44 1632 960123", "4.41633E+11")
    ),
}

PSV: dict[str, Recipe] = {
    # Its check digits tell of another identifier before anything else does.
    **{name: recipe for name, recipe in ANY.items() if name != "marker-wrong"},
    "check-differs": put("|TEE-BLK-M|", "|TEE-BLK-L|"),
    "check-differs-marker": ANY["marker-wrong"],
    "check-differs-scientific-notation": both(put("|5550000001006|", "|5.55E+12|")),
    "country-unknown": put("|GB|", "|UK|"),
    "line-ends": lambda golden: golden.replace(b"\n", b"\r"),
    "line-ends-crlf": lambda golden: golden.replace(b"\n", b"\r\n"),
    "line-ends-mixed": row("6001", lambda line: line.replace(b"\n", b"\r\n")),
    "record-unknown": cell("H|acme|shopify|5550000001006", "H|acme", "X|acme"),
    "record-unknown-line-break": cell("H|acme|shopify|5550000001006", "Leeds", "Lee\nds"),
    "row-cells": cell("7002", "|EA|", "|EA"),
    "row-cells-order": cell("H|acme|shopify|5550000001006", "|EXP|", "|EXP"),
    "row-blank": row("6001", same, lambda _: b"\n"),
    "quote-stray": cell("H|acme|shopify|5550000001006", "Leave with the porter", 'Leave "with" the porter'),
    "quote-unclosed": cell("7003", "|0012|", '|"0012|'),
    "file-cut": cut_after("7003|00"),
    "file-cut-closing-row": lambda golden: golden[:-3],
    "line-count-lost": row("3002"),
    "line-doubled": row("7002", same, same),
    "line-orphan": row("H|acme|shopify|5550000001006"),
    "line-orphan-moved": rows(lambda lines: [*lines[:7], *lines[8:14], lines[7], *lines[14:]]),
    "line-orphan-damaged": cell("7002", "#1007", "#1008"),
    "line-orphan-first": rows(lambda lines: lines[1:]),
    "order-doubled": rows(lambda lines: [*lines[:-1], *lines[:2], b"T|8|14|1000029|7028\n"]),
    "trailer-missing": rows(lambda lines: lines[:-1]),
    "trailer-missing-cut": rows(lambda lines: lines[:-3]),
    "trailer-differs": cell("T|7", "|13|", "|12|"),
    "trailer-differs-order-lost": rows(lambda lines: lines[2:]),
    "trailer-differs-units": cell("7002", "|2|EA", "|3|EA"),
    "trailer-differs-number": both(
        cell("H|acme|shopify|5550000001006", "#1006", "#1060"), cell("6001", "#1006", "#1060")
    ),
    "trailer-differs-joined": lambda golden: golden + golden,
    "number-invalid": both(
        cell("90001", "|1|EA|", "|1.5|EA|"), cell("L-0100", "|2|EA|", "|1,000|EA|"), cell("4001", "|2|EA|", "| 7 |EA|")
    ),
    "number-out-of-range": cell("90001", "|1|EA|", "|0|EA|"),
    "value-missing": cell("90001", "|TEE-BLK-M|", "||"),
    "value-too-long": cell("90001", "TEE-BLK-M", "4" * 40),
    "zone-missing": cell("H|acme|shopify|5550000001001", "09:15:00+01:00", "09:15:00"),
    "date-invalid": cell("H|acme|shopify|5550000001001", "2026-11-23T09:15:00+01:00", "20261123"),
    "money-invalid": cell("90001", "19.90", "19,90 EUR"),
    "gtin-invalid": cell("L-0100", "2000000000015", "200000000015"),
    "properties-invalid": cell("4002", "Wrap=red", "Wrap"),
    "control-character": cell("H|acme|shopify|5550000001006", "Leeds", '"Lee\nds"'),
}

JSONL: dict[str, Recipe] = {
    **ANY,
    "country-unknown": put('"GB"', '"UK"'),
    "line-ends": lambda golden: golden.replace(b"\n", b"\r"),
    "line-ends-crlf": lambda golden: golden.replace(b"\n", b"\r\n"),
    "line-ends-mixed": row("#1006", lambda line: line.replace(b"\n", b"\r\n")),
    "row-blank": row("#1006", same, lambda _: b"\n"),
    "file-cut": cut_after('"line_id":"7003"'),
    "file-cut-whole-object": lambda golden: golden[:-1],
    "json-invalid": row("#1006", lambda line: line[:300] + b"\n"),
    "json-invalid-joined": row("#1006", lambda line: line[:-1]),
    "json-invalid-list": row("#1006", lambda line: b"[" + line[:-1] + b"]\n"),
    "json-invalid-not-a-number": cell("#1006", '"quantity":999999', '"quantity":NaN'),
    "json-key-doubled": cell("#1006", '"quantity":999999', '"quantity":1,"quantity":999999'),
    "number-invalid": both(
        cell('"90001"', '"quantity":1', '"quantity":1.0'),
        cell("L-0101", '"quantity":12', '"quantity":"12"'),
        cell("4002", '"quantity":2', '"quantity":true'),
        cell("#1006", '"quantity":999999', '"quantity":1e3'),
        cell("7003", '"quantity":1', '"quantity":[1]'),
    ),
    "number-out-of-range": both(
        cell('"90001"', '"quantity":1', '"quantity":0'), cell("#1006", '"quantity":999999', '"quantity":-1')
    ),
    "value-missing": both(cell('"90001"', '"TEE-BLK-M"', "null"), cell("#1006", '"sku":"TEE-BLK-L",', "")),
    "value-missing-ship-to": cell("#1006", '"ship_to":{', '"ship_to":null,"deliver_to":{'),
    "value-missing-lines": cell("#1006", '"lines":[', '"lines":[],"items":['),
    "value-too-long": cell('"90001"', "TEE-BLK-M", "4" * 70),
    "value-malformed": both(
        cell('"90001"', '"description":"T-shirt, black, M"', '"description":""'),
        cell("#1006", '"sku":"TEE-BLK-L"', '"sku":12'),
        cell("3003", '"2026-11-22T23:59:59-05:00"', "1763885700"),
        cell("7003", '"city":"Portland"', '"city":"Portland","note to driver":"ring"'),
        cell("4002", '"value":"red"', '"value":"red","more":1'),
    ),
    "value-malformed-ship-to": row(
        "#1006", lambda line: line.replace(b'"ship_to":{', b'"ship_to":[{').replace(b'},"service"', b'}],"service"')
    ),
    "value-malformed-lines": both(
        cell("#1006", '"lines":[', '"lines":[7,'),
        row('"90001"', lambda line: line.replace(b'"lines":[{', b'"lines":{').replace(b"}]}", b"}}")),
    ),
    "properties-invalid": cell("4002", '[{"name":"Wrap","value":"red"}]', '{"Wrap":"red"}'),
    "zone-missing": cell('"90001"', "09:15:00+01:00", "09:15:00"),
    "date-invalid": cell('"90001"', "2026-11-23T09:15:00", "2026-02-30T09:15:00"),
    "money-invalid": cell('"90001"', '"19.90"', '"19,90"'),
    "currency-missing": cell('"90001"', '"EUR"', "null"),
    "gtin-invalid": cell("L-0100", "2000000000015", "200000000015"),
    "control-character": cell("#1006", "Leeds", "Lee\\u001bds"),
    "line-doubled": cell("7002", '"line_number":3', '"line_number":2'),
    "order-doubled": row("#1006", same, same),
    "order-doubled-damaged": row("#1006", same, lambda line: line.replace(b'"quantity":999999', b'"quantity":0')),
}
