"""What a mishap is: staged on purpose, answered by the real procedure, observed and never typed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fallback.documents.journal import Proof, Side
from fallback.documents.receipt import AnsweredOrder, Receipt
from fallback.drills.setting import Setting
from fallback.errors import FallbackError


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of a mishap: the code that answered it, what was seen in words, and proofs by number.

    ``code`` is taken from what the real functions returned or raised; None where nothing answered.
    """

    code: str | None
    text: str
    proofs: tuple[Proof, ...] = ()


@dataclass(frozen=True, slots=True)
class Staging:
    """One mishap of a drill: the side that must answer, the code it must answer with, and how it is played.

    ``play`` stages it, observes the answer, and mends what is broken, so that the drill goes on as a night would.
    """

    id: str
    title: str
    expected: str
    side: Side
    play: Callable[[Setting], Observed]


def one_code(codes: Iterable[str]) -> str | None:
    """The code that all agree on; where there are several, all of them, which is then not what was expected."""
    return " + ".join(sorted(set(codes))) or None


def codes_of(orders: Iterable[AnsweredOrder]) -> list[str]:
    """Why each order is in its state; of one that has no reason, the state itself."""
    return [code for order in orders for code in ([reason.code for reason in order.reasons] or [order.state])]


def first_reason(receipt: Receipt) -> str | None:
    """The first thing that a receipt says of its file as a whole."""
    return receipt.reasons[0].code if receipt.reasons else None


def refusal(act: Callable[[], object]) -> FallbackError | None:
    """The error that an act ends with; None where it succeeds."""
    try:
        act()
    except FallbackError as error:
        return error
    return None
