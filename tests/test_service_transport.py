# SPDX-License-Identifier: MIT
"""An answer leaves in one piece: who is killed has sent all of it or nothing."""

import asyncio
import socket

import pytest
from serving import server

from rpsd.service._transport import Lingering

__all__ = ["server"]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"


class Sent:
    """What was written to a transport, call by call."""

    def __init__(self):
        self.calls, self.closed = [], False

    def write(self, data):
        self.calls.append(bytes(data))

    def writelines(self, parts):
        self.calls.append(b"".join(parts))

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True


def written(*steps):
    """Return the calls that some steps make: bytes are written, None is a turn of the loop."""

    async def run():
        sent = Sent()
        transport = Lingering(sent, lambda: False, asyncio.get_running_loop())
        for step in steps:
            if step is None:
                await asyncio.sleep(0)
            elif step == "close":
                transport.close()
            else:
                transport.write(step)
        await asyncio.sleep(0)
        return sent.calls

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("steps", "calls"),
    [
        ((HEAD, b"abc"), [HEAD + b"abc"]),
        ((HEAD, b"a", b"bc"), [HEAD + b"a", b"bc"]),
        ((HEAD, None, b"abc"), [HEAD, b"abc"]),
        ((HEAD,), [HEAD]),
        ((HEAD, "close"), [HEAD]),
        ((HEAD + b"abc", b"more"), [HEAD + b"abc", b"more"]),
        (
            (b"HTTP/1.1 100 Continue\r\n\r\n", None, HEAD, b"abc"),
            [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b"abc"],
        ),
    ],
)
def test_a_head_and_its_body_are_one_call(steps, calls):
    assert written(*steps) == calls


def test_a_real_answer_comes_in_one_piece(server):
    """The first bytes that arrive have all of it: on loopback a call to send is a segment."""
    body = bytes(8 * 400)
    head = b"POST /v1/denoise?method=wavelet&noise=mad HTTP/1.1\r\nHost: x\r\n"
    kind = b"Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(body)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(head + kind + body)
            found = raw.recv(65536)
            assert found.startswith(b"HTTP/1.1 200 ")
            assert len(found.partition(b"\r\n\r\n")[2]) == len(body)
