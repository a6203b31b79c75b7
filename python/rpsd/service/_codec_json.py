# SPDX-License-Identifier: MIT
"""Series as JSON: null is a missing sample, both ways."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from rpsd import Options
from rpsd._schema import fields
from rpsd.service._names import repeated_name
from rpsd.service._numbers import count_commas, read_numbers, write_numbers
from rpsd.service._problems import Problem
from rpsd.service._request import F64, Answer, Asked, Limits, Outcome, checked_report

_MOST_DEPTH: Final = 32
#: Arrays, objects and quotes of a request with a few series and every option.
_FEW_ARRAYS: Final = 64
_FEW_QUOTES: Final = 256
#: Letters e, of names and of exponents.
_FEW_EXPONENTS: Final = 64
#: Bytes of which reading takes little time whatever they are.
_SHORT: Final = 8_192
# Read apart, by `numbers`: as objects all at once they would take fifteen times their text.
_Numbers = msgspec.Raw
_SERIES: Final = ("values", "series", "x", "y")

# The options are checked by the schema that all of rpsd has, which says better what is allowed.
_Body: Any = msgspec.defstruct(
    "DenoiseRequest",
    [
        ("values", _Numbers | msgspec.UnsetType, msgspec.UNSET),
        ("series", dict[str, _Numbers] | msgspec.UnsetType, msgspec.UNSET),
        ("guardrails", dict[str, Any] | msgspec.UnsetType, msgspec.UNSET),
        ("report", str | msgspec.UnsetType, msgspec.UNSET),
        *((name, Any, msgspec.UNSET) for name in fields(Options)),
    ],
    forbid_unknown_fields=True,
)
_decoder: Final = msgspec.json.Decoder(_Body)


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    """An input and its output."""

    x: _Numbers
    y: _Numbers


class EvaluateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One pair, or several by name."""

    x: _Numbers | msgspec.UnsetType = msgspec.UNSET
    y: _Numbers | msgspec.UnsetType = msgspec.UNSET
    series: dict[str, Pair] | msgspec.UnsetType = msgspec.UNSET
    lookahead: int | msgspec.UnsetType | None = msgspec.UNSET
    guardrails: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET


_pairs_decoder: Final = msgspec.json.Decoder(EvaluateRequest)


def most_points(body: bytes | bytearray) -> int:
    """Return a number of samples that the body does not exceed, without reading it."""
    return count_commas(body) + 1


def is_quick(body: bytes | bytearray, query: bytes) -> bool:
    """Return whether reading takes a time that the length bounds: few names and arrays, else numbers.

    Numbers with exponents may take two thousand times as long as others. What is beside the samples is read
    by Python: a long body must have one array, which is that of its samples.
    """
    del query
    if body.count(b"e") + body.count(b"E") > _FEW_EXPONENTS or body.count(b'"') > _FEW_QUOTES:
        return False
    arrays, objects = body.count(b"["), body.count(b"{")
    if len(body) <= _SHORT:
        return arrays + objects <= _FEW_ARRAYS
    named = b'"values"' in body and b'"series"' not in body and b"\\" not in body
    return named and arrays == 1 and objects <= _FEW_ARRAYS


def decode(body: bytes | bytearray, query: bytes, limits: Limits) -> Asked:
    """Read ``{"values": [...]}`` or ``{"series": {"name": [...]}}`` with options beside them.

    Raises
    ------
    Problem
        For anything else.
    """
    check_outside(body, query, limits)
    given = decoded(_decoder, body)
    if (given.values is msgspec.UNSET) == (given.series is msgspec.UNSET):
        raise Problem("invalid-request", "the body must have one of values and series")
    beside = _beside(given)
    require_shallow(beside)
    names = () if given.series is msgspec.UNSET else given.series
    require_unique(body, 1 + len(names) + count_strings(beside))
    guardrails = beside.pop("guardrails", None)
    report = checked_report(beside.pop("report", "full"))
    options = beside
    if given.values is not msgspec.UNSET:
        return Asked(None, (numbers(given.values, "$.values"),), options, guardrails, report)
    series = tuple(numbers(values, f"$.series[{name!r}]") for name, values in given.series.items())
    return Asked(tuple(given.series), series, options, guardrails, report)


def decode_pairs(body: bytes | bytearray, query: bytes, limits: Limits) -> Asked:
    """Read ``{"x": [...], "y": [...]}`` or ``{"series": {"name": {"x": [...], "y": [...]}}}``.

    Raises
    ------
    Problem
        For anything else.
    """
    check_outside(body, query, limits)
    given = decoded(_pairs_decoder, body)
    one = (given.x is not msgspec.UNSET, given.y is not msgspec.UNSET)
    if any(one) == (given.series is not msgspec.UNSET) or (any(one) and not all(one)):
        raise Problem("invalid-request", "the body must have x and y, or series of them")
    beside = _beside(given)
    require_shallow(beside)
    pairs = {"": given} if all(one) else given.series
    # x and y of each, and what they are named by.
    require_unique(body, 2 * len(pairs) + (0 if all(one) else 1 + len(pairs)) + count_strings(beside))

    def place(name: str) -> str:
        return "$" if all(one) else f"$.series[{name!r}]"

    return Asked(
        None if all(one) else tuple(pairs),
        tuple(numbers(pair.x, f"{place(name)}.x") for name, pair in pairs.items()),
        {"lookahead": beside.get("lookahead")},
        beside.get("guardrails"),
        "full",
        tuple(numbers(pair.y, f"{place(name)}.y") for name, pair in pairs.items()),
    )


def check_outside(body: bytes | bytearray, query: bytes, limits: Limits) -> None:
    """Raise the Problem of options in the address, or of more samples than a request has, before reading."""
    if query:
        raise Problem("invalid-request", "options of JSON are fields of its body, not of the address")
    # Before numbers become objects, which are fifteen times as large as the text of the shortest.
    if most_points(body) > limits.points + limits.series + _BESIDE_POINTS:
        raise Problem("too-large", f"a request has at most {limits.points} samples")


#: Commas that options may have.
_BESIDE_POINTS: Final = 10_000


def decoded(decoder: Any, body: bytes | bytearray) -> Any:
    """Return what a decoder reads, its errors as problems."""
    with _problems():
        return decoder.decode(body)


def numbers(text: msgspec.Raw, place: str) -> F64:
    """Return an array of numbers, null as NaN; place: where in the body it is."""
    with _problems(place):
        return read_numbers(text)


@contextlib.contextmanager
def _problems(place: str = "") -> Iterator[None]:
    try:
        yield
    except msgspec.ValidationError as error:
        text = str(error)
        if place:
            what, _, inside = text.partition(" - at `$")
            text = f"{what} - at `{place}{inside or '`'}"
        raise Problem("invalid-request", text) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem("malformed-body", f"the body is not valid JSON: {error}") from None
    except RecursionError:
        raise Problem("malformed-body", f"JSON is nested at most {_MOST_DEPTH} deep") from None


def require_shallow(value: Any, depth: int = 0) -> None:
    """Raise the Problem of values that are nested too deep."""
    if depth > _MOST_DEPTH:
        raise Problem("malformed-body", f"JSON is nested at most {_MOST_DEPTH} deep")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            require_shallow(item, depth + 1)


def _beside(given: Any) -> dict[str, Any]:
    """Return what a body has beside its series."""
    return {
        name: value
        for name in given.__struct_fields__
        if name not in _SERIES and (value := getattr(given, name)) is not msgspec.UNSET
    }


def count_strings(value: Any) -> int:
    """Return how many strings JSON has in a value, names included."""
    if isinstance(value, dict):
        return len(value) + sum(map(count_strings, value.values()))
    if isinstance(value, list):
        return sum(map(count_strings, value))
    return isinstance(value, str)


def require_unique(body: bytes | bytearray, strings: int) -> None:
    """Raise the Problem of a name given twice, of which decoders take the last and say nothing.

    Parameters
    ----------
    body : bytes
        Valid JSON.
    strings : int
        As many as were decoded; where there are more in the body, one was lost.
    """
    # Escaped quotes are more, and looked at too.
    if body.count(b'"') != 2 * strings and (name := repeated_name(body)) is not None:
        raise Problem("invalid-request", f'the body gives "{name[:80]}" twice')


def encode(answer: Answer) -> tuple[bytes, dict[str, str]]:
    """Return an answer as JSON; NaN is null."""
    if answer.names is None:
        return _text(answer.outcomes[0]), {}
    pairs = zip(answer.names, answer.outcomes, strict=True)
    series = b",".join(msgspec.json.encode(name) + b":" + _text(outcome) for name, outcome in pairs)
    return b'{"series":{' + series + b"}}", {}


def _text(outcome: Outcome) -> bytes:
    content = msgspec.json.encode(outcome.content)
    if outcome.values is None:
        return content
    return b'{"values":' + write_numbers(outcome.values) + b"," + content[1:]
