# SPDX-License-Identifier: MIT
"""Keys in the names of folders, as ``symbol=A/part-0.parquet``: the partitions of Hive and Spark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import unquote

from rpsd._errors import ConfigError, InputError
from rpsd._text import encodable, shown

#: What Hive writes for a key that is null.
NULL: Final = "__HIVE_DEFAULT_PARTITION__"


class _Named(Protocol):
    @property
    def name(self) -> str:
        """Path below the folder that was given, with slashes."""

    @property
    def below(self) -> str:
        """The same where the name is another, else empty."""


_T = TypeVar("_T", bound=_Named)


def partition_key(name: str, column: str) -> str | None:
    """Return what the folders of a name say that a column is, or None where they say nothing of it.

    Examples
    --------
    >>> partition_key("bars/symbol=BRK%2FB/day=1/part-0.parquet", "symbol")
    'BRK/B'
    """
    for folder in reversed(name.split("/")[:-1]):
        given, equals, value = folder.partition("=")
        if equals and unquote(given) == column:
            return _text_of(value)
    return None


def _text_of(value: str) -> str:
    """Return a value of a folder's name without its escapes; as it is where they are not UTF-8."""
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value


def without_other_keys(sources: Sequence[_T], by: Any, only: Iterable[str]) -> list[_T]:
    """Return the sources but for those whose folders say that they have none of the keys asked for.

    Parameters
    ----------
    sources : sequence
        What has a ``name``, and ``below`` where that is not its path below the folder given.
    by : str or None
        Column of keys.
    only : iterable of str
        Keys to keep; empty: all.

    Raises
    ------
    InputError
        Where none is left.
    ConfigError
        Where a key is no text.
    """
    keys = set(only)
    if by is None or not keys:
        return list(sources)
    for key in keys:
        if encodable(key) != key:
            raise ConfigError(f'--only must be a key in UTF-8, got "{shown(key)}"')
    left = [source for source in sources if partition_key(source.below or source.name, by) in {*keys, None}]
    if sources and not left:
        raise InputError(
            f"no input: none of {len(sources)} file(s) is in a folder {shown(by)}=KEY of any of the keys "
            f"{', '.join(map(shown, sorted(keys)))}"
        )
    return left
