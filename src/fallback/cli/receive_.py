"""``fallback receive``: take, check, load and answer what is in the drop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fallback.cli.common import (
    PersonName,
    agreement_option,
    emit,
    item_list,
    json_option,
    load_agreement,
    of_side,
    say,
    wall_clock,
)

if TYPE_CHECKING:
    from fallback.documents.base import State
    from fallback.warehouse.inbox import Received


@click.command("receive")
@agreement_option
@click.option("--drill", is_flag=True, help="Receive from the drill's drop.")
@click.option("--skus", type=click.Path(path_type=Path), help="The item list, one SKU a line; else local.toml's.")
@click.option(
    "--integration-live",
    "live_by",
    type=PersonName(),
    metavar="NAME",
    help="Load although no pause of the integration is confirmed, or the system's list is too old; NAME answers for it "
    "and stands in the receipt.",
)
@click.option(
    "--person",
    type=PersonName(),
    metavar="NAME",
    help="Who receives; stands in the receipts. By default the one of local.toml.",
)
@click.option(
    "--html",
    "html_out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write each final receipt as a page into DIR.",
)
@json_option
def command(
    agreement: Path | None,
    drill: bool,
    skus: Path | None,
    live_by: str | None,
    person: str | None,
    html_out: Path | None,
    as_json: bool,
) -> int:
    """Sweep the drop once: claim each file, check it, load it, answer for every order.

    Safe to repeat and to be killed: nothing is loaded twice. Exit code 0 when every order was simply taken; 1 when some
    were not; 7 when a safety guard refused a file.

    \b
    Example:
      fallback receive --person "S. Lead"
    """
    from fallback.delivery import open_drop
    from fallback.warehouse.inbox import receive
    from fallback.warehouse.ledger import ledger_of
    from fallback.warehouse.wms import open_wms

    terms = load_agreement(agreement)
    of_side(terms, "warehouse")
    state: State = "drill" if drill else "live"
    items = item_list(terms, skus)
    with ledger_of(terms) as ledger, open_drop(terms, state) as drop:
        received = receive(
            agreement=terms,
            drop=drop,
            ledger=ledger,
            wms=open_wms(terms, state),
            now=wall_clock,
            skus=None if items is None else frozenset(items),
            integration_live_by=live_by,
            person=person or terms.local.person,
        )
    if as_json:
        emit(
            {
                "schema": "fallback.received/1",
                "receipts": [one.model_dump(mode="json", by_alias=True) for one in received.receipts],
                "notes": [{"kind": one.kind, "file": one.name, "code": one.code} for one in received.notes],
            }
        )
    else:
        _say_all(received)
    if html_out:  # last: what is loaded is told, whatever becomes of the pages
        from fallback.files import write_file
        from fallback.render.html import receipt_html

        for receipt in received.processed:
            write_file(html_out / f"{receipt.name}.html", receipt_html(receipt).encode(), replace=True)
    return received.exit_code


def _say_all(received: Received) -> None:
    from fallback.render.text import receipt_text

    for receipt in received.processed:
        click.echo(receipt_text(receipt))
    for note in received.notes:
        say(f"{note.code}: {note.text}\n  `fallback explain {note.code}`")
    if not received.receipts and not received.notes:
        say("nothing is waiting in the drop")
