# SPDX-License-Identifier: MIT
"""`rpsd demo`: simulated prices, what denoising gains against their known truth, and how fast."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
import numpy.typing as npt

from rpsd import Denoiser, Result, RpsdError, Simulated, simulate
from rpsd.batch.files import Outputs, check_writable
from rpsd.cli._peer import pywavelets_chain
from rpsd.cli._show import console, number, show, table

_F64 = npt.NDArray[np.float64]

_NSR: Final = (3.0, 1.0, 0.3, 0.1)
_SAMPLES: Final = 10_000
_DRAWN: Final = 600
_SEED: Final = 1
_LIMIT_SECONDS: Final = 2.0
_ROUNDS: Final = 30


@dataclass(frozen=True)
class _Row:
    nsr: float
    result: Result
    gain_db: float
    textbook_db: float

    @property
    def limit_db(self) -> float:
        """What the best linear offline estimate of a random walk under noise gains."""
        return 5 * math.log10(1 + 4 * self.nsr**2)


@click.command()
@click.option(
    "-o", "--output", "directory", metavar="DIR", default=".", help="Directory for demo.png; made if need be."
)
def demo(directory: str) -> None:
    """Denoise simulated prices and show gain, guardrails and speed; needs no network and no file."""
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RpsdError(f"cannot make the directory {directory}: {error.strerror}") from None
    picture = str(Path(directory) / "demo.png")
    check_writable(picture)
    denoiser, textbook = Denoiser(), Denoiser(method="wavelet", noise="mad")
    rows = [_measure(denoiser, textbook, simulate("a", _SAMPLES, seed=_SEED, nsr=nsr)) for nsr in _NSR]
    _print_gains(rows)
    _print_speed(denoiser, textbook)
    with Outputs() as outputs:
        outputs.add(picture, [_draw(denoiser)])
        outputs.commit()
    click.echo(f"picture: {picture}")


def _measure(denoiser: Denoiser, textbook: Denoiser, series: Simulated) -> _Row:
    result = denoiser.run(series.noisy)
    return _Row(
        nsr=series.noise_sd,
        result=result,
        gain_db=_gain_db(series, result.values),
        textbook_db=_gain_db(series, textbook.denoise(series.noisy)),
    )


def _gain_db(series: Simulated, values: _F64) -> float:
    def error(y: _F64) -> float:
        return float(np.mean((y - series.truth) ** 2))

    return 10 * math.log10(error(series.noisy) / error(values))


def _seconds(*calls: Callable[[], object]) -> list[float]:
    """Return the median time of each call; they take turns, so that all see the same machine."""
    times: list[list[float]] = [[] for _ in calls]
    begin = time.perf_counter()
    while len(times[0]) < _ROUNDS and time.perf_counter() - begin < _LIMIT_SECONDS:
        for call, taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
    return [float(np.median(taken)) for taken in times]


def _print_gains(rows: list[_Row]) -> None:
    title = f"Random walk + noise, {_SAMPLES:,} samples, rpsd.denoise(x), offline"
    heads = ("noise/step", "action", "gain dB", "predicted", "limit", "textbook", "score")
    out = table(*heads, title=title)
    for row in rows:
        out.add_row(
            f"{row.nsr:g}",
            str(row.result.action),
            f"{row.gain_db:+.2f}",
            number(row.result.noise.predicted_gain_db, 2),
            number(row.limit_db, 2),
            f"{row.textbook_db:+.2f}",
            number(row.result.report.score, 1),
        )
    where = console(stderr=False)
    show(where, out)
    where.print(
        "gain: 10 log10(MSE before / MSE after) against the known truth; predicted: by the fitted model, "
        "from the prices alone, right on average and within 0.3 dB or so for one series, so that it may lie "
        "above the limit, and then does so in all rows, as they are one draw; limit: 5 log10(1 + 4 r²) for "
        "r = noise/step, the best offline estimate; textbook: "
        'gain of method="wavelet", noise="mad" (db4, BayesShrink), which takes steps for noise and makes '
        "prices WORSE that have little of it; score: guardrails, of 100."
    )


def _print_speed(denoiser: Denoiser, textbook: Denoiser) -> None:
    x = simulate("a", _SAMPLES, seed=_SEED, nsr=1.0).noisy
    fitted, chain, peer = _seconds(
        lambda: denoiser.denoise(x), lambda: textbook.denoise(x), lambda: pywavelets_chain(x)
    )
    out = table("speed, one thread, same run", "ns/sample", "beside PyWavelets")
    for name, seconds in (("the default", fitted), ('method="wavelet", noise="mad"', chain)):
        ratio = peer / seconds
        text = f"{ratio:.1f}x faster" if ratio >= 1 else f"{1 / ratio:.1f}x slower"
        out.add_row(name, number(seconds / _SAMPLES * 1e9, 1), text)
    out.add_row("the same chain in PyWavelets", number(peer / _SAMPLES * 1e9, 1), "")
    show(console(stderr=False), out)


def _draw(denoiser: Denoiser) -> bytes:
    from rpsd.report import plot_denoised, to_png

    series = simulate("a", _SAMPLES, seed=_SEED, nsr=_NSR[0])
    values = denoiser.denoise(series.noisy)
    head = slice(0, _DRAWN)
    figure = plot_denoised(
        None,
        series.noisy[head],
        values[head],
        truth=series.truth[head],
        name="price (steps)",
        title=f"rpsd demo: random walk, noise of {_NSR[0]:g} steps, first {_DRAWN} of {_SAMPLES:,} samples",
    )
    return to_png(figure)
