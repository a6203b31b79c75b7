# SPDX-License-Identifier: MIT
"""The service's log: JSON lines with the same eight fields each, written by a thread of its own."""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import structlog

from rpsd._text import one_line
from rpsd.service._clock import utc_now

#: Lines that may wait for a reader that is slow; further ones are lost, and counted.
_WAITING: Final = 10_000
#: Seconds for which lines are gathered.
_PAUSE: Final = 0.02
_FRAMES: Final = 8
_NEWLINE: Final = ord("\n")


class Log:
    """Writes events as JSON lines.

    A thread writes, so that a reader that stops does not stop the service.

    Parameters
    ----------
    stream : binary file
        Where lines go.
    level : str
        Least level that is written; may be set at any time.
    """

    def __init__(self, stream: BinaryIO, level: str) -> None:
        self._lines = _Lines(stream)
        self.level = level

    @property
    def level(self) -> str:
        """Least level that is written."""
        return self._level

    @level.setter
    def level(self, level: str) -> None:
        self._level = level
        self._logger: Any = structlog.wrap_logger(
            self._lines,
            processors=[_line],
            wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
            cache_logger_on_first_use=True,
        )

    @property
    def lost(self) -> int:
        """Lines that were never written, as their reader was too slow."""
        return self._lines.lost

    def write(self, level: str, operation: str, message: str, **fields: Any) -> None:
        """Write one event; fields beside the seed's eight come after them."""
        getattr(self._logger, level.lower())(message, operation=operation, **fields)

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, for some seconds at most."""
        self._lines.close(seconds)


_encoder: Final = msgspec.json.Encoder(enc_hook=str)


def _line(_: Any, level: str, event: MutableMapping[str, Any]) -> bytes:
    fields = {
        "timestamp": utc_now(milliseconds=True),
        "level": level.upper(),
        "service": "rpsd",
        "operation": event.pop("operation"),
        "user_id": event.pop("user_id", None),
        "data_size": event.pop("data_size", 0),
        "processing_time": event.pop("processing_time", 0.0),
        "message": one_line(event.pop("event")),
    }
    fields.update(event)
    return _encoder.encode(fields)


class _Lines:
    """A bounded queue of lines and the thread that writes them: the logger that structlog wraps."""

    def __init__(self, stream: BinaryIO) -> None:
        stream.flush()
        self._file: Any = getattr(stream, "raw", stream)
        self._torn = False
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.lost = 0
        self._thread = threading.Thread(target=self._write, name="rpsd-log", daemon=True)
        self._thread.start()

    def _put(self, line: bytes) -> None:
        if self._queue.qsize() < _WAITING:
            self._queue.put(line)
        else:
            self.lost += 1

    debug = info = warning = error = critical = _put

    def _write(self) -> None:
        # Several at a time: to be woken for each line takes longer than all else that a line costs.
        while (line := self._queue.get()) is not None:
            self._write_all([line, *self._taken()])
            time.sleep(_PAUSE)

    def _write_all(self, lines: list[bytes]) -> None:
        """Write lines to the file itself: what a buffer keeps of a full disk comes later, in pieces."""
        data = memoryview(b"\n" * self._torn + b"".join(one + b"\n" for one in lines))
        done = 0
        try:
            while done < len(data):
                count = self._file.write(data[done:])
                if count is None:
                    raise BlockingIOError
                done += count
        except (OSError, ValueError):  # nobody reads, the disk is full, or it is closed: nobody to tell
            self.lost += len(lines) - max(bytes(data[:done]).count(b"\n") - self._torn, 0)
        # What comes after the beginning of a line goes on a line of its own.
        self._torn = data[done - 1] != _NEWLINE if done else self._torn

    def _taken(self) -> Iterator[bytes]:
        """Take what waits, up to the end."""
        for _ in range(self._queue.qsize()):
            line = self._queue.get()
            if line is None:
                self._queue.put(None)
                return
            yield line

    def close(self, seconds: float) -> None:
        self._queue.put(None)
        self._thread.join(seconds)


class Forwarded(logging.Handler):
    """Sends what libraries log through the service's log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; its logger's name is the operation."""
        error = record.exc_info[1] if record.exc_info else None
        trace = {} if error is None else {"trace": trace_of(error)}
        self._log.write(record.levelname, record.name, record.getMessage(), **trace)


def trace_of(error: BaseException) -> str:
    """Return the kind of an error and where it was raised, innermost first.

    Not what it says: messages of other libraries quote the values that they stumbled over.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = [f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})" for frame in reversed(frames)]
    return (
        " < ".join([f"{type(error).__name__} in {places[0]}", *places[1:]])
        if places
        else type(error).__name__
    )
