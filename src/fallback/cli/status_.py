"""``fallback status``: where we stand, and the next command to type."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fallback.cli.common import agreement_option, emit, json_option, wall_clock

if TYPE_CHECKING:
    from fallback.agreement import Agreement


@click.command("status")
@agreement_option
@json_option
def command(agreement: Path | None, as_json: bool) -> int:
    """Where we stand, and the next command to type.

    \b
    Example:
      fallback status
    """
    from fallback.agreement import load_agreement
    from fallback.errors import FallbackError

    now = wall_clock()
    try:
        terms = load_agreement(agreement or Path())
    except FallbackError as error:
        if error.code != "agreement-missing" or agreement is not None:
            raise
        document: dict[str, Any] = {
            "agreement": None,
            "lines": ["there is no agreement in this folder", "rehearse the procedure: fallback drill"],
            "next": "fallback init DIR",
        }
    else:
        document = _standing(terms, now)
    if as_json:
        emit({"schema": "fallback.status/1", **document})
    else:
        for line in document["lines"]:
            click.echo(line)
        click.echo(f"next: {document['next']}")
    return 0


def _standing(terms: Agreement, now: datetime) -> dict[str, Any]:
    lines = [f"agreement  {terms.id} version {terms.version}, {terms.sha256[:12]}, format {terms.format.orders}"]
    if now.date() > terms.review_by:
        lines.append(f"           its review was due on {terms.review_by} (agreement-review): it holds, review it soon")
    lines += _cutoffs(terms, now)
    if not terms.has_local:
        lines.append("side       unknown: there is no local.toml beside the agreement")
        step = "fallback init DIR --side SIDE --from agreement.toml"
        return {"agreement": terms.id, "side": None, "lines": lines, "next": step}
    side = _brand(terms) if terms.local.side == "brand" else _warehouse(terms)
    return {"agreement": terms.id, "side": terms.local.side, **side, "lines": [*lines, *side["lines"]]}


def _cutoffs(terms: Agreement, now: datetime) -> list[str]:
    from fallback.clock import due_at, next_cutoff

    lines = []
    for cutoff in terms.cutoffs:
        instant = next_cutoff(cutoff, now)
        if instant is not None:
            due = due_at(instant, cutoff)
            lines.append(f"cut-off    {cutoff.id}: next {instant:%Y-%m-%d %H:%M} UTC, fallback due {due:%H:%M} UTC")
    return lines


def _brand(terms: Agreement) -> dict[str, Any]:
    from fallback.brand.outbox import open_outbox

    path = terms.path(terms.local.outbox)
    if not path.exists():
        lines = ["outbox     empty: nothing was exported yet"]
        return {"lines": lines, "next": "fallback export PAYLOAD --integration paused --confirmed-by NAME"}
    with open_outbox(path) as outbox:
        summary = outbox.summary()
    lines = [
        f"outbox     {len(summary.made)} made and not sent, {len(summary.open)} sent and not answered",
        f"orders     {len(summary.accepted)} in the warehouse, {len(summary.rejected)} to correct, "
        f"{len(summary.awaiting)} to be decided with the warehouse",
    ]
    if summary.open:
        step = "fallback collect"
    elif summary.made:
        made = Path(terms.local.outgoing) / summary.made[-1]
        # Exported with --out it lies elsewhere; where, only the person knows.
        step = f"fallback send {made if terms.path(str(made)).exists() else f'DIR/{made.name}'}"
    elif summary.awaiting:
        step = "call the warehouse about the orders to be decided, then: fallback reconcile --platform P --wms W"
    elif summary.rejected:
        step = "correct the orders in the shop, then: fallback export PAYLOAD"
    else:
        step = "fallback reconcile --platform PAYLOAD --wms WMS-LIST.csv --wms-as-of INSTANT"
    counts = {"made": len(summary.made), "open": len(summary.open), "rejected": len(summary.rejected)}
    counts |= {"awaiting": len(summary.awaiting), "accepted": len(summary.accepted)}
    return {"lines": lines, "counts": counts, "next": step}


def _warehouse(terms: Agreement) -> dict[str, Any]:
    from fallback.delivery import open_drop
    from fallback.documents.base import MANIFEST_SUFFIX
    from fallback.errors import FallbackError
    from fallback.render.words import count

    try:
        with open_drop(terms) as drop:
            waiting = [entry.name for entry in drop.list("in") if not entry.name.endswith(MANIFEST_SUFFIX)]
            unfinished = [entry.name for entry in drop.list("work") if not entry.name.endswith(MANIFEST_SUFFIX)]
    except FallbackError as error:
        lines = [f"drop       cannot be seen: {error.message} ({error.code})"]
        return {"lines": lines, "next": "fallback check --connect"}
    lines = [f"drop       {count(len(waiting), 'file')} waiting, {len(unfinished):,} taken and not finished"]
    step = "fallback receive" if waiting or unfinished else "wait for the brand; fallback receive takes what comes"
    return {"lines": lines, "counts": {"waiting": len(waiting), "unfinished": len(unfinished)}, "next": step}
