"""``fallback collect``: the warehouse's receipts, and what is still unanswered."""

from __future__ import annotations

from pathlib import Path

import click

from fallback.cli.common import agreement_option, emit, json_option, load_agreement, of_side, say, wall_clock


@click.command("collect")
@agreement_option
@click.option("--drill", is_flag=True, help="Collect from the drill's drop.")
@json_option
def command(agreement: Path | None, drill: bool, as_json: bool) -> int:
    """Fetch the receipts from the drop and enter the answers into the outbox. Safe to repeat.

    Exit code 0 when every sent file is answered and every order is in the warehouse; 1 when orders are not; 4 when a
    sent file has no final receipt; 7 when a receipt is not about what was sent.

    \b
    Example:
      fallback collect
    """
    from fallback.brand.outbox import open_outbox
    from fallback.brand.sending import collect
    from fallback.delivery import open_drop
    from fallback.render.text import receipt_text
    from fallback.render.words import count

    terms = load_agreement(agreement)
    of_side(terms, "brand")
    with (
        open_outbox(terms.path(terms.local.outbox)) as outbox,
        open_drop(terms, "drill" if drill else "live") as drop,
    ):
        collected = collect(
            agreement=terms,
            drop=drop,
            outbox=outbox,
            receipts_folder=terms.path(terms.local.receipts),
            now=wall_clock,
        )
    if as_json:
        emit(
            {
                "schema": "fallback.collected/1",
                "receipts": [one.receipt.model_dump(mode="json", by_alias=True) for one in collected.answers],
                "open": [{"file_id": one.file_id, "stage": one.stage} for one in collected.open],
                "not_inside": [one.key for one in collected.not_inside],
                "problems": [{"name": one.name, "code": one.code} for one in collected.problems],
            }
        )
        return collected.exit_code
    for answer in collected.answers:
        if answer.new:
            click.echo(receipt_text(answer.receipt))
    for problem in collected.problems:
        say(f"{problem.code}: {problem.name}: {problem.text}\n  `fallback explain {problem.code}`")
    for note in collected.notes:
        say(f"passed over: {note}")
    for waiting in collected.open:
        stage = f"last receipt: {waiting.stage}" if waiting.stage else "no receipt yet"
        say(f"not-confirmed: {waiting.name}, sent {_ago(waiting.waited.total_seconds())} ago, {stage}")
    if collected.open:
        say("  hint: do not send it again; collect again, then call the warehouse's contact")
    elif collected.not_inside:
        say(f"not in the warehouse: {count(len(collected.not_inside), 'order')}; next: `fallback status`")
    elif not collected.answers and not collected.problems:
        say("nothing was sent yet, and nothing is to be collected")
    elif not collected.problems:
        say(f"every sent file is answered ({len(collected.answers):,}), every order is in the warehouse")
    return collected.exit_code


def _ago(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
