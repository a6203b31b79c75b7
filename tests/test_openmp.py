# SPDX-License-Identifier: MIT
"""Other libraries with an OpenMP of their own in one process: whoever comes first, none hangs, same bits."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import bits
import numpy as np
import pytest

import rpsd

OURS = """
import sys, numpy as np
def ours():
    global rpsd
    import rpsd
    x = np.random.default_rng(0).normal(size=(64, 500)).cumsum(axis=1)
    return [rpsd.denoise(x, method="wavelet", noise="mad", threads=t).tobytes() for t in (1, 4)]
"""
SKLEARN = """
def theirs():
    from sklearn.ensemble import HistGradientBoostingRegressor as Model
    x = np.random.default_rng(1).normal(size=(500, 3))
    return Model(max_iter=3, random_state=0).fit(x, x[:, 0]).predict(x).tobytes()
"""
# The runtime of LLVM, which Intel's is and torch has on some systems: it has the names of GNU's too.
LIBOMP = """
def theirs():
    import ctypes
    omp = ctypes.CDLL({path!r}, mode=ctypes.RTLD_GLOBAL)
    body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda data: None)
    omp.GOMP_parallel(body, None, 4, 0)
    return omp.omp_get_max_threads()
"""
# A fork in between: neither runtime may have the child wait for threads that it does not have.
ROUNDS = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
first, second = (ours, theirs) if {first!r} == "rpsd" else (theirs, ours)
found = [first(), second(), first(), second()]
assert found[0] == found[2] and found[1] == found[3]
serial, parallel = ours()
assert serial == parallel
child = os.fork()
if not child:
    os._exit(0 if ours() == [serial] * 2 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert ours() == [serial] * 2
print("good")
"""


def rounds(theirs, first):
    code = OURS + theirs + ROUNDS.format(first=first)
    # Threads that wait do not spin: on a busy machine each parallel loop would take a time slice or more.
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "good\n"), done.stderr


@pytest.mark.parametrize("first", ["rpsd", "them"])
def test_beside_scikit_learn(first):
    rounds(SKLEARN, first)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["rpsd", "them"])
def test_beside_another_runtime(first):
    """Of Debian's libomp5; .ci/run --full installs it."""
    path = max(Path("/usr/lib").glob("llvm-*/lib/libomp.so.5"))
    rounds(LIBOMP.format(path=str(path)), first)


def test_64_callers_at_once():
    x = bits.noisy_prices(16, 500, np.float64)
    denoiser = rpsd.Denoiser(method="wavelet", noise="mad")
    expected = bits.digest(denoiser.denoise(x))
    together = threading.Barrier(64, timeout=120)
    found = []

    def call(i):
        together.wait()
        found.extend(bits.digest(denoiser.denoise(x, threads=1 + i % 2)) for _ in range(3))

    callers = [threading.Thread(target=call, args=(i,)) for i in range(64)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=120)
    assert found == [expected] * 192
