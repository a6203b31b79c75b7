# SPDX-License-Identifier: MIT
"""Sub-interpreters of Python, as mod_wsgi makes them: refused in words, where a call would hang or crash."""

import subprocess
import sys

import pytest

OLD = """
import _xxsubinterpreters as interpreters
def run(code, isolated):
    interpreters.run_string(interpreters.create(isolated=isolated), code)
"""
NEW = """
import _interpreters as interpreters
def run(code, isolated):
    error = interpreters.exec(interpreters.create("isolated" if isolated else "legacy"), code)
    if error: raise RuntimeError(error.formatted)
"""


@pytest.mark.parametrize("isolated", [False, True], ids=["legacy", "isolated"])
def test_a_subinterpreter_is_refused_and_the_main_one_goes_on(isolated):
    # NumPy warns of them or refuses itself, which must not be what is seen here: the core is loaded alone.
    load = (
        "import importlib.util as u\n"
        "spec = u.spec_from_file_location('_core', PATH)\n"
        "spec.loader.exec_module(u.module_from_spec(spec))"
    )
    code = (NEW if sys.version_info >= (3, 13) else OLD) + (
        "import numpy, rpsd, rpsd._core\n"
        f"load = {load!r}.replace('PATH', repr(rpsd._core.__file__))\n"
        "try:\n"
        f"    run(load, {isolated})\n"
        "except Exception as error:\n"
        "    print(error)\n"
        "print(rpsd.denoise(numpy.arange(100.0)).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    said, goes_on = done.stdout.rsplit("\n", 2)[:2]
    assert "sub-interpreter" in said or "subinterpreter" in said, done.stdout
    assert goes_on == "(100,)"
