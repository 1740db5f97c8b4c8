"""How long the long tests run: a tenth by default, at full length where ``FALLBACK_SOAK`` is set (``make soak``)."""

from __future__ import annotations

import os

ON = os.environ.get("FALLBACK_SOAK", "") not in ("", "0")


def times(count: int) -> int:
    """The number of rounds of a test that has ``count`` of them at full length."""
    return count if ON else max(1, count // 10)
