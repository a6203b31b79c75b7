# SPDX-License-Identifier: MIT
"""Times as text in other forms than the one that Arrow reads: rewrite them, or say why that cannot be.

All of them begin with the year: where a day or a month comes first, which is which is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final

import numpy as np

from rpsd.batch.files._buffers import as_arrow, texts

_ZONE: Final = r"[A-Za-z_]+/[A-Za-z0-9_+/-]+"
_CLOCK: Final = r"\d\d(:?\d\d(:?\d\d([.,]\d*)?)?)?( ?(Z|z|UTC|GMT)| ?[+-]\d\d(:?\d\d)?)?"
_TIME: Final = re.compile(
    rf"(\d{{4}}(-\d\d-|/\d\d/|\.\d\d\.)\d\d([ Tt]{_CLOCK})?|\d{{8}}([ Tt]|-(?=\d\d:)){_CLOCK})"
    rf"( ?{_ZONE}| ?\[{_ZONE}\])?"
)
# What needs no rewriting.
_PLAIN: Final = r"^\d{4}-\d\d-\d\d([ T]\d\d(:\d\d(:\d\d(\.\d*)?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?$"
# To 2026-01-05 09:30:00Z or without the zone, one after the other.
_REWRITES: Final = (
    (r"^([\d/.-]{8,10})t(\d)", r"\1T\2"),
    (r"^(\d{4})(?:/(\d\d)/|\.(\d\d)\.)(\d\d)", r"\1-\2\3-\4"),
    (r"^(\d{4})(\d\d)(\d\d)([ T]\d)", r"\1-\2-\3\4"),
    (r"^(\d{4})(\d\d)(\d\d)-(\d\d:)", r"\1-\2-\3 \4"),
    (r"^(.{10}) +(\d)", r"\1 \2"),
    (r"^(.{10}[ T]\d\d)(\d\d)", r"\1:\2"),
    (r"^(.{10}[ T]\d\d:\d\d)(\d\d)", r"\1:\2"),
    (r"^(.{10}[ T]\d\d:\d\d:\d\d),", r"\1."),
    (r"([\d.]) *(?:UTC|GMT|z|Z)$", r"\1Z"),
    (r"([\d.]) +([+-]\d\d(?::?\d\d)?)( *\[|$)", r"\1\2\3"),
)
_LOCATED: Final = rf"^(?P<clock>.{{10}}[ T]\d\d:?\S*?) *\[?(?P<zone>{_ZONE})\]?$"
_DIGITS: Final = range(ord("0"), ord("9") + 1)
_OFFSET: Final = re.compile(r"(Z|[+-]\d\d(:?\d\d)?)$")


def is_time(cell: str) -> bool:
    """Tell whether a text has the form of a date or a time."""
    return _TIME.fullmatch(cell) is not None


def spellings(text: Any) -> Iterator[Any]:
    """Yield a pyarrow string array, without outer white space, and with all forms made one."""
    import pyarrow.compute as pc

    yield text
    text = pc.utf8_trim_whitespace(text)
    yield text
    odd = pc.invert(pc.match_substring_regex(text, _PLAIN))
    yield pc.replace_with_mask(text, odd, _with_offsets(_rewritten(text.filter(odd))))


def why_no_instant(cell: str) -> str:
    """Return what is wrong with a time in a zone that does not tell an instant, or ""."""
    import pyarrow as pa

    match = re.search(rf" *\[?({_ZONE})\]?$", cell)
    if match is None:
        return ""
    zone = match.group(1)
    if _zone(zone) is None:
        return f"'{zone}' is not a time zone that is known here; allowed: names such as America/New_York"
    *_, rewritten = spellings(texts([cell], pa.large_string()))
    if _OFFSET.search(rewritten[0].as_py()) is not None or not is_time(cell):
        return ""
    return (
        f"the clocks of {zone} show it twice, or never, where summer time ends or begins; "
        "allowed: a time with its UTC offset"
    )


def _rewritten(text: Any) -> Any:
    """Return times in one form; those that are as the first one but for their digits without a search."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(text):
        return text
    _, offsets, data = text.cast(pa.large_string()).buffers()
    ends = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1]
    characters = np.frombuffer(data, np.uint8)
    first = text[0].as_py()
    form = first.encode()
    alike = np.diff(ends) == len(form)
    starts = ends[:-1][alike]
    digits, same = [], np.ones(len(starts), np.bool_)
    for place, character in enumerate(form):
        column = characters[starts + place]
        if character in _DIGITS:
            digits.append(column)
            same &= (column >= ord("0")) & (column <= ord("9"))
        else:
            same &= column == character
    for pattern, replacement in _REWRITES:
        first = re.sub(pattern, replacement, first, flags=re.ASCII)
    # Digits stay in their order, whatever is put between them.
    left = iter(digits)
    made = np.empty((len(starts), len(first.encode())), np.uint8)
    for place, character in enumerate(first.encode()):
        made[:, place] = next(left) if character in _DIGITS else character
    made = made[same]
    alike[alike] = same
    ends = np.arange(len(made) + 1, dtype=np.int64) * made.shape[1]
    fast = pa.LargeStringArray.from_buffers(len(made), pa.py_buffer(ends), pa.py_buffer(made))
    rest = text.filter(as_arrow(~alike))
    for pattern, replacement in _REWRITES:
        rest = pc.replace_substring_regex(rest, pattern, replacement)
    text = pc.replace_with_mask(text, as_arrow(alike), fast.cast(text.type))
    return pc.replace_with_mask(text, as_arrow(~alike), rest)


def _with_offsets(text: Any) -> Any:
    """Return times with the UTC offset in place of the name of their zone."""
    import pyarrow.compute as pc

    found = pc.extract_regex(text, _LOCATED)
    if found.null_count == len(found):
        return text
    whole, clocks, zones = (
        column.to_pylist() for column in (text, found.field("clock"), found.field("zone"))
    )
    return texts(
        [
            cell if not zone else clock if _OFFSET.search(clock) else clock + _offset(clock, zone)
            for cell, clock, zone in zip(whole, clocks, zones, strict=True)
        ],
        text.type,
    )


def _offset(clock: str, zone: str) -> str:
    """Return the UTC offset of a zone at a time, or the name of the zone where there is none or two."""
    hour = _offset_of_hour(clock[:13].replace("T", " "), zone)
    if hour is not None:
        return hour
    try:
        offset = _one_offset(datetime.fromisoformat(clock), _zone(zone))
    except ValueError:
        offset = None
    return offset or f" {zone}"


@lru_cache(maxsize=1 << 14)
def _offset_of_hour(hour: str, zone: str) -> str | None:
    """Return the offset that a whole hour has, or None: most times share their hour with others."""
    try:
        first = datetime.fromisoformat(f"{hour}:00")
    except ValueError:
        return None
    offsets = {_one_offset(at, _zone(zone)) for at in (first, first + timedelta(minutes=59, seconds=59))}
    return offsets.pop() if len(offsets) == 1 else None


def _one_offset(clock: datetime, zone: tzinfo | None) -> str | None:
    if zone is None:
        return None
    early, late = (clock.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if early is None or early != late:
        return None
    minutes, rest = divmod(int(early.total_seconds()), 60)
    # The local times of cities, before there were zones, are not whole minutes.
    return None if rest else f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo | None:
    from zoneinfo import ZoneInfo  # which most files need not

    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return None
