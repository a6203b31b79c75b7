# SPDX-License-Identifier: MIT
"""Formats of files, told by the suffix of their names."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, NamedTuple

from rpsd._errors import InputError
from rpsd._text import shown

_CODECS: Final[dict[str, Literal["gzip", "zstd"]]] = {".gz": "gzip", ".zst": "zstd"}
_OTHER_CODECS: Final = (".bz2", ".xz", ".zip", ".lz4", ".7z")
PARQUET_SUFFIXES: Final = (".parquet", ".pq")
ARROW_SUFFIXES: Final = (".arrow", ".ipc", ".feather")


class Format(NamedTuple):
    """What a file holds, and how it is compressed as a whole."""

    kind: Literal["csv", "parquet", "arrow"]
    codec: Literal["", "gzip", "zstd"] = ""

    @property
    def suffix(self) -> str:
        """The usual suffix, for messages."""
        return f".{self.kind}" + {"": "", "gzip": ".gz", "zstd": ".zst"}[self.codec]


def format_of(path: str) -> Format:
    """Return the format that a name tells; what is no other is CSV.

    Raises
    ------
    InputError
        Where the suffix is that of a compression which is not read.
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    last = suffixes[-1] if suffixes else ""
    inner = suffixes[0] if len(suffixes) == 2 else ""
    columnar = (*PARQUET_SUFFIXES, *ARROW_SUFFIXES)
    if last in _OTHER_CODECS or (last in _CODECS and inner in columnar):
        raise InputError(
            f"{shown(path)}: files of this suffix are not read or written; allowed: .csv, .csv.gz, .csv.zst, "
            ".parquet, .pq, .arrow, .ipc, .feather"
        )
    if last in PARQUET_SUFFIXES:
        return Format("parquet")
    if last in ARROW_SUFFIXES:
        return Format("arrow")
    return Format("csv", _CODECS.get(last, ""))


def format_of_bytes(data: bytes) -> Format:
    """Return the format that the first bytes of a file tell."""
    if data.startswith(b"PAR1"):
        return Format("parquet")
    # An IPC stream begins with a continuation mark and the length of the schema.
    if data.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return Format("arrow")
    return Format("csv")
