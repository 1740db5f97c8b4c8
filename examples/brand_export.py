"""A brand's night script: export what is open, send it, and say what the warehouse has answered so far.

    python brand_export.py acme orders.json --paused-by "J. Ops"
    python brand_export.py acme --collect

`acme` is the folder of the agreement. Safe to run again: what is on its way or accepted is left out. It ends with the
exit codes of the command line: 1 orders to correct, 4 sent and not answered yet, 7 refused by a safety guard.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import fallback
from fallback.render.text import error_text, finding_text, receipt_text


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def export_and_send(folder: Path, payloads: list[Path], paused_by: str) -> int:
    terms = fallback.load_agreement(folder)
    paused = fallback.Integration(state="paused", confirmed_by=paused_by, at=now())
    with fallback.open_outbox(terms.path(terms.local.outbox)) as outbox, fallback.open_drop(terms) as drop:
        made = fallback.export(payloads, agreement=terms, outbox=outbox, now=now(), integration=paused)
        for finding in made.findings:
            print(finding_text(finding), file=sys.stderr)
        for code, number in sorted(made.excluded.items()):
            print(f"left out: {number} {code}")
        if made.path is None:
            print("nothing to send")
            return made.exit_code
        sent = fallback.send(made.path, agreement=terms, drop=drop, outbox=outbox, now=now)
        print(f"sent: {sent.name}, {made.counts.orders} orders")
        return max(made.exit_code, sent.exit_code)


def collect(folder: Path) -> int:
    terms = fallback.load_agreement(folder)
    with fallback.open_outbox(terms.path(terms.local.outbox)) as outbox, fallback.open_drop(terms) as drop:
        collected = fallback.collect(
            agreement=terms, drop=drop, outbox=outbox, receipts_folder=terms.path(terms.local.receipts), now=now
        )
    for answer in collected.answers:
        print(receipt_text(answer.receipt))
    for waiting in collected.open:
        print(f"no final answer yet: {waiting.name}, for {waiting.waited}", file=sys.stderr)
    for order in collected.not_inside:
        print(f"not in the warehouse: {order.key} ({order.state})", file=sys.stderr)
    return collected.exit_code


def main() -> int:
    parser = argparse.ArgumentParser(description="Export open orders, send them, fetch the answer.")
    parser.add_argument("folder", type=Path, help="the folder of the agreement")
    parser.add_argument("payloads", type=Path, nargs="*", help="the shop's export")
    parser.add_argument("--paused-by", help="who has confirmed that the integration is paused")
    parser.add_argument("--collect", action="store_true", help="only fetch the answers")
    given = parser.parse_args()
    if not given.collect and not (given.payloads and given.paused_by):
        parser.error("a payload and --paused-by are needed, or --collect")
    try:
        return (
            collect(given.folder) if given.collect else export_and_send(given.folder, given.payloads, given.paused_by)
        )
    except fallback.FallbackError as error:
        print(error_text(error), file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
