# SPDX-License-Identifier: MIT
"""Threads that compute; those of concurrent.futures would keep a process that must end alive."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

from rpsd.service._memory import give_back

#: Seconds without work after which a thread that has worked is replaced.
_REST: Final = 5.0


class Workers:
    """Runs functions on a fixed number of threads, first come first served.

    The core keeps memory for each thread, as much as its largest series took; it goes with the thread.

    Parameters
    ----------
    count : int
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        for number in range(count):
            self._start(f"rpsd-worker-{number}")

    def submit(self, task: Callable[[], None]) -> None:
        """Run a function that raises nothing."""
        self._tasks.put(task)

    def close(self) -> None:
        """Let the threads end when they have nothing left to do."""
        for _ in range(self.count):
            self._tasks.put(None)

    def _start(self, name: str, before: threading.Thread | None = None) -> None:
        threading.Thread(target=self._work, args=(before,), name=name, daemon=True).start()

    def _work(self, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
            give_back()
        rest = None
        try:
            while self._run_next(rest):
                rest = _REST
        except queue.Empty:
            this = threading.current_thread()
            self._start(this.name, this)

    def _run_next(self, rest: float | None) -> bool:
        """Wait for a task, run it, and forget it before the next wait; False where there will be none."""
        task = self._tasks.get(timeout=rest)
        if task is not None:
            task()
        return task is not None
