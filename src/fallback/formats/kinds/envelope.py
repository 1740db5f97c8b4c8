"""What a kind needs to write that stands around the orders: who sends, to whom, when, under which number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Envelope:
    """``sequence`` is the number of the file, ``at`` the instant it is made; ``codes`` the agreement's."""

    sequence: int = 1
    at: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    codes: Mapping[str, str] = field(default_factory=dict)
