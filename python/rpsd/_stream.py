# SPDX-License-Identifier: MIT
"""Series that are still coming: samples in, estimates out, with the bits of `denoise(..., lookahead=k)`."""

import json
import zlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from rpsd import _core
from rpsd._errors import ConfigError, InputError, StateError
from rpsd._mirror import raise_from_core
from rpsd._options import Options, make_options

_F64 = npt.NDArray[np.float64]

_MAGIC: Final = b"rpsdstream"
_FORMAT: Final = 1
# Of what `Causal.report` tells.
_NOISE, _STEP, _GAIN, _GATE, _RESETS, _SEEN = range(6)


@dataclass(frozen=True, slots=True)
class Health:
    """How a stream does; see `Stream.health`.

    Attributes
    ----------
    samples, missing : int or ndarray of int
        Samples pushed, missing ones included, and how many of them were missing.
    noise_sd, step_sd : float or ndarray
        As believed now, in the units of the series; NaN before it has moved.
    gate : float or ndarray
        0 where the series is left as it is, 1 where it is denoised; in between a share of the way.
    resets : int or ndarray of int
        How often the noise or the steps were found to have changed.
    """

    samples: Any
    missing: Any
    noise_sd: Any
    step_sd: Any
    gate: Any
    resets: Any


class Stream:
    """Denoise series as they come; `Denoiser.stream` makes one.

    A push of x[t] returns the estimate of x[t - lookahead], NaN for the first samples: the same bits as
    ``denoise(x, lookahead=k)`` gives at t - lookahead, whatever the pieces, and after a snapshot as well.

    Parameters
    ----------
    options : Options
        Resolved ones of method auto or kalman, without breaks; a lookahead of None counts as 0.
    chain : _core.Denoiser
        The core's part of the denoiser.
    n_series : int or None
        None: one series, whose samples and estimates are floats. Else a bank of so many.

    Raises
    ------
    ConfigError
        For options that no stream has.

    Examples
    --------
    >>> import numpy as np, rpsd
    >>> prices = rpsd.simulate("a", 500, nsr=1.0).noisy
    >>> stream = rpsd.Denoiser(lookahead=2).stream()
    >>> live = [stream.push(price) for price in prices]
    >>> backtest = rpsd.denoise(prices, lookahead=2)
    >>> np.array_equal(live[2:], backtest[:-2])
    True
    >>> again = rpsd.Stream.restore(stream.snapshot())
    >>> again.push(101.0) == stream.push(101.0)
    True
    """

    __slots__ = ("_before", "_causal", "_missing", "_n", "_options", "_states", "_unit")

    def __init__(self, options: Options, chain: _core.Denoiser, n_series: int | None = None) -> None:
        if options.method not in {"auto", "kalman"}:
            raise ConfigError(
                f'method="{options.method}" has no stream in {_core.__version__}; available: auto, kalman'
            )
        if options.breaks is not None:
            raise ConfigError("breaks must be None in a stream; allowed: a new stream for each session")
        if n_series is not None and (not isinstance(n_series, int | np.integer) or n_series < 1):
            raise InputError(f"n_series must be None or an integer of at least 1, got {n_series!r}")
        self._options = msgspec.structs.replace(options, lookahead=options.lookahead or 0)
        self._causal = _core.Causal(chain, lookahead=self.warmup)
        self._unit = n_series is None
        self._n = 1 if n_series is None else int(n_series)
        self._states = self._causal.start(self._n)
        self._missing = np.zeros(self._n, dtype=np.int64)
        # What amend goes back to: states, counts of missing samples, and whether there is a sample to amend.
        self._before = (self._states.copy(), self._missing.copy(), np.zeros(self._n, dtype=bool))

    @property
    def options(self) -> Options:
        """What runs."""
        return self._options

    @property
    def n_series(self) -> int | None:
        """Series of the bank; None for a stream of one."""
        return None if self._unit else self._n

    @property
    def warmup(self) -> int:
        """Samples from the first one on before a push returns an estimate."""
        return int(self._options.lookahead or 0)

    def push(self, x: Any, values: Any = None) -> Any:
        """Take the next sample of each series, or of some of a bank, and return its estimates.

        Parameters
        ----------
        x : float or array_like
            One number for a stream of one series; one for each series of a bank. With ``values`` given:
            the indices of those series that have a new sample, each once.
        values : array_like, optional
            Their samples.

        Returns
        -------
        float or ndarray
            The estimates `lookahead` samples before those that came.

        Raises
        ------
        InputError
            For another shape, an infinite sample, or an index that is none. Nothing has changed then.
        """
        rows, samples = self._pushed(x, values)
        return self._given(
            self._advance(rows, samples[:, None], self._states[rows], self._missing[rows])[:, 0]
        )

    def push_many(self, block: Any) -> Any:
        """Take several samples of each series, and return as many estimates.

        Parameters
        ----------
        block : array_like, shape (time,), or (series, time) for a bank

        Returns
        -------
        ndarray
            Of the shape of the block.
        """
        samples = _numbers(block, "block")
        if self._unit and samples.ndim == 1:
            samples = samples[None]
        if samples.ndim != 2 or len(samples) != self._n:
            shape = "(time,)" if self._unit else f"({self._n}, time)"
            raise InputError(f"block must have shape {shape}, got {np.shape(block)}")
        y = self._advance(np.arange(self._n), samples, self._states.copy(), self._missing.copy())
        return y[0] if self._unit else y

    def amend(self, x: Any, values: Any = None) -> Any:
        """Replace the last sample of each series, or of some, as of a forming bar; as `push` otherwise."""
        rows, samples = self._pushed(x, values)
        states, missing, there = self._before
        if not there[rows].all():
            raise StateError("amend needs a sample to replace in every series; push one first")
        return self._given(self._advance(rows, samples[:, None], states[rows], missing[rows])[:, 0])

    def flush(self) -> Any:
        """Return the estimates of the last `lookahead` samples given all so far; nothing changes."""
        ahead = np.full((self._n, self.warmup), np.nan)
        y = self._causal.push(self._states.copy(), list(range(self._n)), ahead)
        return y[0] if self._unit else y

    def health(self) -> Health:
        """Return what is believed of each series now."""
        table = self._causal.report(self._states)
        columns = [
            table[:, _SEEN].astype(np.int64),
            self._missing.copy(),
            table[:, _NOISE],
            table[:, _STEP],
            table[:, _GATE],
            table[:, _RESETS].astype(np.int64),
        ]
        return Health(*(column[0].item() if self._unit else column for column in columns))

    def snapshot(self) -> bytes:
        """Return all there is to know of the stream, for `restore`, here or elsewhere."""
        header = {
            "format": _FORMAT,
            "options": msgspec.to_builtins(self._options),
            "n_series": self.n_series,
            "state": self._states.shape[1],
        }
        text = json.dumps(header).encode()
        states, missing, there = self._before
        arrays = (self._states, self._missing, states, missing, there)
        body = len(text).to_bytes(4, "little") + text + b"".join(_little_endian(a) for a in arrays)
        return _MAGIC + zlib.crc32(body).to_bytes(4, "little") + body

    @classmethod
    def restore(cls, snapshot: bytes) -> "Stream":
        """Return the stream that a snapshot was made of.

        Raises
        ------
        StateError
            Where the bytes are no snapshot, were changed, or are of a format that this release does not read.
        """
        if not isinstance(snapshot, bytes | bytearray | memoryview):
            raise StateError(f"snapshot must be bytes of Stream.snapshot, got {type(snapshot).__name__}")
        data = bytes(snapshot)
        start = len(_MAGIC) + 4
        if not data.startswith(_MAGIC) or len(data) < start + 4:
            raise StateError("snapshot must be bytes of Stream.snapshot, got others")
        if zlib.crc32(data[start:]) != int.from_bytes(data[len(_MAGIC) : start], "little"):
            raise StateError(
                "snapshot must be as Stream.snapshot gave it, got one whose checksum does not fit"
            )
        size = int.from_bytes(data[start : start + 4], "little")
        header = json.loads(data[start + 4 : start + 4 + size])
        if header["format"] != _FORMAT:
            raise StateError(f"snapshot must be of format {_FORMAT}, got format {header['format']}")
        from rpsd._denoiser import Denoiser  # which needs this module

        stream = Denoiser(make_options(**header["options"])).stream(header["n_series"])
        if header["state"] != stream._states.shape[1]:
            raise StateError(
                f"snapshot must hold {stream._states.shape[1]} numbers a series in rpsd {_core.__version__}, "
                f"got {header['state']}: it is of another release"
            )
        at = start + 4 + size
        for array in (stream._states, stream._missing, *stream._before):
            array[...] = np.frombuffer(data, array.dtype.newbyteorder("<"), array.size, at).reshape(
                array.shape
            )
            at += array.nbytes
        return stream

    def _advance(
        self, rows: npt.NDArray[np.int64], x: _F64, states: _F64, missing: npt.NDArray[np.int64]
    ) -> _F64:
        """Push x, rows x time, from these states on, and remember what was before the last sample."""
        if x.size == 0:
            return np.empty_like(x)
        if np.isinf(x).any():
            row = int(np.argmax(np.isinf(x).any(axis=1)))
            where = "" if self._unit else f" in series {rows[row]}"
            raise InputError(
                f"x has an infinite sample{where}; allowed: finite numbers, and NaN for a missing one"
            )
        order = list(range(len(rows)))
        try:
            first = self._causal.push(states, order, np.ascontiguousarray(x[:, :-1]))
            before = states.copy()
            last = self._causal.push(states, order, np.ascontiguousarray(x[:, -1:]))
        except ValueError as error:
            raise_from_core(error)
        gone = np.isnan(x)
        self._before[0][rows] = before
        self._before[1][rows] = missing + gone[:, :-1].sum(axis=1)
        self._before[2][rows] = True
        self._states[rows] = states
        self._missing[rows] = missing + gone.sum(axis=1)
        return np.concatenate([first, last], axis=1)

    def _given(self, y: _F64) -> Any:
        return float(y[0]) if self._unit else y

    def _pushed(self, x: Any, values: Any) -> tuple[npt.NDArray[np.int64], _F64]:
        return (np.arange(self._n), self._samples(x)) if values is None else self._sparse(x, values)

    def _samples(self, x: Any) -> _F64:
        samples = _numbers(x, "x")
        if samples.shape != (() if self._unit else (self._n,)):
            allowed = "one number" if self._unit else f"one number for each of {self._n} series"
            raise InputError(f"x must be {allowed}, got shape {samples.shape}")
        return samples.reshape(self._n)

    def _sparse(self, x: Any, values: Any) -> tuple[npt.NDArray[np.int64], _F64]:
        rows, samples = np.asarray(x), _numbers(values, "values")
        if self._unit or rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise InputError("x must be indices of series of a bank where values are given")
        if samples.shape != rows.shape:
            raise InputError(f"values must have the shape of the indices, {rows.shape}, got {samples.shape}")
        rows = rows.astype(np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= self._n or len(np.unique(rows)) != len(rows)):
            raise InputError(f"x must be indices from 0 to {self._n - 1}, each once")
        return rows, samples


def _numbers(x: Any, name: str) -> _F64:
    try:
        return np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers, got {type(x).__name__}") from None


def _little_endian(array: npt.NDArray[Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<")).tobytes()
