# SPDX-License-Identifier: MIT
"""What the tests of streams share: samples, and clients that push them."""

import contextlib
import json

import numpy as np
from websockets.sync.client import connect

import rpsd

PATH = "/v1/streams"


def samples(n, seed=1):
    x = 100 + rpsd.simulate("a", n, seed=seed, nsr=1.0).noisy
    x[n // 3] = np.nan
    return x


def given(values):
    """Return samples as JSON has them."""
    return [None if np.isnan(value) else value for value in np.asarray(values, float)]


def taken(values):
    """Return estimates that JSON has as an array."""
    return np.array([np.nan if value is None else value for value in values])


def same(y, x, lookahead):
    """Whether all that was answered has the bits of the batch."""
    batch = rpsd.denoise(x, lookahead=lookahead)
    return y[lookahead:].tobytes() == batch[: len(x) - lookahead].tobytes()


def create(server, **options):
    answer = server.post(options, PATH)
    assert answer.status == 201, answer.body
    return answer.json["id"]


def push(server, id, values, sequence=None, op="push", **headers):
    content = {"values": given(values)} | ({} if sequence is None else {"sequence": sequence})
    return server.post(content, f"{PATH}/{id}/{op}", **headers)


class Socket:
    """A connection of /v1/stream; `told` is what the service said of the stream at its beginning."""

    def __init__(self, server, first, **more):
        address = f"ws://127.0.0.1:{server.port}/v1/stream"
        self._ends = contextlib.ExitStack()
        self.raw = self._ends.enter_context(connect(address, open_timeout=45, close_timeout=45, **more))
        self.send(first)
        self.told = self.receive()

    def send(self, content):
        self.raw.send(json.dumps(content))

    def receive(self):
        return json.loads(self.raw.recv(timeout=45))

    def push(self, values, sequence=None):
        self.send({"values": given(values)} | ({} if sequence is None else {"sequence": sequence}))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._ends.close()
