"""The fence before loading: orders that may come by the integration too are not loaded unless somebody answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fallback.documents.manifest import Integration
from fallback.warehouse.wms import Listed, Wms

if TYPE_CHECKING:
    from fallback.agreement import Agreement

_PAUSE_HOLDS = timedelta(days=1)
"""How long a confirmed pause counts: one night. After it, somebody looks again."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Why a file is not loaded unless somebody answers for it."""

    code: str
    why: str


def fence_of(said: Integration, terms: Agreement, wms: Wms, now: datetime) -> Fence | None:
    """Why these orders may come by the integration too, or have come by it unseen; None where they may be loaded."""
    skew = terms.monitoring.max_clock_skew
    why = ""
    if said.state == "live" or said.at is None:
        why = "the brand does not confirm that the integration is paused"
    elif said.state == "down" and terms.integration.replay_guard == "none":
        why = "the integration is down and not paused, and nobody stops what it sends when it comes back"
    elif said.at - now > skew:
        why = "the integration is confirmed as paused at a time that has not come yet: a clock is wrong"
    elif now - said.at > _PAUSE_HOLDS:
        why = "that the integration is paused was confirmed more than a day ago"
    if why:
        return Fence("integration-live", why)
    listed = wms.listed_at() if isinstance(wms, Listed) else None
    # What was listed after the pause has everything that the integration brought, however old the list is.
    since_pause = said.state == "paused" and listed is not None and said.at is not None and listed >= said.at
    if listed is None or (listed - now <= skew and (since_pause or now - listed <= terms.monitoring.max_snapshot_age)):
        return None
    why = "the warehouse system's list is older than agreed, and than the pause: what came since is not known"
    if listed - now > skew:
        why = "the warehouse system's list is from the future: a clock is wrong"
    return Fence("list-stale", why)
