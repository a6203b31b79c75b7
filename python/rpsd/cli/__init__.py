# SPDX-License-Identifier: MIT
"""The `rpsd` command (extra: cli)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

_EXTRA: Final = ("click", "matplotlib", "pyarrow", "rich")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process where none are given.

    Returns
    -------
    int
        0 ok, 1 failure, 2 usage, 3 guardrail, 4 partial, 130 interrupted.

    Examples
    --------
    >>> from rpsd.cli import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    rpsd ...
    0
    """
    try:
        from rpsd.cli._app import run

        return run(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        # While the command was still loading; later ones are caught where the command runs.
        print("rpsd: interrupted", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        print('rpsd: the command line needs the "cli" extra: pip install "rpsd[cli]"', file=sys.stderr)
        return 1
