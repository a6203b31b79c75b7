# SPDX-License-Identifier: MIT
"""PyWavelets' own tests of wavedec and waverec pass with rpsd's functions in their place."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULES = ("test_multilevel", "test_mra", "test_concurrent", "test__pywt")
#: Tests of other functions, in two and more dimensions, by parts of their names.
OTHERS = ("test_waverec2", "wavedec2", "test_waverecn", "mra2", "mran", "swt")
#: What PyWavelets' tests ask of the two functions by name; a release may add to it.
ASKED = {
    "wavedec": {
        "test_wavedec",
        "test_multilevel_dtypes_1d",
        "test_waverec_accuracies",
        "test_waverec_none",
        "test_waverec_odd_length",
        "test_waverec_complex",
        "test_waverec_all_wavelets_modes",
        "test_waverec_axes_subsets",
        "test_waverec_axis_db2",
        "test_waverec_mixed_precision",
        "test_wavedec_axis_error",
        "test_wavedecn_many_levels",
        "test_wavedecn_coeff_reshape_even",
        "test_wavedecn_coeff_ravel",
        "test_error_on_continuous_wavelet",
        "test_concurrent_wavedec",
    },
    "waverec": {
        "test_waverec_invalid_inputs",
        "test_waverec_accuracies",
        "test_waverec_none",
        "test_waverec_axis_error",
        "test_waverec_shape_mismatch_error",
        "test_waverec_mixed_precision",
        "test_waverec_all_wavelets_modes",
        "test_error_on_continuous_wavelet",
        "test_wavedecn_many_levels",
    },
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Run PyWavelets' tests once; returns what the plugin reported, and pytest's words."""
    folder = tmp_path_factory.mktemp("suite")
    report = folder / "report.json"
    search_path = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(search_path),
        "RPSD_SUITE_REPORT": str(report),
        "PYTEST_ADDOPTS": "",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "rpsd_in_pywavelets", "-p", "no:cacheprovider"]
    command += ["-p", "no:hypothesispytest", "--rootdir", str(folder), "-c", os.devnull]
    command += ["-k", f"not ({' or '.join(OTHERS)})"]
    command += ["--pyargs", *(f"pywt.tests.{module}" for module in MODULES)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert report.exists(), done.stdout + done.stderr
    return json.loads(report.read_text()), done


def test_all_that_use_wavedec_or_waverec_pass(suite):
    outcomes, done = suite
    using = {name: t for name, t in outcomes.items() if t["wavedec"] + t["waverec"] > 0}
    assert {name: t["outcome"] for name, t in using.items() if t["outcome"] != "passed"} == {}, done.stdout
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("function", ["wavedec", "waverec"])
def test_ours_were_called(suite, function):
    outcomes, _ = suite
    called = {name.partition("::")[2].partition("[")[0] for name, t in outcomes.items() if t[function] > 0}
    assert ASKED[function] - called == set()
