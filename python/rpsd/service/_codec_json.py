# SPDX-License-Identifier: MIT
"""Series as JSON: null is a missing sample, both ways."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from rpsd import Options
from rpsd._schema import fields
from rpsd.service._numbers import count_commas, read_numbers, write_numbers
from rpsd.service._problems import Problem
from rpsd.service._request import F64, Answer, Asked, Limits, Outcome, checked_report

_MOST_DEPTH: Final = 32
# Read apart, by `numbers`: as objects all at once they would take fifteen times their text.
_Numbers = msgspec.Raw
_BESIDE: Final = ("values", "series", "guardrails", "report")

# The options are checked by the schema that all of rpsd has, which says better what is allowed.
_Body: Any = msgspec.defstruct(
    "DenoiseRequest",
    [
        ("values", _Numbers | msgspec.UnsetType, msgspec.UNSET),
        ("series", dict[str, _Numbers] | msgspec.UnsetType, msgspec.UNSET),
        ("guardrails", dict[str, Any] | msgspec.UnsetType, msgspec.UNSET),
        ("report", str, "full"),
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
    lookahead: int | None = None
    guardrails: dict[str, Any] | None = None


_pairs_decoder: Final = msgspec.json.Decoder(EvaluateRequest)


def most_points(body: bytes) -> int:
    """Return a number of samples that the body does not exceed, without reading it."""
    return count_commas(body) + 1


def decode(body: bytes, query: bytes, limits: Limits) -> Asked:
    """Read ``{"values": [...]}`` or ``{"series": {"name": [...]}}`` with options beside them.

    Raises
    ------
    Problem
        For anything else.
    """
    _check_outside(body, query, limits)
    given = decoded(_decoder, body)
    if (given.values is msgspec.UNSET) == (given.series is msgspec.UNSET):
        raise Problem("invalid-request", "the body must have one of values and series")
    options = {
        name: value for name in fields(Options) if (value := getattr(given, name)) is not msgspec.UNSET
    }
    guardrails = None if given.guardrails is msgspec.UNSET else given.guardrails
    require_shallow((options, guardrails))
    report = checked_report(given.report)
    if given.values is not msgspec.UNSET:
        return Asked(None, (numbers(given.values, "$.values"),), options, guardrails, report)
    series = tuple(numbers(values, f"$.series[{name!r}]") for name, values in given.series.items())
    return Asked(tuple(given.series), series, options, guardrails, report)


def decode_pairs(body: bytes, query: bytes, limits: Limits) -> Asked:
    """Read ``{"x": [...], "y": [...]}`` or ``{"series": {"name": {"x": [...], "y": [...]}}}``.

    Raises
    ------
    Problem
        For anything else.
    """
    _check_outside(body, query, limits)
    given = decoded(_pairs_decoder, body)
    one = (given.x is not msgspec.UNSET, given.y is not msgspec.UNSET)
    if any(one) == (given.series is not msgspec.UNSET) or (any(one) and not all(one)):
        raise Problem("invalid-request", "the body must have x and y, or series of them")
    require_shallow(given.guardrails)
    pairs = {"": given} if all(one) else given.series

    def place(name: str) -> str:
        return "$" if all(one) else f"$.series[{name!r}]"

    return Asked(
        None if all(one) else tuple(pairs),
        tuple(numbers(pair.x, f"{place(name)}.x") for name, pair in pairs.items()),
        {"lookahead": given.lookahead},
        given.guardrails,
        "full",
        tuple(numbers(pair.y, f"{place(name)}.y") for name, pair in pairs.items()),
    )


def _check_outside(body: bytes, query: bytes, limits: Limits) -> None:
    if query:
        raise Problem("invalid-request", "options of JSON are fields of its body, not of the address")
    # Before numbers become objects, which are fifteen times as large as the text of the shortest.
    if most_points(body) > limits.points + limits.series + _BESIDE_POINTS:
        raise Problem("too-large", f"a request has at most {limits.points} samples")


#: Commas that options may have.
_BESIDE_POINTS: Final = 10_000


def decoded(decoder: Any, body: bytes) -> Any:
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
