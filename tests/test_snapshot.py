# SPDX-License-Identifier: MIT
"""Snapshots: of every release's format, and of nothing else."""

import json
import zlib

import numpy as np
import pytest
import snapshots

import rpsd

FILES = sorted(path.name for path in snapshots.FOLDER.iterdir())


def test_there_is_one_of_each_method():
    assert set(FILES) >= {f"{method}.{snapshots.FORMAT}" for method in snapshots.OPTIONS}


@pytest.mark.parametrize("name", FILES)
def test_a_snapshot_of_any_release_goes_on_as_the_backtest(name):
    """Written by `python tests/snapshots.py` when its format was new."""
    options, x = snapshots.OPTIONS[name.split(".")[0]], snapshots.prices()
    stream = rpsd.Stream.restore((snapshots.FOLDER / name).read_bytes())
    assert stream.n_series == snapshots.SERIES
    np.testing.assert_array_equal(stream.health().samples, [snapshots.TAKEN] * snapshots.SERIES)
    at, k = snapshots.TAKEN, options["lookahead"]
    y = [stream.amend(x[:, at - 1]), *(stream.push(x[:, t]) for t in range(at, snapshots.LENGTH))]
    whole = rpsd.denoise(x, **options, breaks=np.isin(np.arange(snapshots.LENGTH), snapshots.SESSIONS))
    np.testing.assert_array_equal(np.array(y).T, whole[:, at - 1 - k : snapshots.LENGTH - k])


@pytest.mark.parametrize("method", snapshots.OPTIONS)
def test_a_restored_stream_makes_the_same_snapshot(method):
    data = snapshots.stream_at_snapshot(method).snapshot()
    assert rpsd.Stream.restore(data).snapshot() == data


@pytest.mark.parametrize("method", snapshots.OPTIONS)
def test_a_changed_snapshot_is_refused(method):
    data = snapshots.stream_at_snapshot(method).snapshot()
    rng = np.random.default_rng(3)
    for at in rng.integers(len(data), size=50):
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(rpsd.StateError, match="snapshot must be"):
            rpsd.Stream.restore(bytes(changed))
    for wrong in (b"", b"rpsdstream", data[:-1], data + b"x", "text", None):
        with pytest.raises(rpsd.StateError, match="snapshot must be"):
            rpsd.Stream.restore(wrong)


def rewritten(data, change, header=None):
    """The snapshot with a state that change gives, under a checksum that fits."""
    size = int.from_bytes(data[14:18], "little")
    text, state = data[18 : 18 + size], data[18 + size :]
    if header is not None:
        text = json.dumps({**json.loads(text), **header}).encode()
    body = len(text).to_bytes(4, "little") + text + change(state)
    return data[:10] + zlib.crc32(body).to_bytes(4, "little") + body


# As integers: the largest, the least, -1, small and large ones; as doubles: infinity, 1e5 and -1e5.
ODD = np.array(
    [2**63 - 1, 2**63, 2**64 - 1, 5, 2**40, 0x7FF << 52, 0x40F86A << 40, 0xC0F86A << 40], dtype=np.uint64
)


@pytest.mark.parametrize("method", snapshots.OPTIONS)
@pytest.mark.filterwarnings("ignore:overflow|invalid:RuntimeWarning")
def test_a_state_that_cannot_be_is_refused_or_does_no_harm(method):
    data = snapshots.stream_at_snapshot(method).snapshot()
    for change in (lambda s: s[:-8], lambda s: s + bytes(8), lambda s: b"", lambda s: s[:-1]):
        with pytest.raises(rpsd.StateError, match=r"snapshot of rpsd .* cannot be read: state must be one"):
            rpsd.Stream.restore(rewritten(data, change))
    rng = np.random.default_rng(4)
    for _ in range(300):

        def change(state):
            words = np.frombuffer(state, dtype="<u8").copy()
            words[rng.integers(len(words))] = rng.choice(ODD)
            return words.tobytes()

        try:
            stream = rpsd.Stream.restore(rewritten(data, change))
        except rpsd.StateError:
            continue
        stream.push_many(np.full((snapshots.SERIES, 40), 100.0))
        stream.flush()
        stream.snapshot()


def test_other_formats_are_refused():
    data = snapshots.stream_at_snapshot("kalman").snapshot()
    with pytest.raises(rpsd.StateError, match="snapshot must be of format 2, got format 3"):
        rpsd.Stream.restore(rewritten(data, lambda s: s, {"format": 3}))


@pytest.mark.parametrize(
    "header",
    [b"{", b"\xff\xfe", b"[]", b'{"format": 2}', b'{"format": 2, "options": {"no": 1}, "n_series": 1}'],
)
def test_headers_that_are_none_are_refused(header):
    body = len(header).to_bytes(4, "little") + header
    forged = b"rpsdstream" + zlib.crc32(body).to_bytes(4, "little") + body
    with pytest.raises(rpsd.StateError, match="snapshot must have the header of one"):
        rpsd.Stream.restore(forged)
