# SPDX-License-Identifier: MIT
"""Write files all or none: beside their places first, then renamed."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from rpsd._errors import RpsdError

# Bytes that a name may have on every file system, less those of a token.
_LONGEST: Final = 255 - len(".01234567.tmp")
_TEMPORARY: Final = re.compile(r"(.+)\.[0-9a-f]{8}\.tmp", re.DOTALL)


class Outputs:
    """Files that appear together: each is written as NAME.<token>.tmp beside its place, then all renamed.

    Leaving the ``with`` block without `commit` removes the temporaries and leaves what was there before.
    A device or a pipe, such as /dev/stdout, cannot be renamed over and is written by `commit`.

    Where a place is a link, what it leads to is replaced and the link stays; or, with ``through=False``, the
    link itself is replaced.
    """

    def __init__(self) -> None:
        self._renames: list[tuple[Path, Path]] = []
        self._direct: list[tuple[Path, list[Any]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for temporary, _ in self._renames:
            temporary.unlink(missing_ok=True)

    def add(self, path: str, pieces: Iterable[Any], *, through: bool = True) -> None:
        """Write the pieces (bytes or buffers) to disk, under a name beside `path`."""
        place = _place_of(path, through)
        old = place.exists() and not place.is_symlink()
        if _is_device(place):
            self._direct.append((place, list(pieces)))
            return
        temporary = self.reserve(path, through=through)
        try:
            with open(temporary, "xb") as file:
                if old:
                    os.chmod(temporary, stat.S_IMODE(place.stat().st_mode))
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RpsdError(f"cannot write {path}: {error.strerror}") from None

    def reserve(self, path: str, *, through: bool = True) -> Path:
        """Return a temporary beside `path` for others to write and sync; `commit` renames it."""
        place = _place_of(path, through)
        _check_place(place, path)
        temporary = place.with_name(temporary_name(place.name))
        self._renames.append((temporary, place))
        return temporary

    def forget(self, temporary: Path) -> None:
        """Leave what is in the place of a reserved temporary."""
        self._renames = [pair for pair in self._renames if pair[0] != temporary]

    def commit(self) -> None:
        """Put every file in its place."""
        try:
            for place, pieces in self._direct:
                with open(place, "wb", buffering=0) as file:
                    for piece in pieces:
                        file.write(piece)
            while self._renames:
                place = self._renames[0][1]
                os.replace(*self._renames[0])
                del self._renames[0]
                _sync_directory(place.parent)
        except OSError as error:
            raise RpsdError(f"cannot write {place}: {error.strerror}") from None


def temporary_name(name: str) -> str:
    """Return the name of a new temporary of a file of that name."""
    return f"{_kept(name)}.{secrets.token_hex(4)}.tmp"


def temporaries(folder: str | os.PathLike[str], of: Iterable[str] | None = None) -> list[str]:
    """Return the paths of the temporaries in a folder: of any files, or of those of these names."""
    kept = None if of is None else {_kept(name) for name in of}
    found = []
    for name in os.listdir(folder):
        match = _TEMPORARY.fullmatch(name)
        if match is not None and (kept is None or match.group(1) in kept):
            found.append(os.path.join(folder, name))
    return found


def _kept(name: str) -> str:
    """Return a name, or of one that is too long for a token behind it a beginning that no other name has."""
    if len(os.fsencode(name)) <= _LONGEST:
        return name
    return f"{name[:40]}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"


def check_writable(path: str) -> None:
    """Raise RpsdError where a file cannot be created or replaced at `path`, before any work is done."""
    _check_place(_place_of(path, True), path)


def _place_of(path: str, through: bool) -> Path:
    """Return where a file is written that is to be at `path`."""
    if through:
        return Path(os.path.realpath(path))
    folder, name = os.path.split(path)
    return Path(os.path.realpath(folder), name)


def _check_place(place: Path, path: str) -> None:
    if _is_device(place):
        return
    if place.is_dir() or path.endswith(os.sep):
        raise RpsdError(f"cannot write {path}: it is a directory; name a file")
    if not place.parent.is_dir():
        raise RpsdError(f"cannot write {path}: there is no directory {place.parent}")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise RpsdError(f"cannot write {path}: no permission to write in {place.parent}")


def _is_device(place: Path) -> bool:
    return place.exists() and not place.is_symlink() and not place.is_dir() and not place.is_file()


def _sync_directory(directory: Path) -> None:
    # Makes the rename itself durable; Windows has no such call.
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
