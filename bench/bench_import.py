# SPDX-License-Identifier: MIT
"""The time that a fresh interpreter takes to import us and our peers."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["rpsd", "numpy", "pywt", "scipy.signal"])
def bench_import(benchmark, module):
    benchmark.group = "import in a fresh interpreter"
    benchmark.extra_info.update(who=module, samples=0)
    benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True),
        rounds=7,
        warmup_rounds=1,
    )
