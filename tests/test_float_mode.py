# SPDX-License-Identifier: MIT
"""Another library sets FTZ, DAZ or another rounding for a thread: same bits, and its mode stays as it was."""

import ctypes
import platform
import sys
from concurrent.futures import ThreadPoolExecutor

import bits
import numpy as np
import pytest

import rpsd

# Where fegetenv has the register of the mode, and its bits that make denormal numbers zero and round upwards.
REGISTERS = {
    ("linux", "x86_64"): (28, 0x8040, 0x4000),
    ("linux", "aarch64"): (0, 1 << 24, 1 << 22),
    ("darwin", "x86_64"): (4, 0x8040, 0x4000),
    ("darwin", "arm64"): (8, 1 << 24, 1 << 22),
}
MODES = ("flush", "upwards")


def pushed(stream, samples):
    return np.array([stream.push(sample) for sample in samples])


CALLS = {
    "default": rpsd.denoise,
    "default, four threads": lambda x: rpsd.denoise(x, threads=4),
    "kalman": lambda x: rpsd.denoise(x, method="kalman"),
    "wavelet": lambda x: rpsd.denoise(x, method="wavelet", noise="mad"),
    "wavelet, four threads": lambda x: rpsd.denoise(x, method="wavelet", noise="mad", threads=4),
    "modwt": lambda x: rpsd.denoise(x, method="wavelet", transform="modwt"),
    "fir": lambda x: rpsd.denoise(x, use_fir_filter=True),
    "causal": lambda x: rpsd.denoise(x, lookahead=0),
    "windows": lambda x: rpsd.denoise(x, method="wavelet", lookahead=2, window=64),
    "transform": lambda x: np.concatenate(rpsd.wavedec(x, "db4", level=3), axis=-1),
    "stream": lambda x: pushed(rpsd.Denoiser(lookahead=0).stream(), x[0]),
    "streams": lambda x: pushed(rpsd.Denoiser(lookahead=1, method="kalman").stream(len(x)), x.T),
}


class WindowsMode:
    """By the C library, which has no register in the structure of fegetenv."""

    def __init__(self):
        self._library = ctypes.CDLL("ucrtbase")

    def set(self, mode):
        wanted, mask = {"flush": (1 << 24, 3 << 24), "upwards": (1 << 9, 3 << 8)}[mode]
        assert self._library._controlfp_s(ctypes.byref(ctypes.c_uint()), wanted, mask) == 0


class UnixMode:
    def __init__(self):
        self._library = ctypes.CDLL(None)
        self._offset, *found = REGISTERS[sys.platform, platform.machine()]
        self._bits = dict(zip(MODES, found, strict=True))

    def set(self, mode):
        environment = ctypes.create_string_buffer(64)
        self._library.fegetenv(environment)
        register = ctypes.c_uint32.from_buffer(environment, self._offset)
        register.value |= self._bits[mode]
        self._library.fesetenv(environment)


def is_set(mode):
    if mode == "flush":
        return (np.array([1e-300]) * np.array([1e-10]))[0] == 0
    return (np.array([1.0]) + np.array([2.0**-60]))[0] > 1


def in_a_thread(mode, call):
    """Call on a thread of its own under a mode, which must be there before and after."""

    def run():
        if mode:
            (WindowsMode() if sys.platform == "win32" else UnixMode()).set(mode)
            assert is_set(mode)
        found = call()
        assert not mode or is_set(mode)
        return found

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(timeout=120)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CALLS)
def test_the_mode_of_a_thread_changes_no_bit(name, mode):
    """In the core; what NumPy does before with denormal prices is its own."""
    for scale in (1.0, 1e-305, 1e300):
        x = bits.noisy_prices(8, 500, np.float64) * scale
        found = in_a_thread(mode, lambda x=x: CALLS[name](x))
        assert bits.digest(found) == bits.digest(CALLS[name](x)), scale


@pytest.mark.parametrize("mode", MODES)
def test_threads_that_were_made_under_a_mode_do_not_keep_it(mode):
    x = bits.noisy_prices(8, 500, np.float64) * 1e-304
    expected = bits.digest(rpsd.denoise(x, method="wavelet", noise="mad"))

    def call():
        return [bits.digest(rpsd.denoise(x, method="wavelet", noise="mad", threads=t)) for t in (4, 1, 2)]

    assert in_a_thread(mode, call) == [expected] * 3
