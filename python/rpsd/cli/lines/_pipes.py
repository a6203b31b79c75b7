# SPDX-License-Identifier: MIT
"""Standard input and output without buffers, left in good order when a signal asks to stop."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Final, Self, TextIO

from rpsd._errors import RpsdError

_BLOCK: Final = 1 << 16
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Pipes:
    """Standard input and output, whose waits SIGINT and SIGTERM end, and nothing else does.

    The signals raise nothing: they are seen between two system calls, so that what has been read, computed
    and written is always known to the byte. Python on Windows cannot wait for a pipe and a signal at once:
    there a signal counts when the next line comes.

    Attributes
    ----------
    stopped : int or None
        The signal that asked to stop.
    unsent : bytearray
        What could not be written yet.
    """

    def __init__(self) -> None:
        stdin: TextIO | None = sys.stdin
        if stdin is None:
            raise RpsdError("cannot read standard input: it is closed")
        self._in, self._out = stdin.fileno(), sys.stdout.fileno()
        self.stopped: int | None = None
        self.unsent = bytearray()
        self._undo = contextlib.ExitStack()
        self._wake: list[int] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in _SIGNALS:
            # What the parent ignores, as the shell does for a job in the background, stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._undo.callback(signal.signal, number, signal.signal(number, self._stop))
        if os.name == "posix":
            reader, writer = os.pipe()
            self._undo.callback(os.close, reader)
            self._undo.callback(os.close, writer)
            os.set_blocking(writer, False)
            self._undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writer))
            self._wake = [reader]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def read(self, timeout: float | None) -> bytes | None:
        """Return what has come, at least a byte; empty at the end; None after a time-out or a signal."""
        try:
            if os.name == "posix":
                ready = select.select([self._in, *self._wake], [], [], timeout)[0]
                if self._is_stopped(ready) or not ready:
                    return None
            return None if self.stopped else os.read(self._in, _BLOCK)
        except BlockingIOError:
            return None
        except OSError as error:
            raise RpsdError(f"cannot read standard input: {error.strerror}") from None

    def write(self, data: bytes) -> None:
        """Write all that is unsent; after a signal only what is taken at once."""
        self.unsent += data
        while self.unsent and self._may_write():
            with contextlib.suppress(BlockingIOError):
                del self.unsent[: os.write(self._out, self.unsent[: self._piece])]

    def sync(self) -> None:
        """Wait until what was written to a file is on its disk; pipes and terminals have none."""
        with contextlib.suppress(OSError):
            os.fsync(self._out)

    @property
    def _piece(self) -> int:
        # A pipe that is ready takes so much without a wait in which no signal would be seen.
        return select.PIPE_BUF if os.name == "posix" else len(self.unsent)

    def _may_write(self) -> bool:
        if os.name != "posix":
            return True
        if self.stopped is None:
            ready, free, _ = select.select(self._wake, [self._out], [])
            if free or not self._is_stopped(ready):
                return True
        return bool(select.select([], [self._out], [], 0)[1])

    def _is_stopped(self, ready: list[int]) -> bool:
        for descriptor in self._wake:
            if descriptor in ready:
                # The system writes the signal's number there, before Python comes to call the handler.
                self.stopped = os.read(descriptor, 1)[0]
        return self.stopped is not None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = number
