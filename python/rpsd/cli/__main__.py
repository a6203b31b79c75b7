# SPDX-License-Identifier: MIT
"""Run the command line with ``python -m rpsd.cli``."""

import sys

from rpsd.cli import main

if __name__ == "__main__":
    sys.exit(main())
