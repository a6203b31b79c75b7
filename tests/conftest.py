# SPDX-License-Identifier: MIT
"""What every test shares: the same Hypothesis examples in each run, and no settings from outside."""

import os
import signal

import hypothesis
import pytest

hypothesis.settings.register_profile("rpsd", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("many", hypothesis.settings.get_profile("rpsd"), max_examples=1000)
hypothesis.settings.load_profile("rpsd")  # --hypothesis-profile=many is loaded after this

# Whoever runs the tests in a shell's background has SIGINT ignored, and so would all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    """Hide RPSD_ variables; RPSD_ISA stays, as the whole suite runs under each instruction set."""
    for name in os.environ:
        if name.startswith("RPSD_") and name != "RPSD_ISA":
            monkeypatch.delenv(name)
