# SPDX-License-Identifier: MIT
"""Where the service is between start and stop, and why it is not ready where it is not."""

from __future__ import annotations

from typing import Literal


class Phase:
    """Starting, serving or draining, with what else keeps it from being ready.

    Attributes
    ----------
    name : str
        ``starting``, ``serving`` or ``draining``; it never goes back.
    faults : dict of str to str
        What is wrong, by who says so; a part adds its own and takes it away.
    """

    def __init__(self) -> None:
        self.name: Literal["starting", "serving", "draining"] = "starting"
        self.faults: dict[str, str] = {}

    def serve(self) -> None:
        """End the start."""
        if self.name == "starting":
            self.name = "serving"

    def drain(self) -> None:
        """Begin the end."""
        self.name = "draining"

    @property
    def reason(self) -> str | None:
        """Why no requests should come, or None where they should."""
        if self.name != "serving":
            return f"the service is {self.name}"
        return "; ".join(self.faults.values()) or None
