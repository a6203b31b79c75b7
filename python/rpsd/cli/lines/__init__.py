# SPDX-License-Identifier: MIT
"""Lines in and out of `rpsd stream`: what they hold, the streams behind them, their pipes and their state."""

from rpsd.cli.lines._flow import Flow
from rpsd.cli.lines._layout import Chosen, Layout
from rpsd.cli.lines._pipes import Pipes
from rpsd.cli.lines._state import State, no_state, read_state, write_state

__all__ = ["Chosen", "Flow", "Layout", "Pipes", "State", "no_state", "read_state", "write_state"]
