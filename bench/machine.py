# SPDX-License-Identifier: MIT
"""What a result was measured on: the processor and the commit."""

import platform
import subprocess
from pathlib import Path

# Written by the measurements themselves.
RESULTS = (
    "bench/RESULTS.md",
    "bench/quality/RESULTS.md",
    "bench/service/RESULTS.md",
    "README.md",
    "docs/operations/backup.md",
    "docs/operations/sizing.md",
    "docs/planning.md",
)


def processor() -> str:
    """Name the processor, where the system tells."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
    return f"{names[0]} x {len(names)}" if names else platform.processor()


def commit() -> str:
    """Name the commit measured, and say so if the tree differs from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True)
    changes = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no"], check=True, capture_output=True, text=True
    )
    changed = [line for line in changes.stdout.splitlines() if not line.endswith(RESULTS)]
    return head.stdout.strip() + (" with uncommitted changes" if changed else "")
