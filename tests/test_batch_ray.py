# SPDX-License-Identifier: MIT
"""`rpsd batch --engine ray` on a real cluster of this machine, whose workers are killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
from batches import own_cache  # noqa: F401 - a fixture
from command import QUIET, own_home, run_command  # noqa: F401 - a fixture
from engines import contents, make_days

from rpsd.cli import main

# Read when Ray is imported.
os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
    RAY_AUTH_MODE="token",
    RAY_AUTH_TOKEN="0" * 64,
)
import ray

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
CHAIN = ("--transform", "modwt", "--no-time")
OWN_CLUSTER = ("--engine", "ray", "--workers", "2", "--cache-size", "0")


@pytest.fixture(scope="module")
def cluster():
    """Start a cluster of two processors; its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield start().address_info["address"]
        ray.shutdown()


def start(tries=3):
    """Start it, again where a loaded machine is too slow for Ray."""
    try:
        return ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except Exception:
        ray.shutdown()
        if tries == 1:
            raise
        return start(tries - 1)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path, cluster):
    make_days(tmp_path / "in", 10, rows=40_000)
    assert main(["batch", "in", "-o", "local", "--workers", "1", *CHAIN, *QUIET]) == 0
    with killing(most=1) as killed:
        assert main(["batch", "in", "-o", "ray", "--engine", "ray", "--cache-size", "0", *CHAIN, *QUIET]) == 0
    assert len(killed) == 1
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


@pytest.mark.slow
def test_a_unit_that_kills_every_worker_fails_alone(tmp_path, cluster, capsys):
    make_days(tmp_path / "in", 1, rows=1_000_000)
    with killing(most=100) as killed:
        code = main(["batch", "in", "-o", "out", "--engine", "ray", "--cache-size", "0", *CHAIN, *QUIET])
    assert code == 1
    assert len(killed) == 3
    assert "its worker process was ended each of 3 times" in capsys.readouterr().err
    assert not [name for name in contents(tmp_path / "out") if not name.startswith("_rpsd")]
    assert main(["batch", "in", "-o", "out", "--engine", "ray", "--resume", *CHAIN, *QUIET]) == 0


@pytest.mark.slow
def test_a_cluster_of_its_own_listens_on_loopback_only_and_ends_with_it(tmp_path):
    make_days(tmp_path / "in", 40, rows=40_000)
    with subprocess.Popen(
        [sys.executable, "-m", "rpsd.cli", "batch", "in", "-o", "out", *OWN_CLUSTER, *CHAIN],
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        until(lambda: len(list((tmp_path / "out").glob("*.csv"))) > 3)
        listening = open_addresses(run.pid)
        run.send_signal(signal.SIGTERM)
        _, told = run.communicate(timeout=120)
    assert run.returncode == 143
    assert "--resume does the rest" in told
    assert listening
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    until(lambda: not any(name.startswith(b"ray::_do") for _, name in descendants(run.pid)))
    done = run_command("batch", "in", "-o", "out", *OWN_CLUSTER, *CHAIN, "--resume")
    assert done.returncode == 0, done.stderr
    assert "there already" in done.stderr
    assert main(["batch", "in", "-o", "local", *CHAIN, *QUIET]) == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "local")


@pytest.mark.slow
def test_a_running_cluster_is_joined_by_its_address(tmp_path, cluster):
    make_days(tmp_path / "in", 3, rows=400)
    run = run_command("batch", "in", "-o", "out", "--engine", "ray", "--address", cluster, *CHAIN)
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    assert main(["batch", "in", "-o", "local", *CHAIN, *QUIET]) == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "local")


@pytest.mark.parametrize("address", ["nonsense", "host:", ":6379", "host:port"])
def test_an_address_that_is_none(tmp_path, address, capsys):
    make_days(tmp_path / "in", 1)
    assert main(["batch", "in", "-o", "out", "--engine", "ray", "--address", address]) == 2
    assert f"--address must be HOST:PORT, ray://HOST:PORT or auto, got {address}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_address_where_nothing_is(tmp_path, capsys):
    make_days(tmp_path / "in", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert main(["batch", "in", "-o", "out", "--engine", "ray", "--address", f"127.0.0.1:{port}"]) == 1
    told = capsys.readouterr().err
    assert told == f"rpsd: error: cannot reach a Ray cluster at 127.0.0.1:{port}: Connection refused\n"
    assert not (tmp_path / "out").exists()


def test_an_address_without_its_engine(tmp_path, capsys):
    make_days(tmp_path / "in", 1)
    assert main(["batch", "in", "-o", "out", "--address", "auto"]) == 2
    assert "add --engine ray" in capsys.readouterr().err


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch, capsys):
    make_days(tmp_path / "in", 1)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["batch", "in", "-o", "out", "--engine", "ray"]) == 1
    assert capsys.readouterr().err == 'rpsd: error: --engine ray needs Ray: pip install "rpsd[ray]"\n'


class killing:
    """Kill processes at work for this cluster as they are found, `most` of them, each once."""

    def __init__(self, most):
        self._most = most
        self._killed = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._kill)

    def __enter__(self):
        self._thread.start()
        return self._killed

    def __exit__(self, *_):
        self._stopped.set()
        self._thread.join()

    def _kill(self):
        while not self._stopped.is_set() and len(self._killed) < self._most:
            for pid, name in descendants(os.getpid()):
                if name.startswith(b"ray::_do") and pid not in self._killed[: self._most]:
                    os.kill(pid, signal.SIGKILL)
                    self._killed.append(pid)
                    break
            time.sleep(0.005)


def descendants(ancestor):
    """Return process and command of all below one."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_bytes()
                names[int(entry.name)] = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(entry.name)] = int(stat.rpartition(b")")[2].split()[1])
    found = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return [(pid, names[pid]) for pid in found - {ancestor} if pid in names]


def open_addresses(ancestor):
    """Return the addresses that a process and those below it listen on."""
    inodes = set()
    for pid, _ in [(ancestor, b""), *descendants(ancestor)]:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(os.readlink(link))
            except FileNotFoundError:
                continue
    addresses = set()
    for family, table in ((socket.AF_INET, "/proc/net/tcp"), (socket.AF_INET6, "/proc/net/tcp6")):
        for line in Path(table).read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == "0A" and f"socket:[{cells[9]}]" in inodes:
                raw = bytes.fromhex(cells[1].partition(":")[0])
                words = [raw[i : i + 4][::-1] for i in range(0, len(raw), 4)]
                addresses.add(socket.inet_ntop(family, b"".join(words)))
    return addresses


def until(condition):
    """Wait for it; a loaded machine may start Ray at the third try."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it does not come")


@pytest.mark.slow
@pytest.mark.parametrize("asked", [True, False])
def test_sigterm_while_ray_waits_ends_the_command_as_at_any_time(cluster, asked):
    from rpsd.cli._app import _ending_on_sigterm

    slow = ray.remote(lambda: time.sleep(60)).remote()

    def waiting():
        if asked:
            threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()
            ray.wait([slow])  # of any SystemExit within it Ray makes one with code 1
        sys.exit(1)

    with pytest.raises(SystemExit) as stopped, _ending_on_sigterm():
        waiting()
    ray.cancel(slow, force=True)
    assert stopped.value.code == (143 if asked else 1)


def test_sigterm_while_ray_starts_ends_the_command_as_at_any_time():
    from rpsd.batch._ray import _own_signals

    def ours(number, frame):
        raise SystemExit(143)

    def started():
        with _own_signals():
            signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))  # as Ray does
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, ours)
    try:
        with pytest.raises(SystemExit) as stopped:
            started()
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stopped.value.code == 143
