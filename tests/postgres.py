# SPDX-License-Identifier: MIT
"""A real PostgreSQL of the system's packages, in a temporary directory, reached by a unix socket alone."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest

_PATIENCE = 60.0  # seconds, on a machine that has other things to do
_NUMBERED = sorted(
    Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True
)


def _program(name):
    found = next((path / name for path in _NUMBERED if (path / name).exists()), None) or shutil.which(name)
    assert found, f"{name} is missing: apt-get install postgresql"
    return str(found)


class Postgres:
    """A server of its own; `url()` gives each test a database of its own."""

    def __init__(self):
        # Not pytest's directory: the path of a socket has at most 107 bytes, and root's is closed to others.
        self.directory = Path(tempfile.mkdtemp(prefix="rpsd-pg-"))
        # initdb refuses to run as root; the package's user is there instead.
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(self.directory, "postgres", "postgres")
        self._data = self.directory / "data"
        self._process = None
        self._databases = 0
        arguments = ["--auth=trust", "--username=rpsd", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run("initdb", "-D", str(self._data), *arguments)
        self.start()

    def _run(self, program, *arguments):
        subprocess.run(
            [*self._as, _program(program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.directory,
        )

    def start(self):
        """Start it; return once it answers."""
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.directory), "fsync": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, _program("postgres"), "-D", str(self._data), *options],
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        ready = [_program("pg_isready"), "-q", "-h", str(self.directory), "-U", "rpsd", "-d", "postgres"]
        end = time.monotonic() + _PATIENCE
        while subprocess.run(ready, check=False).returncode != 0:
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < end, "PostgreSQL does not answer"
            time.sleep(0.05)

    def stop(self):
        """Stop it at once, whoever is connected; its files stay."""
        if self._process is not None and self._process.poll() is None:
            number = int((self._data / "postmaster.pid").read_text().split()[0])
            os.kill(number, signal.SIGQUIT)
            self._process.wait(_PATIENCE)

    def url(self):
        """Return the address of a new, empty database, as `state_url` has it."""
        self._databases += 1
        name = f"rpsd{self._databases}"
        self.sql("postgres", f'CREATE DATABASE "{name}"')
        return f"postgresql://rpsd@/{name}?host={self.directory}"

    def sql(self, database, text):
        """Run statements by psql, which is none of the service's libraries; return what it prints."""
        return subprocess.run(
            [_program("psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", str(self.directory), "-U", "rpsd",
             "-d", database, "-c", text],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    def remove(self):
        """Stop it and remove its files."""
        self.stop()
        if self.directory.exists():
            shutil.rmtree(self.directory)


@cache
def _shared():
    return Postgres()


@pytest.fixture(scope="session")
def postgres():
    """Return a server that all tests of a process share; nobody may skip for want of it.

    To pytest the fixture is another one in each module that imports it: all end together, at the end.
    """
    running = _shared()
    yield running
    running.remove()
