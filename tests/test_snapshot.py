# SPDX-License-Identifier: MIT
"""Snapshots: of every release's format, and of nothing else."""

import copy
import json
import pickle
import zlib

import numpy as np
import pytest
import snapshots

import rpsd
from rpsd._options import make_options

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
    for change in (lambda s: s[:-8], lambda s: s + bytes(8), lambda s: s[: len(s) // 2], lambda s: s[:-1]):
        with pytest.raises(rpsd.StateError, match=r"snapshot of rpsd .* cannot be read: state must be one"):
            rpsd.Stream.restore(rewritten(data, change))
    with pytest.raises(rpsd.StateError, match="n_series must be at most 0 for a state of 0 bytes"):
        rpsd.Stream.restore(rewritten(data, lambda s: b""))
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
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"format": 2}',
        b'{"format": 2, "options": {}, "n_series": 1}',  # of no release
        b'{"format": 2, "rpsd": "0.1.0", "options": {"no": 1}, "n_series": 1}',
        b'{"format": 2, "rpsd": "0.1.0", "options": {}, "n_series": 0}',
        b'{"format": 2, "rpsd": "0.1.0", "options": {}, "n_series": 1e9}',
        b"[" * 100_000,
        b'{"format": 2, "rpsd": "0.1.0", "n_series": 1, "options": ' + b'{"a":' * 100_000,
    ],
    ids=lambda header: header[-40:],
)
def test_headers_that_are_none_are_refused(header):
    body = len(header).to_bytes(4, "little") + header + bytes(10_000)
    forged = b"rpsdstream" + zlib.crc32(body).to_bytes(4, "little") + body
    with pytest.raises(rpsd.StateError, match="snapshot must have the header of one"):
        rpsd.Stream.restore(forged)


@pytest.mark.parametrize("method", snapshots.OPTIONS)
@pytest.mark.parametrize(
    "header",
    [
        *({"n_series": n} for n in (200, 200_000, 5 * 10**7, 10**12, 10**30)),
        {"options": {"method": "wavelet", "lookahead": 10**7}},
        {"options": {"method": "wavelet", "lookahead": 2**31 - 1}, "n_series": None},
    ],
    ids=str,
)
def test_no_more_is_made_than_the_state_can_fill(method, header, monkeypatch):
    data = rewritten(snapshots.stream_at_snapshot(method).snapshot(), lambda s: s, header)

    class Bank:
        def __init__(self, *_, **options):
            pytest.fail(f"made a bank of {options}")

    monkeypatch.setattr("rpsd._core.Stream", Bank)
    with pytest.raises(
        rpsd.StateError, match=r"snapshot of rpsd .* cannot be read: n_series must be at most"
    ):
        rpsd.Stream.restore(data)


@pytest.mark.parametrize("method", snapshots.OPTIONS)
@pytest.mark.parametrize("lookahead", [0, 1, 999])
def test_a_stream_without_samples_is_restored(method, lookahead):
    options = {**snapshots.OPTIONS[method], "lookahead": lookahead}
    for n_series in (None, 1, 3):
        stream = rpsd.Denoiser(make_options(**options)).stream(n_series)
        again = rpsd.Stream.restore(stream.snapshot())
        assert (again.n_series, again.snapshot()) == (n_series, stream.snapshot())


def test_what_was_warned_of_is_not_said_again():
    """pytest makes any warning an error."""
    with pytest.warns(rpsd.RpsdWarning, match="Level value of 6 is too high"):
        stream = rpsd.Denoiser(method="wavelet", level=6, lookahead=1, window=32).stream()
    stream.push_many(snapshots.prices()[0])
    for again in (
        rpsd.Stream.restore(stream.snapshot()),
        copy.deepcopy(stream),
        pickle.loads(pickle.dumps(stream)),
    ):
        assert again.snapshot() == stream.snapshot()
