"""A format in words: the page that both sides read, made from the declaration and so never older than it."""

from __future__ import annotations

from collections.abc import Iterator

from fallback.formats.kinds.fixed_width import spans
from fallback.formats.spec import Field, Format, RecordSpec


def describe(fmt: Format) -> str:
    """The format as Markdown: how the file looks, and every field with its meaning, path, need, length and source."""
    return "\n".join(_lines(fmt)) + "\n"


def _lines(fmt: Format) -> Iterator[str]:
    yield f"# {fmt.name}, version {fmt.version}"
    yield ""
    yield fmt.title + "."
    yield ""
    yield from (f"- {name}: {text}" for name, text in facts(fmt))
    for row in fmt.rows:
        yield ""
        if fmt.records:
            yield f"## {role_of(row, fmt)}"
            yield ""
        title = {"fixed-width": "columns", "x12": "element"}.get(fmt.kind, "#")
        yield f"| {title} | field | canonical path | required | longest | form | meaning | source |"
        yield "|---|---|---|---|---|---|---|---|"
        yield from (
            f"| {place} | {_row(field)} |" for place, field in zip(places_of(row, fmt), row.fields, strict=True)
        )
    yield ""
    yield "## What a file proves by itself"
    yield ""
    yield from (f"- {proof}" for proof in proofs(fmt))
    yield ""
    yield "The manifest beside the file proves every byte of it."


_COUNTS = {
    "file_orders": "orders",
    "file_lines": "lines",
    "file_units": "the sum of the quantities",
    "hash_total": "the digits of the order numbers",
}


def places_of(row: RecordSpec, fmt: Format) -> list[str]:
    """Where each field of a row stands."""
    if fmt.fixed_width is not None:
        return [f"{begin + 1}-{end}" for begin, end in spans(row, fmt.fixed_width.tag_width)]
    if fmt.kind == "x12":
        positions = [field.element if isinstance(field.element, tuple) else (field.element,) for field in row.fields]
        return [" and ".join(map(str, at)) for at in positions]
    # A tag that stands in a cell of its own is the first one.
    first = 2 if fmt.records and len(fmt.roles) == 1 and fmt.delimited.tags == "cell" else 1
    return [str(first + index) for index in range(len(row.fields))]


def proofs(fmt: Format) -> Iterator[str]:
    """What of a damaged file is noticed without its manifest, and what is not."""
    if fmt.kind == "json-lines":
        yield "Each order is one object: a part of it that is lost breaks it, and it is refused."
    if fmt.kind in ("json", "xml"):
        yield "The file is one document: with a part of it cut off, it is refused."
    if fmt.kind == "x12":
        yield "Each transaction counts its segments: with one lost or doubled, the order is refused."
    if "order_lines" in fmt.carried:
        yield "Each order says how many lines it has: with a lost or doubled row it is refused."
    if "order_units" in fmt.carried:
        yield "Each order says how many units it has: with a changed quantity it is refused."
    if "order_check" in fmt.carried:
        yield "Each order has check digits: with a changed identifier, SKU or quantity it is refused."
    if fmt.layout == "line":
        yield "The rows of one order must agree about it. An order of a single row has nothing to agree with."
    if fmt.layout == "two-files":
        yield "Half of the pair is refused, and so is an order without a line, or a line without its order."
    references = [
        field.name for row in fmt.records if row.repeats for field in row.fields if field.path in _of_order(fmt)
    ]
    if references and fmt.tabular:
        yield f"The rows of the lines repeat {', '.join(references)}: one in the wrong place is refused."
    yield _whole(fmt)
    yield "Any other value that is changed into a possible one is not noticed."


def _whole(fmt: Format) -> str:
    """What tells that no order is lost."""
    counts = [_COUNTS[str(field.path)] for row in fmt.records if row.trailer for field in row.fields if field.path]
    if counts:
        return f"The closing row counts {', '.join(counts)}: a file that differs, or has lost its end, is refused."
    if member := {"json": fmt.json_terms.count, "xml": fmt.xml.count}.get(fmt.kind):
        return f"`{member}` says how many orders there are: a file with another number is refused."
    if fmt.kind == "x12":
        return "GE and IEA count transactions and groups: a file with another number, or without its end, is refused."
    if fmt.max_orders == 1:
        return "A file holds one order."
    return "Whole orders can be lost from it without a trace."


def _of_order(fmt: Format) -> frozenset[str | None]:
    return frozenset(field.path for row in fmt.records if not row.repeats and not row.trailer for field in row.fields)


def role_of(row: RecordSpec, fmt: Format) -> str:
    """What the rows of a type are, in words."""
    role = "one a line of the order" if row.repeats else "one at the end of the file" if row.trailer else "one an order"
    if fmt.kind == "x12":
        marks = [f"with {field.constant}" for field in row.fields if field.qualifier]
        role = "for a line of the order" if row.repeats else "for the order"
        return f"Segment {' '.join([row.tag, *marks])}{f' in loop {row.loop}' if row.loop else ''}: {role}"
    if len(fmt.roles) > 1:
        return f"File {row.tag}: {role.removeprefix('one ')} a row"
    return f"Rows {row.tag}: {role}"


def facts(fmt: Format) -> list[tuple[str, str]]:
    """What holds for the file as a whole, as name and text."""
    ends = {"lf": "LF", "crlf": "CR LF", "cr": "CR"}[fmt.newline]
    found = [("kind and layout", f"{fmt.kind}, {fmt.layout}"), ("text", f"{fmt.encoding}, each row ends with {ends}")]
    if fmt.kind == "delimited":
        mark = {"|": "pipe", ",": "comma", ";": "semicolon", "\t": "tab"}.get(fmt.delimited.delimiter, "other")
        terms = fmt.delimited
        found.append(("cells", f"separated by {mark}, quoting {terms.quoting}, header row {terms.header}"))
        if terms.tags == "joined":
            found.append(("tags", "stand before the first cell, with no delimiter between them"))
        if terms.line_breaks == "refuse":
            found.append(("line breaks", "none inside a cell: every row is one line"))
        if terms.comment:
            found.append(("comments", f"rows that begin with `{terms.comment}` do not count"))
    if fmt.fixed_width is not None:
        found.append(("rows", f"{fmt.fixed_width.record_length} characters each"))
    found += _document(fmt)
    if fmt.direction == "read":
        found.append(("direction", "read only: files of this format are never written"))
    found.append(("file name", f"`{fmt.file_name}`"))
    if len(fmt.roles) > 1:
        roles = " and ".join(role.upper() for role in fmt.roles)
        found.append(("files", f"two, with {roles} in their names; both are one fallback file with one manifest"))
    found.append(("agreed not to carry", ", ".join(f"`{path}`" for path in fmt.drops) or "nothing"))
    if fmt.defaults:
        words = ", ".join(f"`{path}` as `{text}`" for path, text in fmt.defaults.items())
        found.append(("read instead of what it has no field for", words))
    if coarse := [field.path for field in fmt.all_fields if field.coarse]:
        words = ", ".join(f"`{path}`" for path in coarse)
        found.append(("carried less exactly, by agreement", f"{words}, as the form of the date shows"))
    if fmt.max_orders:
        found.append(("orders in a file", f"at most {fmt.max_orders:,}"))
    if fmt.max_lines:
        found.append(("lines in an order", f"at most {fmt.max_lines:,}"))
    if fmt.row_order.adjacent:
        found.append(("order of rows", "all rows of an order together"))
    if fmt.row_order.sorted_by:
        found.append(("order of rows", f"orders sorted by `{fmt.row_order.sorted_by}`"))
    if fmt.row_order.tied_by:
        found.append(("rows of one order", "known by " + ", ".join(f"`{path}`" for path in fmt.row_order.tied_by)))
    if fmt.row_order.follow:
        found.append(("rows of one order", "a row without fields of the order belongs to the order above it"))
    if fmt.uncounted:
        found.append(("count of lines", f"a lost row is noticed by the manifest only: {fmt.uncounted}"))
    if fmt.status == "unverified":
        found.append(("unverified", "nobody could try it against the partner's system"))
    found += [("note", text) for text in fmt.notes]
    return found


def _document(fmt: Format) -> list[tuple[str, str]]:
    """What holds for a file that is one document."""
    if fmt.kind == "x12":
        terms = fmt.x12
        ids = f"version {terms.version}, functional group {terms.functional}, transaction {terms.transaction}"
        marks = f"written as `{terms.element}`, `{terms.component}` and `{terms.segment}`, read from ISA"
        return [("envelopes", ids), ("separators", marks)]
    if fmt.kind == "xml":
        holds = f", each order in `{fmt.xml.order}`" if fmt.xml.order else ", one order a document"
        space = f"namespace `{fmt.xml.namespace}`" if fmt.xml.namespace else "no namespace"
        return [("document", f"`{fmt.xml.root}`{holds}, its lines in `{fmt.xml.lines}`, {space}")]
    if fmt.kind == "json":
        return [("document", f"an object with the list `{fmt.json_terms.root}`, an object an order")]
    return []


def _row(field: Field) -> str:
    path = f"`{field.path}`" if field.path else f"always `{field.constant}`" if field.constant else "always blank"
    if field.code:
        path = f"code `{field.code}`"
    if field.unused:
        path = "not used" + (f", always `{field.constant}`" if field.constant else "")
    if field.only is not None:
        path = "only " + " or ".join(f"`{one}`" if one else "blank" for one in field.only)
    dates = field.date if isinstance(field.date, tuple) else (field.date or "",)
    form = " or ".join(dates) or (f"`{_cell(field.pattern)}`" if field.pattern else "") or ", ".join(field.allowed)
    if field.once:
        form = f"{form}, each in one line only".lstrip(", ")
    if field.stand_in is not None:
        form += f" `{field.stand_in}` where absent"
    cells = (
        f"`{field.name}`",
        path,
        "yes" if field.required else "",
        "" if field.longest is None else f"{field.longest:,}",
        form,
        _cell(field.doc),
        _cell(field.source or ""),
    )
    return " | ".join(cells)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
