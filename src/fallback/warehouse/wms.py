"""The warehouse system behind one protocol: what it has (``find``) and what it is given (``load``).

``FileWms`` ships: orders are handed over as files that the warehouse system picks up.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, Protocol, get_args, runtime_checkable

from fallback.documents.base import State
from fallback.errors import FallbackError
from fallback.files import write_file
from fallback.records.order import Order

if TYPE_CHECKING:
    from fallback.agreement import Agreement

OutcomeState = Literal["loaded", "refused", "unknown"]
Way = Literal["integration", "fallback", "manual"]
"""The path by which an order came into the warehouse."""

CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class WmsOrder:
    """An order that the warehouse system has, under its key.

    ``state`` is the system's own word (``released``, ``shipped``, ``cancelled``); ``path`` the way it came;
    ``fingerprint`` is absent where the system does not keep it.
    """

    key: str
    wms_ref: str | None
    state: str
    path: str = "integration"
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """An order to be loaded, with the key and fingerprint that the warehouse system is to keep beside it."""

    key: str
    fingerprint: str
    order: Order
    path: Way = "fallback"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order of a batch. ``unknown``: it was handed over, and nobody said whether it was taken.

    ``reason`` is a short kebab-case code, never a sentence: it stands in receipts, where no value of an order may.
    """

    state: OutcomeState
    wms_ref: str | None = None
    reason: str | None = None


class Wms(Protocol):
    """A warehouse system. Raises FallbackError ``wms-unusable`` where it cannot be asked or written to."""

    def find(self, keys: Collection[str]) -> dict[str, WmsOrder]:
        """Those of the keys that the warehouse system has, by whichever path they came, cancelled ones too."""
        ...

    def load(self, batch_id: str, orders: Sequence[LoadOrder]) -> dict[str, Outcome]:
        """Load the orders; one outcome a key. A key left out counts as ``unknown``, and so does a TimeoutError.

        Idempotent by ``batch_id``: called again with the same batch it gives the same outcomes and creates nothing,
        for the receiver may have been killed before it could write down what it was told.
        """
        ...


@runtime_checkable
class Listed(Protocol):
    """A warehouse system that is not asked itself: it is known from a list that it writes."""

    def listed_at(self) -> datetime | None:
        """When the list that ``find`` looks into was written; None where the system writes none."""
        ...


# --- the border: what a loader says is data of others

UNNAMED = "unnamed"
"""Stands for a state or a path whose own name is not a plain word."""
_WORD = re.compile(r"[a-z0-9-]{1,40}")
_REF = re.compile(r"[A-Za-z0-9._:/#-]{1,160}")


def ask(wms: Wms, keys: Collection[str]) -> dict[str, WmsOrder]:
    """What the system has of the keys, with nothing in it but plain words: it stands in receipts and in the ledger.

    Raises FallbackError ``wms-unusable`` where it cannot be asked or does not answer as agreed; the loader's own words
    are not repeated, for they may hold anything.
    """
    told: object = _called(lambda: wms.find(keys))
    if not isinstance(told, Mapping) or any(not isinstance(told[key], WmsOrder) for key in told):
        raise _failed("the loader does not say what the warehouse system has")
    return {key: _plain(key, told[key]) for key in keys if key in told}


def hand_over(wms: Wms, batch_id: str, orders: Sequence[LoadOrder]) -> dict[str, Outcome]:
    """Load the orders; what the loader says in another form than agreed, or does not say, is ``unknown``.

    Raises FallbackError ``wms-unusable`` where it fails: the same batch is then handed over again.
    """
    try:
        told: object = _called(lambda: wms.load(batch_id, orders), TimeoutError)
    except TimeoutError:
        return {}
    if not isinstance(told, Mapping):
        return {}
    return {order.key: _heard(told.get(order.key)) for order in orders}


def _called(act: Callable[[], object], *let: type[Exception]) -> object:
    try:
        return act()
    except let:
        raise
    except FallbackError as error:
        raise FallbackError("wms-unusable", error.message, hint=error.hint) from None
    except Exception:
        # A loader is code of others: its database, its network, its faults.
        raise _failed("the loader failed") from None


def _failed(text: str) -> FallbackError:
    return FallbackError("wms-unusable", text, hint="look at the warehouse system and its loader, then receive again")


def _plain(key: str, said: WmsOrder) -> WmsOrder:
    fingerprint = _text(said.fingerprint, _FINGERPRINT)
    path = _text(said.path, _WORD) or UNNAMED
    return WmsOrder(key, _text(said.wms_ref, _REF), _state(said.state), path, fingerprint)


def _state(said: object) -> str:
    """The system's own word as one plain word; every way to say cancelled is one, for such an order does not ship."""
    word = said.lower() if isinstance(said, str) else ""
    return CANCELLED if re.match(r"cancell?ed\b", word) else _text(word, _WORD) or UNNAMED


def _heard(said: object) -> Outcome:
    if not isinstance(said, Outcome) or said.state not in get_args(OutcomeState):
        return Outcome("unknown")
    return Outcome(said.state, _text(said.wms_ref, _REF), _text(said.reason, _WORD))


def _text(said: object, form: re.Pattern[str]) -> str | None:
    """What was said as text, if it has the form. A number is a reference too."""
    text = str(said) if isinstance(said, int) else said
    return text if isinstance(text, str) and form.fullmatch(text) else None


# --- orders handed over as files

_COLUMNS = ("key", "wms_ref", "state", "path", "fingerprint")
_BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,170}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class FileWms:
    """Hands orders over as files: ``FOLDER/import/BATCH.jsonl``, one canonical order a line, whole from the start.

    The warehouse system may take the files away. What was handed over is kept in ``FOLDER/loaded`` (keys and
    fingerprints, no customer data). The system may write ``FOLDER/orders.csv`` back (``key,wms_ref,state,path,
    fingerprint``), so that orders loaded by the integration and what became of ours are known too.
    """

    def __init__(self, folder: str | Path, *, create: bool = True) -> None:
        self.folder = Path(folder)
        if not create and not (self.folder / "loaded").is_dir():
            self._unusable("not the folder of a file loader")
        self._batches: dict[str, tuple[WmsOrder, ...]] = {}
        self._extract: tuple[tuple[int, int, int], dict[str, WmsOrder]] | None = None
        self._folded: dict[str, str] = {}
        try:
            for part in ("import", "loaded", "staged"):
                (self.folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            self._unusable(error.strerror)

    def find(self, keys: Collection[str]) -> dict[str, WmsOrder]:
        handed_over = self._handed_over()
        written_back = self._written_back()
        # An order that stands in the list in other letters would not be known again, and load a second time.
        if any(self._folded.get(key.casefold(), key) != key for key in keys):
            raise _bad_extract("orders.csv has the key of an order in other letters, large or small, than the order")
        return {key: found for key in keys if (found := _joined(handed_over.get(key), written_back.get(key)))}

    def listed(self) -> dict[str, WmsOrder]:
        """What the system says that it has: its list. Where it writes none, what was handed over to it."""
        return self.find(self._handed_over() if self.listed_at() is None else self._written_back())

    def listed_at(self) -> datetime | None:
        """When ``orders.csv`` was written; None where there is none."""
        try:
            changed = (self.folder / "orders.csv").stat().st_mtime
        except FileNotFoundError:
            return None
        except OSError as error:
            self._unusable(error.strerror)
        return datetime.fromtimestamp(changed, UTC).replace(microsecond=0)

    def load(self, batch_id: str, orders: Sequence[LoadOrder]) -> dict[str, Outcome]:
        if not _BATCH.fullmatch(batch_id):
            raise FallbackError("wms-unusable", "the batch's name cannot be a file name")
        try:
            with self._alone():
                if not self._index(batch_id).exists():
                    self._stage(batch_id, orders)
                self._publish(batch_id)
        except OSError as error:
            self._unusable(error.strerror)
        except FallbackError as error:
            self._unusable(error.message)
        return {entry.key: Outcome("loaded", entry.wms_ref) for entry in self._batch(batch_id)}

    def _index(self, batch_id: str) -> Path:
        return self.folder / "loaded" / f"{batch_id}.json"

    def _stage(self, batch_id: str, orders: Sequence[LoadOrder]) -> None:
        """Write the file where nobody picks it up, then the note that it is handed over.

        The rename in ``_publish`` is then the one moment at which the warehouse system gets it: the file is either
        still staged, or it was handed over and may have been taken away since.
        """
        lines = "".join(item.order.model_dump_json() + "\n" for item in orders)
        write_file(self.folder / "staged" / f"{batch_id}.jsonl", lines.encode(), replace=True)
        entries = [
            asdict(WmsOrder(item.key, f"{batch_id}:{number}", "handed-over", item.path, item.fingerprint))
            for number, item in enumerate(orders, 1)
        ]
        write_file(self._index(batch_id), json.dumps(entries, indent=1).encode())

    def _publish(self, batch_id: str) -> None:
        staged, final = (self.folder / part / f"{batch_id}.jsonl" for part in ("staged", "import"))
        if not staged.exists():
            return
        if final.exists():
            raise FallbackError("wms-unusable", f"{final} is there and was not written by this program")
        staged.rename(final)
        _sync_folder(final.parent)

    def _batch(self, batch_id: str) -> tuple[WmsOrder, ...]:
        if batch_id not in self._batches:
            file = self._index(batch_id)
            try:
                self._batches[batch_id] = tuple(WmsOrder(**entry) for entry in json.loads(file.read_bytes()))
            except OSError as error:
                self._unusable(error.strerror)
            except (ValueError, TypeError):
                raise FallbackError(
                    "wms-unusable",
                    f"{file} is damaged: what was loaded cannot be told, and nothing is loaded",
                    hint="restore it from a backup; without it an order could be loaded twice",
                ) from None
        return self._batches[batch_id]

    def _handed_over(self) -> dict[str, WmsOrder]:
        try:
            names = sorted(path.stem for path in (self.folder / "loaded").iterdir() if path.suffix == ".json")
        except OSError as error:
            self._unusable(error.strerror)
        # A batch that is still staged counts too: the receiver was killed, and will hand it over when it starts again.
        return {entry.key: entry for name in names for entry in self._batch(name)}

    def _written_back(self) -> dict[str, WmsOrder]:
        file = self.folder / "orders.csv"
        try:
            with file.open("rb") as stream:
                facts = os.fstat(stream.fileno())
                stamp = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
                if self._extract is None or self._extract[0] != stamp:
                    self._extract = (stamp, _read_extract(file.name, stream.read()))
                    self._folded = {key.casefold(): key for key in self._extract[1]}
        except FileNotFoundError:
            self._extract, self._folded = None, {}
            return {}
        except OSError as error:
            self._unusable(error.strerror)
        return self._extract[1]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        handle = os.open(self.folder / "staged" / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _unusable(self, why: str | None) -> NoReturn:
        raise FallbackError(
            "wms-unusable",
            f"{self.folder}: {why or 'cannot be used'}",
            hint="check the folder in local.toml, its permissions and the free space, then receive again",
        ) from None


def _joined(ours: WmsOrder | None, theirs: WmsOrder | None) -> WmsOrder | None:
    """The system's own word on an order, with our fingerprint where it keeps none."""
    if theirs is None or ours is None:
        return theirs or ours
    return WmsOrder(
        theirs.key, theirs.wms_ref or ours.wms_ref, theirs.state, theirs.path, theirs.fingerprint or ours.fingerprint
    )


def _read_extract(name: str, data: bytes) -> dict[str, WmsOrder]:
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise _bad_extract(f"{name} is not a list in UTF-8, separated by commas") from None
    if not rows or sorted(rows[0]) != sorted(_COLUMNS):
        raise _bad_extract(f"{name} does not begin with the columns {', '.join(_COLUMNS)}")
    found: dict[str, WmsOrder] = {}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        cells = dict(zip(rows[0], row, strict=False))
        if any(not cell.isprintable() or cell != cell.strip() for cell in row):
            raise _bad_extract(
                f"{name}, row {number}: a cell has white space at its ends or characters that cannot be printed"
            )
        wrong = len(row) != len(_COLUMNS) or not cells["key"] or not cells["state"]
        if wrong or (cells["fingerprint"] and not _FINGERPRINT.fullmatch(cells["fingerprint"])):
            raise _bad_extract(f"{name}, row {number}: a cell is missing or malformed")
        # A key may stand there twice, cancelled once and entered again: the one that ships counts.
        if cells["key"] not in found or found[cells["key"]].state == CANCELLED:
            path = cells["path"] or "integration"
            said = WmsOrder(cells["key"], cells["wms_ref"], cells["state"], path, cells["fingerprint"])
            found[cells["key"]] = _plain(cells["key"], said)
    return found


def _bad_extract(text: str) -> FallbackError:
    return FallbackError(
        "wms-unusable", text, hint="without a whole list, what is in the warehouse cannot be told; nothing was loaded"
    )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_wms(agreement: Agreement, state: State = "live") -> FileWms:
    """This warehouse's loader, as local.toml says. A drill's orders go to the folder ``drill`` within the folder."""
    folder = agreement.path(agreement.local.wms.folder)
    return FileWms(folder / "drill" if state == "drill" else folder)
