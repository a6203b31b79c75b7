# SPDX-License-Identifier: MIT
"""nginx and HAProxy with the configurations of deploy/, over two real servers on loopback; the canary."""

import contextlib
import http.client
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import trustme
from serving import Answer, Server, free_port, wait_until

import rpsd

pytestmark = pytest.mark.slow
DEPLOY = Path(__file__).parents[1] / "deploy"
X = 100 + rpsd.simulate("a", 400, seed=1).noisy
Y = rpsd.denoise(X, method="wavelet", noise="mad").tobytes()
PATH = "/v1/denoise?method=wavelet&noise=mad"


class Balancer:
    """A real one, with the paths and ports of deploy/ replaced by those of a test."""

    def __init__(self, kind, directory, servers):
        self.port = free_port()
        self.directory = directory
        authority = trustme.CA()
        self._context = ssl.create_default_context()
        authority.configure_trust(self._context)
        certificate = authority.issue_cert("127.0.0.1")
        (directory / "tls").mkdir()
        certificate.private_key_and_cert_chain_pem.write_to_path(directory / "tls" / "both.pem")
        certificate.private_key_pem.write_to_path(directory / "tls" / "server.key")
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(directory / "tls" / "server.pem", append=True)
        ports = dict(zip(("8000", "8001"), (str(one.port) for one in servers), strict=True))
        if kind == "nginx":
            temporary = "".join(
                f"{name}_temp_path {directory};"
                for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            self._write(
                "nginx.conf",
                {"listen 443": f"listen 127.0.0.1:{self.port}", "/run/nginx.pid": f"{directory}/pid",
                 "http {": f"http {{ {temporary}", "worker_processes auto": "worker_processes 1"},
            )  # fmt: skip
            self._write(
                "upstream.conf", {f"127.0.0.1:{old}": f"127.0.0.1:{new}" for old, new in ports.items()}
            )
            program = ["nginx", "-c", str(directory / "nginx.conf"), "-p", str(directory)]
            self.reload = " ".join([*program, "-s", "reload"])
            check, run = [*program, "-t"], [*program, "-g", "daemon off;"]
        else:
            replaced = {"bind :443": f"bind 127.0.0.1:{self.port}",
                        "/etc/haproxy/server.pem": f"{directory}/tls/both.pem"}  # fmt: skip
            self._write("haproxy.cfg", {**replaced, **{f"1:{old}": f"1:{new}" for old, new in ports.items()}})
            check = ["haproxy", "-c", "-f", str(directory / "haproxy.cfg")]
            run = ["haproxy", "-db", "-f", str(directory / "haproxy.cfg")]
        self.checked = subprocess.run(check, capture_output=True, text=True, check=False)
        assert self.checked.returncode == 0, self.checked.stderr
        with (directory / "log").open("w") as log:
            self.process = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=log)
        wait_until(lambda: self._answers() or self.process.poll() is not None)
        assert self.process.poll() is None, (directory / "log").read_text()

    def _write(self, name, replaced):
        text = next(DEPLOY.glob(f"*/{name}")).read_text() if name != "upstream.conf" else _upstream()
        for old, new in replaced.items():
            assert old in text, old
            text = text.replace(old, new)
        (self.directory / name).write_text(text)

    def _answers(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/health").status == 200
        return False

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=45, context=self._context)

    def ask(self, method, path, body=None, **headers):
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            return Answer(connection.getresponse())

    def upgrade(self):
        """Return what comes first where a WebSocket is asked for."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=45)
        with self._context.wrap_socket(raw, server_hostname="127.0.0.1") as channel:
            channel.sendall(
                b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            return channel.recv(4096)


def _upstream():
    return (DEPLOY / "nginx" / "upstream.conf").read_text()


@contextlib.contextmanager
def balanced(kind, tmp_path, **variables):
    servers = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        servers.append(Server(tmp_path / str(number), **variables))
    balancer = None
    try:
        for one in servers:
            one.wait()
        (tmp_path / "front").mkdir(mode=0o755)
        balancer = Balancer(kind, tmp_path / "front", servers)
        yield balancer, servers
    finally:
        if balancer is not None:
            balancer.process.send_signal(signal.SIGTERM)
            balancer.process.wait(45)
        for one in servers:
            one.process.kill()
            one.finished()


class Load:
    """Clients that ask again and again over connections that they keep.

    One that was closed since its last answer, or before TLS was agreed on and anything asked, as nginx does
    when it reads its configuration anew, is opened again and counted: clients must expect it.
    """

    def __init__(self, balancer, clients=4):
        self.good, self.bad, self.reopened = [0] * clients, [], 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(balancer, n)) for n in range(clients)]

    def __enter__(self):
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        for one in self._threads:
            one.join()

    def _run(self, balancer, number):
        connection = balancer.connect()
        while not self._over.is_set():
            kept = connection.sock is not None
            try:
                connection.request("POST", PATH, X.tobytes(), {"content-type": "application/octet-stream"})
                response = connection.getresponse()
                body = response.read()
                if response.status == 200 and body == Y:
                    self.good[number] += 1
                else:
                    self.bad.append(f"{response.status} {body[:100]!r}")
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                closed = kept and isinstance(error, (http.client.RemoteDisconnected, ConnectionResetError))
                if closed or isinstance(error, ssl.SSLEOFError):
                    self.reopened += 1
                    continue
                self.bad.append(repr(error))
        connection.close()

    def more(self, count):
        before = sum(self.good)
        wait_until(lambda: sum(self.good) >= before + count or self.bad)


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_one_of_two_is_killed_and_one_stopped_under_load(kind, tmp_path):
    with balanced(kind, tmp_path, drain_delay=3) as (balancer, servers):
        with Load(balancer) as load:
            load.more(200)
            servers[0].process.kill()
            load.more(200)
        assert (load.bad, load.reopened) == ([], 0)
        answer = balancer.ask("POST", "/v1/denoise", b'{"values": "no"}', content_type="application/json")
        assert answer.status == 422  # an answer, and not the balancer's
        assert answer.headers["content-type"] == "application/problem+json"
        assert balancer.ask("GET", "/metrics").status == 404
        assert balancer.ask("GET", "/admin/log-level").status == 404
        assert balancer.ask("POST", PATH, b"", content_length=str(2**27 + 1)).status == 413
        assert balancer.upgrade().startswith(b"HTTP/1.1 101")


def canary(balancer, servers, *more):
    urls = [f"http://127.0.0.1:{one.port}" for one in servers]
    command = [sys.executable, str(DEPLOY / "rollout" / "canary.py"), *urls, "--reload", balancer.reload,
               "--upstream", str(balancer.directory / "upstream.conf"), "--max-ratio", "5",
               "--compare-requests", "40", "--min-requests", "20", *more]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


def served(server):
    text = server.ask("GET", "/metrics").body.decode()
    found = re.findall(r'^rpsd_http_requests_total\{.*route="/v1/denoise".*\} (\S+)$', text, re.M)
    return sum(map(float, found))


def gets_nothing(server, load):
    """Return whether none of 100 requests goes to a server; what was under way may end at first."""
    before = served(server)
    load.more(100)
    return served(server) == before


def test_a_canary_is_promoted_and_another_rolled_back(tmp_path):
    with balanced("nginx", tmp_path, cache_size=0) as (balancer, servers), Load(balancer, 2) as load:
        done = canary(balancer, servers, "--percent", "30", "--seconds", "6")
        assert (done.returncode, load.bad) == (0, []), done.stdout + done.stderr
        assert "promoted" in done.stdout
        wait_until(lambda: gets_nothing(servers[0], load))
        # The other way round with too short a look: nothing is decided, and everything goes back.
        done = canary(
            balancer, servers[::-1], "--percent", "5", "--seconds", "0.01", "--min-requests", "99999"
        )
        assert (done.returncode, load.bad) == (1, []), done.stdout + done.stderr
        assert "rolled back" in done.stdout
        wait_until(lambda: gets_nothing(servers[0], load))
        assert np.all(np.array(load.good) > 0)
