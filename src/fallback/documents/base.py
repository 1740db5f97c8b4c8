"""What all documents share: a schema name, strict JSON both ways, and one spelling of instants."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer, ValidationError

from fallback.errors import FallbackError
from fallback.records.values import in_range, write_instant

MANIFEST_SUFFIX = ".manifest.json"
"""What the name of a manifest adds to the name of its file."""

State = Literal["live", "drill"]
Moment = Annotated[
    AwareDatetime, AfterValidator(in_range), PlainSerializer(write_instant, return_type=str, when_used="json")
]


class Part(BaseModel):
    """Base of the parts of a document: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


class Document(Part):
    """Base of the documents. Subclasses set ``schema_`` to their own name and version."""

    def to_json(self) -> str:
        """Indented JSON with a final line break; equal documents give equal text."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"

    def to_bytes(self) -> bytes:
        return self.to_json().encode()

    @classmethod
    def from_json(cls, data: bytes | str, name: str = "") -> Self:
        """Read a document. Raises FallbackError ``document-unreadable`` with the places that are wrong.

        Values are never repeated in the error: a damaged document may hold anything.
        """
        title = cls.__name__.lower()
        try:
            content = json.loads(data, object_pairs_hook=_refuse_doubled)
            return cls.model_validate_json(json.dumps(content))
        except ValidationError as error:
            places = ", ".join(
                ".".join(str(part) for part in item["loc"]) or "(all)" for item in error.errors(include_input=False)[:5]
            )
            raise FallbackError(
                "document-unreadable", f"{name or title}: not a {title} of a known version: wrong at {places}"
            ) from None
        except (ValueError, RecursionError):
            raise FallbackError("document-unreadable", f"{name or title}: not valid JSON") from None


def _refuse_doubled(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice")
    return content


class AgreementRef(Part):
    """Which agreement a document was made under."""

    id: str
    version: str
    sha256: str


class FormatRef(Part):
    """Which format a document speaks of."""

    name: str
    version: str
    sha256: str


class Counts(Part):
    """Orders, their lines, and the sum of their quantities."""

    orders: int = 0
    lines: int = 0
    units: int = 0


def joint_sha256(hashes: Sequence[str]) -> str:
    """The hash of a fallback file: that of its one file; of a pair the SHA-256 of the two hashes, written one after the
    other in hexadecimal, so that neither file can change without it."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def moment(value: datetime) -> datetime:
    """An instant in whole seconds: documents do not carry fractions."""
    return value.replace(microsecond=0)
