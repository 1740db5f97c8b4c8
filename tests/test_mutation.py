"""What damage can get past a file on its own, and that none gets past a manifest.

A golden file is damaged in one place, thousands of times over: a byte changed, lost, added or swapped; a line lost,
doubled or moved; the end cut off. Whatever is read of it, three things hold:

* reading never breaks;
* with the manifest no order is accepted that differs from what was written (the SHA-256 of the whole file is declared);
* without it, an accepted order that differs can differ only in what the format does not prove, as ``UNPROVEN`` says.

What a plain format proves is all that a warehouse has whose brand sends no manifest. ``pytest -s`` prints the figures.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from brand_kit import make_agreement
from fallback.formats.library import load_format, shipped_folder
from fallback.formats.spec import Format
from fallback.records.order import Order
from fallback.records.paths import PATHS, values_of
from fallback.validation import validate
from support.make_formats import extension, sample
from support.sent import manifest_of
from support.soak import times

pytestmark = pytest.mark.soak

AGREEMENT = make_agreement(limits={"max_units_per_order": 10**9})
EVERYTHING = frozenset(PATHS)
UNPROVEN: dict[str, frozenset[str]] = {
    # Rows that repeat the order's fields prove them where an order has several rows. An order of one row proves nothing
    # but that it has one: every value that stays of its kind may be another one.
    "order-lines-csv": EVERYTHING,
    # The trailer proves quantities (their sum) and order numbers (their digits); the detail rows repeat id, number and
    # group of their order. Brand and platform stand once.
    "order-header-detail-psv": EVERYTHING - {"order_id", "order_number", "group", "lines.quantity"},
    # Each object is whole or broken by itself, and proves nothing of its values.
    "order-jsonl": EVERYTHING,
}
"""The paths whose values a plain file of the format may lose without a finding."""

LOSES_ORDERS = {"order-lines-csv": True, "order-header-detail-psv": False, "order-jsonl": True}
"""Whether whole orders can be lost from a plain file without a finding."""


def golden(name: str) -> tuple[Format, bytes, list[Order]]:
    fmt, folder = load_format(name), shipped_folder() / name
    return fmt, (folder / f"golden.{extension(fmt)}").read_bytes(), sample(folder)


TELLING = b'0129 ,;|"\n\r\t\\{}[]:AEae\xc3\xa9\x00\xff+-.'


def damaged(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """The data with one damage, and what sort it is."""
    at = chance.randrange(len(data))
    lines = data.splitlines(keepends=True)
    line = chance.randrange(len(lines))
    kind = chance.choice(("byte", "telling byte", "byte lost", "byte added", "bytes swapped", "bit", "cut", "line lost",
                          "line doubled", "line moved", "piece doubled", "piece lost"))  # fmt: skip
    if kind == "byte":
        return kind, data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
    if kind == "telling byte":
        return kind, data[:at] + bytes([chance.choice(TELLING)]) + data[at + 1 :]
    if kind == "byte lost":
        return kind, data[:at] + data[at + 1 :]
    if kind == "byte added":
        return kind, data[:at] + bytes([chance.choice(TELLING)]) + data[at:]
    if kind == "bytes swapped":
        return kind, data[:at] + data[at : at + 2][::-1] + data[at + 2 :]
    if kind == "bit":
        return kind, data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    if kind == "cut":
        return kind, data[:at]
    if kind == "line lost":
        return kind, b"".join(lines[:line] + lines[line + 1 :])
    if kind == "line doubled":
        return kind, b"".join(lines[: line + 1] + lines[line:])
    if kind == "line moved":
        rest = lines[:line] + lines[line + 1 :]
        target = chance.randrange(len(rest) + 1)
        return kind, b"".join([*rest[:target], lines[line], *rest[target:]])
    end = at + chance.randrange(1, 80)
    return kind, data[:end] + data[at:] if kind == "piece doubled" else data[:at] + data[end:]


def differing(orders: tuple[Order, ...], originals: list[Order]) -> set[str]:
    """The paths in which accepted orders differ from the nearest of what was written; empty where there is none."""
    found: set[str] = set()
    for order in map(sorted_lines, orders):
        if order not in originals:
            found |= min((_differing(order, one) for one in originals), key=len)
    return found


def sorted_lines(order: Order) -> Order:
    """The order with its lines by number: another order of the rows is no damage."""
    return order.model_copy(update={"lines": tuple(sorted(order.lines, key=lambda line: line.line_number))})


def _differing(order: Order, original: Order) -> set[str]:
    if len(order.lines) != len(original.lines):
        return {*PATHS, "another number of lines"}  # never proven by nothing: it is no path
    return {path for path in PATHS if values_of(order, path) != values_of(original, path)}


@pytest.mark.parametrize("name", UNPROVEN)
def test_damage_never_gets_past_a_manifest_and_past_a_plain_file_only_where_nothing_proves(name: str) -> None:
    fmt, data, originals = golden(name)
    file = f"ACME_ORDERS_000001.{extension(fmt)}"
    manifest = manifest_of(fmt, data, originals, file, AGREEMENT)
    whole = validate(data, agreement=AGREEMENT, format=fmt, manifest=manifest)
    assert (whole.verdict, whole.findings) == ("accepted", ())
    chance = random.Random(20261123)
    seen: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    for _ in range(times(6000)):
        kind, bad = damaged(data, chance)
        if bad == data:
            continue
        plain = validate(bad, format=fmt, name=file)
        proven = validate(bad, agreement=AGREEMENT, format=fmt, manifest=manifest, name=file)
        assert proven.orders == ()
        assert {"file-hash-differs", "file-size-differs"} & {finding.code for finding in proven.findings}
        paths = differing(plain.orders, originals)
        assert paths <= UNPROVEN[name], (kind, paths)
        lost = len(plain.orders) + len(plain.rejected) < len(originals) and plain.exit_code == 0
        assert LOSES_ORDERS[name] or not lost, kind
        seen[kind] += 1
        if plain.exit_code == 0:
            silent[kind] += 1
        silent.update(f"  {path}" for path in paths)
    print(f"\n{name}: {seen.total():,} damages; accepted without a word, by damage and by what was changed:")
    for kind, count in seen.most_common():
        print(f"  {kind:15} {silent[kind]:6,} of {count:,}")
    print("  changed: " + (", ".join(f"{k.strip()} {n}" for k, n in silent.most_common() if k[0] == " ") or "nothing"))


@pytest.mark.parametrize("name", UNPROVEN)
def test_a_file_cut_anywhere_gives_no_order_that_was_not_whole(name: str) -> None:
    """Every place, not a chosen few: an upload breaks off where it likes."""
    fmt, data, originals = golden(name)
    step = max(1, len(data) // times(4000))
    for at in range(0, len(data), step):
        report = validate(data[:at], format=fmt, name="f")
        assert [order for order in report.orders if order not in originals] == []
        if not LOSES_ORDERS[name]:
            assert report.orders == ()


@pytest.mark.parametrize("name", UNPROVEN)
def test_rubbish_is_answered_and_never_breaks_the_reader(name: str) -> None:
    fmt, data, _ = golden(name)
    chance = random.Random(7)
    head = data[: data.index(b"\n") + 1]
    for _ in range(times(3000)):
        size = chance.randrange(1, 300)
        rubbish = bytes(chance.choice(TELLING) for _ in range(size))
        for text in (rubbish, head + rubbish, data[: chance.randrange(len(data))] + rubbish):
            report = validate(text, format=fmt, name="f")
            assert report.findings or report.orders
