# SPDX-License-Identifier: MIT
"""Processes that begin warm: others' modules are imported once and forked, those of rpsd by each for itself.

A start of the service takes 1.5 s of processor, two thirds of it for modules that no test is about.
"""

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import warnings
from functools import cache

#: What `rpsd serve` imports by itself, and no more: a test looks at what is there.
_MODULES = (
    "click httptools litestar msgspec numpy orjson prometheus_client psutil "
    "pyarrow.ipc structlog uvicorn yaml"
)
#: Elsewhere forks are not there, or not safe.
WARM = sys.platform == "linux"
_LARGEST = 1 << 17
_lock = threading.Lock()


class Process:
    """Code in a process of its own; as `subprocess.Popen` with a pipe for its standard error."""

    def __init__(self, code, arguments, env, cwd):
        order = {"code": code, "arguments": arguments, "env": env, "cwd": str(cwd)}
        self._end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        read, write = os.pipe()
        with _lock, theirs:
            socket.send_fds(_nursery(), [json.dumps(order).encode()], [theirs.fileno(), write])
        os.close(write)
        self.stderr = os.fdopen(read, "rb")
        self.pid = self._told()
        self.returncode = None

    def _told(self):
        return int(self._end.recv(16))

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._end], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a warm process", timeout)
            self.returncode = self._told()
            self._end.close()
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


@cache
def _nursery():
    """Start the process that forks the others; return the socket that takes orders."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )

    def close():
        ours.close()
        process.wait()

    atexit.register(close)
    return ours


def _orders(number):
    """Fork for each order; return it in the process that is to carry it out, and nowhere else."""
    for name in _MODULES.split():
        __import__(name)
    gc.freeze()  # what is here already is not searched anew by each
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who tell of an end
    with socket.socket(fileno=number) as orders:
        while True:
            message, given, *_ = socket.recv_fds(orders, _LARGEST, 2)
            if not message:
                sys.exit()
            if not _fork():
                break
            for one in given:
                os.close(one)
    end, stderr = given
    with socket.socket(fileno=end) as told:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if child := _fork():
            os.close(stderr)
            told.sendall(b"%d" % child)
            told.sendall(b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            os._exit(0)
    os.dup2(stderr, 2)
    os.close(stderr)
    return json.loads(message)


def _fork():
    with warnings.catch_warnings():
        # Python warns of threads; those of OpenBLAS are made for it.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


if __name__ == "__main__":
    order = _orders(int(sys.argv[1]))
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv[1:] = order["arguments"]
    sys.path[0] = ""
    exec(order["code"], {"__name__": "__main__"})
