# SPDX-License-Identifier: MIT
"""Why two outputs differ: their data, their options, the version that made them; and by how much."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from rpsd import InputError
from rpsd._text import shown
from rpsd.batch._compare import Comparison, compare
from rpsd.batch._store import need_local
from rpsd.batch._verify import Folder, folder_of, read_receipt
from rpsd.batch.files import format_of


class Reason(NamedTuple):
    """One thing that two receipts differ in.

    Attributes
    ----------
    what : str
        Such as ``input``, ``option level`` or ``version``.
    first, second : str
        Both values, with where they came from.
    decides : bool
        Whether it can change values; where one came from cannot.
    """

    what: str
    first: str
    second: str
    decides: bool


@dataclass(frozen=True)
class Pair:
    """Two outputs of one name.

    Attributes
    ----------
    file : str
    reasons : tuple of Reason
        What their receipts differ in.
    found : Comparison or None
        What the files differ in; None where one of them is missing.
    only : str
        The side that has it, where only one does.
    unknown : str
        The sides without a receipt that can be read.
    """

    file: str
    reasons: tuple[Reason, ...] = ()
    found: Comparison | None = None
    only: str = ""
    unknown: str = ""

    @property
    def same(self) -> bool:
        """Whether every cell is the same."""
        return self.found is not None and self.found.same

    @property
    def unread(self) -> bool:
        """Whether they could not be compared, as one of them cannot be read."""
        return self.found is not None and self.found.unread


def diff(first: str, second: str) -> Iterator[Pair]:
    """Yield the pairs of outputs in two folders, or the pair that two files are."""
    for path in (first, second):
        need_local(path)
        if not os.path.exists(path):
            raise InputError(f"cannot read {shown(path)}: no such file or folder")
    if os.path.isdir(first) != os.path.isdir(second):
        raise InputError(f"{shown(first)} and {shown(second)} must both be files, or both folders")
    if not os.path.isdir(first):
        if format_of(first) != format_of(second):
            raise InputError(f"{shown(first)} and {shown(second)} must be of one format")
        yield _pair(os.path.basename(first), (first, second), (_receipt_of(first), _receipt_of(second)))
        return
    a, b = Folder(first), Folder(second)
    left, right = a.outputs(), b.outputs()
    for name in sorted(left.keys() | right.keys()):
        if name not in right:
            yield Pair(name, only=first)
        elif name not in left:
            yield Pair(name, only=second)
        else:
            yield _pair(name, (left[name], right[name]), (a.receipt(name), b.receipt(name)))


def _pair(
    name: str, paths: tuple[str, str], receipts: tuple[dict[str, Any] | None, dict[str, Any] | None]
) -> Pair:
    first, second = receipts
    try:
        found = compare(*paths)
    except OSError as error:
        found = Comparison(f"{error.filename} cannot be read: {error.strerror}", unread=True)
    if first is None or second is None:
        sides = [path for path, receipt in zip(paths, receipts, strict=True) if receipt is None]
        return Pair(name, found=found, unknown=" and ".join(map(shown, sides)))
    return Pair(name, tuple(_reasons(first, second)), found)


def _receipt_of(path: str) -> dict[str, Any] | None:
    place = folder_of(path)
    return read_receipt(path, None) if place is None else place[0].receipt(place[1])


def _reasons(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Reason]:
    hashes = [str(receipt.get("input", {}).get("sha256")) for receipt in (first, second)]
    if hashes[0] != hashes[1]:
        yield Reason("input", f"SHA-256 {hashes[0][:12]}...", f"SHA-256 {hashes[1][:12]}...", True)
    for key in ("version", "isa"):
        if first.get(key) != second.get(key):
            # Results are the same in every instruction set.
            yield Reason(key, str(first.get(key)), str(second.get(key)), key == "version")
    columns = first.get("columns", {}), second.get("columns", {})
    for key in columns[0].keys() | columns[1].keys():
        if columns[0].get(key) != columns[1].get(key):
            yield Reason(f"columns: {key}", str(columns[0].get(key)), str(columns[1].get(key)), True)
    for section, what in (("options", "option"), ("guardrails", "guardrail")):
        one, two = first.get(section, {}), second.get(section, {})
        for key in [*one, *(key for key in two if key not in one)]:
            a, b = one.get(key), two.get(key)
            if a != b:
                decides = _value(a) != _value(b)
                yield Reason(f"{what} {key}", _entry(a), _entry(b), decides)


def _value(entry: Mapping[str, Any] | None) -> Any:
    """Return what an option is, whatever word it was given by."""
    return None if entry is None else entry.get("stands_for", entry.get("value"))


def _entry(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "not known"
    value = str(entry.get("value"))
    stands_for = f" = {entry['stands_for']}" if "stands_for" in entry else ""
    return f"{value}{stands_for} ({entry.get('origin')})"
