# SPDX-License-Identifier: MIT
"""Text from files and arguments made fit to show: one line, of bounded length, without control characters."""

from __future__ import annotations

from typing import Final

_LONGEST_PART: Final = 80
_LONGEST_LINE: Final = 2000


def shown(text: str) -> str:
    """Return a cell, name or path as shown in a message: clipped, control characters escaped."""
    clipped = text if len(text) <= _LONGEST_PART else f"{text[: _LONGEST_PART - 3]}..."
    return _escaped(clipped)


def one_line(text: str) -> str:
    """Return a whole message as one line."""
    line = _escaped(" ".join(text.split()))
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 3]}..."


def encodable(text: str) -> str:
    """Return a path as text that UTF-8 can hold; what it cannot, as in names of other encodings, escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _escaped(text: str) -> str:
    # A terminal obeys control characters; lone surrogates (names that are not UTF-8) cannot be written.
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
