"""What the commands share: the wall clock, the agreement that is found by itself, and where output goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fallback.errors import FallbackError, WrongUse

if TYPE_CHECKING:
    from fallback.agreement import Agreement

Command = TypeVar("Command", bound=Callable[..., Any])


def wall_clock() -> datetime:
    """The current instant in UTC, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


class Instant(click.ParamType[datetime]):
    """An ISO 8601 date and time with its offset from UTC."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail("expected a date and time such as 2026-11-23T14:00:00Z", param, ctx)
        if instant.tzinfo is None:
            self.fail("the offset from UTC is missing: write 2026-11-23T14:00:00Z or +01:00", param, ctx)
        if not 1971 <= instant.year <= 2998:
            self.fail("expected a year between 1971 and 2998", param, ctx)
        return instant.replace(microsecond=0)


class PersonName(click.ParamType[str]):
    """The name of a person who answers for something: it stands in receipts and manifests, so it names somebody."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        if not text or len(text) > 80 or not text.isprintable():
            self.fail("expected the name of a person, at most 80 printable characters", param, ctx)
        return text


MOST_SEQUENCE = 999_999_999


def agreement_option(command: Command) -> Command:
    return click.option(
        "--agreement",
        type=click.Path(path_type=Path),
        default=None,
        help="The agreement's folder or file. By default the one in this folder.",
    )(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document to standard output.")(command)


def show_values_option(command: Command) -> Command:
    return click.option(
        "--show-values", is_flag=True, help="Show customers' values in findings. They are masked by default."
    )(command)


def at_option(command: Command) -> Command:
    return click.option("--at", type=Instant(), default=None, help="The instant to take as now, with its offset.")(
        command
    )


def load_agreement(path: Path | None) -> Agreement:
    """The agreement that was named, or the one in this folder."""
    from fallback import agreement

    return agreement.load_agreement(path or Path())


def of_side(agreement: Agreement, side: str) -> None:
    """Refuse a command of the other side: its memory and its folders are not here."""
    if agreement.local.side != side:
        raise WrongUse(
            "wrong-use",
            f"this is the {agreement.local.side}'s folder, and the command is the {side}'s",
            hint=f"go to the {side}'s folder, or name its agreement with --agreement",
        )


def emit(document: Any) -> None:
    """One JSON document to standard output."""
    click.echo(json.dumps(document, indent=1, ensure_ascii=False))


def say(text: str) -> None:
    """Talk, to standard error: it never mixes with a document."""
    click.echo(text, err=True)


def read_lines(path: Path) -> list[str]:
    """A list, one entry a line, such as the warehouse's SKUs. Blank lines and lines with # do not count.

    Raises FallbackError ``file-unreadable`` also where there is no entry: nothing would be known, and all be refused.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise FallbackError("file-unreadable", f"{path}: {reason}") from None
    entries = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not entries:
        hint = "make the list again, one entry a line; without a list nothing is held against it"
        raise FallbackError("file-unreadable", f"{path}: there is no entry in it", hint=hint)
    return entries


def item_list(agreement: Agreement | None, given: Path | None) -> list[str] | None:
    """The warehouse's item list: the one given, else the one of local.toml, else none."""
    if given is not None:
        return read_lines(given)
    if agreement is not None and agreement.has_local and agreement.local.skus:
        return read_lines(agreement.path(agreement.local.skus))
    return None
