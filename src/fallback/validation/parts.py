"""The files that are one fallback file, found from the path of any of them: by their manifest, else by their names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fallback.documents.base import MANIFEST_SUFFIX, joint_sha256
from fallback.errors import FallbackError
from fallback.formats.pair import names_of
from fallback.formats.spec import Format

if TYPE_CHECKING:
    from fallback.documents.manifest import FileEntry, Manifest


@dataclass(frozen=True, slots=True)
class Parts:
    """The bytes and the names of the files by role, as far as they are there, and the manifest beside them."""

    data: Mapping[str, bytes]
    names: Mapping[str, str]
    manifest: Manifest | None

    @property
    def title(self) -> str:
        """What the fallback file is called: the name of its first file."""
        return next(iter(self.names.values()))

    @property
    def joined(self) -> bytes:
        """All bytes; of one file they are its own."""
        return next(iter(self.data.values())) if len(self.data) == 1 else b"".join(self.data.values())

    @property
    def sha256(self) -> str:
        """The hash of the fallback file, as its manifest should name it."""
        return joint_sha256([hashlib.sha256(part).hexdigest() for part in self.data.values()])

    def name(self, role: str) -> str:
        return self.names.get(role, role)

    def declared(self, role: str) -> FileEntry | None:
        """What the manifest says of one file."""
        files = self.manifest.files if self.manifest else ()
        return next((one for one in files if one.role == role), files[0] if files and len(self.data) == 1 else None)


def open_parts(path: Path, fmt: Format, manifest: Manifest | None = None) -> Parts:
    """Read a fallback file, one file or a pair, and the manifest beside it where none is given.

    Raises FallbackError ``file-unreadable`` where the file that was named is not there, ``document-unreadable`` where
    the manifest is damaged. The other half of a pair may be absent.
    """
    names = names_of(fmt, path.name)
    try:
        data = path.read_bytes()
        beside = path.with_name(names[fmt.roles[0]] + MANIFEST_SUFFIX)
        if manifest is None and beside.is_file():
            from fallback.documents.manifest import Manifest

            manifest = Manifest.from_json(beside.read_bytes(), beside.name)
        if len(fmt.roles) == 1:
            return Parts({fmt.roles[0]: data}, names, manifest)
        if manifest is not None and path.name in (entry.name for entry in manifest.files):
            names |= {entry.role: entry.name for entry in manifest.files}
        files = {role: path.with_name(name) for role, name in names.items() if role in fmt.roles}
        return Parts({role: file.read_bytes() for role, file in files.items() if file.is_file()}, names, manifest)
    except OSError as error:
        raise FallbackError(
            "file-unreadable", f"{path}: {error.strerror or 'cannot be read'}", hint="check the name and the folder"
        ) from None
