"""Damage to the kinds of file that are no delimited text: cut, doubled, re-encoded, one byte changed.

Whatever befalls a file, reading never breaks, every wrong file has a finding, and no order is accepted that differs in
what the format proves. What each format proves by itself stands in ``PROVEN``; a manifest proves every byte.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from fallback.formats.library import load_format
from fallback.formats.read import read
from fallback.formats.write import write
from kinds_kit import AT, CODES, accepted, changed, codes, differing, findings, golden, look, orders
from support.soak import times

NAMES = ("order-x12-940", "order-xml", "order-json", "order-fixed-width")
ONE_ORDER = "quiet-shipment-order-xml"
WRAPPED = {f"{name} in {wrapper}": (name, wrapper) for name in NAMES for wrapper in ("gzip", "zip")}

PROVEN: dict[str, frozenset[str]] = {
    # The number of lines stands in every order; that of units in X12 (W76), in the trailer of the fixed-width file with
    # the order numbers' digits.
    "order-x12-940": frozenset({"lines.quantity", "another number of lines"}),
    "order-xml": frozenset({"another number of lines"}),
    "order-json": frozenset({"another number of lines"}),
    "order-fixed-width": frozenset({"lines.quantity", "order_number", "another number of lines"}),
}
"""The fields that an accepted order has unchanged whatever one byte of its file became."""

TELLING = b'0129 ,;|"\n\r\t\\{}[]:AEae\xc3\xa9\x00\xff+-.*~><&=/'


def one_byte(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    kind = chance.randrange(6)
    byte = bytes([chance.choice((chance.randrange(256), chance.choice(TELLING)))])
    if kind < 3:
        return data[:at] + byte + data[at + 1 :]
    if kind == 3:
        return data[:at] + data[at + 1 :]
    return data[:at] + byte + data[at:] if kind == 4 else data[:at] + data[at : at + 2][::-1] + data[at + 2 :]


@pytest.mark.parametrize("name", NAMES)
def test_one_byte_changes_nothing_that_the_format_proves(name: str) -> None:
    fmt, data = load_format(name), golden(name)
    originals = {order.order_id: order for order in orders(name)}
    chance = random.Random(20261123)
    for _ in range(times(1500)):
        bad = one_byte(data, chance)
        content = look(fmt, bad)
        if any(finding.is_error for finding in content.findings):
            continue
        found = accepted(content)
        assert len(content.orders) == len(originals), bad
        if not findings(content):
            assert len(found) == len(originals)
            assert not differing(found, originals) & PROVEN[name]


@pytest.mark.parametrize("name", [*NAMES, ONE_ORDER])
def test_a_file_cut_anywhere_is_refused_as_a_whole(name: str) -> None:
    """Up to the line end behind what closes the file, which adds nothing to it."""
    fmt, data = load_format(name), golden(name)
    step = max(1, len(data) // times(1500))
    for at in [*range(0, len(data) - 3, step), *range(len(data) - 40, len(data) - 3)]:
        content = look(fmt, data[:at])
        assert accepted(content) == [], at
        assert codes(content), at


@pytest.mark.parametrize("name", [*NAMES, ONE_ORDER])
@pytest.mark.parametrize(
    "change", [lambda data: data * 2, lambda data: data + data[len(data) // 2 :]], ids=["2", "1.5"]
)
def test_a_doubled_file_is_refused_as_a_whole(name: str, change: Callable[[bytes], bytes]) -> None:
    content = look(load_format(name), change(golden(name)))
    assert accepted(content) == []
    assert codes(content)


@pytest.mark.parametrize("name", NAMES)
def test_any_line_lost_or_doubled_makes_no_other_order(name: str) -> None:
    """A line that holds a value that may be absent takes that value with it: no format proves those."""
    fmt, lines = load_format(name), golden(name).split(b"\n")
    originals = {order.order_id: order for order in orders(name)}
    for index in range(len(lines) - 1):
        lost = look(fmt, b"\n".join(lines[:index] + lines[index + 1 :]))
        doubled = look(fmt, b"\n".join(lines[: index + 1] + lines[index:]))
        for content in (lost, doubled):
            if not any(finding.is_error for finding in content.findings):
                assert len(content.orders) == len(originals), index
                assert not differing(accepted(content), originals) & {*PROVEN[name], "lines.sku", "lines.quantity"}
        assert accepted(doubled) == [order for order in originals.values() if order in accepted(doubled)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("encoding", "code"),
    [
        ("cp1252", "encoding-wrong"),
        ("utf-16", "encoding-wrong"),
        ("utf-16-le", "nul-character"),
        ("utf-32", "encoding-wrong"),
        ("utf-8-sig", "byte-order-mark"),
    ],
)
def test_a_file_in_another_encoding_is_refused(name: str, encoding: str, code: str) -> None:
    fmt = load_format(name)
    order = orders(name)[0].model_copy(update={"instructions": "Für Zoë"})
    data = write(fmt, [order], codes=CODES, at=AT).data
    assert accepted(look(fmt, data)) == [order]
    content = look(fmt, data.decode().encode(encoding))
    assert codes(content) == [code]
    assert content.orders == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_in_utf_8_is_not_taken_for_a_one_byte_encoding(name: str) -> None:
    if name == "order-json":
        pytest.skip("JSON is always UTF-8")
    fmt = load_format(name)
    order = orders(name)[0].model_copy(update={"instructions": "Für Zoë"})
    data = write(fmt, [order], codes=CODES, at=AT).data
    assert codes(look(changed(fmt, encoding="cp1252"), data)) == ["encoding-wrong"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_another_kind_is_refused(name: str) -> None:
    for other in (*NAMES, ONE_ORDER, "order-lines-csv", "order-jsonl"):
        if other != name:
            content = look(load_format(name), golden(other))
            assert codes(content), other
            assert accepted(content) == [], other
    for fmt in ("order-lines-csv", "order-jsonl", "order-header-detail-psv"):
        content = look(load_format(fmt), golden(name))
        assert codes(content), fmt
        assert accepted(content) == [], fmt


@pytest.mark.parametrize("name", [*NAMES, ONE_ORDER])
def test_rubbish_never_breaks_the_reader(name: str) -> None:
    fmt, data = load_format(name), golden(name)
    chance = random.Random(7)
    for _ in range(times(1500)):
        rubbish = bytes(chance.choice(TELLING) for _ in range(chance.randrange(1, 300)))
        at = chance.randrange(len(data))
        for bad in (rubbish, data[:at] + rubbish, data[:at] + rubbish + data[at:]):
            content = look(fmt, bad)
            assert findings(content) or accepted(content)


@pytest.mark.parametrize("case", WRAPPED)
def test_a_packed_file_reads_like_the_one_inside(case: str) -> None:
    name, wrapper = WRAPPED[case]
    fmt = changed(load_format(name), wrapper=wrapper)
    data = write(fmt, orders(name), codes=CODES, at=AT).data
    assert accepted(look(fmt, data)) == list(orders(name))
    for bad in (golden(name), data[:-1], data * 2):
        assert codes(look(fmt, bad)) == ["wrapper-wrong"]
    assert codes(look(load_format(name), data)) != []


@pytest.mark.parametrize("name", [*NAMES, ONE_ORDER])
def test_findings_about_a_damaged_file_show_no_private_value(name: str) -> None:
    """Names, addresses, phones and notes of the sample stand in no finding, whatever became of the file."""
    fmt, data = load_format(name), golden(name)
    first = orders(name)[0].ship_to
    private = [text for text in (first.name, first.address1, first.phone, first.email) if text]
    chance = random.Random(11)
    for _ in range(times(1500)):
        content = read(fmt, one_byte(data, chance), name="file", codes=CODES, defaults={"brand": "acme"})
        told = " ".join(f"{one.found} {one.expected} {one.order}" for one in findings(content))
        assert not [text for text in private if text in told]
