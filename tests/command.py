# SPDX-License-Identifier: MIT
"""What the tests of the command share: the seed's configuration, an empty home, a process of its own."""

import subprocess
import sys

import numpy as np
import pytest

import rpsd
from rpsd.cli import main

QUIET = ("--log-level", "WARNING")
SEED_YAML = """\
# Denoiser settings
denoiser:
  wavelet: db4
  level: 4
  threshold_mode: bayes
  use_fir_filter: true
  fir_cutoff: 0.1

# Guardrail thresholds
guardrails:
  correlation_threshold: 0.85
  rmse_threshold: 0.5
  trend_threshold: 0.90
  power_threshold: 0.95

# Performance settings
performance:
  max_workers: 4
  chunk_size: 1000
  cache_size: 1000

# Monitoring
monitoring:
  metrics_port: 8000
  health_check_interval: 30
  log_level: INFO
"""


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Stand in an empty directory, with an empty home and no configuration of the machine."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setattr("rpsd._config.SYSTEM_CONFIG", home / "none.yaml")
    monkeypatch.chdir(tmp_path)


def run_command(*arguments, **more):
    """Run the real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "rpsd.cli", *arguments], capture_output=True, text=True, check=False, **more
    )


@pytest.fixture
def goog(tmp_path):
    """Return the path of five days of minute bars with nights between them and some minutes missing."""
    rng = np.random.default_rng(20250818)
    minutes = np.concatenate([d * 1440 + np.arange(390) for d in range(5)])
    minutes = np.delete(minutes, rng.choice(len(minutes), 4, replace=False))
    stamps = np.datetime64("2025-08-18T13:30") + minutes.astype("m8[m]")
    prices = 205 + rpsd.simulate("a", len(minutes), seed=1, nsr=1.0, step_sd=0.05).noisy
    rows = [
        f"{str(t).replace('T', ' ')}:00+00:00,{p!r}" for t, p in zip(stamps, prices.tolist(), strict=True)
    ]
    path = tmp_path / "goog.csv"
    path.write_bytes(("timestamp,price\n" + "\n".join(rows) + "\n").encode())
    return path


@pytest.fixture
def stream(tmp_path, monkeypatch):
    """Run `rpsd stream` on a text in this process; return the exit code and the bytes it printed."""

    def run(text, *arguments):
        (tmp_path / "stdin").write_bytes(text if isinstance(text, bytes) else text.encode())
        with (
            open(tmp_path / "stdin") as stdin,
            open(tmp_path / "stdout", "w") as stdout,
            monkeypatch.context() as patch,
        ):
            patch.setattr("sys.stdin", stdin)
            patch.setattr("sys.stdout", stdout)
            code = main(["stream", *QUIET, *arguments])
        return code, (tmp_path / "stdout").read_bytes()

    return run


def denoised(tmp_path, text, *arguments):
    """Return the bytes that `rpsd denoise` makes of a text."""
    (tmp_path / "whole.csv").write_bytes(text.encode())
    assert main(["denoise", "whole.csv", "-o", "denoised.csv", *QUIET, *arguments]) == 0
    return (tmp_path / "denoised.csv").read_bytes()


def prices(n, seed=1, nsr=1.0):
    return 100 + rpsd.simulate("a", n, seed=seed, nsr=nsr).noisy


def plain(x):
    return "t,price\n" + "".join(f"{i},{v!r}\n" for i, v in enumerate(x.tolist()))
