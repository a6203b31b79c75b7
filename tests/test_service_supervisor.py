# SPDX-License-Identifier: MIT
"""What the service tells systemd, and the sockets that it takes from it; `rpsd healthcheck`."""

import contextlib
import signal
import socket
import time

import pytest
from command import own_home
from serving import BREAKABLE, free_port, start, wait_until

from rpsd import ConfigError, RpsdError
from rpsd.cli import main
from rpsd.service import _supervisor

__all__ = ["own_home", "start"]


def environ(**variables):
    return f"import os; os.environ.update({ {k: str(v) for k, v in variables.items()} })\n"


#: Gives the process a listening socket as descriptor 3, as systemd does.
GIVEN = """
import os, socket
listener = socket.create_server(({host!r}, {port}), family=socket.{family})
os.dup2(listener.fileno(), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS={count!r})
"""


@pytest.fixture
def notices(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as place:
        place.bind(str(tmp_path / "notify"))
        place.settimeout(45)
        yield place


def heard(notices, wanted):
    """Return what came up to a notice that begins so."""
    found = []
    while not found or not found[-1].startswith(wanted):
        found.append(notices.recv(4096).decode())
    return found


def drained(notices):
    notices.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            notices.recv(4096)
    notices.settimeout(45)


def test_start_reload_and_stop_are_told(start, notices, tmp_path):
    running = start(prelude=environ(NOTIFY_SOCKET=tmp_path / "notify"))
    assert heard(notices, "READY")[-1].splitlines()[0] == "READY=1"
    before = time.monotonic_ns() // 1000
    running.process.send_signal(signal.SIGHUP)
    told = heard(notices, "RELOADING")[-1].splitlines()
    assert told[0] == "RELOADING=1"
    assert before <= int(told[1].removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    assert heard(notices, "READY") == ["READY=1"]
    assert running.stop() == 0
    assert heard(notices, "STOPPING") == ["STOPPING=1\nSTATUS=draining"]


def test_the_watchdog_is_fed_while_the_kernel_computes_right(start, notices, tmp_path):
    variables = {"NOTIFY_SOCKET": tmp_path / "notify", "WATCHDOG_USEC": 300_000}
    running = start(prelude=environ(**variables) + BREAKABLE, health_check_interval=1)
    assert heard(notices, "WATCHDOG")[-1] == "WATCHDOG=1"
    heard(notices, "WATCHDOG")
    (tmp_path / "broken").write_text("")
    wait_until(lambda: running.ask("GET", "/health/ready").status == 503)
    drained(notices)
    time.sleep(0.5)
    with pytest.raises(TimeoutError):  # noqa: PT012
        notices.settimeout(0.1)
        notices.recv(4096)
    notices.settimeout(45)
    (tmp_path / "broken").unlink()
    heard(notices, "WATCHDOG")


def test_the_watchdog_is_fed_three_times_in_its_span_and_only_by_whom_it_is_for(monkeypatch):
    told = []
    monkeypatch.setattr(_supervisor, "notify", lambda *lines: told.append(lines))

    def fed(*times):
        told.clear()
        watchdog = _supervisor.Watchdog()
        for now in times:
            watchdog.feed(now)
        return len(told)

    assert fed(0.0, 100.0) == 0
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert fed(0.0, 9.9, 10.0, 19.9, 20.0) == 3
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert fed(0.0, 100.0) == 0


def test_a_supervisor_that_does_not_listen_harms_nobody(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    _supervisor.notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as place:
        place.bind("\0rpsd-" + str(tmp_path))
        monkeypatch.setenv("NOTIFY_SOCKET", "@rpsd-" + str(tmp_path))
        _supervisor.notify("READY=1", "STATUS=here")
        assert place.recv(100) == b"READY=1\nSTATUS=here"


def given(host, port, count="1", family="AF_INET"):
    return GIVEN.format(host=host, port=port, count=count, family=family)


def test_sockets_of_the_supervisor_are_taken(start):
    """Nothing else would listen on the second port: the configuration's is taken by what was given."""
    port = free_port()
    running = start("--metrics-port", str(port), prelude=given("127.0.0.1", port), wait=False)
    running.port = port
    running.wait()
    assert running.post({"values": [1.0, 2.0]}).status == 200
    assert f"listens on 127.0.0.1:{port}" in running.logged(operation="start")["message"]
    assert running.stop() == 0


@pytest.mark.parametrize(
    ("host", "other", "said"),
    [("127.0.0.1", 1, "must be on the ports"), ("0.0.0.0", 0, "can be reached by others")],
)
def test_sockets_that_are_not_those_of_the_configuration_are_refused(start, host, other, said):
    port = free_port()
    arguments = ("--metrics-port", str(port + other if port < 65535 else port - other))
    running = start(*arguments, prelude=given(host, port), wait=False)
    assert running.finished() == 2
    assert said.encode() in b"".join(running.lines)


def test_sockets_for_another_process_are_not_ours(monkeypatch):
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", "1")
    assert _supervisor.given_sockets((8000,), local=True) == []
    monkeypatch.setattr("os.getpid", lambda: 1)
    monkeypatch.setenv("LISTEN_FDS", "0")
    with pytest.raises(ConfigError, match="got none"):
        _supervisor.given_sockets((8000,), local=True)
    monkeypatch.setattr(_supervisor, "_FIRST", 1_000_000)
    monkeypatch.setenv("LISTEN_FDS", "1")
    with pytest.raises(RpsdError, match="no open sockets"):
        _supervisor.given_sockets((8000,), local=True)


def test_a_unix_socket_is_refused(monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
        monkeypatch.setattr(_supervisor, "_FIRST", one.detach())
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setattr("os.getpid", lambda: 1)
    monkeypatch.setenv("LISTEN_PID", "1")
    with pytest.raises(ConfigError, match="must be of TCP"):
        _supervisor.given_sockets((8000,), local=True)


def test_healthcheck(start, tmp_path, capsys):
    running = start(prelude=BREAKABLE, health_check_interval=1)
    url = f"http://127.0.0.1:{running.port}"
    assert main(["healthcheck", url]) == 0
    assert '"ready"' in capsys.readouterr().out
    (tmp_path / "broken").write_text("")
    wait_until(lambda: running.ask("GET", "/health/ready").status == 503)
    assert main(["healthcheck", url]) == 1
    assert "self-check failed" in capsys.readouterr().out
    running.stop()
    assert main(["healthcheck", url]) == 1
    assert "no answer" in capsys.readouterr().err
    assert main(["healthcheck", "http://192.0.2.1:8000"]) == 1
    assert "of this machine" in capsys.readouterr().err
