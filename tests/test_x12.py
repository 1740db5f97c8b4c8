"""X12: envelopes that count, separators that the interchange names itself, and what must never become an order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fallback.errors import FallbackError
from fallback.formats.library import load_format
from fallback.formats.read import read
from fallback.formats.soundness import mistakes
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.order import Order
from kinds_kit import AT, accepted, changed, codes, findings, golden, look, orders

SAMPLES = Path(__file__).parents[2] / "shared" / "samples" / "wms"
NAME = "order-x12-940"
FMT = load_format(NAME)
GOOD = golden(NAME)


def segments(data: bytes = GOOD) -> list[bytes]:
    return data.split(b"~\n")[:-1]


def joined(parts: list[bytes], *, end: bytes = b"~\n", element: bytes = b"*") -> bytes:
    return b"".join(part.replace(b"*", element) + end for part in parts)


def transaction(number: int, parts: list[bytes] | None = None) -> slice:
    """Where a transaction stands among the segments, ST and SE with it."""
    all_of_it = parts or segments()
    begin = next(i for i, part in enumerate(all_of_it) if part == b"ST*940*%04d" % number)
    return slice(begin, next(i for i in range(begin, len(all_of_it)) if all_of_it[i].startswith(b"SE*")) + 1)


def said(data: bytes) -> list[tuple[str, str | None]]:
    """The errors of a file with their places, which must be one a cause."""
    return [(one.code, one.field) for one in findings(look(FMT, data)) if one.is_error]


# --- envelopes


def test_a_file_as_it_was_written_has_no_findings() -> None:
    content = look(FMT, GOOD)
    assert findings(content) == []
    assert [one.order for one in content.orders] == list(orders(NAME))


def test_a_segment_too_many_or_too_few_tears_its_transaction_only() -> None:
    parts = segments()
    at = transaction(2)
    for bad in (
        [*parts[: at.stop - 2], *parts[at.stop - 1 :]],
        [*parts[: at.stop - 1], b"N9*XX*1", *parts[at.stop - 1 :]],
        [re.sub(rb"^SE\*[0-9]+", b"SE*3", part) if i == at.stop - 1 else part for i, part in enumerate(parts)],
    ):
        content = look(FMT, joined(bad))
        torn = content.orders[1]
        assert [finding.code for finding in torn.findings] == ["transaction-torn"]
        assert torn.number == orders(NAME)[1].order_number
        assert torn.findings[0].field is not None and torn.findings[0].field.startswith("segment ")
        assert accepted(content) == [order for index, order in enumerate(orders(NAME)) if index != 1]


def test_a_transaction_whose_control_numbers_differ_is_torn() -> None:
    content = look(FMT, GOOD.replace(b"*0003~\nST*940*0004", b"*0009~\nST*940*0004"))
    assert codes(content) == ["transaction-torn"]
    finding = content.orders[2].findings[0]
    assert (finding.found, finding.expected) == ('SE02 "0009"', 'ST02 "0003"')


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (rb"GE\*6\*1", b"GE*5*1", "GE01"),
        (rb"GE\*6\*1", b"GE*7*1", "GE01"),
        (rb"GE\*6\*1", b"GE*6*2", "GE02"),
        (rb"IEA\*1\*000000001", b"IEA*2*000000001", "IEA01"),
        (rb"IEA\*1\*000000001", b"IEA*1*000000002", "IEA02"),
        (rb"GS\*OW", b"GS*SH", "GS01"),
        (rb"\*P\*>~", b"*T*>~", "ISA15"),
    ],
)
def test_counts_and_control_numbers_of_the_envelopes_are_checked(old: bytes, new: bytes, field: str) -> None:
    content = look(FMT, re.sub(old, new, GOOD))
    assert codes(content) == ["envelope-wrong"]
    finding = content.findings[0]
    assert finding.found is not None and finding.found.startswith(field)
    assert finding.field is not None and finding.field.startswith("segment ")
    assert accepted(content) == []


@pytest.mark.parametrize("lost", [b"SE", b"ST", b"GS", b"GE", b"IEA", b"ISA"])
def test_no_order_is_lost_with_a_segment_of_an_envelope(lost: bytes) -> None:
    """A transaction without its SE runs into the next one: the count of transactions still fits."""
    parts = segments()
    for index in [i for i, part in enumerate(parts) if part.startswith(lost + b"*")]:
        content = look(FMT, joined(parts[:index] + parts[index + 1 :]))
        assert codes(content)
        missing = len(orders(NAME)) - len(accepted(content))
        assert missing == len(orders(NAME)) or missing == sum(one.order is None for one in content.orders)


def test_a_group_that_is_not_closed_is_told() -> None:
    parts = segments()
    second = transaction(4).start
    bad = [*parts[:second], b"GS*OW*BRAND*WAREHOUSE*20261123*1400*1*X*004010", *parts[second:]]
    bad = [part.replace(b"GE*6*", b"GE*3*").replace(b"IEA*1*", b"IEA*2*") for part in bad]
    assert codes(look(FMT, joined(bad))) == ["envelope-wrong"]


@pytest.mark.parametrize(
    "change",
    [
        lambda parts, at: [*parts[: at.stop], *parts[at], *parts[at.stop :]],
        lambda parts, at: [*parts, *parts],
        lambda parts, at: [*parts[:-1], *parts[1:]],
    ],
    ids=["transaction", "file", "group"],
)
def test_what_is_doubled_is_not_shipped_twice(change: Callable[[list[bytes], slice], list[bytes]]) -> None:
    content = look(FMT, joined(change(segments(), transaction(2))))
    assert "envelope-wrong" in codes(content)
    assert accepted(content) == []


# --- separators


@pytest.mark.parametrize(("element", "end"), [(b"|", b"'\n"), (b"^", b"\n"), (b"\x1d", b"\x1c"), (b"`", b"~\r\n")])
def test_separators_are_read_from_the_isa_segment(element: bytes, end: bytes) -> None:
    content = look(FMT, joined(segments(), element=element, end=end))
    assert findings(content) == []
    assert [one.order for one in content.orders] == list(orders(NAME))


def test_places_are_lines_whatever_ends_a_segment() -> None:
    lines = [one.place.line for one in look(FMT, GOOD).orders]
    assert [one.place.line for one in look(FMT, joined(segments(), end=b"\n")).orders] == lines
    assert {one.place.line for one in look(FMT, joined(segments(), end=b"~")).orders} == {1}
    assert [one.place.line for one in look(FMT, b"\n\n" + GOOD).orders] == [line + 2 for line in lines]


@pytest.mark.parametrize("sign", ["*", "~", ">"])
def test_a_separator_in_a_value_is_refused_in_writing(sign: str) -> None:
    order = orders(NAME)[0].model_copy(update={"purchase_order": f"4{sign}1"})
    made = write(FMT, [order, orders(NAME)[1]])
    assert [finding.code for finding in made.findings] == ["value-not-writable"]
    assert made.orders == (orders(NAME)[1],)


@pytest.mark.parametrize("changes", [{"element": "~"}, {"segment": "~~"}, {"component": "A"}, {"element": " "}])
def test_separators_that_cannot_separate_are_mistakes_of_the_format(changes: dict[str, str]) -> None:
    assert any(text.startswith("x12: ") for text in mistakes(changed(FMT, x12=changes)))


def test_an_interchange_without_its_fixed_widths_is_refused() -> None:
    """Blanks at the end of an element of ISA are part of it: where they are taken away, separators cannot be known."""
    collapsed = re.sub(rb" +\*", b"*", GOOD)
    assert said(collapsed) == [("envelope-wrong", None)]
    assert said(GOOD.replace(b"ISA*", b"ISB*")) == [("header-missing", None)]
    assert said(GOOD[:100]) == [("header-missing", None)]


def test_terminators_that_were_lost_are_told() -> None:
    assert codes(look(FMT, GOOD.replace(b"~\n", b""))) == ["envelope-wrong"]
    assert codes(look(FMT, GOOD[:-2])) == ["file-cut"]
    one_lost = GOOD.replace(b"~\nN3*", b"\nN3*", 1)
    content = look(FMT, one_lost)
    assert codes(content) == ["transaction-torn"]
    assert accepted(content) == list(orders(NAME))[1:]


@pytest.mark.parametrize("width", [80, 200])
def test_lines_that_were_wrapped_anew_change_no_value(width: int) -> None:
    """A line break within a segment may have taken the place of a blank, or not."""
    flat = joined(segments(), end=b"~")
    wrapped = b"\n".join(flat[at : at + width] for at in range(0, len(flat), width))
    content = look(FMT, wrapped)
    assert set(codes(content)) <= {"envelope-wrong", "transaction-torn"}
    assert codes(content)
    assert [order for order in accepted(content) if order not in orders(NAME)] == []


# --- values


def test_notes_of_several_lines_stand_in_a_segment_each() -> None:
    order = orders(NAME)[0].model_copy(update={"instructions": "Ring twice\nLeave at door"})
    made = write(FMT, [order])
    assert b"NTE*WHI*Ring twice~\nNTE*WHI*Leave at door~" in made.data
    assert [one.order for one in look(FMT, made.data).orders] == [order]


def test_an_empty_line_in_a_note_cannot_be_written() -> None:
    order = orders(NAME)[0].model_copy(update={"instructions": "Ring twice\n\nLeave at door"})
    assert [finding.code for finding in write(FMT, [order]).findings] == ["value-not-writable"]


def test_a_note_needs_segments_that_repeat() -> None:
    content = FMT.model_dump(by_alias=True)
    for record in content["records"]:
        for field in record["fields"]:
            field["repeat"] = False
    assert any("repeat = true" in text for text in mistakes(Format.model_validate(content)))


@pytest.mark.parametrize(
    "ids",
    [
        {"x12_sender": "A" * 16},
        {"x12_receiver": "A" * 16},
        {"x12_sender": ""},
        {"x12_sender_qualifier": "ZZZ"},
        {"x12_receiver": "A*B"},
        {"x12_receiver": "A\nB"},
    ],
)
def test_ids_that_do_not_fit_are_refused_and_not_cut(ids: dict[str, str]) -> None:
    with pytest.raises(FallbackError) as error:
        write(FMT, orders(NAME), codes=ids)
    assert error.value.code == "agreement-invalid"
    assert next(iter(ids)) in error.value.hint


def test_ids_of_the_agreement_stand_in_both_envelopes() -> None:
    data = write(FMT, orders(NAME), codes={"x12_sender": "A" * 15, "x12_receiver": "W1"}, sequence=42, at=AT).data
    assert data.startswith(
        b"ISA*00*          *00*          *ZZ*AAAAAAAAAAAAAAA*ZZ*W1             *261123*1400*U*00401*"
    )
    assert b"GS*OW*AAAAAAAAAAAAAAA*W1*20261123*1400*42*X*004010~" in data
    assert data.endswith(b"GE*6*42~\nIEA*1*000000042~\n")


@pytest.mark.parametrize("purpose", ["F", "C"])
def test_a_cancellation_is_no_order_to_ship(purpose: str) -> None:
    content = look(FMT, GOOD.replace(b"W05*N*", f"W05*{purpose}*".encode(), 1))
    assert codes(content) == ["cancellation"]
    assert content.orders[0].order is None
    assert content.orders[0].number == orders(NAME)[0].order_number
    assert accepted(content) == list(orders(NAME))[1:]


def test_units_that_do_not_sum_up_refuse_the_order() -> None:
    first = orders(NAME)[0]
    quantity = first.lines[0].quantity
    bad = GOOD.replace(f"W01*{quantity}*".encode(), f"W01*{quantity + 1}*".encode(), 1)
    content = look(FMT, bad)
    assert codes(content) == ["unit-count"]
    assert content.orders[0].findings[0].found == f"{first.units + 1} units"
    assert accepted(content) == list(orders(NAME))[1:]


def test_a_value_has_its_segment_and_element_as_its_place() -> None:
    bad = GOOD.replace(b"N4*", b"N4**X*1*QQ~\nN4*", 1)
    at = segments(bad).index(b"N4**X*1*QQ") + 1
    count = transaction(1)
    bad = bad.replace(b"SE*%d*0001" % (count.stop - count.start), b"SE*%d*0001" % (count.stop - count.start + 1))
    found = {one.field: one.place.at for one in look(FMT, bad).orders[0].findings if one.code == "country-unknown"}
    assert found == {"N404.ST": f"segment {at}, element 4"}


def once_more(order: int, *added: bytes, before: bytes) -> bytes:
    """The file with segments added to a transaction, and counted."""
    parts = segments()
    at = transaction(order)
    index = next(i for i in range(at.start, at.stop) if parts[i].startswith(before))
    parts[at.stop - 1] = b"SE*%d*%04d" % (at.stop - at.start + len(added), order)
    return joined([*parts[:index], *added, *parts[index:]])


def test_segments_that_are_not_known_are_named_once_and_show_no_value() -> None:
    content = look(
        FMT, once_more(1, b"W09*TF", b"N9*PIN*16", b"N1*BT*Ada Example", b"N3*1 Sample Street", before=b"LX")
    )
    unknown = [finding for finding in findings(content) if finding.code == "segment-unknown"]
    assert [str(one.found).partition(", ")[2] for one in unknown] == ["W09", "N9*PIN", "N1*BT", "N3"]
    assert accepted(content) == list(orders(NAME))


@pytest.mark.parametrize(
    "added",
    [
        (b"N1*ST*Another Person",),
        (b"N9*CO*4711",),
        (b"W05*F*1001",),
    ],
)
def test_what_stands_twice_refuses_the_order(added: tuple[bytes, ...]) -> None:
    content = look(FMT, once_more(1, *added, before=b"LX"))
    assert codes(content) == ["value-malformed"]
    assert accepted(content) == list(orders(NAME))[1:]


def test_two_quantities_in_one_line_refuse_the_order() -> None:
    content = look(FMT, once_more(1, b"W01*1*EA**VN*0012", before=b"W01"))
    assert "value-malformed" in codes(content)
    assert accepted(content) == list(orders(NAME))[1:]


def test_a_reference_of_a_line_is_none_of_the_order() -> None:
    """N9*CO is declared before the lines: within a line it is another one."""
    content = look(FMT, once_more(1, b"N9*CO*4711", before=b"W76"))
    assert accepted(content) == list(orders(NAME))
    assert [finding.code for finding in findings(content)] == ["segment-unknown"]


@pytest.mark.parametrize(("old", "new"), [(b"*VN*", b"*UP*"), (b"*W*%s*UT", b"*W*%s*ET")])
def test_a_qualifier_that_says_something_else_refuses_the_order(old: bytes, new: bytes) -> None:
    """What follows VN is the warehouse's article number; what follows UP is a bar code. A time is in UTC or another."""
    data = write(FMT, [orders(NAME)[0].model_copy(update={"ship_by": AT})]).data
    clock = b"140000"
    bad = data.replace(old.replace(b"%s", clock), new.replace(b"%s", clock), 1)
    assert bad != data
    assert codes(look(FMT, bad)) == ["value-wrong"]


def test_a_date_and_a_time_that_run_into_each_other_are_no_date() -> None:
    data = write(FMT, [orders(NAME)[0].model_copy(update={"ship_by": AT})]).data
    bad = data.replace(b"20261123*W*140000", b"2026*W*1123140000")
    assert bad != data
    assert codes(look(FMT, bad)) == ["date-invalid"]


# --- size


def test_a_transaction_of_endless_segments_is_not_read_to_its_end() -> None:
    parts = segments()
    at = transaction(1)
    endless = joined([*parts[: at.stop - 1], *([b"ZZ*1"] * 100_001), *parts[at.stop - 1 :]])
    content = look(FMT, endless)
    assert codes(content) == ["envelope-wrong"]
    assert content.orders == ()


# --- interchanges of others


def sample(number: int) -> bytes:
    return (SAMPLES / f"x12_940_x12types_{number}.edi").read_bytes()


def of_others(data: bytes) -> list[Order]:
    content = read(FMT, data, name="file", defaults={"brand": "acme"})
    return accepted(content)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not here")
@pytest.mark.parametrize("number", [2, 4])
def test_public_interchanges_are_read_written_and_read_again(number: int) -> None:
    content = read(FMT, sample(number), name="file", defaults={"brand": "acme"})
    assert codes(content) == []
    assert {finding.code for finding in findings(content)} == {"segment-unknown"}
    (order,) = accepted(content)
    made = write(FMT, [order])
    assert made.findings == ()
    again = look(FMT, made.data)
    assert findings(again) == []
    assert accepted(again) == [order]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not here")
def test_every_segment_of_a_public_interchange_is_read_or_named() -> None:
    """By the tag and the elements: nothing of the file is lost in silence."""
    content = read(FMT, sample(4), name="file", defaults={"brand": "acme"})
    named = {str(finding.found).split(", ")[1] for finding in findings(content)}
    assert {"N1*SF", "N1*DE", "N9*R1", "N9*PIN", "G62*02", "NTE*BOL", "W09", "W0106", "W0112", "W7605"} <= named
    (order,) = accepted(content)
    assert (order.order_number, order.order_id) == ("18061930", "18061930")
    assert [(line.sku, line.quantity, line.uom) for line in order.lines] == [("0172183000", 300, "CA")]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not here")
def test_a_public_reference_within_a_line_is_not_the_order_s_id() -> None:
    (order,) = of_others(sample(2))
    assert order.order_id == order.order_number == "0080215659"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not here")
def test_a_public_cancellation_is_no_order() -> None:
    content = read(FMT, sample(5), name="file", defaults={"brand": "acme"})
    assert codes(content) == ["cancellation"]
    assert content.orders[0].number == "18061923"
    assert accepted(content) == []
