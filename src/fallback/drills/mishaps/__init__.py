"""The mishaps of a drill, in the order in which they are played. A new one is one module and one line here."""

from __future__ import annotations

from fallback.drills.mishaps import duplicates, fence, mapping, markers, replay, spreadsheet, stranger, uploads
from fallback.drills.mishaps.base import Observed, Staging

__all__ = ["MISHAPS", "Observed", "Staging"]

MISHAPS: tuple[Staging, ...] = (
    mapping.UNMAPPED_SKU,
    duplicates.DUPLICATE_ORDER,
    duplicates.LOADED_BY_INTEGRATION,
    duplicates.CHANGED_ORDER,
    uploads.TRUNCATED_UPLOAD,
    uploads.CUT_FILE,
    spreadsheet.SPREADSHEET_RESAVE,
    stranger.WRONG_HOST_KEY,
    markers.DRILL_TO_LIVE,
    markers.LIVE_ORDER_IN_DRILL,
    fence.INTEGRATION_LIVE,
    # The last one: the integration comes back with everything that was loaded until then.
    replay.REPLAY,
)
