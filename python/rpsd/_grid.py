# SPDX-License-Identifier: MIT
"""The candidates of a tuning: every combination of a grid, or a random choice of them."""

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from rpsd._errors import ConfigError
from rpsd._options import Options, make_options, require_fitting, resolve
from rpsd._schema import fields, shown, unknown

#: One combination: option and value, in the order of the grid.
Choice = dict[str, Any]

_MOST_CANDIDATES: Final = 10_000
_MOST_COMBINATIONS: Final = 2**62
_MOST_NAMED: Final = 3


def candidates(grid: Any, base: Options, n_random: int | None, seed: int) -> list[tuple[Choice, Options]]:
    """Return the combinations of a grid with the options that each makes, in the order of the grid.

    Parameters
    ----------
    grid : mapping of str to list, or list of such mappings
        The values of each option; what is no list, tuple, range or array is a list of itself.
    base : Options
        What the grid does not name.
    n_random : int or None
        How many combinations to draw, without replacement; all where there are no more.
    seed : int
        Of the draw.

    Raises
    ------
    ConfigError
        For a grid that is none, an unknown option, too many combinations, or combinations that no
        denoiser can be made of; the message names these.
    """
    grids = [_checked(part) for part in ([grid] if isinstance(grid, Mapping) else _parts(grid))]
    counts = [math.prod(len(values) for values in part.values()) for part in grids]
    places = _places(sum(counts), n_random, seed)
    made: list[tuple[Choice, Options]] = []
    refused: list[str] = []
    for choice in _combinations(grids, counts, places):
        try:
            options = make_options(base, **choice)
            require_fitting(resolve(options))
        except ConfigError as error:
            refused.append(f"{named(choice)}: {error}")
        else:
            made.append(({name: getattr(options, name) for name in choice}, options))
    if refused:
        more = f"; and {len(refused) - _MOST_NAMED} more" if len(refused) > _MOST_NAMED else ""
        raise ConfigError(
            f"grid: {len(refused)} of {len(made) + len(refused)} combinations are refused: "
            f"{'; '.join(refused[:_MOST_NAMED])}{more}; leave them out by a list of several grids"
        )
    return made


def named(choice: Mapping[str, Any]) -> str:
    """Return a combination in words."""
    return ", ".join(f"{name}={shown(value)}" for name, value in choice.items()) or "the options given"


def _parts(grid: Any) -> list[Any]:
    if isinstance(grid, list | tuple) and grid and all(isinstance(part, Mapping) for part in grid):
        return list(grid)
    raise ConfigError(
        f"grid must be a mapping of option to values, or a list of such mappings, got {shown(grid)}"
    )


def _checked(part: Mapping[Any, Any]) -> dict[str, list[Any]]:
    known = fields(Options)
    values = {}
    for name, given in part.items():
        if name not in known:
            raise unknown("option in grid", name, known)
        values[name] = list(given) if isinstance(given, list | tuple | range | np.ndarray) else [given]
        if not values[name]:
            raise ConfigError(f"grid: {name} must have at least one value, got none")
    return values


def _places(count: int, n_random: int | None, seed: int) -> Iterable[int]:
    """Return the places of the combinations to take, ascending: ties go to the earlier one."""
    if n_random is None or n_random >= count:
        if count > _MOST_CANDIDATES:
            raise ConfigError(
                f"grid must have at most {_MOST_CANDIDATES} combinations, got {count}; n_random draws some"
            )
        return range(count)
    if n_random > _MOST_CANDIDATES or count > _MOST_COMBINATIONS:
        raise ConfigError(
            f"n_random must be at most {_MOST_CANDIDATES}, of at most 2^62 combinations, "
            f"got {n_random} of {count}"
        )
    drawn = np.random.default_rng(seed).choice(count, n_random, replace=False)
    return sorted(drawn.tolist())


def _combinations(
    grids: list[dict[str, list[Any]]], counts: list[int], places: Iterable[int]
) -> Iterable[Choice]:
    begins = list(itertools.accumulate(counts, initial=0))
    for place in places:
        at = next(k for k, end in enumerate(begins[1:]) if place < end)
        rest, digits = place - begins[at], []
        # The last option of the grid changes fastest.
        for name, values in reversed(grids[at].items()):
            rest, digit = divmod(rest, len(values))
            digits.append((name, values[digit]))
        yield dict(reversed(digits))
