"""``fallback reconcile``: platform against WMS, by key."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fallback.cli.common import Instant, agreement_option, at_option, emit, json_option, load_agreement, say, wall_clock

if TYPE_CHECKING:
    from fallback.agreement import Agreement
    from fallback.reconciliation import WmsSnapshot


@click.command("reconcile")
@click.option(
    "--platform",
    "payloads",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="The platform's payload; may be given several times.",
)
@click.option(
    "--wms",
    required=True,
    type=click.Path(path_type=Path),
    help="The warehouse's list: a CSV with keys, or the folder of its file loader.",
)
@click.option("--wms-as-of", type=Instant(), help="When that list was taken; the date of a CSV file is no proof.")
@at_option
@agreement_option
@json_option
def command(
    payloads: tuple[Path, ...],
    wms: Path,
    wms_as_of: datetime | None,
    at: datetime | None,
    agreement: Path | None,
    as_json: bool,
) -> int:
    """Platform against WMS, by key: what is missing, and is the fallback due?

    Exit code 0 clear or still in flight, 1 late or the two sides differ, 5 due, 6 cannot tell.

    \b
    Example:
      fallback reconcile --platform orders.json --wms wms-orders.csv --wms-as-of 2026-11-23T15:05:00Z
    """
    from fallback.brand.outbox import open_outbox
    from fallback.brand.outgoing import crosswalk
    from fallback.platforms.population import read_orders
    from fallback.reconciliation import Expected, reconcile
    from fallback.records.order import Order, fingerprint
    from fallback.render.text import reconciliation_text

    terms = load_agreement(agreement)
    now = at or wall_clock()
    fmt = terms.open_format()
    population = read_orders(payloads, brand=terms.brand, eligibility=terms.eligibility, now=now)
    mapping = crosswalk(terms)
    expected = [
        Expected(key, order.ordered_at, fingerprint(mapped, key, fmt.lost) if isinstance(mapped, Order) else None)
        for order in population.orders
        for key, mapped in [(terms.key(order), mapping.apply(order))]
    ]
    answered: dict[str, str] = {}
    outbox_file = terms.path(terms.local.outbox) if terms.has_local and terms.local.side == "brand" else None
    if outbox_file is not None and outbox_file.exists():
        with open_outbox(outbox_file) as outbox:
            answered = outbox.answers("live")
    result = reconcile(
        eligible=expected,
        wms=_snapshot(wms, wms_as_of, terms, now),
        answered=answered,
        cutoffs=terms.cutoffs,
        monitoring=terms.monitoring,
        now=now,
        unread=population.unread,
    )
    if as_json:
        emit(result.model_dump(mode="json", by_alias=True))
    else:
        click.echo(reconciliation_text(result), nl=False)
    return result.exit_code


def _snapshot(wms: Path, as_of: datetime | None, terms: Agreement, now: datetime) -> WmsSnapshot:
    """The warehouse's list: a CSV, or what the system has written back to its loader's folder.

    Where it writes nothing back, what was handed over to it counts as there, and it is said.
    """
    from fallback.errors import FallbackError
    from fallback.reconciliation import WmsRow, WmsSnapshot, read_wms_extract

    if wms.is_dir():
        from fallback.warehouse.wms import FileWms

        if not (wms / "loaded").is_dir():
            hint = "name the folder of local.toml's [wms], or the warehouse's list as a CSV file"
            raise FallbackError("extract-unusable", f"{wms}: not the folder of a file loader", hint=hint)
        system = FileWms(wms, create=False)
        listed_at = system.listed_at()
        if listed_at is None:
            say(f"{wms} has no orders.csv: what was handed over counts as there, and the system has not confirmed it")
        rows = (WmsRow(one.key, one.fingerprint, one.state) for one in system.listed().values())
        return WmsSnapshot(tuple(rows), as_of or listed_at or now)
    try:
        data = wms.read_bytes()
    except OSError as error:
        raise FallbackError("file-unreadable", f"{wms}: {error.strerror or 'cannot be read'}") from None
    snapshot = read_wms_extract(data, wms.name, terms, as_of)
    if as_of is None:
        say(f"{wms.name} does not say when it was taken: ask the warehouse, and give it with --wms-as-of")
    return snapshot
