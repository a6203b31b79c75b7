# SPDX-License-Identifier: MIT
"""What became of a batch, counted as its units end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

# Series that are told of one by one; all are in the manifest.
_TOLD: Final = 20
# Flags as keys, and the numbers that may ask for them, as `_canonical` has both.
_FLAGS: Final = {"true": "1.0", "false": "0.0"}


@dataclass
class Summary:
    """What became of a batch; however its units end, the same for the same outcomes.

    Attributes
    ----------
    output : str
    only : sequence of str
        Keys that were asked for; of a shard none, as other shards may have them.
    manifest : str or None
        Path of the manifest; of a shard None.
    files, kept, cached : int
        Units done, those of them that were there already, and those taken from the cache.
    noted : int
        Files whose series have notes: what was put right in reading them, or should be known.
    note : dict or None
        The first of them by file: ``file``, ``note``.
    actions : Counter
        Series by what was done to them, ``failed`` among them.
    breached : int
        Series delivered with guardrails that do not hold.
    guardrails : Counter
        Those series by the name of such a guardrail.
    breaches : list of dict
        The first 20 of them by file: ``file``, ``key``, ``column``, ``breached``.
    failures : list of dict
        The first 20 failed series by file: ``file``, ``key``, ``column``, ``error``.
    """

    output: str
    only: Sequence[str] = ()
    manifest: str | None = None
    files: int = 0
    kept: int = 0
    cached: int = 0
    noted: int = 0
    note: dict[str, str] | None = None
    actions: Counter[str] = field(default_factory=Counter)
    breached: int = 0
    guardrails: Counter[str] = field(default_factory=Counter)
    breaches: list[dict[str, str]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._unseen = {_canonical(key): key for key in self.only}

    @property
    def series(self) -> int:
        """How many series there were."""
        return self.actions.total()

    @property
    def failed(self) -> int:
        """How many of them were not delivered."""
        return self.actions["failed"]

    @property
    def unmatched(self) -> list[str]:
        """The keys that were asked for and that no file has."""
        return list(self._unseen.values())

    def add(self, record: Mapping[str, Any]) -> None:
        """Count a record."""
        self.files += 1
        self.kept += record["how"] == "kept"
        self.cached += record["how"] == "cached"
        name, series = record["name"], record["series"]
        self.actions.update(one["action"] for one in series)
        failed = [one for one in series if one["action"] == "failed"]
        breached = [one for one in series if one["action"] != "failed" and not one["passed"]]
        self.failures = _first(self.failures, name, failed, "error")
        self.breaches = _first(self.breaches, name, breached, "breached")
        self.breached += len(breached)
        self.guardrails.update(check for one in breached for check in one["breached"].split(","))
        notes = next((one["notes"] for one in series if one["notes"]), ())
        if notes:
            self.noted += 1
            if self.note is None or name < self.note["file"]:
                self.note = {"file": name, "note": notes[0]}
        if self._unseen:
            for one in series:
                key = _canonical(one["key"])
                self._unseen.pop(key, None)
                self._unseen.pop(_FLAGS.get(key, key), None)


def _first(
    told: list[dict[str, str]], name: str, more: Sequence[Mapping[str, Any]], what: str
) -> list[dict[str, str]]:
    """Return those that are told of with those of one more file: the first ones of the manifest."""
    if not more:
        return told
    names = ("key", "column", what)
    found = [{"file": name, **{key: one[key] for key in names}} for one in more[:_TOLD]]
    return sorted(told + found, key=lambda one: one["file"])[:_TOLD]


def _canonical(key: str) -> str:
    """Return one text for all that name a key: 7 where 007 was asked for, true where it was True."""
    try:
        return repr(float(key))
    except ValueError:
        return key.lower() if key.lower() in _FLAGS else key
