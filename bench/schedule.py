# SPDX-License-Identifier: MIT
"""A cluster at work on a batch, simulated event by event: who waits for what, and what that costs."""

import heapq
from dataclasses import dataclass, field
from itertools import count

import numpy as np

GIGA = 1e9


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What the work is done on.

    Attributes
    ----------
    cores : int
        One unit each.
    store : float
        Bytes a second that the object store gives all of them together.
    link : float
        And one core at most.
    start : float
        Seconds until a core takes its first unit, and until one that was lost is replaced.
    dispatch : float
        Seconds that the driver takes to give out a unit: one after the other.
    slow, slowness : float
        Share of cores that are slow, and how many times.
    losses : float
        Times a day that a core is lost with what it works on.
    """

    cores: int
    store: float = 40 * GIGA
    link: float = 0.3 * GIGA
    start: float = 60.0
    dispatch: float = 0.001
    slow: float = 0.02
    slowness: float = 2.0
    losses: float = 1.0


@dataclass
class Outcome:
    """What became of it: seconds of cores but for `makespan` and the times in `curve`."""

    makespan: float = 0.0
    worked: float = 0.0
    moved: float = 0.0
    lost: float = 0.0
    retries: int = 0
    curve: list = field(default_factory=list)

    def utilisation(self, cores):
        """Return the share of the cores' time that went into results."""
        return self.worked / (cores * self.makespan)


class _Link:
    """An object store whose transfers share what it gives evenly, none more than a core's link takes."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._given = 0.0  # bytes that a transfer which was always there would have had
        self._now = 0.0
        self._ends = []
        self._gone = set()
        self._active = 0

    def _rate(self):
        return min(self._cluster.link, self._cluster.store / self._active) if self._active else 0.0

    def _advance(self, now):
        self._given += (now - self._now) * self._rate()
        self._now = now

    def begin(self, now, size, what):
        self._advance(now)
        heapq.heappush(self._ends, (self._given + size, what))
        self._active += 1

    def end(self, now, what):
        """Take one out, done or not."""
        self._advance(now)
        self._active -= 1
        if self._ends[0][1] == what:
            heapq.heappop(self._ends)
        else:
            self._gone.add(what)
        while self._ends and self._ends[0][1] in self._gone:
            self._gone.remove(heapq.heappop(self._ends)[1])

    def following(self):
        """Return when which transfer ends next."""
        if not self._ends:
            return float("inf"), None
        end, what = self._ends[0]
        return self._now + max(0.0, end - self._given) / self._rate(), what


def simulate(cluster, seconds, read, write, *, seed=0):
    """Run units (seconds of a core, bytes in and out, each an array) in their order; return an `Outcome`."""
    return _Run(cluster, seconds, read, write, np.random.default_rng(seed)).run()


class _Run:
    def __init__(self, cluster, seconds, read, write, rng):
        self.cluster, self.rng = cluster, rng
        self.units = list(zip(seconds.tolist(), read.tolist(), write.tolist(), strict=True))
        self.speed = np.where(rng.random(cluster.cores) < cluster.slow, 1 / cluster.slowness, 1.0).tolist()
        self.link = _Link(cluster)
        self.events, self.tokens = [], count()
        self.waiting = list(range(len(self.units)))[::-1]
        self.working = {}  # core -> [token, unit, phase, since]
        self.idle = set()  # that asked and got nothing
        self.free_driver = 0.0
        self.out = Outcome()
        self.left = len(self.units)

    def run(self):
        for core in range(self.cluster.cores):
            self._at(self.cluster.start, "ready", core, 0)
            self._lose_later(core, 0.0)
        now = 0.0
        while self.left:
            moved, what = self.link.following()
            if what is not None and (not self.events or moved <= self.events[0][0]):
                now = moved
                self.link.end(now, what)
                self._moved(now, what[1])
            else:
                now, _, kind, core, token = heapq.heappop(self.events)
                getattr(self, f"_{kind}")(now, core, token)
        self.out.makespan = now
        self.out.curve.append((now, 0))
        return self.out

    def _at(self, when, kind, core, token):
        heapq.heappush(self.events, (when, next(self.tokens), kind, core, token))

    def _lose_later(self, core, now):
        if self.cluster.losses:
            self._at(now + self.rng.exponential(86_400 / self.cluster.losses), "lost", core, 0)

    def _ready(self, now, core, _):
        """Ask the driver for a unit, which gives one at a time."""
        if not self.waiting:
            self.idle.add(core)
            return
        self.free_driver = max(now, self.free_driver) + self.cluster.dispatch
        self.working[core] = [next(self.tokens), self.waiting.pop(), "given", now]
        self._at(self.free_driver, "given", core, self.working[core][0])

    def _given(self, now, core, token):
        state = self.working.get(core)
        if state is None or state[0] != token:
            return
        state[2:] = ["reading", now]
        self.link.begin(now, self.units[state[1]][1], (token, core))
        self.out.curve.append((now, len(self.working)))

    def _moved(self, now, core):
        token, unit, phase, since = self.working[core]
        if phase == "reading":
            self.out.moved += now - since
            self.working[core][2:] = ["working", now]
            self._at(now + self.units[unit][0] / self.speed[core], "worked", core, token)
            return
        self.out.moved += now - since
        del self.working[core]
        self.left -= 1
        self.out.curve.append((now, len(self.working)))
        self._ready(now, core, 0)

    def _worked(self, now, core, token):
        state = self.working.get(core)
        if state is None or state[0] != token:
            return
        # What a core of the usual speed would have needed: the rest of a slow one's time is no result.
        self.out.worked += self.units[state[1]][0]
        state[2:] = ["writing", now]
        self.link.begin(now, self.units[state[1]][2], (token, core))

    def _lost(self, now, core, _):
        self._lose_later(core, now)
        if core in self.idle:
            self.idle.remove(core)
            self._at(now + self.cluster.start, "ready", core, 0)
        state = self.working.pop(core, None)
        if state is None:
            return
        token, unit, phase, since = state
        if phase in ("reading", "writing"):
            self.link.end(now, (token, core))
        if phase == "writing":
            self.out.worked -= self.units[unit][0]
            self.out.lost += self.units[unit][0]
        elif phase == "working":
            self.out.lost += now - since
        self.out.retries += 1
        self.waiting.append(unit)  # before the others, as they are smaller
        self._at(now + self.cluster.start, "ready", core, 0)
        if self.idle:
            self._ready(now, self.idle.pop(), 0)
