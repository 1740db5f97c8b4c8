"""Writing local files: whole or not at all, for the owner's eyes only, safe on disk before the name appears."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from fallback.errors import FallbackError, Refused


def write_file(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write a file under its final name in one step, mode 0600, with its folder.

    A name that is taken by the same bytes is done already; by other bytes it is Refused ``name-taken`` unless
    ``replace``. Raises FallbackError ``file-unwritable``; then nothing new is under the name.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_whole(part, data)
            _publish(part, path, data, replace=replace)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        reason = error.strerror or "cannot be written"
        raise FallbackError(
            "file-unwritable", f"{path}: {reason}", hint="check the folder, its permissions and the free space"
        ) from None


def _publish(part: Path, path: Path, data: bytes, *, replace: bool) -> None:
    if replace:
        part.replace(path)
        return
    try:
        os.link(part, path)  # unlike rename, link never replaces
    except FileExistsError:
        if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
            raise Refused(
                "name-taken", f"{path} is there with other bytes", hint="move it away, or use another name"
            ) from None


def _write_whole(part: Path, data: bytes) -> None:
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    # Some file systems refuse it; the file itself is on disk by then.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
