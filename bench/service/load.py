# SPDX-License-Identifier: MIT
"""Open-loop load: requests leave when the schedule says, however slow the answers are.

Latency counts from the intended start, so that a server which stalls is charged for everything that had to
wait (no coordinated omission). One thread, non-blocking sockets, and short naps where the next start is near:
timers of event loops are a millisecond coarse. An answer counts as there when
the system had it, not when this process came to read it.
"""

import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

PERCENTILES = (50, 90, 99, 99.9, 100)
_PIECE = 1 << 16  # bytes: a buffer of a mebibyte costs more to have than most answers to read
_LAST_RECEIVED = 52  # where Linux has tcpi_last_data_recv
_LONG = 0.004
_NAP = 1e-4
_NEAR = 0.002  # seconds before a start from which on the clock is watched


@dataclass(frozen=True)
class Kind:
    """One request as bytes, its share of all, and what tells whether an answer of status 200 is right."""

    name: str
    request: bytes
    right: Callable[[bytes], bool]
    weight: float = 1.0


@dataclass
class Record:
    """What became of one request; times in seconds after the beginning of the run."""

    kind: str
    intended: float
    sent: float = np.nan
    answered: float = np.nan
    status: int = 0  # 0: no answer
    right: bool = False

    @property
    def latency(self):
        return self.answered - self.intended


@dataclass
class Run:
    """All requests of a run, in the order of their intended starts."""

    records: list[Record] = field(default_factory=list)
    seconds: float = 0.0

    def statuses(self, kind=None):
        return Counter(r.status for r in self.records if kind in (None, r.kind))

    def wrong(self):
        """Return how many answers of status 200 were not what they should be."""
        return sum(r.status == 200 and not r.right for r in self.records)

    def latencies(self, status=200, kind=None):
        """Return seconds from intended start to answer, of requests so answered."""
        return np.array([r.latency for r in self.records if r.status == status and kind in (None, r.kind)])

    def percentiles(self, status=200, kind=None):
        """Return milliseconds at PERCENTILES: exact ones, of every request."""
        found = self.latencies(status, kind)
        return np.percentile(found, PERCENTILES, method="higher") * 1e3 if found.size else [np.nan] * 5

    def lost(self):
        """Return how many requests were sent and not answered."""
        return sum(r.status == 0 and r.sent == r.sent for r in self.records)

    def goodput(self):
        """Return right answers a second."""
        return sum(r.status == 200 and r.right for r in self.records) / self.seconds

    def lag(self):
        """Return by how many milliseconds the load itself left late, at the 99th percentile."""
        late = [r.sent - r.intended for r in self.records if r.sent == r.sent]
        return float(np.percentile(late, 99) * 1e3) if late else np.nan


def request(path, body, content_type, host="127.0.0.1", **headers):
    """Return the bytes of a POST."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n{named}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def schedule(rate, seconds, kinds, *, poisson=True, seed=0):
    """Return (intended start, kind) pairs: Poisson arrivals, or evenly spaced ones."""
    rng = np.random.default_rng(seed)
    count = max(1, round(rate * seconds))
    gaps = rng.exponential(1 / rate, count) if poisson else np.full(count, 1 / rate)
    weights = np.array([kind.weight for kind in kinds])
    chosen = rng.choice(len(kinds), count, p=weights / weights.sum())
    return [(start, kinds[k]) for start, k in zip(np.cumsum(gaps) - gaps[0], chosen, strict=True)]


class _Connection:
    """One socket, and the request that is on it."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.record = self.kind = None
        self.unsent = b""
        self.received = bytearray()
        self.size = None  # of the whole answer, once its headers are there
        self.closing = False

    def begin(self, record, kind):
        self.record, self.kind, self.unsent = record, kind, memoryview(kind.request)
        self.received.clear()
        self.size = None
        return self.send()

    def send(self):
        """Send what the socket takes; return whether there is more."""
        while self.unsent:
            try:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
            except BlockingIOError:
                return True
        return False

    def receive(self):
        """Return the body and status of an answer that is whole, None where it is not yet."""
        piece = self.socket.recv(max(_PIECE, (self.size or 0) - len(self.received)))
        if not piece:
            raise ConnectionResetError
        self.received += piece
        if self.size is None:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return None
            head = bytes(self.received[:end]).lower()
            self.closing = b"\r\nconnection: close" in head
            length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
            self.start, self.size = end + 4, end + 4 + length
        if len(self.received) < self.size:
            return None
        return int(self.received[9:12]), bytes(self.received[self.start :])


def _waited(peer):
    """Return for how many seconds the last bytes of a socket have been there, while this process was busy.

    The system counts milliseconds, so that short waits are not told from none.
    """
    if not hasattr(socket, "TCP_INFO"):
        return 0.0
    info = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_RECEIVED + 4)
    waited = int.from_bytes(info[_LAST_RECEIVED:], sys.byteorder) / 1e3
    return waited if waited >= _LONG else 0.0


class Load:
    """Sends a schedule to a port and keeps account of every request.

    connections: at most so many at a time; a request that finds none free waits, and its latency with it (and
    is never sent where none gets free in time, which `Run.statuses` counts as 0 and `Run.lost` does not).
    patience: seconds after the last start, in which answers still count.
    """

    def __init__(self, port, planned, *, connections=256, patience=30.0):
        self.port, self.planned = port, planned
        self.connections, self.patience = connections, patience

    def run(self):
        self.poll = select.epoll()
        self.open, self.free, self.waiting = {}, [], deque()
        run, due = Run(), 0
        self.begin = time.perf_counter()
        last = self.planned[-1][0]
        while due < len(self.planned) or self.waiting or len(self.free) < len(self.open):
            now = time.perf_counter() - self.begin
            while due < len(self.planned) and self.planned[due][0] <= now:
                intended, kind = self.planned[due]
                run.records.append(Record(kind.name, intended))
                self.waiting.append((run.records[-1], kind))
                due += 1
            self._start()
            if now > last + self.patience:
                self.waiting.clear()  # never sent; what was sent has as long again to be answered
            if now > last + 2 * self.patience:
                break
            left = self.planned[due][0] - now if due < len(self.planned) else 0.05
            if 0 < left <= _NEAR:
                time.sleep(min(left, _NAP))  # not in vain: the server has the same processors
            for number, events in self.poll.poll(left - _NEAR / 2 if left > _NEAR else 0):
                self._serve(self.open[number], events)
        run.seconds = max(last, 1e-9)
        for connection in self.open.values():
            connection.socket.close()
        self.poll.close()
        return run

    def _start(self):
        while self.waiting and (self.free or len(self.open) < self.connections):
            if self.free:
                connection = self.free.pop()
            else:
                connection = _Connection(self.port)
                self.open[connection.socket.fileno()] = connection
                self.poll.register(connection.socket, select.EPOLLIN)
            record, kind = self.waiting.popleft()
            record.sent = time.perf_counter() - self.begin
            try:
                more = connection.begin(record, kind)
            except ConnectionError:
                self._close(connection)
                continue
            if more:
                self.poll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)

    def _serve(self, connection, events):
        try:
            if events & select.EPOLLOUT and not connection.send():
                self.poll.modify(connection.socket, select.EPOLLIN)
            answer = connection.receive() if events & ~select.EPOLLOUT else None
        except (ConnectionError, BlockingIOError):
            self._close(connection)
            return
        if answer is None:
            return
        record, kind = connection.record, connection.kind
        record.answered = time.perf_counter() - self.begin - _waited(connection.socket)
        record.status, body = answer
        record.right = record.status == 200 and kind.right(body)
        if connection.closing:
            self._close(connection)
        else:
            self.free.append(connection)

    def _close(self, connection):
        self.poll.unregister(connection.socket)
        del self.open[connection.socket.fileno()]
        if connection in self.free:
            self.free.remove(connection)
        connection.socket.close()
