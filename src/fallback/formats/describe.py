"""A format in words: the page that both sides read, made from the declaration and so never older than it."""

from __future__ import annotations

from collections.abc import Iterator

from fallback.formats.spec import Field, Format, RecordSpec


def describe(fmt: Format) -> str:
    """The format as Markdown: how the file looks, and every field with its meaning, path, need, length and source."""
    return "\n".join(_lines(fmt)) + "\n"


def _lines(fmt: Format) -> Iterator[str]:
    yield f"# {fmt.name}, version {fmt.version}"
    yield ""
    yield fmt.title + "."
    yield ""
    yield from _facts(fmt)
    for row in fmt.rows:
        yield ""
        if fmt.records:
            yield f"## {_role(row)}"
            yield ""
        yield "| # | field | canonical path | required | longest | form | meaning | source |"
        yield "|---|---|---|---|---|---|---|---|"
        for index, field in enumerate(row.fields, start=2 if fmt.records else 1):
            yield f"| {index} | {_row(field)} |"
    yield ""
    yield "## What a file proves by itself"
    yield ""
    yield from _proofs(fmt)


_COUNTS = {
    "file_orders": "orders",
    "file_lines": "lines",
    "file_units": "the sum of the quantities",
    "hash_total": "the digits of the order numbers",
}


def _proofs(fmt: Format) -> Iterator[str]:
    """What of a damaged file is noticed without its manifest, and what is not."""
    if fmt.layout == "nested":
        yield "- Each order is one object: a part of it that is lost breaks it, and it is refused."
    elif "order_lines" in fmt.carried:
        yield "- Each order says how many lines it has: with a lost or doubled row it is refused."
    if fmt.layout == "line":
        yield "- The rows of one order must agree about it. An order of a single row has nothing to agree with."
    references = [
        field.name for row in fmt.records if row.repeats for field in row.fields if field.path in _of_order(fmt)
    ]
    if references:
        yield f"- The rows of the lines repeat {', '.join(references)}: one in the wrong place is refused."
    counts = [_COUNTS[str(field.path)] for row in fmt.records if row.trailer for field in row.fields if field.path]
    if counts:
        yield f"- The closing row counts {', '.join(counts)}: a file that differs, or has lost its end, is refused."
    else:
        yield "- Whole orders can be lost from it without a trace."
    yield "- Any other value that is changed into a possible one is not noticed."
    yield ""
    yield "The manifest beside the file proves every byte of it."


def _of_order(fmt: Format) -> frozenset[str | None]:
    return frozenset(field.path for row in fmt.records if not row.repeats and not row.trailer for field in row.fields)


def _role(row: RecordSpec) -> str:
    role = "one a line of the order" if row.repeats else "one at the end of the file" if row.trailer else "one an order"
    return f"Rows {row.tag}: {role}"


def _facts(fmt: Format) -> Iterator[str]:
    ends = {"lf": "LF", "crlf": "CR LF", "cr": "CR"}[fmt.newline]
    yield f"- kind and layout: {fmt.kind}, {fmt.layout}"
    yield f"- text: {fmt.encoding}, each row ends with {ends}"
    if fmt.kind == "delimited":
        mark = {"|": "pipe", ",": "comma", ";": "semicolon", "\t": "tab"}.get(fmt.delimited.delimiter, "other")
        yield f"- cells: separated by {mark}, quoting {fmt.delimited.quoting}, header row {fmt.delimited.header}"
    yield f"- file name: `{fmt.file_name}`"
    drops = ", ".join(f"`{path}`" for path in fmt.drops) or "nothing"
    yield f"- agreed not to carry: {drops}"


def _row(field: Field) -> str:
    path = f"`{field.path}`" if field.path else f"always `{field.constant}`"
    if field.code:
        path = f"code `{field.code}`"
    form = field.date or (f"`{_cell(field.pattern)}`" if field.pattern else "") or ", ".join(field.allowed)
    if field.stand_in is not None:
        form += f" `{field.stand_in}` where absent"
    cells = (
        f"`{field.name}`",
        path,
        "yes" if field.required else "",
        "" if field.max_length is None else f"{field.max_length:,}",
        form,
        _cell(field.doc),
        _cell(field.source or ""),
    )
    return " | ".join(cells)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
