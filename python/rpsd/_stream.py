# SPDX-License-Identifier: MIT
"""Series that are still coming: samples in, estimates out, with the bits of `denoise(..., lookahead=k)`."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from rpsd import _core
from rpsd._errors import ConfigError, InputError, StateError
from rpsd._mirror import checked_threads, raise_from_core
from rpsd._options import Options, make_options
from rpsd._schema import shown
from rpsd._windowed import least_periods

_F64 = npt.NDArray[np.float64]

_MAGIC: Final = b"rpsdstream"
_FORMAT: Final = 2
# What the core saves of a series at the least, and of each sample of its lookahead, which the monitor keeps
# twice.
_LEAST_BYTES: Final = 104
_BYTES_A_LAG: Final = 16

# The core's alarms, lowest bit first.
_ALARMS: Final = ("scale", "noise", "missing", "stale")
_ON_BREACH: Final = ("raw", "hold", "raise", None)


@dataclass(frozen=True, slots=True)
class Health:
    """How a stream does; see `Stream.health`.

    Attributes
    ----------
    samples, missing : int or ndarray of int
        Samples pushed, missing ones included, and how many of them were missing.
    noise_sd, step_sd : float or ndarray
        As believed now, in the units of the series; NaN before it has moved. Of the last window with
        wavelets, whose steps are not known: NaN.
    gate : float or ndarray
        0 where the series is left as it is, 1 where it is denoised; in between a share of the way. NaN
        with wavelets and filters, which have none.
    resets : int or ndarray of int
        How often the noise or the steps were found to have changed.
    noise_ratio : float or ndarray
        Mean absolute difference of samples and estimates, with a memory of 256 samples, to what the model
        expects of it: near one where it fits. NaN where it expects none.
    missing_rate : float or ndarray
        Share of missing samples, with a memory of 256 samples.
    lag : float or ndarray
        Samples that estimates lag behind the samples they are of: their difference to its speed. With a
        lookahead they come later by that.
    alarms : tuple of str, or tuple of such tuples
        Alarms of drift that stand: "scale" (moves grew or shrank), "noise" (to steps, likewise), "missing"
        and "stale" (more samples are missing, or equal to the one before). Stationary series raise less
        than one in 100,000 samples.
    """

    samples: Any
    missing: Any
    noise_sd: Any
    step_sd: Any
    gate: Any
    resets: Any
    noise_ratio: Any
    missing_rate: Any
    lag: Any
    alarms: Any


class Stream:
    """Denoise series as they come; `Denoiser.stream` makes one.

    A push of x[t] returns the estimate of x[t - lookahead], NaN for the first samples: the same bits as
    ``denoise(x, lookahead=k)`` gives at t - lookahead, whatever the pieces, and after a snapshot as well.
    What raises an error changes nothing. One thread at a time works on a stream; others wait.

    Parameters
    ----------
    options : Options
        Resolved ones without breaks, for which there is `new_session`; a lookahead of None counts as 0.
    chain : _core.Denoiser
        The core's part of the denoiser.
    n_series : int or None
        None: one series, whose samples and estimates are floats. Else a bank of so many.
    on_breach : {None, "raw", "hold", "raise"}
        What comes out while an alarm stands of noise, missing or stale samples: the estimate, the sample
        itself, the last estimate before the alarm, or a StateError at the next push. Those of noise stand
        until the series is known again, after 2,048 samples, the others for as long as they are true;
        `acknowledge` ends all.

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

    __slots__ = ("_core", "_n", "_on_breach", "_options", "_unit")

    def __init__(
        self,
        options: Options,
        chain: _core.Denoiser,
        n_series: int | None = None,
        on_breach: str | None = None,
    ) -> None:
        if on_breach not in _ON_BREACH:
            raise ConfigError(f'on_breach must be None, "raw", "hold" or "raise", got {on_breach!r}')
        if options.breaks is not None:
            raise ConfigError(
                "breaks must be None in a stream; allowed: Stream.new_session before the first sample of each"
            )
        if n_series is not None and (not isinstance(n_series, int | np.integer) or n_series < 1):
            raise InputError(f"n_series must be None or an integer of at least 1, got {n_series!r}")
        self._options = msgspec.structs.replace(options, lookahead=options.lookahead or 0)
        self._on_breach = on_breach
        self._unit = n_series is None
        self._n = 1 if n_series is None else int(n_series)
        self._core = _core.Stream(
            chain,
            window=options.window,
            lookahead=options.lookahead or 0,
            min_periods=least_periods(options),
            series=self._n,
            on_breach=on_breach or "report",
        )

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
        """Samples before a push returns an estimate, if none is missing: as `Result.warmup` counts them.

        The lookahead, and with wavelets and filters min_periods - 1 more. Each session begins anew with the
        latter.
        """
        ahead = int(self._options.lookahead or 0)
        return (
            ahead if self._options.method in {"auto", "kalman"} else ahead + least_periods(self._options) - 1
        )

    def push(self, x: Any, values: Any = None, *, threads: int = 1) -> Any:
        """Take the next sample of each series, or of some of a bank, and return its estimates.

        Parameters
        ----------
        x : float or array_like
            One number for a stream of one series; one for each series of a bank. With ``values`` given:
            the indices of those series that have a new sample, each once.
        values : array_like, optional
            Their samples.
        threads : int, default 1
            Threads that share the series of a bank; 0: one for each processor.

        Returns
        -------
        float or ndarray
            The estimates `lookahead` samples before those that came.

        Raises
        ------
        InputError
            For another shape, a sample that no backtest takes, or an index that is none.
        StateError
            With ``on_breach="raise"`` where an alarm stands.
        """
        if values is None and self._unit and isinstance(x, float):
            try:  # what is called most, without the third of a microsecond that _called takes
                return self._core.push_one(x)
            except ValueError as error:
                raise_from_core(error)
            except RuntimeError as error:
                raise StateError(str(error)) from None
        return self._moved(self._core.push, x, values, threads)

    def push_many(self, block: Any, *, threads: int = 1) -> Any:
        """Take several samples of each series, and return as many estimates.

        Parameters
        ----------
        block : array_like, shape (time,), or (series, time) for a bank
        threads : int, default 1
            Threads that share the series of a bank; 0: one for each processor.

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
        estimates = _called(
            self._core.push, None, np.ascontiguousarray(samples), threads=checked_threads(threads)
        )
        return estimates.reshape(np.shape(block))

    def amend(self, x: Any, values: Any = None, *, threads: int = 1) -> Any:
        """Replace the last sample of each series, or of some, as of a forming bar; as `push` otherwise.

        Raises
        ------
        StateError
            Where a series has no sample yet.
        """
        if values is None and self._unit and isinstance(x, float):
            return _called(self._core.amend_one, x)
        return self._moved(self._core.amend, x, values, threads)

    def new_session(self, series: Any = None) -> None:
        """Begin a session with the next sample, as ``breaks`` does at the first one of each.

        Nothing before it counts for the estimates from there on, and those of the last `lookahead`
        samples of the session that ends are as at its end. To be called again changes nothing; `amend`
        still replaces the last sample of the session that ends.

        Parameters
        ----------
        series : array_like of int, optional
            Those of a bank whose session ends; all where None.
        """
        _called(self._core.begin_session, None if series is None else self._rows(series, "series"))

    def acknowledge(self, series: Any = None) -> None:
        """Take series as they are from now on for what they should be: no alarm stands any more.

        Parameters
        ----------
        series : array_like of int, optional
            Those of a bank; all where None.
        """
        _called(self._core.acknowledge, None if series is None else self._rows(series, "series"))

    def flush(self) -> Any:
        """Return the estimates of the last `lookahead` samples, oldest first; nothing changes.

        They are what they would be if the session ended here: given all so far, and with wavelets and
        filters of the window that is cut off here.
        """
        y = _called(self._core.flush)
        return y[0] if self._unit else y

    def health(self) -> Health:
        """Return what is believed of each series now."""
        samples, missing, noise_sd, step_sd, gate, resets, *recent, bits = self._core.report().T
        samples, missing, resets = (column.astype(np.int64) for column in (samples, missing, resets))
        columns = (samples, missing, noise_sd, step_sd, gate, resets, *recent)
        alarms = tuple(tuple(name for i, name in enumerate(_ALARMS) if int(b) >> i & 1) for b in bits)
        values: list[Any] = [column[0].item() if self._unit else column.copy() for column in columns]
        values.append(alarms[0] if self._unit else alarms)
        return Health(*values)

    def snapshot(self) -> bytes:
        """Return all there is to know of the stream, for `restore`, here or elsewhere."""
        header = {
            "format": _FORMAT,
            "rpsd": _core.__version__,
            "options": msgspec.to_builtins(self._options),
            "n_series": self.n_series,
            "on_breach": self._on_breach,
        }
        text = json.dumps(header).encode()
        body = len(text).to_bytes(4, "little") + text + self._core.save()
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
        text, state = data[start + 4 : start + 4 + size], data[start + 4 + size :]
        try:
            stream, release = _empty(json.loads(text), len(state))
        except (ConfigError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise StateError(
                f"snapshot must have the header of one, got {type(error).__name__}: {error}"
            ) from None
        try:
            stream._core.load(state)
        except ValueError as error:
            raise StateError(f"snapshot of rpsd {release} cannot be read: {error}") from None
        return stream

    def __reduce__(self) -> tuple[Callable[[bytes], "Stream"], tuple[bytes]]:
        return Stream.restore, (self.snapshot(),)

    def _moved(self, move: Callable[..., _F64], x: Any, values: Any, threads: int) -> Any:
        """Push or amend one sample of each series, or of those that are named."""
        samples = _numbers(x if values is None else values, "x" if values is None else "values")
        rows = None
        if values is not None:
            rows = self._rows(x, "x")
            if samples.shape != rows.shape:
                raise InputError(
                    f"values must have the shape of the indices, {rows.shape}, got {samples.shape}"
                )
        elif samples.shape != (() if self._unit else (self._n,)):
            allowed = "one number" if self._unit else f"one number for each of {self._n} series"
            raise InputError(f"x must be {allowed}, got shape {samples.shape}")
        y = _called(
            move, rows, np.ascontiguousarray(samples.reshape(-1, 1)), threads=checked_threads(threads)
        )
        return float(y[0, 0]) if self._unit else y[:, 0]

    def _rows(self, x: Any, name: str) -> npt.NDArray[np.uint64]:
        rows = np.asarray(x)
        if self._unit or rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise InputError(f"{name} must be indices of series of a bank, got {x!r}")
        if rows.size and (rows.min() < 0 or rows.max() >= self._n):
            raise InputError(f"{name} must be indices from 0 to {self._n - 1}, each once")
        return rows.astype(np.uint64)


def _empty(header: dict[str, Any], size: int) -> tuple[Stream, str]:
    """Return the stream of a header, without samples, and the release that wrote it.

    The header says how much memory the bank takes: none is made that a state of so many bytes cannot fill.
    """
    from rpsd._denoiser import Denoiser  # which needs this module

    if header["format"] != _FORMAT:
        raise StateError(f"snapshot must be of format {_FORMAT}, got format {shown(header['format'])}")
    release, n_series = shown(header["rpsd"]).strip('"'), header["n_series"]
    options = make_options(**header["options"])
    least = max(_LEAST_BYTES, _BYTES_A_LAG * (options.lookahead or 0))
    most = size // least
    if most < (n_series if isinstance(n_series, int) else 1):
        raise StateError(
            f"snapshot of rpsd {release} cannot be read: n_series must be at most {most} for a state of "
            f"{size} bytes and lookahead={options.lookahead or 0}, got {shown(n_series)}"
        )
    # By hand: Denoiser.stream would repeat what it warned of when the stream was new.
    denoiser = Denoiser(options)
    return Stream(denoiser.options, denoiser._core, n_series, header.get("on_breach")), release


def _called(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        return call(*arguments, **options)
    except ValueError as error:
        raise_from_core(error)
    except RuntimeError as error:  # of the order of calls
        raise StateError(str(error)) from None


def _numbers(x: Any, name: str) -> _F64:
    try:
        return np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers, got {type(x).__name__}") from None
