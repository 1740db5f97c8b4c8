"""The command line: one file a command. The only room that prints, exits and reads the wall clock.

``fallback --help`` loads no command: each is imported when it is called.
"""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
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
    "repair": "Write a new file where the repair of a damaged one is provable.",
    "formats": "List, show, check and sample the agreed file formats.",
    "drill": "Rehearse the whole procedure, with mishaps, and leave evidence.",
    "explain": "What a code means, and what to do.",
}

EXIT_CODES: dict[int, str] = {
    0: "good; orders left out by the terms are good",
    1: "findings, rejects or differences",
    2: "wrong use",
    3: "could not run: agreement, format, unreadable input, no connection, login refused, disk full; "
    "nothing is under a final name",
    4: "sent but not confirmed",
    5: "the fallback is due",
    6: "cannot tell",
    7: "refused by a safety guard: host key, marker, a name with other bytes, integration live",
    8: "commitment breached, drill failed or overdue",
    130: "interrupted",
    141: "the reader of the output went away, as `| head` does; what came of it is not said",
}
"""The published contract. Any other code is a failure."""


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

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])

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
    Examples:
      fallback status
      fallback export --help
    """


def main(args: Sequence[str] | None = None) -> None:
    """The entry point: runs a command and exits with its code of the published contract."""
    if args is None:  # the process is ours
        _start_light()
    try:
        code = _run(args)
    except BrokenPipeError:  # while an error was being told
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        code = 141
    sys.exit(code)


def _start_light() -> None:
    """Most commands live for a fifth of a second: what only a long life needs is left out."""
    # Imports and records make many objects and little garbage. To look for it after each 700 new ones, and once more
    # in everything when the process ends, costs a fifth of the time.
    gc.set_threshold(100_000, 20, 100)
    atexit.register(gc.freeze)
    # pydantic would search all installed packages for plugins; none may change what is valid here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _run(args: Sequence[str] | None) -> int:
    try:
        code = cli.main(args=None if args is None else list(args), prog_name="fallback", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SystemExit:  # how click ends when the reader of our output has gone
        return 141
    except FallbackError as error:
        _tell(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: stopped by hand; start it again, it goes on where it was", err=True)
        return 130
    except OSError as error:
        if error.errno != errno.ENOSPC:
            return _told(error)
        _tell(FallbackError("file-unwritable", "the output cannot be written: there is no space left"))
        return FallbackError.exit_code
    except Exception as error:
        return _told(error)


def _told(error: Exception) -> int:
    """A fault of our own; in development mode, its traceback."""
    if sys.flags.dev_mode:
        raise error
    _tell(_fault(error))
    return FallbackError.exit_code


def _tell(error: FallbackError) -> None:
    from fallback.render.text import error_text

    click.echo(error_text(error), err=True)


def _fault(error: Exception) -> FallbackError:
    """What is said of a fault of our own: where it is, never the values it happened to, which may be a customer's."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f"{os.sep}fallback{os.sep}" in f.filename and f.filename != __file__]
    places = ", ".join(f"{'/'.join(Path(f.filename).parts[-2:])}:{f.lineno}" for f in ours[-3:])
    return FallbackError("program-fault", f"a fault of this program, not of your data, at {places or 'its start'}")
