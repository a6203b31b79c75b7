# SPDX-License-Identifier: MIT
"""Units done by the workers of a Ray cluster: `Workers` of many machines."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, Self

from rpsd import ConfigError, RpsdError, __version__
from rpsd._text import one_line, shown
from rpsd.batch._unit import failed_record, remove_temporaries
from rpsd.batch._workers import TRIES, run_here

# Units that wait at a cluster for each of its processors, those at work among them: enough that none idles
# and an autoscaler sees that there is work, few enough that a million units stay where they are.
_PER_PROCESSOR: Final = 2
_LEAST: Final = 16
_LOOK_SECONDS: Final = 10.0
# Ray itself tries for minutes.
_CONNECT_SECONDS: Final = 5.0

# Of an instance that is started for one batch: it tells nobody; its processes listen on the loopback
# interface only, as Ray's on other systems do, which it has to be told on Linux before it is imported; and
# only who knows the token, not every user of this machine, may give it work.
_ALONE: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
}

_Unit = Mapping[str, Any]


class RayWorkers:
    """Tasks on Ray, one a unit and one processor each; leaving the ``with`` block ends them.

    Parameters
    ----------
    most : int
        Units that the cluster has at once, 0 for as many as it has room for.
    address : str or None
        Of a running cluster (HOST:PORT, ray://HOST:PORT or auto); None: RAY_ADDRESS, else an instance is
        started for this batch, on this machine's loopback interface only.
    processors : int
        Processes of such an instance.

    """

    def __init__(self, most: int, address: str | None = None, *, processors: int = 1) -> None:
        self._address = _place(address)
        self._ray = _import_ray(self._address)
        self._processors = processors
        self._most = most
        self._follows = most == 0
        self._looked = float("-inf")
        self._running: dict[Any, _Unit] = {}
        self._deaths: Counter[str] = Counter()
        self._owner = False

    def __enter__(self) -> Self:
        if not self._ray.is_initialized():
            with _own_signals():
                self._connect()
            self._owner = True
        # Tried again here and not by Ray, so that what a killed process left is removed first.
        self._task = self._ray.remote(num_cpus=1, max_retries=0)(_do)
        return self

    def __exit__(self, *_: object) -> None:
        for reference in self._running:
            with suppress(Exception):
                self._ray.cancel(reference, force=True)
        if self._owner:
            self._ray.shutdown()
        for unit in self._running.values():
            remove_temporaries(unit["output"], [unit["name"]])

    def run(self, units: Iterable[_Unit]) -> Iterator[dict[str, Any]]:
        """Yield the record of each unit as it is done; if its worker died it is tried again, next."""
        waiting = iter(units)
        again: deque[_Unit] = deque()
        while True:
            while len(self._running) < self._room():
                # Before the others: they are smaller, and it would be what all wait for in the end.
                unit = again.popleft() if again else next(waiting, None)
                if unit is None:
                    break
                self._running[self._task.remote(dict(unit), __version__)] = unit
            if not self._running:
                return
            for reference in self._ended():
                # Still among the running while it is fetched, so that an interrupt finds it there.
                unit = self._running[reference]
                record = self._record(reference, unit)
                del self._running[reference]
                if record is None:
                    again.append(unit)
                else:
                    yield record

    def _room(self) -> int:
        """Return how many units the cluster may have, which grows with it."""
        now = time.monotonic()
        if self._follows and now - self._looked > _LOOK_SECONDS:
            self._looked = now
            processors = int(self._ray.cluster_resources().get("CPU", 0))
            self._most = max(_LEAST, _PER_PROCESSOR * processors)
        return self._most

    def _ended(self) -> list[Any]:
        references = list(self._running)
        first, _ = self._ray.wait(references, num_returns=1)
        # And whatever else has ended by then, as each question costs what there are of them.
        every, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return list(every or first)

    def _record(self, reference: Any, unit: _Unit) -> dict[str, Any] | None:
        """Return the record of a unit whose task has ended, or None where it is to be tried again."""
        errors = self._ray.exceptions
        try:
            record: dict[str, Any] | str = self._ray.get(reference)
        except errors.RayTaskError as error:
            # `run_unit` raises nothing that data can cause: the worker could not even begin.
            raise RpsdError(f"a worker of the Ray cluster cannot run rpsd: {_reason(error)}") from None
        except (errors.RuntimeEnvSetupError, errors.TaskUnschedulableError) as error:
            raise RpsdError(f"the Ray cluster takes no work: {_reason(error)}") from None
        except errors.RayError as error:
            remove_temporaries(unit["output"], [unit["name"]])
            self._deaths[unit["name"]] += 1
            if self._deaths[unit["name"]] < TRIES:
                return None
            return failed_record(
                unit,
                f"its worker process was ended each of {TRIES} times ({type(error).__name__}); "
                "is there too little memory?",
            )
        if isinstance(record, str):
            raise RpsdError(
                f"a worker of the Ray cluster has rpsd {record}, this is {__version__}; "
                "install the same on every machine"
            )
        return record

    def _connect(self) -> None:
        """Join the cluster at the address, or start an instance."""
        quiet: dict[str, Any] = {"address": self._address, "log_to_driver": False, "logging_level": "ERROR"}
        if self._address != "local":
            try:
                self._ray.init(**quiet)
            except (OSError, RuntimeError, ValueError, self._ray.exceptions.RayError) as error:
                place = shown(self._address)
                raise RpsdError(f"cannot reach a Ray cluster at {place}: {_reason(error)}") from None
            return
        for tries in range(1, TRIES + 1):
            try:
                self._ray.init(**quiet, num_cpus=self._processors, include_dashboard=False)
                break
            except Exception as error:  # it raises what has no name, where a loaded machine is too slow
                self._ray.shutdown()
                if tries == TRIES:
                    raise RpsdError(f"Ray does not start on this machine: {_reason(error)}") from None


def _do(unit: dict[str, Any], version: str) -> dict[str, Any] | str:
    """Return the record of a unit; the version of a worker that has another, as its records would not fit."""
    if version != __version__:
        return __version__
    return next(run_here([unit]))


def check_ray(address: str | None) -> None:
    """Raise where there is no Ray, or nothing answers at the address, before any work is done."""
    place = _place(address)
    _import_ray(place)
    _check_reachable(place)


def _place(address: str | None) -> str:
    return address or os.environ.get("RAY_ADDRESS") or "local"


def _import_ray(address: str) -> Any:
    if address == "local" and "ray" not in sys.modules:
        os.environ.update(_ALONE)
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ImportError:
        raise RpsdError('--engine ray needs Ray: pip install "rpsd[ray]"') from None
    return ray


def _check_reachable(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address in ("local", "auto"):
        return
    if not host or not port.isdecimal():
        raise ConfigError(f"--address must be HOST:PORT, ray://HOST:PORT or auto, got {shown(address)}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RpsdError(f"cannot reach a Ray cluster at {shown(address)}: {reason}") from None


def _reason(error: Exception) -> str:
    """Return the last line of an error, which in Ray's says what it was."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else type(error).__name__


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM; Ray would put its own in that place."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as stop:
        if stop.code == signal.SIGTERM and callable(before):  # Ray's own handler was asked
            before(signal.SIGTERM, None)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
