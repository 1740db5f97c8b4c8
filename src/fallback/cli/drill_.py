"""``fallback drill``: the whole procedure rehearsed, with mishaps, and the evidence of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from fallback.cli.common import emit, json_option, say

if TYPE_CHECKING:
    from collections.abc import Callable


class _RunByDefault(click.Group):
    """A group whose command ``run`` need not be said."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group("drill", cls=_RunByDefault)
def command() -> None:
    """Rehearse the whole procedure, with mishaps, and leave evidence.

    `fallback drill` is `fallback drill run`; its options are told by `fallback drill run --help`.
    """


@command.command("run")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same orders.")
@click.option(
    "--orders",
    type=click.IntRange(1, 5000),
    default=12,
    show_default=True,
    help="How many orders the broken integration has not delivered.",
)
@click.option("--report", type=click.Path(path_type=Path), help="The folder for the evidence: journal and page.")
@click.option("--keep", type=click.Path(path_type=Path), help="A new folder to work in, left as it is to look at.")
@json_option
def run(seed: int, orders: int, report: Path | None, keep: Path | None, as_json: bool) -> int:
    """Brand and warehouse on this machine, with a real SFTP server between them that the drill starts itself.

    Goes through a night from the missing orders to the reconciliation, stages mishaps, and holds each against the code
    it must be answered by. Nothing outside this machine is reached. Exit code 0 when everything held, else 8.

    \b
    Example:
      fallback drill
    """
    from fallback.drills.plan import drill_id
    from fallback.drills.run import drill
    from fallback.findings import Finding
    from fallback.render.text import finding_text, journal_text

    now = _clock()
    name = drill_id(now())
    result = drill(
        folder=report or Path(f"drill-report-{name}"),
        now=now,
        seed=seed,
        orders=orders,
        drill_id=name,
        keep=keep,
        say=say,
    )
    if result.exit_code:
        found = f"{len(result.journal.failures)} things that did not hold"
        say(finding_text(Finding("drill-failed", found=found, expected="none")))
    if as_json:
        emit(result.journal.model_dump(mode="json", by_alias=True))
        say(f"report: {result.report}")
    else:
        click.echo(journal_text(result.journal))
        click.echo(result.report)
    return result.exit_code


def _clock() -> Callable[[], datetime]:
    """The wall clock with its fractions, going forward only: limits of seconds are measured by it."""
    started, begun = datetime.now(UTC), perf_counter()
    return lambda: started + timedelta(seconds=perf_counter() - begun)
