"""XML: one element an order, values in elements and attributes named by their path from it.

Read without document type declarations and entities: neither bombs nor files of ours can be drawn in by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler, feature_namespaces
from xml.sax.saxutils import escape, quoteattr

from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row, Tree
from fallback.formats.spec import Format

_DEEPEST = 64
_ENCODINGS = {"utf-8-sig": "UTF-8", "cp1252": "windows-1252", "ascii": "US-ASCII"}


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The orders of the document, each with the line that it begins on."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.sax import make_parser

    # The text is decoded by the format's encoding already; what the document says of itself no longer holds.
    body = re.sub(r"\A\s*<\?xml[^>]*\?>", lambda match: "\n" * match[0].count("\n"), text)
    handler = _Handler(fmt)
    parser = make_parser()
    parser.forbid_dtd = True
    parser.setFeature(feature_namespaces, True)
    parser.setContentHandler(handler)
    handler.setDocumentLocator(parser)  # feeding a parser does not tell it
    try:
        parser.feed(body)
        parser.close()
    except DefusedXmlException:
        yield Fault("xml-forbidden", 1, found="a document type declaration or an entity", expected="none")
        return
    except SAXParseException as error:
        yield Fault("xml-invalid", error.getLineNumber() or 1, found="XML that ends or breaks here")
        return
    except (SAXException, ValueError):
        yield Fault("xml-invalid", 1, found="XML that cannot be read")
        return
    yield from handler.faults
    yield from (Row(0, tree, line, number) for number, (tree, line) in enumerate(handler.orders, start=1))
    declared = handler.root_attributes.get(fmt.xml.count or "")
    if fmt.xml.count and declared != str(len(handler.orders)):
        yield Fault(
            "trailer-differs", 1, field=fmt.xml.count, found=(declared or "nothing")[:20],
            expected=f"{len(handler.orders)} orders",
        )  # fmt: skip


class _Handler(ContentHandler):
    """Collects the values of each order element by their paths. One use, one document."""

    def __init__(self, fmt: Format) -> None:
        super().__init__()
        terms = fmt.xml
        self.terms = terms
        self.top = 2 if terms.order else 1  # how deep the element of an order stands
        prefix = terms.lines + "/"
        self.own = {f.name for f in fmt.fields if not f.name.startswith(prefix)}
        self.inside = {f.name for f in fmt.fields if f.name.startswith(prefix)}
        self.groups = _groups(self.own | self.inside | {terms.lines})
        self.stack: list[str] = []
        self.path: list[str] = []
        self.text = ""
        self.orders: list[tuple[Tree, int]] = []
        self.faults: list[Fault] = []
        self.root_attributes: dict[str, str] = {}
        self.line = 0
        self.unknown: list[tuple[str, str]] = []
        self.values: dict[str, str] = {}
        self.lines: list[dict[str, str]] = []

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: N802 - the names of SAX
        self.locator = locator

    def startElementNS(self, name: Any, qname: Any, attrs: Any) -> None:  # noqa: ARG002, N802 - the names of SAX
        uri, local = name
        if len(self.stack) >= _DEEPEST:
            raise SAXException("too deep")
        self.stack.append(local)
        found = {attribute: value for (space, attribute), value in attrs.items() if space is None}
        if uri != self.terms.namespace and len(self.stack) <= 2:
            expected = self.terms.namespace or "no namespace"
            self.fault("header-missing", found="another namespace", expected=expected)
        if len(self.stack) == 1:
            self.root_attributes = found
            if local != self.terms.root:
                self.fault("header-missing", found=f"an element {local[:60]}", expected=self.terms.root)
        if len(self.stack) < self.top:
            return
        if len(self.stack) == self.top:
            self.begin(local)
        else:
            self.enter(local)
        for attribute, value in found.items():
            self.take("/".join([*self.path, "@" + attribute]), value)

    def begin(self, local: str) -> None:
        if self.terms.order and local != self.terms.order:
            self.fault("column-unknown", found=f"an element {local[:60]}", expected=self.terms.order)
        self.path, self.values, self.lines, self.unknown = [], {}, [], []
        self.line = self.place()
        self.text = ""

    def enter(self, local: str) -> None:
        self.path.append(local)
        self.text = ""
        path = "/".join(self.path)
        if path == self.terms.lines:
            self.lines.append({})
        elif path not in self.groups and path not in self.own | self.inside:
            self.unknown.append(("value-malformed", path[:80]))

    def take(self, path: str, value: str) -> None:
        target = self.lines[-1] if path in self.inside and self.lines else self.values
        if path not in self.own | self.inside:
            self.unknown.append(("value-malformed", path[:80]))
        elif path in target:
            self.unknown.append(("value-malformed", f"a second {path[:80]}"))
        elif value:
            target[path] = value

    def characters(self, content: str) -> None:
        self.text += content

    def endElementNS(self, name: Any, qname: Any) -> None:  # noqa: ARG002, N802 - the names of SAX
        self.stack.pop()
        if len(self.stack) == self.top - 1:
            self.orders.append((Tree(self.values, self.lines, tuple(self.unknown)), self.line))
        elif self.path:
            path = "/".join(self.path)
            if path in self.own | self.inside:
                self.take(path, self.text)
            elif self.text.strip():
                self.unknown.append(("value-malformed", f"text in {path[:80]}"))
            self.path.pop()
        self.text = ""

    def place(self) -> int:
        return int(self.locator.getLineNumber() or 1)

    def fault(self, code: str, found: str, expected: str) -> None:
        self.faults.append(Fault(code, self.place(), found=found, expected=expected))


def _groups(names: Iterable[str]) -> set[str]:
    """The elements that hold others: every beginning of a path."""
    return {"/".join(parts[:depth]) for name in names for parts in [name.split("/")] for depth in range(1, len(parts))}


def write(rows: Iterable[tuple[int, Any]], fmt: Format, envelope: Envelope) -> Iterator[str]:  # noqa: ARG001
    """The document, one value a line."""
    terms, end = fmt.xml, fmt.newline_text
    trees = [tree for _, tree in rows]
    attributes = dict(terms.attributes)
    if terms.namespace:
        attributes = {"xmlns": terms.namespace} | attributes
    if terms.count:
        attributes[terms.count] = str(len(trees))
    shown = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    encoding = _ENCODINGS.get(fmt.encoding, fmt.encoding.upper())
    yield f'<?xml version="1.0" encoding="{encoding}"?>{end}'
    if not terms.order:
        own = {"@xmlns": terms.namespace} if terms.namespace else {}
        for tree in trees:
            yield end.join(_element(terms.root, own | _content(tree, fmt), 0)) + end
        return
    yield f"<{terms.root}{shown}>{end}"
    for tree in trees:
        yield end.join(_element(terms.order, _content(tree, fmt), 1)) + end
    yield f"</{terms.root}>{end}"


def _content(tree: Tree, fmt: Format) -> dict[str, Any]:
    """The values of an order as nested elements, in declared order; the lines at the place of their first field."""
    content: dict[str, Any] = {}
    placed = False
    for field in fmt.fields:
        if not field.name.startswith(fmt.xml.lines + "/"):
            _put(content, field.name.split("/"), tree.order.get(field.name))
        elif not placed:
            placed = True
            lines = []
            for line in tree.lines:
                inner: dict[str, Any] = {}
                for name, value in line.items():
                    _put(inner, name.removeprefix(fmt.xml.lines + "/").split("/"), value)
                lines.append(inner)
            _put(content, fmt.xml.lines.split("/"), lines)
    return content


def _put(content: dict[str, Any], keys: list[str], value: Any) -> None:
    if value is None:
        return
    for key in keys[:-1]:
        content = content.setdefault(key, {})
    content[keys[-1]] = value


def _element(name: str, content: Any, depth: int) -> Iterator[str]:
    indent = " " * depth
    if isinstance(content, list):
        for item in content:
            yield from _element(name, item, depth)
    elif isinstance(content, dict):
        attributes = "".join(f" {k[1:]}={quoteattr(v)}" for k, v in content.items() if k.startswith("@"))
        inner = [line for k, v in content.items() if not k.startswith("@") for line in _element(k, v, depth + 1)]
        if inner:
            yield f"{indent}<{name}{attributes}>"
            yield from inner
            yield f"{indent}</{name}>"
        else:
            yield f"{indent}<{name}{attributes}/>"
    else:
        yield f"{indent}<{name}>{escape(content)}</{name}>"


def writable(text: str, fmt: Format) -> bool:  # noqa: ARG001 - the verb of the family
    """XML carries any text that a record allows."""
    return True
