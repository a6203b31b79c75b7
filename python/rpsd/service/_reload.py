# SPDX-License-Identifier: MIT
"""New settings while requests go on: read anew, checked whole, swapped at once; or the old ones kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from rpsd import Config, RpsdError
from rpsd.service._log import trace_of
from rpsd.service._snapshot import Snapshot
from rpsd.service._state import State
from rpsd.service._supervisor import notify, notify_reloading

#: Settings that were acted on when the process started.
_AT_START: Final = (
    ("service", "host"),
    ("service", "port"),
    ("monitoring", "metrics_port"),
    ("performance", "max_workers"),
    ("paths", "data_dir"),
    ("service", "trace_endpoint"),
    ("service", "trace_ratio"),
    ("security", "auth"),
    ("security", "tls_client_ca"),
    ("state", "state_url"),
    ("state", "state_key_file"),
)


class Reload:
    """Replaces the snapshot of a state.

    A thread reads and checks, as that takes longer than many a request; the event loop swaps, so that
    whatever runs there sees one configuration. Requests that have begun keep theirs.

    Parameters
    ----------
    state : State
    load : callable
        Reads the configuration, as at the start.
    check : callable
        Raises ConfigError for settings that fit no configuration but this service; returns what is called in
        the event loop before ``apply``.
    apply : callable
        Told of the new snapshot, in the event loop.
    """

    def __init__(
        self,
        state: State,
        load: Callable[[], Config],
        check: Callable[[Config], Callable[[], None]],
        apply: Callable[[Snapshot], None],
    ) -> None:
        self._state = state
        self._load = load
        self._check = check
        self._apply = apply
        self._wanted = threading.Event()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to wait for requests."""
        threading.Thread(target=self._run, args=(loop,), name="rpsd-reload", daemon=True).start()

    def request(self) -> None:
        """Ask for a reload that begins after now; what is asked meanwhile is one more."""
        self._wanted.set()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            notify_reloading()
            use: Callable[[], None] = _nothing
            try:
                config = self._load()
                use = self._check(config)
                found: Snapshot | str = Snapshot(config, self._state.snapshot.held)
            except RpsdError as error:
                found = str(error)
            except Exception as error:  # the old settings are still good
                found = trace_of(error)
            try:
                loop.call_soon_threadsafe(self._end, found, use)
            except RuntimeError:  # the loop is closed: the process ends
                return

    def _end(self, found: Snapshot | str, use: Callable[[], None]) -> None:
        try:
            self._take(found, use)
        finally:
            notify("READY=1")  # with the new settings or the old ones

    def _take(self, found: Snapshot | str, use: Callable[[], None]) -> None:
        state, before = self._state, self._state.snapshot
        state.metrics.reloaded(isinstance(found, Snapshot))
        if isinstance(found, str):
            state.log.write("ERROR", "reload", f"configuration {before.digest} is kept: {found}")
            return
        state.snapshot = found
        state.log.level = found.config.monitoring.log_level
        state.admission.most_requests = found.service.queue_requests
        state.admission.most_points = found.service.queue_points
        use()
        self._apply(found)
        changed = _changed(before.config, found.config)
        state.log.write(
            "INFO",
            "reload",
            f"configuration {found.digest} is in effect",
            before=before.digest,
            changed=[".".join(place) for place in changed],
        )
        late = [".".join(place) for place in changed if place in _AT_START]
        if late:
            state.log.write("WARNING", "reload", f"in effect from the next start on only: {', '.join(late)}")


def _nothing() -> None:
    """Stand in for what was not read."""


def _changed(before: Config, after: Config) -> list[tuple[str, str]]:
    pairs = zip(before.rows(), after.rows(), strict=True)
    return [old[:2] for old, new in pairs if old[2] != new[2]]
