# SPDX-License-Identifier: MIT
"""Bytes as a snapshot of a stream, with a checksum that fits: a StateError, or a stream that goes on."""

import zlib

import atheris

with atheris.instrument_imports(include=["rpsd"]):
    import rpsd
    import rpsd._denoiser
    import rpsd._stream

import contextlib

from target import fuzz

_HEAD = len(b"rpsdstream") + 4


def _seeds():
    for options in ({"lookahead": 0}, {"lookahead": 3, "method": "wavelet"}):
        stream = rpsd.Denoiser(**options).stream(n_series=2)
        for i in range(40):
            stream.push([100 + i % 3, 50 - i % 5])
        yield stream.snapshot()


_SEEDS = list(_seeds())


def _whole(body):
    return b"rpsdstream" + zlib.crc32(body).to_bytes(4, "little") + body


def one(data):
    """Take what follows the checksum; where the first byte is below 192, the next ones change a good one."""
    if not data:
        return
    body = data[1:]
    if data[0] < 192:
        good = bytearray(_SEEDS[data[0] % len(_SEEDS)][_HEAD:])
        for at in range(0, len(body) - 2, 3):
            good[int.from_bytes(body[at : at + 2], "little") % len(good)] = body[at + 2]
        body = bytes(good)
    try:
        stream = rpsd.Stream.restore(_whole(body))
    except rpsd.StateError:
        return
    again = rpsd.Stream.restore(stream.snapshot())
    assert again.snapshot() == stream.snapshot()
    with contextlib.suppress(rpsd.RpsdError):
        stream.push([1.0] * stream.n_series if stream.n_series else 1.0)


fuzz(one)
