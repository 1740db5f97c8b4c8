"""Documents as plain text for terminals, logs and mails: 100 columns where text is ours, no colour, no cursor moves."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fallback.errors import FallbackError, WrongUse
from fallback.findings import CATALOGUE, Entry, Finding
from fallback.render import words
from fallback.render.words import count, plain

if TYPE_CHECKING:
    from fallback.documents.diagnosis import Diagnosis
    from fallback.documents.journal import Journal
    from fallback.documents.receipt import AnsweredOrder, Receipt
    from fallback.documents.reconciliation import Reconciliation
    from fallback.documents.report import Rejected, Report

WIDTH = 100


def finding_text(finding: Finding) -> str:
    """A finding in three lines: where and which code, what was found and expected, what to do.

    The lines are never wrapped, so that they can be searched and counted.
    """
    where, about = words.place(finding.place), words.about(finding)
    head = f"{where}: {finding.code}" if where else finding.code
    return "\n".join(
        (
            f"{head} ({about})" if about else head,
            f"  {words.difference(finding)}",
            f"  hint: {words.advice(finding)} `fallback explain {finding.code}`",
        )
    )


def error_text(error: FallbackError) -> str:
    """An error: its code and what happened, then what to do."""
    message = "\n".join(plain(line) for line in error.message.split("\n"))
    hint = plain(error.hint) or words.remedy(error.code)
    return f"{error.code}: {message}\n  hint: {words.sentence(hint)} `fallback explain {error.code}`"


_KINDS = {
    ("error", "file"): ("an error in the whole file", "No order of the file is loaded."),
    ("error", "order"): (
        "an error in one order",
        "The order is not loaded; the others of the file are. Where it cannot be tied to an order, no order is loaded.",
    ),
    ("error", "run"): ("an error that ends an operation", "The operation ended before it was done."),
    ("warning", "file"): ("a warning about the whole file", "It stops nothing by itself."),
    ("warning", "order"): ("a warning about one order", "It stops nothing by itself."),
    ("warning", "run"): ("a warning about an operation", "It stops nothing by itself."),
    ("warning", "left-out"): (
        "a reason to leave an order out",
        "The order is not in the file, and is counted in its manifest.",
    ),
}


def explain_text(code: str) -> str:
    """What a code means, what follows from it and what to do; or what a diagnosis means. Raises WrongUse for a name
    that is neither."""
    entry = CATALOGUE.get(code)
    if entry is None:
        import difflib

        from fallback.documents.diagnosis import DIAGNOSES

        diagnoses = {str(name): said for name, said in DIAGNOSES.items()}
        if code in diagnoses:
            rows = zip(("meaning", "remedy"), diagnoses[code], strict=True)
            body = "\n".join(_wrap(text, f"  {label:<9}", " " * 11) for label, text in rows)
            return f"{code}: what happened to a file\n{body}"
        near = difflib.get_close_matches(code, [*CATALOGUE, *diagnoses], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "codes stand after the place in a finding"
        raise WrongUse("wrong-use", f"there is no code {plain(code, words.NAME_LIMIT)}", hint=hint)
    kind, effect = kind_words(entry)
    told = (("meaning", entry.meaning), ("effect", effect), ("remedy", entry.remedy))
    body = "\n".join(_wrap(text, f"  {label:<9}", " " * 11) for label, text in told)
    return f"{code}: {kind}\n{body}"


def kind_words(entry: Entry) -> tuple[str, str]:
    """What kind of code it is, and what follows from it."""
    return _KINDS[entry.severity, entry.about]


def report_text(report: Report, limit: int = 50) -> str:
    """What validation found: the verdict first, findings by place and at most ``limit`` of them, then what to do."""
    blocks = [
        f"{report.verdict}: {words.report_sentence(report)}\n" + _pairs(_report_facts(report)),
        *(["What happened to the file\n" + _diagnoses(report.diagnosis)] if report.diagnosis else []),
        *_findings_blocks(report, limit),
        *([_rejected_block(report.rejected, limit)] if report.rejected else []),
        "Next\n" + _wrap(words.report_next(report), "  ", "  "),
    ]
    return "\n\n".join(blocks) + "\n"


def _diagnoses(diagnoses: Sequence[Diagnosis]) -> str:
    return "\n".join(
        f"{_wrap(words.diagnosis(one), '  - ', '    ')}\n{_wrap(one.remedy, '    ', '    ')}" for one in diagnoses
    )


def repair_text(file: str, diagnosis: Sequence[Diagnosis], done: Sequence[str], left: Sequence[str]) -> str:
    """What happened to a file, what was done about it and what was not."""
    blocks = [
        plain(file),
        *(["What happened to the file\n" + _diagnoses(diagnosis)] if diagnosis else []),
        *(["Done\n" + _bullets(done)] if done else []),
        *(["Not done\n" + _bullets(left)] if left else []),
    ]
    return "\n".join(blocks)


def _report_facts(report: Report) -> list[tuple[str, str]]:
    accepted = f"{count(len(report.orders), 'order')}, {count(report.lines, 'line')}, {count(report.units, 'unit')}"
    return [
        ("file", plain(report.file)),
        ("format", plain(report.format)),
        ("read", f"{count(report.records, 'record')}, {count(report.bytes, 'byte')}"),
        ("accepted", accepted),
        ("rejected", count(len(report.rejected), "order")),
    ]


def _findings_blocks(report: Report, limit: int) -> list[str]:
    totals = Counter(report.totals)
    if not totals:
        return []
    errors = sum(number for code, number in totals.items() if CATALOGUE[code].severity == "error")
    ordered = sorted(report.findings, key=lambda finding: finding.place)[:limit]
    head = f"{count(errors, 'error')}, {count(totals.total() - errors, 'warning')}"
    blocks = [head, *(finding_text(finding) for finding in ordered)]
    if rest := totals - Counter(finding.code for finding in ordered):
        codes = ", ".join(f"{code} {number:,}" for code, number in rest.most_common())
        listed = "names them all" if len(report.findings) == totals.total() else "names more of them"
        blocks.append(_wrap(f"and {rest.total():,} more: {codes}. The JSON report (--json) {listed}."))
    return blocks


def _rejected_block(rejected: Sequence[Rejected], limit: int) -> str:
    shown = [f"{plain(item.order, words.NAME_LIMIT)} ({', '.join(item.codes)})" for item in rejected[:limit]]
    rest = [f"and {len(rejected) - limit:,} more"] if len(rejected) > limit else []
    return "Rejected orders\n" + _wrap(", ".join(shown + rest), "  ", "  ")


def receipt_text(receipt: Receipt, limit: int = 50) -> str:
    """The receipt as a page for a shift lead: what did not come in and why. At most ``limit`` orders a reason."""
    groups, _ = words.receipt_groups(receipt)
    number = sum(len(group.orders) for group in groups)
    blocks = [
        f"{receipt.disposition}: {words.receipt_sentence(receipt)}\n" + _pairs(_receipt_facts(receipt)),
        *(["DRILL: nothing on this page ships."] if receipt.state == "drill" else []),
        _counts_table(receipt),
        *([_file_reasons(receipt)] if receipt.reasons else []),
        *([f"{count(number, 'order')} to look at"] if groups else []),
        *(_group_block(group, limit) for group in groups),
        *([words.accepted_sentence(receipt)] if receipt.orders else []),
    ]
    return "\n\n".join(blocks) + "\n"


def _receipt_facts(receipt: Receipt) -> list[tuple[str, str]]:
    replaces = f", replaces {plain(receipt.supersedes)}" if receipt.supersedes else ""
    return [
        ("file", receipt.file.name),
        ("times", words.receipt_times(receipt)),
        ("by", plain(words.issuer(receipt))),
        ("receipt", plain(receipt.receipt_id) + replaces),
    ]


def _counts_table(receipt: Receipt) -> str:
    rows = [("", "orders", "lines", "units")]
    for name, counts in (("declared", receipt.counts.declared), ("received", receipt.counts.received)):
        rows.append((name, f"{counts.orders:,}", f"{counts.lines:,}", f"{counts.units:,}"))
    return _table(rows, right=(1, 2, 3))


def _file_reasons(receipt: Receipt) -> str:
    lines = ["The file as a whole"]
    for reason in receipt.reasons:
        where = plain(words.reason_place((reason,)), words.NAME_LIMIT)
        lines += [f"  {plain(reason.code)}" + (f" ({where})" if where else ""), *_code_words(reason.code)]
    return "\n".join(lines)


def _group_block(group: words.Group, limit: int) -> str:
    codes = ", ".join(plain(code) for code in group.codes)
    lines = [f"{group.state}, {count(len(group.orders), 'order')}" + (f": {codes}" if codes else "")]
    if group.state_words:
        lines.append(_wrap(group.state_words, "    ", "    "))
    for code in group.codes:
        lines += _code_words(code)
    if group.state not in words.LOADED:
        lines.append(f"    Send again: {words.RESEND_WORDS[group.resend]}.")
    lines.append(_table([_order_row(order) for order in group.orders[:limit]], indent="    - "))
    if len(group.orders) > limit:
        lines.append(f"    and {len(group.orders) - limit:,} more for the same reason; the receipt's JSON names each.")
    return "\n".join(lines)


def _code_words(code: str) -> list[str]:
    return [_wrap(words.meaning(code), "    ", "    "), _wrap(words.remedy(code), "    Do: ", " " * 8)]


def _order_row(order: AnsweredOrder) -> tuple[str, ...]:
    return tuple(plain(cell, words.NAME_LIMIT) for cell in (order.key, *words.order_details(order)))


def reconciliation_text(document: Reconciliation, limit: int = 50) -> str:
    """Where the two sides stand: the verdict, the times it rests on, the orders concerned, what to do."""
    facts = [
        ("at", words.instant(document.at)),
        ("warehouse", f"list of {words.instant(document.wms_as_of)}" if document.wms_as_of else "no list"),
        *([("due", words.instant(document.due_at))] if document.due_at else []),
        *((name.replace("_", " "), f"{value:,}") for name, value in document.counts.items()),
    ]
    differences = [
        f"{plain(item.key, words.NAME_LIMIT)}: {words.DIFFERENCES[item.kind]}"
        + (f" ({plain(item.found, words.NAME_LIMIT)})" if item.found else "")
        for item in document.differences
    ]
    lists = (("Why", document.reasons), ("Missing orders", document.missing), ("Differences", differences))
    blocks = [
        f"{document.verdict}: {words.reconciliation_sentence(document)}\n" + _pairs(facts),
        *(f"{title}\n{_bullets(items, limit)}" for title, items in lists if items),
        "Next\n" + _wrap(words.reconciliation_next(document), "  ", "  "),
    ]
    return "\n\n".join(blocks) + "\n"


def journal_text(journal: Journal) -> str:
    """A drill: the verdict, what failed, commitments, mishaps, proofs, and the timeline of both sides."""
    ended = f"{words.instant(journal.started_at)}, {words.duration(_seconds(journal))}"
    facts = [
        ("drill", plain(journal.drill_id)),
        ("level", f"{journal.level}: {words.LEVELS[journal.level]}"),
        ("time", ended),
        ("agreement", plain(f"{journal.agreement.id} {journal.agreement.version}, {journal.agreement.sha256[:12]}")),
        ("tool", plain(journal.tool)),
    ]
    sections = (
        ("What failed", _bullets(journal.failures) if journal.failures else ""),
        (_score("Commitments", [item.met for item in journal.commitments], "met"), _commitments(journal)),
        (_score("Mishaps", [item.held for item in journal.mishaps], "answered as expected"), _mishaps(journal)),
        (_score("Proofs", [item.holds for item in journal.proofs], "hold"), _proofs(journal)),
        ("Timeline", _timeline(journal)),
    )
    blocks = [f"{journal.verdict}: {words.journal_sentence(journal)}\n" + _pairs(facts)]
    return "\n\n".join(blocks + [f"{title}\n{body}" for title, body in sections if body]) + "\n"


def _seconds(journal: Journal) -> float:
    return (journal.ended_at - journal.started_at).total_seconds()


def _score(title: str, results: Sequence[bool], word: str) -> str:
    return f"{title}: {sum(results)} of {len(results)} {word}"


def _commitments(journal: Journal) -> str:
    return _table(
        [
            (words.met_word(item), plain(item.id), plain(item.owner), words.commitment_words(item))
            for item in journal.commitments
        ],
        indent="  ",
    )


def _mishaps(journal: Journal) -> str:
    lines = []
    for item in journal.mishaps:
        observed = f"answered by {plain(item.observed)}" if item.observed else "not answered"
        expected = "" if item.held else f", expected {plain(item.expected)}"
        lines.append(_wrap(f"{plain(item.title)}: {observed}{expected}", _result(item.held, "held"), " " * 10))
        lines += [_wrap(plain(item.text), " " * 10, " " * 10)] if item.text else []
    return "\n".join(lines)


def _proofs(journal: Journal) -> str:
    lines = []
    for proof in journal.proofs:
        figures = words.numbers(proof)
        text = plain(proof.text) + (f" ({plain(figures)})" if figures else "")
        lines.append(_wrap(text, _result(proof.holds, "holds"), " " * 10))
    return "\n".join(lines)


def _result(good: bool, word: str) -> str:
    return f"  {word if good else 'FAILED':<6}  "


def _timeline(journal: Journal) -> str:
    lines = []
    for event in journal.events:
        hand = " (noted by hand)" if event.source == "human" else ""
        head = f"{words.elapsed(journal, event.at):>12}  {event.side:<9}  "
        lines.append(_wrap(f"{plain(event.step)}: {plain(event.text)}{hand}", head, " " * len(head)))
    return "\n".join(lines)


# --- layout


def _wrap(text: str, first: str = "", following: str = "") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _bullets(items: Sequence[str], limit: int = 0) -> str:
    shown = items[:limit] if limit else items
    rest = [f"  and {len(items) - len(shown):,} more; the JSON names them all."] if len(shown) < len(items) else []
    return "\n".join([*(_wrap(plain(item), "  - ", "    ") for item in shown), *rest])


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return _table([(name, value) for name, value in pairs], indent="  ")


def _table(rows: Sequence[tuple[str, ...]], indent: str = "  ", right: tuple[int, ...] = ()) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        cells = (f"{c:>{w}}" if i in right else f"{c:<{w}}" for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)
