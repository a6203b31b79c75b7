# SPDX-License-Identifier: MIT
"""`rpsd compare`: whether one service may take the place of another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from rpsd.cli._show import console, print_json, table
from rpsd.service._client import Client, given_key
from rpsd.service._compare import Comparison, questions, ratio_of, replay, verdicts
from rpsd.service._compare import compare as send

_QUANTILES = (0.5, 0.95, 0.99)
_SHOWN = 5


@click.command()
@click.argument("url_a", metavar="URL_A")
@click.argument("url_b", metavar="URL_B")
@click.option(
    "--requests", type=click.IntRange(min=1), default=200, show_default=True, help="Requests to each."
)
@click.option(
    "--replay", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Bodies of POST /v1/denoise to send instead, a JSON object a line.",
)  # fmt: skip
@click.option(
    "--warmup", type=click.IntRange(min=0), default=10, show_default=True, help="First requests not counted."
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Of the simulated series and of the order."
)
@click.option(
    "--tolerance", type=click.FloatRange(min=0), default=0.0, show_default=True,
    help="What outputs may differ by, relative to their largest value; 0 is to the bit.",
)  # fmt: skip
@click.option(
    "--max-ratio", type=click.FloatRange(min=0, min_open=True), default=1.2, show_default=True,
    help="How many times as long B may take.",
)  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True,
    help="Seconds to wait for each answer.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def compare(
    url_a: str, url_b: str, requests: int, file: Path | None, warmup: int, seed: int, tolerance: float,
    max_ratio: float, timeout: float, as_json: bool,
) -> int:  # fmt: skip
    """Send the same requests to A and B: whether B gives the same outputs, no more errors, in no more time.

    Each pair is sent one right after the other, in random order. The exit code is 0 where B is no worse in
    all three, and 1 where it is worse or, of time, where there are too few requests to tell. An API key is
    in the file that RPSD_API_KEY_FILE names, or in RPSD_API_KEY.
    """
    asked = questions(warmup + requests, seed) if file is None else replay(file.read_bytes().splitlines())
    key = given_key()
    with Client(url_a, timeout, key) as a, Client(url_b, timeout, key) as b:
        found = send(a, b, asked, seed=seed, warmup=warmup)
    if not found.names:
        raise click.UsageError("there are no requests to compare beyond those of --warmup")
    verdict = verdicts(found, tolerance=tolerance, max_ratio=max_ratio)
    content = _content(found, tolerance, max_ratio)
    good = set(verdict.values()) == {"no worse"}
    if as_json:
        print_json({"a": url_a, "b": url_b, "no_worse": good, "verdicts": verdict, **content})
    else:
        _print(content, verdict)
    return 0 if good else 1


def _content(found: Comparison, tolerance: float, max_ratio: float) -> dict[str, Any]:
    a, b = found.seconds()
    differences = found.differences(tolerance)
    return {
        "requests": len(found.names),
        "outputs": {
            "compared": len(a),
            "tolerance": tolerance,
            "different": len(differences),
            "worst": [{"request": name, "difference": worst} for name, worst in _worst(differences)],
        },
        "errors": {
            which: {"count": found.errors(which), "statuses": _statuses(found, which)} for which in ("a", "b")
        },
        "seconds": {
            "a": _quantiles(a),
            "b": _quantiles(b),
            "ratio": ratio_of(a, b)._asdict(),
            "max_ratio": max_ratio,
        },
    }


def _worst(differences: list[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(differences, key=lambda one: -one[1])[:_SHOWN]


def _statuses(found: Comparison, which: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in found.a if which == "a" else found.b:
        counts[one.status] = counts.get(one.status, 0) + 1
    return counts


def _quantiles(seconds: Any) -> dict[str, float]:
    if not len(seconds):
        return {}
    return {f"p{100 * q:g}": float(np.quantile(seconds, q)) for q in _QUANTILES}


def _print(content: dict[str, Any], verdict: Mapping[str, str]) -> None:
    shown = table("", "A", "B", "verdict")
    outputs, errors, seconds = content["outputs"], content["errors"], content["seconds"]
    shown.add_row("outputs compared", "", str(outputs["compared"]), "")
    shown.add_row("outputs different", "", str(outputs["different"]), verdict["outputs"])
    shown.add_row("errors", str(errors["a"]["count"]), str(errors["b"]["count"]), verdict["errors"])
    for name in seconds["a"]:
        shown.add_row(f"{name}, ms", *(f"{1000 * seconds[which][name]:.2f}" for which in ("a", "b")), "")
    ratio = seconds["ratio"]
    text = f"{ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f})"
    shown.add_row("median ratio of times", "", text, verdict["time"])
    where = console(stderr=False)
    where.print(shown)
    for one in outputs["worst"]:
        where.print(f"differs: request {one['request']}, by {one['difference']:.3g} of the largest value")
