"""XML: one element an order, values in elements and attributes named by their path from it.

Read without document type declarations and entities: neither bombs nor files of ours can be drawn in by them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Any
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler, feature_namespaces
from xml.sax.saxutils import escape, quoteattr

from fallback.findings import quote
from fallback.formats.kinds.envelope import Envelope
from fallback.formats.kinds.rows import Fault, Row, Tree
from fallback.formats.spec import Format

_DEEPEST = 64
_MOST_TOLD = 1000  # so many names that nobody declared say that an order is another one
_OF_XML = ("http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2001/XMLSchema-instance")
_ENCODINGS = {"utf-8-sig": "UTF-8", "cp1252": "windows-1252", "ascii": "US-ASCII"}


def read(text: str, fmt: Format) -> Iterator[Row | Fault]:
    """The orders of the document, each with the line that it begins on."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.sax import make_parser

    declared = _DECLARATION.match(text)
    if (wrong := _encoding_fault(declared, text, fmt)) is not None:
        yield wrong
        return
    # The text is decoded by the format's encoding already; what the document says of itself no longer holds.
    body = "\n" * declared[0].count("\n") + text[declared.end() :] if declared else text
    handler = _Handler(fmt)
    parser = make_parser()
    parser.forbid_dtd = True
    parser.setFeature(feature_namespaces, True)
    parser.setContentHandler(handler)
    handler.setDocumentLocator(parser)  # feeding a parser does not tell it
    try:
        for at in range(0, len(body), _PIECE):
            parser.feed(body[at : at + _PIECE])
            yield from handler.taken()
        parser.close()
    except DefusedXmlException:
        found = "a document type declaration or an entity"
        yield Fault("xml-forbidden", handler.place(), found=found, expected="none")
    except SAXParseException as error:
        yield Fault("xml-invalid", error.getLineNumber() or 1, found="XML that ends or breaks here")
    except _Enough:
        yield from handler.taken()
    except (SAXException, ValueError):
        yield Fault("xml-invalid", handler.place(), found="elements in elements without end, or no XML")
    else:
        yield from handler.counted()


_PIECE = 100_000  # so many characters are parsed at a time, and their orders handed on


class _Enough(SAXException):
    """The document is another one: what it says of orders says nothing to us. Never leaves this module."""


_DECLARATION = re.compile(r"""\s*<\?xml\s(?:[^>]*?\bencoding\s*=\s*["']([^"'>]*)["'])?[^>]*\?>""")


def _encoding_fault(declared: re.Match[str] | None, text: str, fmt: Format) -> Fault | None:
    """What is wrong where a document names another encoding than the agreed one: its letters may be others."""
    name = declared[1] if declared else None
    if not name or text.isascii():
        return None
    try:
        same = codecs.lookup(name).name == codecs.lookup(fmt.encoding.removesuffix("-sig")).name
    except LookupError:
        same = False
    return (
        None if same else Fault("encoding-wrong", 1, found=f"a declaration of {quote(name, 20)}", expected=fmt.encoding)
    )


class _Handler(ContentHandler):
    """Collects the values of each order element by their paths. One use, one document."""

    def __init__(self, fmt: Format) -> None:
        super().__init__()
        terms = fmt.xml
        self.terms = terms
        self.element = terms.order or terms.root
        self.top = 2 if terms.order else 1  # how deep the element of an order stands
        prefix = terms.lines + "/"
        self.leaves = {field.name for field in fmt.fields}
        self.inside = {name for name in self.leaves if name.startswith(prefix)}
        self.groups = _groups(self.leaves | {terms.lines})
        self.stack: list[str] = []
        self.path: list[str] = []
        self.text: list[str] = []
        self.number = 0
        self.found: list[Row | Fault] = []
        self.faults = 0
        self.root_attributes: dict[str, str] = {}
        self.line = 0
        self.unknown: dict[tuple[str, str], None] = {}
        self.values: dict[str, str] = {}
        self.lines: list[dict[str, str]] = []
        self.met: set[str] = set()

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: N802 - the names of SAX
        self.locator = locator

    def startElementNS(self, name: Any, qname: Any, attrs: Any) -> None:  # noqa: ARG002, N802 - the names of SAX
        uri, local = name
        if len(self.stack) >= _DEEPEST:
            raise SAXException("too deep")
        self.stray()
        self.stack.append(local)
        depth = len(self.stack)
        if depth == 1:
            self.begin_document(uri, local, attrs)
        elif depth == 2 == self.top and local != self.element:
            self.fault("column-unknown", f"an element {local[:60]}", self.terms.order)
        if depth == self.top:
            self.begin()
        elif depth > self.top:
            self.enter(local)
        if uri != self.terms.namespace:
            self.note(f"{local[:60]} of another namespace")
        for (space, attribute), value in attrs.items() if depth >= self.top else ():
            if space is None:
                self.take("/".join([*self.path, "@" + attribute]), value)
            elif space not in _OF_XML:
                self.note(f"an attribute {attribute[:60]} of another namespace")

    def begin_document(self, uri: str | None, local: str, attrs: Any) -> None:
        terms = self.terms
        self.root_attributes = {attribute: value for (space, attribute), value in attrs.items() if space is None}
        if local != terms.root:
            self.fault("header-missing", f"an element {local[:60]}", terms.root)
        elif uri != terms.namespace:
            self.fault("header-missing", "another namespace", terms.namespace or "no namespace")
        for name, value in terms.attributes.items():
            if ":" not in name and name != "xmlns" and self.root_attributes.get(name) != value:
                self.fault("header-missing", f"another {name}", f"{name} {quote(value, 60)}")
        if terms.order and self.root_attributes.keys() - {*terms.attributes, terms.count}:
            self.fault("column-unknown", "attributes of the root that the format does not declare", "none")

    def begin(self) -> None:
        self.path, self.values, self.lines, self.unknown, self.met = [], {}, [], {}, set()
        self.line = self.place()

    def enter(self, local: str) -> None:
        self.path.append(local)
        path = "/".join(self.path)
        if path == self.terms.lines:
            self.lines.append({})
            self.met = {one for one in self.met if not one.startswith(path + "/")}
        elif path in self.leaves or path in self.groups:
            if path in self.met:
                self.note(f"a second {path[:80]}")
            self.met.add(path)
        else:
            self.note(path[:80])

    def take(self, path: str, value: str) -> None:
        target = self.lines[-1] if path in self.inside and self.lines else self.values
        if path not in self.leaves:
            self.note(path[:80])
        elif value:
            target[path] = value

    def characters(self, content: str) -> None:
        self.text.append(content)

    def stray(self) -> None:
        """The text since the last tag belongs to no value."""
        text, self.text = "".join(self.text).strip(), []
        if text and len(self.stack) >= self.top:
            self.note(f"text in {'/'.join(self.path)[:80] or self.stack[-1][:80]}")
        elif text:
            self.fault("column-unknown", "text between the orders", self.terms.order)

    def endElementNS(self, name: Any, qname: Any) -> None:  # noqa: ARG002, N802 - the names of SAX
        path = "/".join(self.path)
        if path in self.leaves:
            self.take(path, "".join(self.text))
            self.text = []
        self.stray()
        local = self.stack.pop()
        if len(self.stack) == self.top - 1 and local == self.element:
            self.number += 1
            self.found.append(Row(0, Tree(self.values, self.lines, tuple(self.unknown)), self.line, self.number))
        elif self.path:
            self.path.pop()

    def note(self, name: str) -> None:
        """Something in this order that the format does not declare."""
        if len(self.unknown) < _MOST_TOLD:
            self.unknown[("value-malformed", name)] = None

    def place(self) -> int:
        return int(self.locator.getLineNumber() or 1)

    def fault(self, code: str, found: str, expected: str) -> None:
        """Something wrong with the document. Raises _Enough where it is another one, or wrong throughout."""
        self.faults += 1
        self.found.append(Fault(code, self.place(), found=found, expected=expected))
        if code == "header-missing" or self.faults > _MOST_TOLD:
            raise _Enough(found)

    def taken(self) -> list[Row | Fault]:
        """What was found since the last call."""
        taken, self.found = self.found, []
        return taken

    def counted(self) -> Iterator[Fault]:
        """What is wrong with the document's count of its orders."""
        name = self.terms.count
        count = self.root_attributes.get(name or "")
        if name and count != str(self.number):
            found = quote(count, 20) if count else "nothing"
            yield Fault("trailer-differs", 1, field=name, found=found, expected=f"{self.number} orders")


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
    """XML 1.0 section 2.2: any text that a record allows, but for two code points that are no characters."""
    return "\ufffe" not in text and "\uffff" not in text
