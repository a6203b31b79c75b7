# SPDX-License-Identifier: MIT
"""A service that asks for credentials, its database, and keys of each role."""

import contextlib
import json
import time

from serving import Server, wait_until
from streaming import Socket

from rpsd import load_config
from rpsd.service.access._audit import AuditLog
from rpsd.service.access._keys import Keys
from rpsd.service.access._roles import GRANTED
from rpsd.service.store._open import open_database

X = [100 + k * 7 % 13 / 10 for k in range(40)]


class Guarded:
    """A server that asks for keys; `keys` has one of each role, `db` is its database, opened beside it."""

    def __init__(self, home, **variables):
        self.home = home
        self.variables = {"auth": "on", "state_dir": home / "state", **variables}
        environ = {f"RPSD_{name.upper()}": str(value) for name, value in self.variables.items()}
        self.db = open_database(load_config(environ=environ))
        self.keys = {}
        self.ids = {}
        for role in GRANTED:
            self.make(role, [role])
        self.server = None

    def make(self, name, roles, **more):
        key, self.keys[name] = Keys(self.db).create(name, roles, **more)
        self.ids[name] = key.id
        return self.keys[name]

    def start(self, *arguments, wait=True, prelude=None, **variables):
        given = {**self.variables, **variables}
        self.server = Server(self.home, *arguments, prelude=prelude, **given)
        if wait:
            self.server.wait()
        return self

    def ask(self, name, method, path, body=None, **headers):
        """Ask with the key of a name; None shows none."""
        if name is not None:
            headers["authorization"] = f"Bearer {self.keys.get(name, name)}"
        return self.server.ask(method, path, body, **headers)

    def post(self, name, content=None, path="/v1/denoise", **headers):
        body = json.dumps({"values": X} if content is None else content).encode()
        return self.ask(name, "POST", path, body, content_type="application/json", **headers)

    def as_(self, name):
        """Return a client of the server who shows the key of a name."""
        return Client(self, name)

    def socket(self, name, first, **more):
        """Open a connection of /v1/stream with the key of a name; None shows none."""
        shown = {} if name is None else {"authorization": f"Bearer {self.keys.get(name, name)}"}
        return Socket(self.server, first, additional_headers=shown, **more)

    def records(self, **fields):
        """Return the records of the audit log that have these fields, oldest first."""
        audit, found, after = AuditLog(self.db), [], 0
        while page := list(audit.read(after)):
            found += page
            after = page[-1]["number"]
        return [one for one in found if fields.items() <= one.items()]

    def verify(self):
        return AuditLog(self.db).verify()

    def metric(self, name, key="viewer"):
        """Return the value of a metric by its name and labels."""
        text = self.ask(key, "GET", "/metrics").body.decode()
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return sum(float(value) for line, _, value in lines if line == name or line.startswith(name + "{"))

    def close(self):
        if self.server is not None:
            self.server.process.kill()
            self.server.finished()
        self.db.close()


class Client:
    """Asks as serving.Server does, with one key: for helpers that know of none."""

    def __init__(self, service, name):
        self._service = service
        self._name = name

    def ask(self, *arguments, **headers):
        return self._service.ask(self._name, *arguments, **headers)

    def post(self, content, path, **headers):
        return self._service.post(self._name, content, path, **headers)


@contextlib.contextmanager
def guarded(home, **variables):
    running = Guarded(home, **variables)
    try:
        yield running
    finally:
        running.close()


def within(seconds, happened):
    """Wait for what must happen within some seconds; the machine has other things to do, so thrice that."""
    begin = time.monotonic()
    wait_until(happened)
    assert time.monotonic() - begin < 3 * seconds
