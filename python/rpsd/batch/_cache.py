# SPDX-License-Identifier: MIT
"""Outputs that were made before, by the hash of what decides them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

import msgspec

from rpsd.batch.files import temporary_name

#: Larger outputs are not kept: who has them has no room for a second thousand.
LARGEST: Final = 64 * 2**20
_PIECE: Final = 2**20


class Cache:
    """A folder of at most `size` entries, the least recently used removed, that processes may share.

    An entry is one file: a hash, of its key and the record; the record, with the hash of the output in it;
    and the output. It is written under another name and renamed, and never changed, so that a reader sees
    all of it or nothing; one that is damaged is removed by the reader who finds out. Whatever fails here
    costs time and no result.
    """

    def __init__(self, folder: str, size: int) -> None:
        self._folder = folder
        self._size = size

    def fetch(self, key: str, target: str | os.PathLike[str]) -> dict[str, Any] | None:
        """Write the output of that key to `target` and return its record, or None where there is none."""
        path = os.path.join(self._folder, key)
        try:
            with open(path, "rb") as entry, open(target, "wb") as out:
                digest, head = entry.readline().strip(), entry.readline()
                record: dict[str, Any] = msgspec.json.decode(head)
                if digest == _hash(key, head) and _copy_hashing(entry, out) == record["output"]:
                    out.flush()
                    os.fsync(out.fileno())
                    os.utime(path)  # the time of its last use
                    return record
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            pass
        for damaged in (path, target):
            with contextlib.suppress(OSError):
                os.unlink(damaged)
        return None

    def store(self, key: str, source: str | os.PathLike[str], record: Mapping[str, Any]) -> None:
        """Keep an output with its record; a full or read-only disk keeps nothing."""
        if self._size < 1:
            return
        temporary = os.path.join(self._folder, temporary_name(key))
        try:
            if os.path.getsize(source) > LARGEST:
                return
            os.makedirs(self._folder, exist_ok=True)
            with open(source, "rb") as data, open(temporary, "xb") as entry:
                head = msgspec.json.encode(record) + b"\n"
                entry.write(_hash(key, head) + b"\n" + head)
                shutil.copyfileobj(data, entry, _PIECE)
            os.replace(temporary, os.path.join(self._folder, key))
            self._remove_oldest()
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def _remove_oldest(self) -> None:
        names = [entry for entry in os.scandir(self._folder) if entry.is_file()]
        if len(names) <= self._size:
            return
        used: list[tuple[float, str]] = []
        for entry in names:
            with contextlib.suppress(FileNotFoundError):  # another process has removed it
                used.append((entry.stat().st_mtime_ns, entry.path))
        for _, path in sorted(used)[: len(used) - self._size]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _hash(key: str, head: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\n" + head).hexdigest().encode()


def _copy_hashing(source: BinaryIO, target: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := source.read(_PIECE):
        digest.update(piece)
        target.write(piece)
    return digest.hexdigest()
