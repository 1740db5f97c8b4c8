"""The command line: one file a command. The only room that prints, exits and reads the wall clock.

``fallback --help`` loads no command: each is imported when it is called.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from fallback.errors import FallbackError

COMMANDS: dict[str, str] = {
    "status": "Where we stand, and the next command to type.",
    "init": "Make a folder with an agreement, local.toml, maps and a sample payload.",
    "check": "Is the agreement sound, complete, in date, and its key computable?",
    "export": "Platform payloads to a fallback file and its manifest (brand).",
    "send": "Deliver a fallback file to the drop, with proof (brand).",
    "receive": "Take, check, load and answer what is in the drop (warehouse).",
    "collect": "Fetch the receipts and see what is still unanswered (brand).",
    "reconcile": "Platform against WMS, by key: what is missing, is the fallback due?",
    "validate": "Check a file: which of its orders may be loaded?",
    "formats": "List, show, check and sample the agreed file formats.",
    "drill": "Rehearse the whole procedure, with mishaps, and leave evidence.",
    "explain": "What a code means, and what to do.",
}


class _Lazy(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"fallback.cli.{cmd_name}_")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"There is no command {args[0][:40]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="fallback", message="fallback %(version)s")
def cli() -> None:
    """The manual fallback for when the order integration between a brand and its warehouse breaks.

    Run `fallback status` in the folder of your agreement to see where you stand, or
    `fallback drill` anywhere to see the whole procedure rehearsed.

    \b
    Exit codes: 0 good. 1 findings, rejects or differences. 2 wrong use. 3 could not run.
    4 sent but not confirmed. 5 the fallback is due. 6 cannot tell. 7 refused by a safety
    guard. 8 commitment breached or drill failed. 130 interrupted.
    """


def main(args: Sequence[str] | None = None) -> None:
    """The entry point: runs a command and exits with its code of the published contract."""
    try:
        code = cli.main(args=None if args is None else list(args), prog_name="fallback", standalone_mode=False)
    except FallbackError as error:
        from fallback.render.text import error_text

        click.echo(error_text(error), err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: stopped by hand; start it again, it goes on where it was", err=True)
        code = 130
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        sys.stderr.close()
        code = 0
    sys.exit(code if isinstance(code, int) else 0)
