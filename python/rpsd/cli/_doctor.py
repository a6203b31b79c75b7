# SPDX-License-Identifier: MIT
"""`rpsd doctor`: whether this installation is whole and computes right."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import click
import numpy as np

import rpsd
from rpsd._config import SYSTEM_CONFIG
from rpsd.cli._machine import GUIDE, compared, measured
from rpsd.cli._peer import pywavelets_chain

# What each extra brings beside the base installation.
_EXTRAS: Final = {
    "cli": ("click", "rich", "pyarrow", "matplotlib"),
    "plot": ("matplotlib",),
    "frames": ("narwhals",),
    "ray": ("ray",),
    "remote": ("fsspec", "s3fs"),
    "sklearn": ("scikit-learn",),
}
# The command line is not whole without these. A part of another may be there as what some package needs.
_NEEDED: Final = ("cli", "plot")
_MODULES: Final = {"scikit-learn": "sklearn"}
_TRANSFORM_TOLERANCE: Final = 1e-12
_CHAIN_TOLERANCE: Final = 1e-10


class _Finding(NamedTuple):
    verdict: Literal["ok", "warn", "fail"]
    what: str
    text: str


@click.command()
@click.option(
    "--machine",
    type=click.Choice([*GUIDE]),
    help="Compare this machine with what the deployment guide asks of one for the service.",
)
def doctor(machine: str | None) -> int:
    """Check this installation: build, packages, configuration, and numbers against PyWavelets.

    Each line begins with ok, warn or fail; the exit code is 1 where one fails.
    """
    failed = False
    for finding in _findings(machine):
        click.echo(f"{finding.verdict:<4}  {finding.what:<14}  {finding.text}")
        failed = failed or finding.verdict == "fail"
    return 1 if failed else 0


def _findings(machine: str | None) -> Iterator[_Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield _Finding("ok", "rpsd", f"{rpsd.__version__} at {Path(rpsd.__file__).parent}, Python {version}")
    try:
        info = rpsd.build_info()
    except rpsd.RpsdError as error:
        yield _Finding("fail", "core", str(error))
        info = None
    if info is not None:
        yield from _build_findings(info)
    yield from _extra_findings()
    yield from _config_findings()
    if machine is not None:
        yield from _machine_findings(machine, info["isas"] if info else [])
    try:
        yield _self_test()
    except Exception as error:  # whatever is broken here is the finding
        yield _Finding("fail", "self-test", f"{type(error).__name__}: {error}")


def _build_findings(info: dict[str, Any]) -> Iterator[_Finding]:
    forced = f" (forced by RPSD_ISA={os.environ['RPSD_ISA']})" if os.environ.get("RPSD_ISA") else ""
    yield _Finding("ok", "commit", info["git"])
    yield _Finding("ok", "build", f"{info['compiler']}, {info['platform']}, {info['pointer_bits']} bits")
    yield _Finding("ok", "instructions", f"{info['isa']}{forced}; available: {', '.join(info['isas'])}")
    yield _Finding("ok", "threads", f"{info['threads_backend']}, {info['cpu_count']} processor(s)")
    packages = ", ".join(f"{name} {number}" for name, number in info["packages"].items())
    yield _Finding("ok", "packages", packages)


def _extra_findings() -> Iterator[_Finding]:
    for extra, names in _EXTRAS.items():
        absent = [name for name in names if importlib.util.find_spec(_MODULES.get(name, name)) is None]
        if absent:
            what = "not installed" if len(absent) == len(names) else f"{', '.join(absent)} missing"
            yield _Finding(
                "warn" if extra in _NEEDED else "ok", f"extra {extra}", f'{what}; pip install "rpsd[{extra}]"'
            )
        else:
            versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
            yield _Finding("ok", f"extra {extra}", versions)


def _config_findings() -> Iterator[_Finding]:
    places = [SYSTEM_CONFIG, Path("~/.rpsd/config.yaml").expanduser()]
    if os.environ.get("RPSD_CONFIG"):
        places.append(Path(os.environ["RPSD_CONFIG"]).expanduser())
    found = [str(place) for place in places if place.exists()]
    try:
        config = rpsd.load_config()
    except rpsd.ConfigError as error:
        yield _Finding("fail", "configuration", str(error))
        return
    variables = sorted(name for name in os.environ if name.startswith("RPSD_"))
    sources = ", ".join(found + variables) or "no file and no variable: the defaults"
    yield _Finding("ok", "configuration", f"valid; {sources}")
    data = config.paths.data_path
    if not data.is_dir():
        origin = config.origin("paths", "data_dir")
        yield _Finding("warn", "data directory", f"{data} is not a directory ({origin})")


def _machine_findings(level: str, isas: list[str]) -> Iterator[_Finding]:
    try:
        place = rpsd.load_config().paths.state_path
    except rpsd.ConfigError:
        place = Path()
    for good, what, text in compared(level, measured(place.absolute(), isas)):
        yield _Finding("warn" if good is None else "ok" if good else "fail", what, text)


def _self_test() -> _Finding:
    """Compare transform and denoising chain with PyWavelets on a simulated series."""
    import pywt

    x = rpsd.simulate("a", 1000, seed=1).noisy
    ours, theirs = (np.concatenate(module.wavedec(x, "db4", level=4)) for module in (rpsd, pywt))
    transform = _relative(ours, theirs)
    chain = _relative(rpsd.Denoiser(method="wavelet", noise="mad").denoise(x), pywavelets_chain(x))
    text = f"relative difference from PyWavelets: transform {transform:.1e}, denoising chain {chain:.1e}"
    good = transform <= _TRANSFORM_TOLERANCE and chain <= _CHAIN_TOLERANCE
    return _Finding("ok" if good else "fail", "self-test", text)


def _relative(ours: Any, theirs: Any) -> float:
    if np.shape(ours) != np.shape(theirs):
        return float("inf")
    return float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs)))
