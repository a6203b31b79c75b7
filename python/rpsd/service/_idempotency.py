# SPDX-License-Identifier: MIT
"""Idempotency-Key: a request that comes again gets the answer of the first.

Where answers are kept, with what they are of and by the same commit, is `_repeats`.
The header is that of draft-ietf-httpapi-idempotency-key-07.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec

from rpsd.service._problems import Problem

HEADER: Final = "Idempotency-Key"
#: What a key may be; the draft has it as a string in quotes, which are no part of it.
PATTERN: Final = "[!-~]{1,255}"
_KEY: Final = re.compile(PATTERN)


class Answered(msgspec.Struct, array_like=True, frozen=True):
    """An answer, as the first request got it."""

    status: int
    headers: dict[str, str]
    body: bytes


class Repeated(Exception):
    """A request came again: nothing is done, and the answer of the first is the answer."""

    def __init__(self, answered: Answered) -> None:
        super().__init__()
        self.answered = answered


def key_of(headers: Mapping[str, str]) -> str | None:
    """Return the key of a request, None where it has none.

    Raises
    ------
    Problem
        For one that is none.
    """
    given = headers.get(HEADER.lower())
    if given is None:
        return None
    if not _KEY.fullmatch(given):
        raise Problem("invalid-request", f"{HEADER} must be 1 to 255 visible characters of ASCII")
    quoted = len(given) > 2 and given[0] == given[-1] == '"'
    return given[1:-1] if quoted else given


class UnderWay:
    """Keys of requests that this process has not answered yet; for the event loop's thread.

    Another replica that gets the same request meanwhile finds the answer of whichever is committed first.
    """

    def __init__(self) -> None:
        self._keys: set[tuple[str, str]] = set()

    @contextmanager
    def alone(self, tenant: str, key: str | None) -> Iterator[None]:
        """Let one request with a key in at a time.

        Raises
        ------
        Problem
            conflict, where one is in.
        """
        if key is None:
            yield
            return
        mine = tenant, key
        if mine in self._keys:
            raise Problem(
                "conflict", f"a request with this {HEADER} is under way", headers={"retry-after": "1"}
            )
        self._keys.add(mine)
        try:
            yield
        finally:
            self._keys.remove(mine)
