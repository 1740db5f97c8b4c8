"""What ``fallback formats check`` finds: the mistakes of a format, what its samples prove, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallback.errors import FallbackError
from fallback.formats.contradictions import TO_DO
from fallback.formats.library import format_file, load_format
from fallback.formats.proof import Proof, cautions, prove
from fallback.formats.read import read
from fallback.formats.samples import samples
from fallback.formats.spec import Format

if TYPE_CHECKING:
    from fallback.records.order import Order


@dataclass(frozen=True, slots=True)
class Soundness:
    """A format as it was found; ``format`` is None where it could not even be loaded."""

    name: str
    mistakes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    format: Format | None = None
    made: Proof | None = None
    own: Proof | None = None

    def told(self) -> dict[str, Any]:
        """``fallback.soundness/1``."""
        document = {"schema": "fallback.soundness/1", "name": self.name, "sound": not self.mistakes}
        if self.format is not None:
            document |= self.format.ref.model_dump()
        document |= {"mistakes": list(self.mistakes), "warnings": list(self.warnings)}
        if self.made is not None and self.own is not None:
            refused = [{"code": code, "path": path or None, "times": times} for code, path, times in self.made.refused]
            document |= {"tried": self.made.tried + self.own.tried, "fitting": self.made.fitting + self.own.fitting}
            document |= {"refused": refused}
        return document

    def text(self) -> str:
        """A sound format in words."""
        assert self.format is not None and self.made is not None and self.own is not None
        read_back = f"{self.made.fitting + self.own.fitting} sample orders read back as written"
        tried = read_back if self.format.direction == "both" else "it is read and never written"
        lines = [f"{self.format.name} version {self.format.version} is sound: {tried}"]
        if self.made.refused:
            lines.append(f"  {self.made.tried - self.made.fitting} more do not fit it:")
        lines += [f"    {what}, {times} times" for what, times in _refused(self.made)]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines) + "\n"


def _refused(proof: Proof) -> list[tuple[str, int]]:
    return [(f"{code} {path}".rstrip(), times) for code, path, times in proof.refused]


def soundness_of(name: str, fmt: Format, now: datetime) -> Soundness:
    """What the samples of a loaded format prove, the program's and those in the ``orders.jsonl`` beside it."""
    file = format_file(name)
    made, own = prove(fmt, samples(fmt, 50, at=now)), prove(fmt, _own_sample(file))
    warnings = list(cautions(fmt))
    lines = enumerate(file.read_text("utf-8").splitlines(), start=1)
    if marked := [number for number, line in lines if TO_DO in line.partition("#")[2]]:
        warnings.append(f"lines still marked {TO_DO}: {len(marked)}, the first is line {marked[0]}")
    return Soundness(fmt.name, tuple(_unproven(made, own)), tuple(warnings), fmt, made, own)


def _unproven(made: Proof, own: Proof) -> Iterator[str]:
    if not (made.holds and own.holds):
        yield "what it writes does not read back as it was"
    if made.tried and not made.fitting + own.fitting:
        codes = ", ".join(what for what, _ in _refused(made)[:5])
        yield f"no sample order fits it ({codes}), so nothing is proven: put orders that do into orders.jsonl beside it"
    if own.fitting < own.tried:
        codes = ", ".join(what for what, _ in _refused(own)[:5])
        yield f"{own.tried - own.fitting} of the orders in the orders.jsonl beside it do not fit ({codes})"


def _own_sample(file: Path) -> list[Order]:
    """The orders of the ``orders.jsonl`` beside a ``format.toml``; none where there is no such file."""
    path = file.with_name("orders.jsonl")
    if file.name != "format.toml" or not path.is_file():
        return []
    content = read(load_format("order-jsonl"), path.read_bytes(), name=path.name)
    findings = [*content.findings, *(finding for one in content.orders for finding in one.findings)]
    if wrong := [finding for finding in findings if finding.is_error]:
        where = f"{path}:{wrong[0].place.line}: {wrong[0].code}"
        raise FallbackError("format-invalid", f"the sample beside the format has {len(wrong)} mistakes: {where}")
    return [one.order for one in content.orders if one.order is not None]
