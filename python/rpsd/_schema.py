# SPDX-License-Identifier: MIT
"""How one key of a settings struct is described, checked, and read from text."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
from msgspec import Meta

from rpsd._breaks import Mask
from rpsd._errors import ConfigError, InputError
from rpsd._pandas import pandas_type

_TRUTH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LARGEST_INT = 2**31 - 1  # the core counts with C int
_LARGEST_FLOAT = sys.float_info.max

# SciPy's get_window: every name it takes, with the least and the greatest number of parameters.
_WINDOWS_WITHOUT_PARAMETERS = (
    "barthann", "brthan", "bth", "bartlett", "bart", "brt", "blackman", "black", "blk",
    "blackmanharris", "blackharr", "bkh", "bohman", "bman", "bmn",
    "boxcar", "box", "ones", "rect", "rectangular", "cosine", "halfcosine", "flattop", "flat", "flt",
    "hamming", "hamm", "ham", "hann", "han", "lanczos", "sinc", "nuttall", "nutl", "nut",
    "parzen", "parz", "par", "triangle", "triang", "tri",
)  # fmt: skip
_WINDOW_PARAMETERS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(_WINDOWS_WITHOUT_PARAMETERS, (0, 0)),
    **dict.fromkeys(("chebwin", "cheb", "dpss", "gaussian", "gauss", "gss", "kaiser", "ksr"), (1, 1)),
    **dict.fromkeys(("kaiser bessel derived", "kaiser_bessel_derived", "kbd"), (1, 1)),
    **dict.fromkeys(("general cosine", "general_cosine", "general hamming", "general_hamming"), (1, 1)),
    **dict.fromkeys(
        ("general gaussian", "general_gaussian", "general gauss", "general_gauss", "ggs"), (2, 2)
    ),
    **dict.fromkeys(("exponential", "poisson"), (0, 2)),
    **dict.fromkeys(("taylor", "taylorwin"), (0, 3)),
    **dict.fromkeys(("tukey", "tuk"), (0, 1)),
}


class _RefusedError(Exception):
    """A value is not allowed; the text, if any, is a hint to add to the message."""

    error: type[ConfigError | InputError] = ConfigError


class _RefusedDataError(_RefusedError):
    """The same of what is data beside the prices, whose length only the prices can check."""

    error = InputError


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field takes beside words and plain numbers: a marker inside ``Annotated``."""

    allowed: str
    check: Callable[[object], Any]
    parse: Callable[[str], object]


def suggestion(word: object, choices: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` for the nearest choice, or nothing where none is near."""
    near = get_close_matches(word, list(choices), n=1) if isinstance(word, str) else []
    return f'; did you mean "{near[0]}"?' if near else ""


def unknown(what: str, name: object, known: Iterable[str]) -> ConfigError:
    """Return the error for a name that is not known, with the nearest one or all that are."""
    names = list(known)
    hint = suggestion(name, names) or f"; known: {', '.join(names)}"
    return ConfigError(f"unknown {what} {shown(name)}{hint}")


def shown(value: object) -> str:
    """Return a value as an error message shows it, short whatever it is."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, int) and abs(value) > 2**63:
        return "an integer beyond 64 bits"
    if isinstance(value, dict):
        return "a mapping"
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    short = text if len(text) <= 60 else text[:57] + "..."
    plain = value is None or isinstance(value, str | bool | int | float)
    return short if plain else f"{type(value).__name__} {short}"


@cache
def _discrete_wavelets() -> frozenset[str]:
    import pywt

    return frozenset(pywt.wavelist(kind="discrete"))


def _check_wavelet(value: object) -> Any:
    import pywt

    if isinstance(value, pywt.Wavelet):
        return value
    if not isinstance(value, str):
        raise _RefusedError
    if value == "auto" or value.lower() in _discrete_wavelets():
        return value if value == "auto" else value.lower()
    raise _RefusedError(suggestion(value.lower(), _discrete_wavelets()))


def _number(value: object) -> bool:
    # An integer may be too large for a float, where math.isfinite would raise.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST_FLOAT


def _check_window(value: object) -> Any:
    if isinstance(value, int | float):
        return float(value) if _number(value) else refuse()
    parts = value if isinstance(value, tuple | list) else (value,)
    if not parts or not isinstance(parts[0], str):
        raise _RefusedError
    name, *parameters = parts
    if name not in _WINDOW_PARAMETERS:
        raise _RefusedError(suggestion(name, _WINDOW_PARAMETERS))
    least, most = _WINDOW_PARAMETERS[name]
    if not least <= len(parameters) <= most:
        count = f"{least}" if least == most else f"{least} to {most}"
        raise _RefusedError(f"; parameters of {name}: {count}")
    return (name, *map(_check_window_parameter, parameters)) if parameters else name


def _check_window_parameter(value: object) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple):
        return tuple(item if _number(item) else refuse() for item in value)
    return value if value is None or isinstance(value, bool) or _number(value) else refuse()


def _parse_window(text: str) -> object:
    parts = [part.strip() for part in text.split(",")]
    values = [_parse_number(part) for part in parts]
    return values[0] if len(values) == 1 else tuple(values)


def _parse_number(text: str) -> object:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if NUMBER.fullmatch(text) else text


def _check_breaks(value: object) -> Any:
    if value is None or (isinstance(value, str) and value == "auto"):
        return value
    if isinstance(value, Mask):
        return value
    if isinstance(value, str) or np.isscalar(value):
        raise _RefusedError
    try:
        mask = np.asarray(value)
    except ValueError:
        raise _RefusedDataError from None
    if mask.dtype != np.bool_ or mask.ndim != 1:
        raise _RefusedDataError
    labelled = isinstance(value, pandas_type("Series"))
    return Mask(mask.tolist(), value.index if labelled else None)  # type: ignore[attr-defined]


def _parse_breaks(text: str) -> object:
    return None if text.lower() in ("none", "null") else text


def refuse(hint: str = "") -> NoReturn:
    """Say that a value is not allowed: `Field.check` names it, what came and what is allowed."""
    raise _RefusedError(hint)


WaveletValue = Annotated[
    Any,
    Kind('"auto", a discrete wavelet name of PyWavelets or a pywt.Wavelet', _check_wavelet, str),
]
WindowValue = Annotated[
    Any,
    Kind(
        "a window name of scipy.signal.get_window, a (name, parameter, ...) tuple or a number (Kaiser beta)",
        _check_window,
        _parse_window,
    ),
]
BreaksValue = Annotated[
    Any, Kind('None (null in YAML), "auto" or a 1-D boolean mask', _check_breaks, _parse_breaks)
]


@dataclass(frozen=True, slots=True)
class Field:
    """One key of the schema: all that the CLI, the environment and the documentation need of it.

    Attributes
    ----------
    name : str
        The key, the same word everywhere.
    help : str
        One sentence.
    default : object
        The value where nothing is given.
    words : tuple of str
        The words that are allowed; empty where none are.
    kind : type or None
        ``bool``, ``int``, ``float`` or ``str`` beside the words, or None.
    special : Kind or None
        What is taken beyond words and plain values, or None.
    bounds : msgspec.Meta
        The range of a number.
    nullable : bool
        Whether None (null in YAML) is allowed beside words and numbers.
    """

    name: str
    help: str
    default: object
    words: tuple[str, ...]
    kind: type | None
    special: Kind | None
    bounds: Meta
    nullable: bool

    @property
    def option(self) -> str:
        """The command-line option, such as ``--fir-cutoff``."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable, such as ``RPSD_FIR_CUTOFF``."""
        return "RPSD_" + self.name.upper()

    @property
    def allowed(self) -> str:
        """What is allowed, as messages and documentation say it: ``"auto" or an integer from 0 to 64``."""
        choices = ["None (null in YAML)"] * self.nullable + [f'"{word}"' for word in self.words]
        return join_choices(choices + self.beside_words())

    def beside_words(self) -> list[str]:
        """Return what is allowed beside None and the words: one sentence part, or none."""
        if self.special is not None:
            return [self.special.allowed]
        if self.kind is None:
            return []
        text = {bool: "true or false", int: "an integer", float: "a number", str: "a text that is not empty"}
        return [text[self.kind] + _bounds_text(self.bounds)]

    def check(self, value: object) -> Any:
        """Return the value as plain Python, or raise ConfigError with what came and what is allowed.

        InputError for a mask that is none: it belongs to the data.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if (value is None and self.nullable) or (isinstance(value, str) and value in self.words):
            return value
        try:
            return self.special.check(value) if self.special else self._check_plain(value)
        except _RefusedError as refused:
            hint = str(refused) or suggestion(value, self.words)
            raise refused.error(f"{self.name} must be {self.allowed}, got {shown(value)}{hint}") from None

    def _check_plain(self, value: object) -> Any:
        if self.kind is bool or self.kind is str:
            return value if isinstance(value, self.kind) and value != "" else refuse()
        if self.kind is None or isinstance(value, bool) or not isinstance(value, int | float):
            raise _RefusedError
        if self.kind is int and isinstance(value, int) and value > _LARGEST_INT:
            raise _RefusedError(f"; the largest is {_LARGEST_INT}")
        fits = isinstance(value, int) if self.kind is int else _number(value)
        return self.kind(value) if fits and within(value, self.bounds) else refuse()

    def parse(self, text: str) -> Any:
        """Read the value from text, as the environment and the command line give it, and check it."""
        text = text.strip()
        return self.check(text if text in self.words else self._parse_value(text))

    def _parse_value(self, text: str) -> object:
        if self.nullable and text.lower() in ("none", "null"):
            return None
        if self.special is not None:
            return self.special.parse(text)
        if self.kind is bool:
            return _TRUTH.get(text.lower(), text)
        return _parse_number(text) if self.kind in (int, float) else text


def join_choices(choices: list[str]) -> str:
    """Return ``a, b or c``."""
    return " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))


def within(value: float, bounds: Meta) -> bool:
    """Whether a number is in the range of a msgspec Meta."""
    return (
        (bounds.ge is None or value >= bounds.ge)
        and (bounds.gt is None or value > bounds.gt)
        and (bounds.le is None or value <= bounds.le)
        and (bounds.lt is None or value < bounds.lt)
    )


def _bounds_text(bounds: Meta) -> str:
    if bounds.ge is not None and bounds.le is not None:
        return f" from {bounds.ge} to {bounds.le}"
    signs = {">=": bounds.ge, ">": bounds.gt, "<=": bounds.le, "<": bounds.lt}
    parts = [f"{sign} {bound}" for sign, bound in signs.items() if bound is not None]
    return " " + " and ".join(parts) if parts else ""


@cache
def fields(settings: type[msgspec.Struct]) -> Mapping[str, Field]:
    """Return the fields of a settings struct by name, in their order."""
    hints = get_type_hints(settings, include_extras=True)
    return MappingProxyType(
        {
            field.name: _describe(field.name, hints[field.name], field.default)
            for field in msgspec.structs.fields(settings)
        }
    )


def _describe(name: str, hint: Any, default: object) -> Field:
    # Every field is Annotated[type or union, ..., Meta(description)]; in a union each number may
    # carry its own range.
    base, *marks = get_args(hint)
    members = get_args(base) if get_origin(base) in (Union, UnionType) else (base,)
    words: tuple[str, ...] = ()
    kind: type | None = None
    special = next((mark for mark in marks if isinstance(mark, Kind)), None)
    for member in members:
        if get_origin(member) is Literal:
            words += get_args(member)
        elif get_origin(member) is Annotated:
            kind, *extra = get_args(member)
            marks += extra
        elif member not in (Any, NoneType):
            kind = member
    metas = [mark for mark in marks if isinstance(mark, Meta)]
    bounds = {
        side: next((bound for meta in metas if (bound := getattr(meta, side)) is not None), None)
        for side in ("ge", "gt", "le", "lt")
    }
    text = next(mark.description for mark in metas if mark.description)
    return Field(name, text, default, words, kind, special, Meta(**bounds), NoneType in members)
