# SPDX-License-Identifier: MIT
"""What lives as long as the process."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rpsd.service._admission import Admission
from rpsd.service._log import Log
from rpsd.service._metrics import Metrics
from rpsd.service._phase import Phase
from rpsd.service._rates import Rates
from rpsd.service._snapshot import Snapshot
from rpsd.service._system import System
from rpsd.service._tracing import Tracer

if TYPE_CHECKING:
    from rpsd.service.access._access import Access
    from rpsd.service.store._database import Database


@dataclass
class State:
    """What lives as long as the process.

    Attributes
    ----------
    snapshot : Snapshot
        A request takes it once.
    ports : tuple of int
        That of health and metrics, and that of the interface; equal where there is one listener.
    access : Access or None
        What decides on access; None where no credentials are asked for.
    """

    snapshot: Snapshot
    ports: tuple[int, int]
    log: Log
    metrics: Metrics
    admission: Admission
    system: System
    phase: Phase = field(default_factory=Phase)
    rates: Rates = field(default_factory=Rates)
    tracer: Tracer | None = None
    access: Access | None = None
    _database: Database | None = None
    _opening: threading.Lock = field(default_factory=threading.Lock)

    def database(self) -> Database:
        """Return the database, opened by the first who needs it: most services of one machine never do.

        It may wait for a disk or a network: for threads, not for the event loop.
        """
        with self._opening:
            if self._database is None:
                from rpsd.service.store._open import open_database

                self._database = open_database(self.snapshot.config)
            return self._database
