# SPDX-License-Identifier: MIT
"""The state of `rpsd stream` in a file: all that is needed to go on as if nothing had happened."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from rpsd._errors import ConfigError, StateError
from rpsd._schema import shown
from rpsd.batch.files import Outputs
from rpsd.cli.lines._layout import Chosen, Layout

_MAGIC: Final = b"rpsdlines"
_FORMAT: Final = 1

_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class Held(msgspec.Struct):
    """A row that waits for its estimate; without text where it was printed already.

    Attributes
    ----------
    order : int
        How many rows came before it.
    text : str or None
        The line, its end, and the blank lines that follow it.
    """

    order: int
    text: str | None


class Series(msgspec.Struct):
    """The stream of one series, as bytes, and its rows without an estimate yet."""

    snapshot: bytes
    held: list[Held]


class State(msgspec.Struct):
    """What a file holds.

    Attributes
    ----------
    options : dict
        Those of the streams.
    chosen : Chosen
        What the user said of the columns.
    layout : Layout or None
        What the first line said of them.
    lines, rows, printed : int
        Lines read so far, rows of samples among them, and lines printed.
    unsent : bytes
        What was to be printed and could not be.
    series : dict
        By key.
    """

    options: dict[str, Any]
    chosen: Chosen
    layout: Layout | None = None
    lines: _Count = 0
    rows: _Count = 0
    printed: _Count = 0
    unsent: bytes = b""
    series: dict[str, Series] = {}


def no_state(path: str | None, got: str) -> StateError:
    """Return the error of a file that is none, although its checksum may fit."""
    return StateError(f"{path} must be a state that rpsd stream saved, got {got}")


def write_state(path: str, state: State) -> None:
    """Replace the file, whole or not at all, and see it to the disk."""
    body = msgspec.msgpack.encode(state)
    head = _MAGIC + _FORMAT.to_bytes(2, "little") + zlib.crc32(body).to_bytes(4, "little")
    with Outputs() as outputs:
        outputs.add(path, [head, body])
        outputs.commit()


def read_state(path: str, options: dict[str, Any], chosen: Chosen) -> State | None:
    """Return the state in a file, or None where there is no file.

    Raises
    ------
    StateError
        Where the file cannot be read, or is no state, or of another format.
    ConfigError
        Where it was made with other options.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"cannot read the state {path}: {error.strerror}") from None
    start = len(_MAGIC) + 6
    if not data.startswith(_MAGIC) or len(data) < start:
        raise no_state(path, "another file")
    version = int.from_bytes(data[len(_MAGIC) : start - 4], "little")
    if version != _FORMAT:
        raise StateError(f"{path} must be a state of format {_FORMAT}, got format {version}")
    if zlib.crc32(data[start:]) != int.from_bytes(data[start - 4 : start], "little"):
        raise StateError(f"{path} must be as rpsd stream saved it, got one whose checksum does not fit")
    try:
        state = msgspec.msgpack.decode(data[start:], type=State)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise no_state(path, str(error)) from None
    if "lookahead" not in state.options:
        raise no_state(path, "one without the option lookahead")
    # As the file has them: a tuple is a list there.
    options = msgspec.msgpack.decode(msgspec.msgpack.encode(options))
    differences = [
        f"{name} {shown(before)}, now {shown(now)}"
        for name, before, now in (
            *((key, state.options[key], options[key]) for key in options if key in state.options),
            *((f"--{key}", getattr(state.chosen, key), getattr(chosen, key)) for key in ("columns", "time")),
            ("--value", ", ".join(state.chosen.values) or None, ", ".join(chosen.values) or None),
            ("--series", state.chosen.series, chosen.series),
        )
        if before != now
    ]
    if differences:
        raise ConfigError(
            f"the state {path} was made with other options: {'; '.join(differences)}; "
            "allowed: the same ones, or another --state"
        )
    return state
