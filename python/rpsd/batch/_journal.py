# SPDX-License-Identifier: MIT
"""What a batch has finished: a line of JSON for each unit, kept until the manifest is made of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from rpsd._errors import RpsdError
from rpsd._text import shown
from rpsd.batch.files import Outputs

_PATTERN: Final = "journal*.jsonl"
# Windows removes and replaces no file that is open.
_MUST_CLOSE: Final = os.name == "nt"


def journal_name(shard: tuple[int, int] | None) -> str:
    """Return the name of the journal of part k of n, or of the whole batch."""
    return "journal.jsonl" if shard is None else f"journal-{shard[0]}-of-{shard[1]}.jsonl"


class _Place(NamedTuple):
    """Where the line of a unit is, and how good it is: of these settings, without failures, the later one."""

    rank: tuple[bool, bool]
    path: Path
    start: int
    size: int


class _Series(msgspec.Struct):
    action: str


class _Line(msgspec.Struct):
    """What is read of every line; the rest is read when it is asked for."""

    name: str
    settings: str
    series: list[_Series]


class Journal:
    """The journals of an output folder, one of them open to be written.

    Parameters
    ----------
    folder : Path
        ``OUT/_rpsd``.
    shard : tuple of int, optional
        Part k of n, which has a journal of its own; None: the whole batch, which owns all.
    resume : bool
        Go on with what is there; else begin anew.
    settings : str
        Hash of the settings of this run.

    Raises
    ------
    RpsdError
        Where another process writes one of the journals that this run owns.
    """

    def __init__(self, folder: Path, shard: tuple[int, int] | None, *, resume: bool, settings: str) -> None:
        self.path = folder / journal_name(shard)
        self._folder = folder
        self._settings = settings
        self._places: dict[str, _Place] = {}
        self._descriptors: list[int] = []
        try:
            self._own = self._lock(self.path)
            self.others = sorted(path for path in folder.glob(_PATTERN) if path != self.path)
            if shard is None:
                for path in self.others:
                    self._lock(path)
            if resume:
                self._load(shard is None)
            else:
                for path in (self.path, *(self.others if shard is None else ())):
                    os.truncate(path, 0)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def empty(self) -> bool:
        """Whether the own journal has no line."""
        return os.fstat(self._own).st_size == 0

    def get(self, name: str) -> dict[str, Any] | None:
        """Return the record of a unit, or None where there is none."""
        place = self._places.get(name)
        if place is None:
            return None
        with open(place.path, "rb") as file:
            file.seek(place.start)
            record: dict[str, Any] = msgspec.json.decode(file.read(place.size))
        return record

    def append(self, record: Mapping[str, Any]) -> None:
        """Write the line of a unit; from then on it is finished."""
        line = _line(record)
        start = os.lseek(self._own, 0, os.SEEK_END)
        if os.write(self._own, line) != len(line):
            os.ftruncate(self._own, start)
            raise RpsdError(f"cannot write {self.path}: no room for a line")
        self._places[record["name"]] = _Place((True, True), self.path, start, len(line))

    def begin_with(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Fill the empty own journal with the records of an earlier run: with all or, if killed, none."""
        with Outputs() as outputs:
            outputs.add(os.fspath(self.path), (_line(record) for record in records))
            before = self._own
            if _MUST_CLOSE:
                self._close()
            outputs.commit()
        self._own = self._lock(self.path)
        if before in self._descriptors[:-1]:
            os.close(before)
            self._descriptors.remove(before)
        self._load(True)

    def remove(self) -> None:
        """Remove the journals, as the manifest has all they say."""
        if _MUST_CLOSE:
            self._close()
        for path in (self.path, *self.others):
            path.unlink(missing_ok=True)

    def _load(self, with_others: bool) -> None:
        self._places.clear()
        # What follows the last whole line is what a killed run left of one.
        os.ftruncate(self._own, _whole(self.path))
        for path in (self.path, *(self.others if with_others else ())):
            for place, line in _lines(path):
                rank = (line.settings == self._settings, all(one.action != "failed" for one in line.series))
                known = self._places.get(line.name)
                if known is None or rank >= known.rank:
                    self._places[line.name] = _Place(rank, path, *place)

    def _lock(self, path: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o666)
        self._descriptors.append(descriptor)
        try:
            import fcntl
        except ImportError:  # Windows: two runs into one folder are not found out there
            return descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RpsdError(
                f"another run writes {shown(str(self._folder.parent))} ({path.name}); wait for it, "
                "or name another folder"
            ) from None
        except OSError:  # a file system without locks
            pass
        return descriptor

    def _close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()


def _line(record: Mapping[str, Any]) -> bytes:
    # How it came to be says nothing about it: a resumed run has the same lines as one that was not.
    return msgspec.json.encode({key: value for key, value in record.items() if key != "how"}) + b"\n"


def _lines(path: Path) -> Iterator[tuple[tuple[int, int], _Line]]:
    """Yield start and size of each whole line that is a record, and the record."""
    start = 0
    with open(path, "rb") as file:
        for text in file:
            if text.endswith(b"\n"):
                with contextlib.suppress(msgspec.MsgspecError):  # damaged: the unit is done once more
                    yield (start, len(text)), msgspec.json.decode(text, type=_Line)
            start += len(text)


def _whole(path: Path) -> int:
    """Return how many bytes of a file are whole lines."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        end = size
        while end > 0:
            start = max(0, end - 2**16)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0
