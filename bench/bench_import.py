# SPDX-License-Identifier: MIT
"""The time that a fresh interpreter takes to import us and our peers."""

import os
import subprocess
import sys

import pytest

# As from an installed package: pip compiles the files, which a checkout keeps only where writing is on.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@pytest.mark.parametrize("module", ["rpsd", "numpy", "pywt", "scipy.signal"])
def bench_import(benchmark, module):
    benchmark.group = "import in a fresh interpreter"
    benchmark.extra_info.update(who=module, samples=0)
    benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=ENVIRONMENT),
        rounds=21,
        warmup_rounds=1,
    )
