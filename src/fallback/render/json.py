"""Documents as JSON: one document, indented, with a final line break."""

from __future__ import annotations

import json

from fallback.documents.base import Document
from fallback.documents.report import Report


def document_json(document: Document | Report) -> str:
    """Any document as the JSON of its schema; equal documents give equal text."""
    if isinstance(document, Report):
        return json.dumps(document.document(), indent=1, ensure_ascii=False) + "\n"
    return document.to_json()
