"""Errors: "we could not go on".

What is wrong in data is a :class:`fallback.findings.Finding`, a value. An exception of this family means
that an operation stopped before its end; it carries a kebab-case code that ``fallback explain`` knows, a
sentence for a person, what to do about it, and the exit code of the published contract
(``docs/reference/exit-codes.md``).
"""

from __future__ import annotations

from typing import ClassVar


class FallbackError(Exception):
    """An operation could not go on; nothing is left under a final name.

    Args:
        code: kebab-case reference, an entry of ``fallback.findings.CATALOGUE``.
        message: what happened, with the place, in words for a person. Never customer data, never a secret.
        hint: what to do next.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f"\n  hint: {self.hint}" if self.hint else "")

    def __reduce__(self) -> tuple[object, ...]:
        # An Exception is pickled by its args; ours has keyword arguments, and results cross processes.
        return (_rebuild, (type(self), self.code, self.message, self.hint))


def _rebuild(kind: type[FallbackError], code: str, message: str, hint: str) -> FallbackError:
    return kind(code, message, hint=hint)


class WrongUse(FallbackError):
    """The call itself is wrong: an argument is missing, unknown or contradicts another. Exit code 2."""

    exit_code = 2


class NotConfirmed(FallbackError):
    """Something was sent and nobody has confirmed it: do not send it again, wait or call. Exit code 4."""

    exit_code = 4


class Refused(FallbackError):
    """A safety guard said no: host key, signer, drill marker, name with other bytes, live integration. Exit code 7."""

    exit_code = 7
