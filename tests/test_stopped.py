# SPDX-License-Identifier: MIT
"""Calls of the core that are stopped: by another thread, or by Ctrl-C."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import rpsd
from rpsd import _core

PATIENCE = 60


@pytest.fixture(scope="module")
def long():
    """A million samples with heavy tails, which take the default twelve seconds of a processor or more."""
    rng = np.random.default_rng(5)
    return 100 + np.cumsum(rng.standard_t(3, 1_000_000)) + rng.standard_t(2.5, 1_000_000) / 2


def stopped(call, wait=0.2):
    """Stop a call from another thread; return for how many seconds it went on."""
    stop, told = _core.Stop(), []

    def tell():
        told.append(time.monotonic())
        stop.set()

    timer = threading.Timer(wait, tell)
    timer.start()
    with pytest.raises(_core.Stopped, match="told to stop"):
        stop.during(call)
    timer.join()
    return time.monotonic() - told[0]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_long_series_is_stopped_in_the_middle(long, threads):
    short = long[:3000]
    expected = rpsd.denoise(short)
    waited = stopped(lambda: rpsd.denoise(long, threads=threads))
    assert waited < 4
    np.testing.assert_array_equal(rpsd.denoise(short), expected)


def test_every_call_under_it_ends_once_it_is_set(long):
    stop = _core.Stop()
    assert not stop.is_set
    assert stop.during(lambda: "done") == "done"
    stop.set()
    assert stop.is_set
    for call in (
        lambda: rpsd.denoise(long[:100]),
        lambda: rpsd.Denoiser(method="wavelet").run(long[:100], threads=2),
        lambda: rpsd.evaluate(long[:100], long[:100]),
        lambda: rpsd.denoise(long[:100], lookahead=3),
    ):
        with pytest.raises(_core.Stopped):
            stop.during(call)
    assert len(rpsd.denoise(long[:100])) == 100  # outside of it nothing is stopped


def test_it_is_of_its_thread_alone(long):
    stop, lengths = _core.Stop(), []
    stop.set()

    def elsewhere():
        thread = threading.Thread(target=lambda: lengths.append(len(rpsd.denoise(long[:100]))))
        thread.start()
        thread.join()

    stop.during(elsewhere)
    assert lengths == [100]


def test_errors_and_results_pass_through():
    stop = _core.Stop()
    with pytest.raises(rpsd.ConfigError, match="unknown"):
        stop.during(lambda: rpsd.denoise([1.0, 2.0], unknown=1))
    assert not issubclass(_core.Stopped, Exception)  # what answers in place of errors must not swallow it


def test_a_stream_is_not_stopped():
    x = 100 + rpsd.simulate("a", 300, seed=1).noisy
    expected = rpsd.Denoiser(lookahead=0).stream().push_many(x)
    stop = _core.Stop()
    stop.set()
    found = stop.during(lambda: rpsd.Denoiser(lookahead=0).stream().push_many(x))
    np.testing.assert_array_equal(found, expected)


INTERRUPTED = """
import _thread, sys, threading, time
import numpy as np, rpsd
rng = np.random.default_rng(5)
x = 100 + np.cumsum(rng.standard_t(3, 1_000_000)) + rng.standard_t(2.5, 1_000_000) / 2
expected = rpsd.denoise(x[:3000])
threading.Timer(0.5, _thread.interrupt_main).start()
began = time.monotonic()
try:
    rpsd.denoise(x, threads=THREADS)
except KeyboardInterrupt:
    assert time.monotonic() - began < 6, time.monotonic() - began
    assert np.array_equal(rpsd.denoise(x[:3000]), expected)
    sys.exit(7)
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_ctrl_c_ends_a_call(threads):
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.replace("THREADS", threads)],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (run.returncode, run.stderr.decode()) == (7, "")


HANDLED = """
import _thread, signal, threading
import numpy as np, rpsd
x, seen = 100 + rpsd.simulate("a", 400_000, seed=1).noisy, []
expected = rpsd.denoise(x)
signal.signal(signal.SIGINT, lambda *_: seen.append(len(rpsd.denoise(np.arange(100.0)))))
threading.Timer(0.3, _thread.interrupt_main).start()
while not seen:
    values = rpsd.denoise(x)
assert np.array_equal(values, expected)
"""


def test_a_handler_of_ones_own_runs_after_the_call():
    """It may call rpsd itself, whose memory of this thread is in use until then."""
    run = subprocess.run([sys.executable, "-c", HANDLED], capture_output=True, timeout=PATIENCE, check=False)
    assert (run.returncode, run.stderr.decode()) == (0, "")
