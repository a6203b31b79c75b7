# SPDX-License-Identifier: MIT
"""Many series: files in, files out, resumable."""

from rpsd.batch._outcome import Columns, Outcome
from rpsd.batch._run import finish, plan
from rpsd.batch._unit import run_unit

__all__ = ["Columns", "Outcome", "finish", "plan", "run_unit"]
