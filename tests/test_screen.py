"""The screen and the exact reader say the same, finding by finding, of whatever file; and the screen never guesses."""

from __future__ import annotations

import json
import pickle
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brand_kit import make_agreement
from fallback.documents.lazy import Lazy
from fallback.documents.report import Report
from fallback.errors import FallbackError
from fallback.findings import Place
from fallback.formats.assemble import Assembly, Desk
from fallback.formats.library import load_format
from fallback.formats.shape import Column, shape_of
from fallback.formats.spec import Format
from fallback.formats.write import write
from fallback.records.sample import sample_orders
from fallback.validation import screen, validate
from support import soak
from support.sheet_damages import KINDS, Sheet, damaged, kind_damaged, sheet_of

pytest.importorskip("pyarrow", reason="the screen needs the extra `frame`")

from fallback.validation.screen import arrays, columns, run
from fallback.validation.screen.blocks import Reader, Source, Unproven

BENCH = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCH))

import order_lines  # noqa: E402

LINES = load_format("order-lines-csv")
SHOP = load_format(BENCH / "format")
AT = datetime(2026, 11, 23, 14, tzinfo=UTC)


def shop_file(lines: int, bad: float = 0.0, seed: int = 7) -> tuple[bytes, dict[int, str]]:
    """A file of the benchmark's format, and what is wrong in which row."""
    made = list(order_lines.rows(lines, bad, seed))
    data = Sheet(SHOP, [row for row, _ in made]).bytes()
    return data, {at: wrong for at, (_, wrong) in enumerate(made) if wrong}


CLEAN = {LINES.name: write(LINES, sample_orders(20, at=AT)).data, SHOP.name: shop_file(60)[0]}
FORMATS = {LINES.name: LINES, SHOP.name: SHOP}
SAID = (
    *("file", "format", "verdict", "orders", "keys", "rejected", "findings", "diagnosis", "records", "sha256", "bytes"),
    *("lines", "units", "totals"),
)


def screened(data: bytes, fmt: Format, block: int, **terms: Any) -> Report | None:
    known = {"agreement": None, "name": "f", "skus": None, "show_values": False, "max_findings": None}
    return run.run(data, fmt=fmt, block=block, **known | terms)


def assert_same(exact: Report, quick: Report) -> None:
    for name in SAID:
        assert getattr(quick, name) == getattr(exact, name), name
    assert quick.document() == exact.document()


# --- equivalence


@pytest.mark.soak
def test_screen_and_exact_reader_say_the_same_of_every_damaged_file() -> None:
    """100,000 files at full length, some hundred by default: with tiny blocks, so that every order meets a border."""
    seen: Counter[str] = Counter()
    proven: Counter[str] = Counter()
    for seed in range(100_000 if soak.ON else 200):
        chance = random.Random(seed)
        fmt = chance.choice((LINES, SHOP))
        kind, data = damaged(CLEAN[fmt.name], fmt, chance)
        skus = None
        if chance.random() < 0.3:
            sheet = sheet_of(CLEAN[fmt.name], fmt)
            skus = frozenset(row[sheet.column("lines.sku")] for row in sheet.rows[5:])
        show = chance.random() < 0.3
        quick = screened(data, fmt, chance.choice((300, 700, 1500, 1 << 20)), skus=skus, show_values=show)
        seen[kind] += 1
        if quick is not None:
            proven[kind] += 1
            assert_same(validate(data, format=fmt, name="f", skus=skus, show_values=show), quick)
    print(f"\n{seen.total():,} damaged files of {len(KINDS)} kinds, {proven.total():,} of them screened; none differs")
    assert proven.total() > seen.total() / 2


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_damage_is_answered_alike(kind: str) -> None:
    chance = random.Random(kind)
    for name, fmt in FORMATS.items():
        _, data = kind_damaged(kind, CLEAN[name], fmt, chance)
        quick = screened(data, fmt, 900)
        if quick is not None:
            assert_same(validate(data, format=fmt, name="f"), quick)


@pytest.mark.parametrize("block", [1, 64, 700, 4096, 1 << 20])
@pytest.mark.parametrize("name", FORMATS)
def test_a_clean_file_is_proven_in_blocks_of_any_size(name: str, block: int) -> None:
    quick = screened(CLEAN[name], FORMATS[name], block)
    assert quick is not None and quick.verdict == "accepted"
    assert_same(validate(CLEAN[name], format=FORMATS[name], name="f"), quick)


def test_an_agreement_is_held_against_screened_orders() -> None:
    orders = list(sample_orders(30, at=AT))
    orders[3] = orders[3].model_copy(update={"brand": "other"})
    data = write(LINES, orders).data
    for limits in ({}, {"max_units_per_order": 3}, {"max_orders_per_file": 5}, {"max_bytes": 100}):
        agreement = make_agreement(limits=limits)
        quick = screened(data, LINES, 500, agreement=agreement)
        exact = validate(data, agreement=agreement, format=LINES, name="f")
        assert (quick is None) == bool(limits.keys() & {"max_orders_per_file", "max_bytes"})
        if quick is not None:
            assert_same(exact, quick)
    whole = make_agreement(format={"orders": LINES.name, "load_mode": "all-or-nothing"})
    assert screened(data, LINES, 500, agreement=whole) is None


def test_orders_whose_rows_stand_far_apart_are_read_as_one() -> None:
    sheet = sheet_of(shop_file(400)[0], SHOP)
    apart = [run_of[-1] for run_of in sheet.runs()[10:40] if len(run_of) > 1]
    sheet.rows = [row for row in sheet.rows if row not in apart] + apart
    data = sheet.bytes()
    quick = screened(data, SHOP, 3000)
    assert quick is not None and quick.verdict == "accepted"
    assert_same(validate(data, format=SHOP, name="f"), quick)


# --- what is found


def test_all_kinds_of_error_are_found_by_code_and_place_and_no_good_order_is_refused(tmp_path: Path) -> None:
    data, truth = shop_file(12_000, 0.02)
    file = tmp_path / "orders.csv"
    file.write_bytes(data)
    report = validate(file, format=SHOP)
    assert isinstance(report.orders, Lazy)
    assert set(truth.values()) == set(order_lines.ERRORS)
    rows = sheet_of(data, SHOP).rows
    spoiled = {rows[at][0] for at in truth}
    assert {rejected.order for rejected in report.rejected} == spoiled
    assert len(report.orders) == len({row[0] for row in rows}) - len(spoiled)
    found = {(finding.code, finding.place.record) for finding in report.findings}
    lines = data.decode().split("\n")
    for at, wrong in truth.items():
        code = order_lines.ERRORS[wrong][0]
        order = [place for place, row in enumerate(rows) if row[0] == rows[at][0]]
        differ = {("order-fields-differ", place + 1) for place in order}
        if wrong in order_lines.OF_ORDER and len(order) > 1:
            assert found & differ  # the other rows of the order say otherwise
        else:
            # Where rows of the order disagree, nothing else is said of it.
            assert (code, at + 1) in found or found & differ, (wrong, at)
    for finding in [one for one in report.findings if one.code != "uncounted"][:200]:
        assert finding.order is not None and finding.order in lines[finding.place.line - 1]


def test_the_studys_file_gives_up_all_its_errors() -> None:
    study = Path(__file__).parent.parent.parent / "shared" / "bench" / "gen.py"
    if not study.is_file():
        pytest.skip("the study's generator is not here")
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "study.csv"
        command = [sys.executable, str(study), "20000", str(file), "--bad", "0.01"]
        subprocess.run(command, check=True, capture_output=True)
        truth = {int(at): kind for at, kind in json.loads(Path(f"{file}.truth.json").read_text()).items()}
        report = validate(file, format=SHOP)
        rows = sheet_of(file.read_bytes(), SHOP).rows
    assert {rejected.order for rejected in report.rejected} == {rows[at][0] for at in truth}


def test_totals_are_complete_where_findings_are_not_listed() -> None:
    data, _ = shop_file(3000, 0.5)
    whole = screened(data, SHOP, 20_000)
    short = screened(data, SHOP, 20_000, max_findings=7)
    assert whole is not None and short is not None
    assert short.totals == whole.totals == Counter(finding.code for finding in whole.findings)
    assert max(Counter(finding.code for finding in short.findings).values()) == 7
    assert [f for f in whole.findings if f.code == "gtin-invalid"][:7] == [
        finding for finding in short.findings if finding.code == "gtin-invalid"
    ]
    assert (short.verdict, short.rejected, short.diagnosis) == (whole.verdict, whole.rejected, whole.diagnosis)
    exact = validate(data, format=SHOP, name="f", max_findings=7)
    assert (exact.findings, exact.totals) == (short.findings, short.totals)


# --- proofs


def exact_finds_nothing(column: Column, desk: Desk, text: str) -> bool:
    return columns.Cells(column, desk, columns.Verdicts([column.field.name]), lacking=False).verdict(text)[0] == 0


TEXTS = st.one_of(
    st.text(max_size=300),
    st.text(alphabet="0123456789", max_size=15),
    st.text(alphabet="0123456789.E+-:TZ /", max_size=30),
    st.text(alphabet="ABCxyz09 -_:.@+é\u00a0\u2028\u200e\u3000京\n\t\x7f", max_size=40),
    st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "+01:00"),
    st.dates().map(str),
    st.from_regex(r"SO-[0-9]{8}|[A-Z]{3}-[0-9]{5}-[A-Z0-9]{1,4}|\+[1-9][0-9]{6,14}", fullmatch=True),
    st.integers(0, 10**13).map(lambda number: order_lines._gtin(f"{number:013d}"[:12])),
    st.decimals(0, 10**6, places=2).map(str),
)


@given(st.lists(TEXTS, min_size=1, max_size=40))
@pytest.mark.parametrize("name", FORMATS)
def test_what_a_proof_accepts_the_exact_reader_accepts(name: str, some: list[str]) -> None:
    fmt = FORMATS[name]
    desk = Desk(shape_of(fmt), "f", None, {}, False)
    legal = [text for text in some if text.isascii() or _encodes(text)]
    texts = arrays.texts(legal)
    for column in desk.shape.rows[0].columns:
        proof = columns.proof_of(column, fmt, blank=False)
        for clean in (True, False):
            # The reader says that a block is clean; of a text with a control character it never does.
            sure = [not clean or not _unclean(text) for text in legal]
            proven = proof(texts, clean) if proof is not None else None
            for text, accepted, said in zip(legal, [] if proven is None else proven.tolist(), sure, strict=False):
                if accepted and said:
                    assert exact_finds_nothing(column, desk, text), (column.field.name, text)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unclean(text: str) -> bool:
    return any(
        (ord(sign) < 32 and sign != "\n") or 127 <= ord(sign) < 160 or sign in "\u061c\u200e\u200f\u2028\u2029\ufeff"
        or "\u202a" <= sign <= "\u202e" or "\u2066" <= sign <= "\u2069"
        for sign in text
    )  # fmt: skip


@given(st.text(alphabet='a,"\n\r\x00\t \x01é\u200e', max_size=60))
def test_the_reader_of_blocks_proves_or_refuses(text: str) -> None:
    """Whatever it lets through, the exact reader parses into the same cells at the same places."""
    from fallback.formats.kinds.delimited import read
    from fallback.formats.kinds.rows import Fault

    fields = tuple(field.model_copy(update={"required": False}) for field in SHOP.fields[:2])
    fmt = SHOP.model_copy(update={"fields": fields})
    data = ("order_number,order_date\n" + text).encode()
    try:
        batches = list(Reader(Source(None, data), fmt, [0], 16).batches())
    except Unproven:
        return
    exact = list(read(data.decode(), fmt))
    cells = [
        (list(row), int(line))
        for batch in batches
        for row, line in zip(zip(*(c.to_pylist() for c in batch.columns), strict=True), batch.lines, strict=True)
    ]
    rows = [item for item in exact if not isinstance(item, Fault)]
    if all(isinstance(item, Fault) and item.code == "row-blank" for item in exact if isinstance(item, Fault)):
        blank = [item.line for item in exact if isinstance(item, Fault)]
        assert [(list(row.cells), row.line) for row in rows] == [one for one in cells if one[1] not in blank]
    else:
        raise AssertionError(exact)


def test_cells_judged_alone_are_judged_as_in_their_order() -> None:
    """The word on a cell is the assembly's own."""
    desk = Desk(shape_of(SHOP), "f", None, {}, False)
    column = desk.shape.rows[0].columns[6]
    verdicts = columns.Verdicts([column.field.name])
    number, _ = columns.Cells(column, desk, verdicts, lacking=True).verdict("2.5")
    assembly = Assembly(desk, "", Place())
    assembly.start_line(Place())
    assembly.cell(column, "2.5", Place())
    said = verdicts[number]
    assert [(f.code, f.found, f.expected) for f in assembly.findings] == [(said.code, said.found, said.expected)]


# --- when it is used


@pytest.fixture
def big(tmp_path: Path) -> Path:
    file = tmp_path / "orders.csv"
    file.write_bytes(shop_file(10_500)[0])
    return file


def test_orders_are_made_when_they_are_asked_for(big: Path) -> None:
    report = validate(big, format=SHOP)
    assert report.verdict == "accepted" and isinstance(report.orders, Lazy)
    first = report.orders[:3]
    assert [order.order_number for order in first] == [key.split(":")[2] for key in report.keys[:3]]
    assert sum(len(order.lines) for order in report.orders) == report.lines == 10_500
    assert report.orders[-1].order_number.startswith("SO-")
    later = validate(big, format=SHOP)
    big.write_bytes(big.read_bytes() + b"\n")
    with pytest.raises(FallbackError) as error:
        list(later.orders)
    assert error.value.code == "file-unreadable"


def test_small_files_other_layouts_and_files_with_a_manifest_stay_exact(big: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.csv"
    small.write_bytes(CLEAN[SHOP.name])
    assert isinstance(validate(small, format=SHOP).orders, tuple)
    for fmt in (load_format("order-header-detail-psv"), load_format("order-jsonl")):
        assert not screen._is_for_it(fmt)
    assert screen._is_large(big.read_bytes()) and not screen._is_large(tmp_path / "absent.csv")


@pytest.mark.parametrize("lines", [2000, 10_500])
def test_arrow_is_imported_for_large_files_only_and_pandas_never(lines: int, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(shop_file(lines, 0.01)[0])
    code = (
        "import sys; from pathlib import Path; from fallback.validation import validate;"
        "from fallback.formats.library import load_format;"
        f"report = validate(Path({str(file)!r}), format=load_format({str(BENCH / 'format')!r}), max_findings=100);"
        "report.document(); list(report.orders);"
        "print(sorted({'numpy', 'pyarrow', 'pandas'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("[]" if lines < 10_000 else "['numpy', 'pyarrow']")


def test_without_arrow_a_large_file_is_read_exactly(big: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "find_spec", lambda name: None)
    assert isinstance(validate(big, format=SHOP).orders, tuple)


# --- lazy sequences


def test_a_lazy_sequence_is_like_a_tuple() -> None:
    made: list[int] = []

    def make() -> Any:
        for number in range(5):
            made.append(number)
            yield number

    some = Lazy(5, make)
    assert len(some) == 5 and some and made == []
    assert some[:2] == (0, 1) and made == [0, 1]
    assert list(some) == [0, 1, 2, 3, 4]
    assert some == (0, 1, 2, 3, 4) and some != (1,) and some != 7
    assert some[-1] == 4 and some[3:] == (3, 4) and some[::-1][0] == 4 and 3 in some
    assert Lazy(0, tuple) == () and not Lazy(0, tuple)
    assert pickle.loads(pickle.dumps(some)) == (0, 1, 2, 3, 4)
    assert repr(some) == "<5 members, made when asked for>"
