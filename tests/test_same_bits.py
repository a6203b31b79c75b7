# SPDX-License-Identifier: MIT
"""Results are equal to the bit: for any threads, batch, layout, caller, process and instruction set."""

import json
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import bits
import numpy as np
import pytest

import rpsd
from rpsd import _core
from rpsd._wavelet import filter_bank

HERE = Path(__file__).parent
DTYPES = (np.float64, np.float32)
ISAS = rpsd.build_info()["isas"]

pytestmark = pytest.mark.filterwarnings("ignore:Level value of:UserWarning")


def run_bits(isa, *arguments):
    """Run bits.py in a process of its own, under one instruction set."""
    environment = {**os.environ, "RPSD_ISA": isa}
    command = [sys.executable, str(HERE / "bits.py"), *arguments]
    return subprocess.run(
        command, env=environment, cwd=HERE, capture_output=True, text=True, timeout=300, check=False
    )


@cache
def of_one_thread(dtype):
    return bits.all_digests(dtype, 1)


def digests():
    return {np.dtype(dtype).name: of_one_thread(dtype) for dtype in DTYPES}


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set(isa):
    done = run_bits(isa)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == digests()


def test_every_system():
    """golden_bits.json holds what ``bits.py --portable`` prints; only a change that means to changes it."""
    golden = json.loads((HERE / "golden_bits.json").read_text())
    assert {np.dtype(dtype).name: bits.portable_digests(dtype) for dtype in DTYPES} == golden


@pytest.mark.parametrize("isa", ["avx9", "V3", "", "neon" if "v3" in ISAS else "v3"])
def test_unknown_or_unsupported_instruction_set_fails_loudly(isa):
    done = run_bits(isa)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("rpsd._errors.ConfigError: RPSD_ISA must name ")
    assert f'"{isa}"' in last
    assert last.endswith(": " + ", ".join(ISAS))


@pytest.mark.parametrize("threads", [2, 7, 0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_number_of_threads(dtype, threads):
    assert bits.all_digests(dtype, threads) == of_one_thread(dtype)


@pytest.mark.parametrize("threads", [2, 7, 0])
@pytest.mark.parametrize("boundary", ["symmetric", "periodization"])
@pytest.mark.parametrize("shape", [(23, 517), (1, 40_001)], ids=["rows", "tiles"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_transform_with_any_number_of_threads(dtype, shape, boundary, threads):
    """The public transform has no threads argument, the core has."""
    x = bits.prices(*shape, dtype)
    transform = _core.Transform(bank=filter_bank("db4"), boundary=boundary)
    one = transform.wavedec(x, level=4, threads=1)
    assert bits.digest(*one) == bits.digest(*transform.wavedec(x, level=4, threads=threads))
    back = transform.waverec(one, threads=1)
    assert bits.digest(back) == bits.digest(transform.waverec(one, threads=threads))


@pytest.mark.parametrize("threads", [2, 7, 0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_long_series_with_any_number_of_threads(dtype, threads):
    x = bits.prices(1, 150_001, dtype)[0]
    options = {"method": "wavelet", "wavelet": "sym5", "level": 5, "noise": "mad"}
    assert bits.digest(rpsd.denoise(x, **options)) == bits.digest(rpsd.denoise(x, threads=threads, **options))


FUNCTIONS = {
    "wavedec": lambda x: np.concatenate(rpsd.wavedec(x, "sym5", level=3), axis=-1),
    "waverec": lambda x: rpsd.waverec([x, x], "db4"),
    "zero_phase": lambda x: rpsd.fir_filter(x, bits.noise(21, 5)),
    "causal": lambda x: rpsd.fir_filter(x, bits.noise(21, 5), "causal"),
    "same": lambda x: rpsd.fir_filter(x, bits.noise(21, 5), "same"),
    "denoise": lambda x: rpsd.denoise(x, use_fir_filter=True, noise="mad"),
    "log": lambda x: rpsd.denoise(x, space="log", wavelet="haar", noise="mad"),
    "score": lambda x: np.asarray(rpsd.evaluate(x, np.round(x * 8) / 8).score),
    "power": lambda x: np.asarray(rpsd.evaluate(x, np.round(x * 8) / 8).power),
    "guardrails": lambda x: np.stack(
        [check.value for check in rpsd.evaluate(x, np.round(x * 8) / 8).checks], axis=-1
    ),
    "auto": rpsd.denoise,
    "kalman": lambda x: rpsd.denoise(x, method="kalman"),
    "predicted gain": lambda x: np.asarray(rpsd.estimate_noise(x).predicted_gain_db),
}


@pytest.fixture(params=FUNCTIONS, ids=str)
def function(request):
    return FUNCTIONS[request.param]


@pytest.fixture
def make(function):
    """Return what makes the data: with noise in it for what looks for noise."""
    fitted = (FUNCTIONS[name] for name in ("auto", "kalman", "predicted gain"))
    return bits.noisy_prices if function in fitted else bits.prices


@pytest.mark.parametrize("dtype", DTYPES)
def test_there_is_noise_to_find(dtype):
    """Else the tests of the fitted methods would compare untouched series."""
    for n in (200, 333, *bits.FITTED_LENGTHS[1:]):
        result = rpsd.Denoiser().run(bits.noisy_prices(9, n, dtype))
        assert np.count_nonzero(result.action == "denoised") >= 5


@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_or_one_by_one(function, make, dtype):
    x = make(13, 333, dtype)
    whole = bits.digest(function(x))
    assert whole == bits.digest(np.stack([function(row) for row in x]))
    assert whole == bits.digest(np.concatenate([function(x[:5]), function(x[5:])]))
    cube = function(x[:12].reshape(2, 6, 333))
    assert bits.digest(function(x[:12])) == bits.digest(cube.reshape(12, *cube.shape[2:]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_layout_in_memory(function, make, dtype):
    wide = make(14, 1000, dtype)
    unaligned = np.zeros(wide.nbytes + 1, np.uint8)[1:].view(dtype).reshape(wide.shape)
    unaligned[...] = wide
    views = {
        "every third sample": wide[:, ::3],
        "backwards": wide[:, ::-1],
        "every other series, backwards": wide[::-2, 100:],
        "Fortran order": np.asfortranarray(wide),
        "one row again and again": np.broadcast_to(wide[3], (4, 1000)),
        "not aligned": unaligned,
    }
    for name, view in views.items():
        assert bits.digest(function(view)) == bits.digest(function(view.copy(order="C"))), name


def test_other_byte_order(function, make):
    x = make(3, 200, np.float64)
    assert bits.digest(function(x.astype(">f8"))) == bits.digest(function(x))


@pytest.mark.parametrize("offset", range(1, 9))
def test_any_address(offset):
    """A vector load at the head of a series may begin anywhere."""
    x = bits.noisy_prices(1, 600, np.float64)[0]
    moved = np.empty(700)[offset : offset + 600]
    moved[:] = x
    for function in FUNCTIONS.values():
        assert bits.digest(function(moved)) == bits.digest(function(x))


@pytest.mark.parametrize("options", [{}, {"method": "kalman"}, {"use_fir_filter": True}], ids=str)
def test_where_the_result_goes(options):
    x = bits.noisy_prices(5, 400, np.float64)
    expected = rpsd.denoise(x, **options)
    out = np.full_like(x, np.nan)
    rpsd.denoise(x, **options, out=out)
    assert bits.digest(out) == bits.digest(expected)
    rpsd.denoise(x, **options, out=x, threads=2)
    assert bits.digest(x) == bits.digest(expected)


@pytest.mark.parametrize("options", [{}, {"use_fir_filter": True}], ids=str)
def test_many_callers_at_once(options):
    denoiser = rpsd.Denoiser(**options)
    inputs = [bits.noisy_prices(1 + i % 4, 300 + 7 * i, DTYPES[i % 2]) for i in range(40)]
    expected = [bits.digest(denoiser.denoise(x), *rpsd.wavedec(x, "db4", level=2)) for x in inputs]

    def call(i):
        x = inputs[i % 40]
        return bits.digest(denoiser.denoise(x, threads=1 + i % 3), *rpsd.wavedec(x, "db4", level=2))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(400))) == expected * 10


def one_digest(threads):
    return bits.digest(rpsd.denoise(bits.noisy_prices(16, 500, np.float64), threads=threads))


# Python 3.12 warns of any fork beside other threads, the case under test.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_started_after_a_parallel_call(method):
    expected = one_digest(4)
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        jobs = [pool.apply_async(one_digest, (threads,)) for threads in (1, 2, 4, 0)]
        assert [job.get(timeout=120) for job in jobs] == [expected] * 4
    assert one_digest(4) == expected


def digest_of_another_process(method):
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply_async(one_digest, (4,)).get(timeout=120)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_started_within_a_thread_after_a_parallel_call(method):
    with ThreadPoolExecutor(2) as threads:
        expected = threads.submit(one_digest, 4).result(timeout=120)
        others = [threads.submit(digest_of_another_process, method) for _ in range(2)]
        assert [other.result(timeout=120) for other in others] == [expected] * 2
