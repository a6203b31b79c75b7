# SPDX-License-Identifier: MIT
"""What every fuzzer of a parser needs: a program around one function of bytes."""

import sys
import time
from collections.abc import Callable

import atheris

_MOST_SECONDS = 2.0  # that an input of 4 KiB may take


def fuzz(one: Callable[[bytes], None]) -> None:
    """Call `one` with inputs as libFuzzer's arguments say; an exception or a second too many is a finding."""

    def timed(data: bytes) -> None:
        begin = time.process_time()
        one(data)
        if time.process_time() - begin > _MOST_SECONDS:
            raise TimeoutError(f"{len(data)} bytes took {time.process_time() - begin:.1f} s")

    atheris.Setup(sys.argv, timed)
    atheris.Fuzz()
