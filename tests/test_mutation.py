"""What damage can get past a file on its own, and that none gets past a manifest.

A golden file of every format, of a pair either part, is damaged in one place, thousands of times over: a byte changed,
lost, added or swapped; a line lost, doubled or moved; cells moved to one side; the end cut off. Whatever is read of it,
three things hold:

* reading never breaks;
* with the manifest no order is accepted that differs from what was written (the SHA-256 of the whole file is declared);
* without it, an accepted order that differs can differ only in what the format does not prove: see ``unproven``.

What a plain format proves is all that a warehouse has whose brand sends no manifest. ``pytest -s`` prints the figures.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pytest

from fallback.formats.library import shipped
from fallback.formats.spec import Format
from fallback.records.order import CHECKED_LINE, CHECKED_ORDER, Order
from fallback.records.paths import PATHS, values_of
from support.sent import Parts, Sent, golden, separators
from support.soak import times

pytestmark = pytest.mark.soak

EVERYTHING = frozenset(PATHS)
ANOTHER_NUMBER = "another number of lines"


def unproven(fmt: Format) -> frozenset[str]:
    """The paths whose values a plain file of the format may lose without a finding.

    Rows that repeat the order's fields prove them where an order has several; an order of one row proves nothing but
    that it has one. An object of JSON is whole or broken, and proves nothing of its values. So it is only what a total
    sums up, and what the rows of lines repeat of an order's own row, that nothing can change unseen. How many lines an
    order has is always proven, unless the format says that it is uncounted: then every report says so.
    """
    proven = {"lines.quantity"} if fmt.carried & {"order_units", "file_units"} else set()
    if "order_check" in fmt.carried:
        proven |= {*CHECKED_ORDER, *(f"lines.{name}" for name in CHECKED_LINE)}
    if fmt.layout in ("header-detail", "two-files"):
        own, lines = ({field.path for field in row.fields if field.path} for row in fmt.rows[:2])
        proven |= own & lines
    return (EVERYTHING | ({ANOTHER_NUMBER} if fmt.uncounted else set())) - proven


def counts_orders(fmt: Format) -> bool:
    """Whether no order can be lost as a whole from a plain file without a finding: the file says how many there are, or
    there is one, or orders and their lines stand apart and miss each other."""
    said = "file_orders" in fmt.carried or (fmt.kind == "xml" and fmt.xml.count)
    said = said or (fmt.kind == "json" and fmt.json_terms.count) or fmt.kind == "x12"
    return bool(said or fmt.layout == "two-files" or fmt.max_orders == 1)


TELLING = b'0129 ,;|"\n\r\t\\{}[]:AEae\xc3\xa9\x00\xff+-.'


def damaged(data: bytes, chance: random.Random, separator: bytes) -> tuple[str, bytes]:
    """The data with one damage, and what sort it is."""
    at = chance.randrange(len(data))
    lines = data.splitlines(keepends=True)
    line = chance.randrange(len(lines))
    kind = chance.choice(("byte", "telling byte", "byte lost", "byte added", "bytes swapped", "bit", "cut", "line lost",
                          "line doubled", "line moved", "lines swapped", "piece doubled", "piece lost",
                          "cells moved", "cells moved back"))  # fmt: skip
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
    if kind == "lines swapped":
        pair = lines[line : line + 2]
        return kind, b"".join(lines[:line] + pair[::-1] + lines[line + 2 :])
    if kind in ("cells moved", "cells moved back"):  # within the row, which is as wide as before
        end = max(at, data.find(b"\n", at))
        at = max(0, data.find(separator, at, end))
        last = end - (data[end - 1 : end] == b"\r")
        there, away = (at, at + 1), (last, last)
        if kind == "cells moved back":
            there, away = (at, at), (last - 1, last)
        gone, more = (b"", separator) if kind == "cells moved" else (separator, b"")
        return kind, data[: there[0]] + gone + data[there[1] : away[0]] + more + data[away[1] :]
    end = at + chance.randrange(1, 80)
    return kind, data[:end] + data[at:] if kind == "piece doubled" else data[:at] + data[end:]


def damages(file: Sent, count: int) -> Iterator[tuple[str, Parts]]:
    """The file with one damage each; of a pair either part."""
    chance = random.Random(20261123)
    separator = separators(file.fmt)[0].encode()
    for _ in range(count):
        role = chance.choice(file.fmt.roles)
        kind, bad = damaged(file.parts[role], chance, separator)
        if bad != file.parts[role]:
            yield kind, {**file.parts, role: bad}


def differing(orders: Iterable[Order], originals: Sequence[Order], fmt: Format) -> set[str]:
    """The paths in which accepted orders differ from the nearest of what was written; empty where there is none."""
    found: set[str] = set()
    written = [in_order(one, fmt) for one in originals]
    for order in (in_order(one, fmt) for one in orders):
        if order not in written:
            found |= min((_differing(order, one) for one in written), key=len)
    return found


def in_order(order: Order, fmt: Format) -> Order:
    """The order with its lines by number: another order of the rows is no damage. Where the format has no number, and
    a line's place stands for it, by content."""
    placed = {path.rpartition(".")[2]: None for path, text in fmt.defaults.items() if text == "#"}
    lines = [line.model_copy(update=placed) for line in order.lines]
    return order.model_copy(update={"lines": tuple(sorted(lines, key=lambda one: (one.line_number or 0, repr(one))))})


def _differing(order: Order, original: Order) -> set[str]:
    counted = len(order.lines) == len(original.lines)
    compared = [path for path, info in PATHS.items() if counted or info.level == "order"]
    found = {path for path in compared if values_of(order, path) != values_of(original, path)}
    return found if counted else found | {ANOTHER_NUMBER}


def alone(file: Sent) -> list[Order]:
    """The orders of a file as they are read without an agreement."""
    return [file.known(order) for order in file.orders]


@pytest.mark.parametrize("name", shipped())
def test_damage_never_gets_past_a_manifest_and_past_a_plain_file_only_where_nothing_proves(name: str) -> None:
    file = golden(name)
    fmt, originals = file.fmt, alone(golden(name))
    whole = file.proven()
    assert (whole.verdict, whole.findings) == ("accepted", ())
    seen: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    for kind, bad in damages(file, times(1000)):
        proven = file.proven(bad)
        assert proven.orders == ()
        assert {"file-hash-differs", "file-size-differs"} & {finding.code for finding in proven.findings}
        plain = file.plain(bad)
        assert not plain.orders or bool(fmt.uncounted) == ("uncounted" in {one.code for one in plain.findings})
        paths = differing(plain.orders, originals, fmt)
        assert paths <= unproven(fmt), (kind, paths)
        lost = len(plain.orders) + len(plain.rejected) < len(originals) and plain.exit_code == 0
        assert not (lost and counts_orders(fmt)), kind
        seen[kind] += 1
        if plain.exit_code == 0:
            silent[kind] += 1
        silent.update(f"  {path}" for path in paths)
    print(f"\n{name}: {seen.total():,} damages; accepted without a word, by damage and by what was changed:")
    for kind, count in seen.most_common():
        print(f"  {kind:16} {silent[kind]:6,} of {count:,}")
    print("  changed: " + (", ".join(f"{k.strip()} {n}" for k, n in silent.most_common() if k[0] == " ") or "nothing"))


@pytest.mark.parametrize("name", shipped())
def test_a_file_cut_anywhere_gives_no_order_that_was_not_whole(name: str) -> None:
    """An upload breaks off where it likes: between any two rows, and at many places within them."""
    file = golden(name)
    fmt, originals = file.fmt, alone(golden(name))
    for role, data in file.parts.items():
        ends = {found.end() for found in re.finditer(rb"\r\n?|\n", data)}
        for at in sorted(ends.union(range(0, len(data), max(1, len(data) // times(500))))):
            if at >= len(data.rstrip()) and data[:at] + data[at:].strip() == data[:at]:
                continue  # what is left is white space after the end
            report = file.plain({**file.parts, role: data[:at]})
            assert fmt.uncounted or [order for order in report.orders if order not in originals] == []
            assert not report.orders or bool(fmt.uncounted) == ("uncounted" in {one.code for one in report.findings})
            if counts_orders(fmt):
                assert report.exit_code == 1 and (fmt.layout == "two-files" or report.orders == ())


@pytest.mark.parametrize("name", shipped())
def test_rubbish_is_answered_and_never_breaks_the_reader(name: str) -> None:
    file = golden(name)
    chance = random.Random(7)
    for _ in range(times(500)):
        role = chance.choice(file.fmt.roles)
        data = file.parts[role]
        head = data[: data.index(b"\n") + 1]
        rubbish = bytes(chance.choice(TELLING) for _ in range(chance.randrange(1, 300)))
        for text in (rubbish, head + rubbish, data[: chance.randrange(len(data))] + rubbish):
            report = file.plain({**file.parts, role: text})
            assert report.findings or report.orders
