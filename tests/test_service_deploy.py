# SPDX-License-Identifier: MIT
"""Two instances behind a tiny balancer: one that is killed, and many that are replaced under load."""

import contextlib
import http.client
import itertools
import signal
import threading
import time

import numpy as np
import pytest
from serving import Server, wait_until

import rpsd

BINARY = "application/octet-stream"
X = 100 + rpsd.simulate("a", 400, seed=1).noisy
Y = rpsd.denoise(X, method="wavelet", noise="mad").tobytes()
PATH = "/v1/denoise?method=wavelet&noise=mad"
_REFUSED = (ConnectionRefusedError,)
#: Waits in the middle of a computation, where the first sample says so.
WAITING = """
import pathlib, time
from rpsd.service import _compute
run = _compute.denoise_rows
def waiting(denoiser, rows, *more):
    if rows.size and rows[0, 0] == 0.5:
        pathlib.Path("inside").touch()
        time.sleep(120)
    return run(denoiser, rows, *more)
_compute.denoise_rows = waiting
"""


class Balancer:
    """Sends requests in turn to what is ready; what was refused at the door goes to the other.

    It asks each for its readiness now and then, as balancers do, and repeats nothing that an instance may
    have begun.
    """

    def __init__(self):
        self._places = []
        self._lock = threading.Lock()
        self._turn = itertools.count()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def add(self, running):
        with self._lock:
            self._places = [*self._places, [running, True]]

    def remove(self, running):
        with self._lock:
            self._places = [place for place in self._places if place[0] is not running]

    def close(self):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while not self._over.wait(0.1):
            for place in self._places:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    place[1] = place[0].ask("GET", "/health/ready").status == 200
                    continue
                place[1] = False

    def pick(self):
        ready = [running for running, good in self._places if good]
        return ready[next(self._turn) % len(ready)] if ready else None


class Client(threading.Thread):
    """Asks again and again, over connections that it keeps; counts answers and failures."""

    def __init__(self, balancer, over):
        super().__init__()
        self._balancer, self._over = balancer, over
        self._connections = {}
        self.good = 0
        self.failed = []

    def run(self):
        while not self._over.is_set():
            self._ask()
            time.sleep(0.003)  # the machine has a successor to start, too
        for connection in self._connections.values():
            connection.close()

    def _ask(self):
        for _ in range(600):
            running = self._balancer.pick()
            if running is None:
                time.sleep(0.05)
                continue
            connection = self._connections.setdefault(running, running.connect())
            try:
                connection.request("POST", PATH, X.tobytes(), {"content-type": BINARY})
                response = connection.getresponse()
                body = response.read()
            except _REFUSED:  # nobody saw it
                connection.close()
                continue
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.failed.append((running, repr(error)))
                return
            if response.status == 200 and body == Y:
                self.good += 1
            else:
                self.failed.append((running, f"{response.status} {body[:200]!r}"))
            return
        self.failed.append((None, "nobody took it"))


@contextlib.contextmanager
def load(balancer, clients):
    over = threading.Event()
    threads = [Client(balancer, over) for _ in range(clients)]
    try:
        for thread in threads:
            thread.start()
        yield threads
    finally:
        over.set()
        for thread in threads:
            thread.join()
        balancer.close()


@pytest.fixture
def new(tmp_path):
    """Return a function that starts an instance."""
    started = []

    def start(**variables):
        home = tmp_path / str(len(started))
        home.mkdir()
        started.append(Server(home, "--config", str(tmp_path / "c.yaml"), **variables))
        started[-1].home = home
        return started[-1]

    (tmp_path / "c.yaml").write_text("monitoring: {log_level: WARNING}\n")
    yield start
    for running in started:
        running.process.kill()
        running.finished()


def stopped(*instances):
    for running in instances:
        running.process.send_signal(signal.SIGTERM)
    return [running.finished() for running in instances]


def test_a_kill_costs_what_was_under_way_and_nothing_else(new):
    """F1: kill -9 in the middle of a request; the other goes on, and a new one serves at once."""
    first, second = new(prelude=WAITING), new()
    first.wait()
    second.wait()
    lost = []
    waiting = np.array([0.5, *X])

    def ask():
        try:
            # By the default, which fits: light work is done in the event loop, where waiting stops all.
            lost.append(first.ask("POST", "/v1/denoise", waiting.tobytes(), content_type=BINARY))
        except (OSError, http.client.HTTPException) as error:
            lost.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until((first.home / "inside").exists)
    balancer = Balancer()
    balancer.add(first)
    balancer.add(second)
    with load(balancer, 2) as clients:
        wait_until(lambda: min(client.good for client in clients) >= 20)
        first.process.kill()
        asking.join()
        balancer.remove(first)
        third = new().wait()
        balancer.add(third)
        before = [client.good for client in clients]
        wait_until(lambda: all(client.good >= n + 20 for client, n in zip(clients, before, strict=True)))
    assert isinstance(lost[0], (OSError, http.client.HTTPException))  # told, not answered wrongly
    failed = [failure for client in clients for failure in client.failed]
    assert len(failed) <= len(clients)  # at most one under way for each
    assert all(running is first for running, _ in failed)
    assert stopped(second, third) == [0, 0]


@pytest.mark.parametrize(
    ("deploys", "requests"), [(1, 40), pytest.param(30, 10_000, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_deploys_under_load_fail_nothing(new, deploys, requests):
    """F2: each is drained by SIGTERM while a successor takes over; no request fails."""
    instances = [new(drain_delay=1) for _ in range(2)]
    balancer = Balancer()
    for running in instances:
        balancer.add(running.wait())
    with load(balancer, 4) as clients:
        for number in range(deploys):
            successor = new(drain_delay=1).wait()
            balancer.add(successor)
            old, instances[number % 2] = instances[number % 2], successor
            old.process.send_signal(signal.SIGTERM)
            begin = time.monotonic()
            assert old.finished() == 0
            assert time.monotonic() - begin < 30
            balancer.remove(old)
        wait_until(lambda: sum(client.good for client in clients) >= requests)
    failed = [failure for client in clients for failure in client.failed]
    print(f"{deploys} deploys, {sum(client.good for client in clients)} requests, {len(failed)} failed")
    assert failed == []
    assert stopped(*instances) == [0, 0]
