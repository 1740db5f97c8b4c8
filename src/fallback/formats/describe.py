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
    if fmt.defaults:
        words = ", ".join(f"`{path}` as `{text}`" for path, text in fmt.defaults.items())
        yield f"- read instead of what it has no field for: {words}"


def _row(field: Field) -> str:
    path = f"`{field.path}`" if field.path else f"always `{field.constant}`"
    if field.code:
        path = f"code `{field.code}`"
    dates = field.date if isinstance(field.date, tuple) else (field.date or "",)
    form = " or ".join(dates) or (f"`{_cell(field.pattern)}`" if field.pattern else "") or ", ".join(field.allowed)
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
