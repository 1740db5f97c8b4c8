"""The population of an export: what all payloads hold together, read by the platform they come from.

A new platform is one module with the verbs of ``base.Platform`` and one line in ``PLATFORMS``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from fallback.errors import FallbackError, WrongUse
from fallback.findings import Finding
from fallback.platforms import canonical, shopify
from fallback.platforms.base import Eligibility, Excluded, Platform, Source
from fallback.platforms.payload import MAX_BYTES, read_payload
from fallback.records.order import Order

PLATFORMS: dict[str, Platform] = {"canonical": canonical, "shopify": shopify}


@dataclass(frozen=True, slots=True)
class Population:
    """What the payloads hold: the orders that ship, those left out with their codes, and what is wrong.

    An order with an error among ``findings`` is not in ``orders``; it is in ``excluded`` as ``refused-here``, unless
    the payload does not even say which order it is.
    """

    platform: str
    orders: tuple[Order, ...]
    excluded: tuple[Excluded, ...]
    findings: tuple[Finding, ...]

    @property
    def unread(self) -> int:
        """How many orders of the payloads could not be read."""
        tops = {(f.place.file, m[0]) for f in self.findings if f.is_error and (m := _TOP.match(f.place.pointer))}
        return max(len(tops), sum(one.code == "refused-here" for one in self.excluded))

    @property
    def nameless(self) -> int:
        """How many of those do not even say which order they are: no entry of ``excluded`` stands for them."""
        return self.unread - sum(one.code == "refused-here" for one in self.excluded)


# The order that a place in a payload lies in: the first list on the way to it.
_TOP = re.compile(r"\$[^\[]*(\[[0-9]+\])?")


def read_orders(
    paths: Sequence[str | Path],
    *,
    brand: str,
    eligibility: Eligibility,
    now: datetime,
    platform: str | None = None,
    show_values: bool = False,
) -> Population:
    """The orders of all payload files together, in the order of the files.

    ``platform`` is guessed from the payloads where it is not given; ``now`` (aware) decides what is scheduled for
    later. Raises FallbackError ``file-unreadable`` or ``payload-unreadable``, WrongUse for an unknown platform.
    """
    if now.tzinfo is None:
        raise WrongUse("wrong-use", "the instant of an export needs its offset from UTC")
    if platform is not None and platform not in PLATFORMS:
        raise WrongUse("wrong-use", f"there is no platform {platform}", hint=f"known are {', '.join(PLATFORMS)}")
    sources = [_source(Path(path)) for path in paths]
    name = platform or guess_platform(sources)
    orders: list[Order] = []
    excluded: list[Excluded] = []
    findings: list[Finding] = []
    for outcome in PLATFORMS[name].orders(
        sources, brand=brand, eligibility=eligibility, now=now, show_values=show_values
    ):
        if isinstance(outcome, Order):
            number = eligibility.number(outcome.order_number)
            orders.append(outcome.model_copy(update={"order_number": number}))
        elif isinstance(outcome, Excluded):
            excluded.append(replace(outcome, order_number=eligibility.number(outcome.order_number)))
        else:
            findings.append(outcome)
    return Population(name, tuple(orders), tuple(excluded), tuple(findings))


def guess_platform(sources: Sequence[Source]) -> str:
    """The one platform that all payloads are of. Raises FallbackError ``payload-unreadable`` where there is not one."""
    hint = f"--platform names it; known are {', '.join(PLATFORMS)}"
    guesses: dict[str, str] = {}
    for source in sources:
        if source.payload == []:
            continue  # an empty list of orders is every platform's
        names = [name for name, platform in PLATFORMS.items() if platform.recognises(source.payload)]
        if len(names) != 1:
            raise FallbackError("payload-unreadable", f"{source.file}: not of a platform that is known", hint=hint)
        guesses[names[0]] = source.file
    if len(guesses) == 1:
        return next(iter(guesses))
    if not guesses:
        raise FallbackError("payload-unreadable", "the payload holds nothing to tell its platform by", hint=hint)
    each = ", ".join(f"{file} is of {name}" for name, file in guesses.items())
    raise FallbackError("payload-unreadable", f"payloads of different platforms: {each}", hint="export one at a time")


def _source(path: Path) -> Source:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise FallbackError("file-unreadable", f"{path}: {error.strerror or 'cannot be read'}") from None
    return Source(path.name, read_payload(data, path.name))
