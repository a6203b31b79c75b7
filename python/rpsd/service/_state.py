# SPDX-License-Identifier: MIT
"""What lives as long as the process."""

from __future__ import annotations

from dataclasses import dataclass, field

from rpsd.service._admission import Admission
from rpsd.service._log import Log
from rpsd.service._metrics import Metrics
from rpsd.service._phase import Phase
from rpsd.service._rates import Rates
from rpsd.service._snapshot import Snapshot
from rpsd.service._system import System
from rpsd.service._tracing import Tracer


@dataclass
class State:
    """What lives as long as the process.

    Attributes
    ----------
    snapshot : Snapshot
        A request takes it once.
    ports : tuple of int
        That of health and metrics, and that of the interface; equal where there is one listener.
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
