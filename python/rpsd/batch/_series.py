# SPDX-License-Identifier: MIT
"""Denoise many series: those of one length together, each as if it were alone."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from itertools import compress
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from rpsd._breaks import session_starts
from rpsd._config import Config
from rpsd._denoiser import Denoiser
from rpsd._errors import CausalityError, GuardrailError, InputError, RpsdWarning
from rpsd._result import Report, Result

_F64 = npt.NDArray[np.float64]
_I64 = npt.NDArray[np.int64]
Fields = dict[str, Any]

#: Samples of a batch, about: more do not make it faster, and its guardrails hold it several times.
_BATCH: Final = 1 << 19


class Runner:
    """Denoises batches of series of one length.

    Parameters
    ----------
    config : Config
    threads : int
    """

    def __init__(self, config: Config, threads: int) -> None:
        self._config = config
        self._threads = threads
        self.options = config.denoiser
        self._acts = config.guardrails.acts
        # What a breach does is done to each series by itself.
        self._reporting = msgspec.structs.replace(config.guardrails, policy="report", policies=None)
        self._alone = Denoiser(config)
        self._together = Denoiser(config, guardrails=self._reporting)

    def batches(
        self, x: _F64, times: _I64 | None
    ) -> Iterator[tuple[npt.NDArray[np.intp], tuple[int, ...] | None]]:
        """Yield which rows can run together, with where their sessions begin; None: by the options."""
        count, n = x.shape
        keys: list[Any] = [None] * count
        sessions: list[tuple[int, ...] | None] = [None] * count
        causal = self.options.lookahead is not None
        if self.options.breaks == "auto" and times is not None:
            sessions = [tuple(session_starts("auto", n, row, causal=causal)) for row in times]
            keys = list(sessions)
        if causal:
            # What guardrails compare begins and ends with values of any series of a batch.
            missing = np.isnan(x)
            keys = [(key, missing[k].tobytes() if missing[k].any() else b"") for k, key in enumerate(keys)]
        if self.options.breaks == "auto" and times is None:
            keys = list(range(count))  # each tells its own sessions by its prices
        groups: dict[Any, list[int]] = {}
        for k, key in enumerate(keys):
            groups.setdefault(key, []).append(k)
        for rows in groups.values():
            yield np.array(rows, dtype=np.intp), sessions[rows[0]]

    def run(self, x: _F64, starts: tuple[int, ...] | None, place: Callable[[int, int], str]) -> list[Fields]:
        """Denoise the rows of x in place; return for each what its `Outcome` says.

        place: tells where a position of a row stands in the file. A row that failed has ``error``.
        """
        together, alone = self._together, self._alone
        if starts is not None:
            mask = np.zeros(x.shape[1], dtype=bool)
            mask[list(starts)] = True
            together = Denoiser(self._config, guardrails=self._reporting, breaks=mask)
            alone = Denoiser(self._config, breaks=mask) if self._acts else together
        if len(x) > 1:
            found = self._run_together(together, x)
            if found is not None:
                values, fields, breached = found
                for k in np.flatnonzero(breached).tolist():
                    fields[k], values[k] = self._run_alone(alone, x[k], k, place)
                x[:] = values
                return fields
        fields = []
        for k in range(len(x)):
            row, x[k] = self._run_alone(alone, x[k], k, place)
            fields.append(row)
        return fields

    def _run_together(
        self, denoiser: Denoiser, x: _F64
    ) -> tuple[_F64, list[Fields], npt.NDArray[np.bool_]] | None:
        """Return values, fields and who must run alone; None where all must."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", RpsdWarning)
            try:
                result = denoiser.run(x, axis=1, threads=self._threads)
                fields = fields_of(result)
            except (CausalityError, InputError):
                return None  # of one series, which has to be found
        notes = _notes(told)
        if notes and self._warns_of_one(denoiser):
            return None  # as above
        if notes:
            fields = [{**row, "notes": notes} for row in fields]
        breached = np.zeros(len(x), dtype=bool)
        if self._acts:
            for check in result.report.checks:
                if self._config.guardrails.policy_of(check.name) != "report":
                    breached |= np.asarray(check.counts) & ~np.asarray(check.passed)
        return np.asarray(result.values), fields, breached

    def _run_alone(
        self, denoiser: Denoiser, x: _F64, row: int, place: Callable[[int, int], str]
    ) -> tuple[Fields, _F64]:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", RpsdWarning)
            try:
                result = denoiser.run(x, threads=self._threads)
                (fields,) = fields_of(result)
            except (CausalityError, GuardrailError, InputError) as error:
                failed: Fields = {"missing": int(np.isnan(x).sum())}
                if isinstance(error, GuardrailError):
                    failed |= {"error": str(error), **_report_fields(error.report)[0]}
                else:
                    failed["error"] = _placed(str(error), row, place)
                return failed, np.full_like(x, np.nan)
        return {**fields, "notes": _notes(told)}, result.values

    def _warns_of_one(self, denoiser: Denoiser) -> bool:
        """Tell whether a warning of a run may be about one series: of ticks, or sessions told by prices."""
        return self.options.space == "log" or denoiser.options.breaks == "auto"


def runs_of(lengths: _I64) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Yield each length with the series that have it, as many as make a batch."""
    order = np.argsort(lengths, kind="stable")
    ends = np.flatnonzero(np.diff(lengths[order])) + 1
    for series in np.split(order, ends):
        if not series.size:
            continue
        length = int(lengths[series[0]])
        step = max(1, _BATCH // max(1, length))
        for start in range(0, len(series), step):
            yield length, series[start : start + step]


def _notes(told: list[warnings.WarningMessage]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one.message) for one in told if issubclass(one.category, RpsdWarning)))


def fields_of(result: Result) -> list[Fields]:
    """Return what an `Outcome` tells of each series of a result."""
    noise = result.noise
    columns: dict[str, list[Any]] = {
        name: np.ravel(values).tolist()
        for name, values in (
            ("missing", result.missing),
            ("sessions", result.sessions),
            ("action", result.action),
            ("noise_sd", noise.noise_sd),
            ("step_sd", noise.step_sd),
            ("nsr", noise.nsr),
            ("predicted_gain_db", noise.predicted_gain_db),
            ("level", result.level),
            ("warmup", result.warmup),
            ("strength", result.strength),
            ("binding", result.binding),
        )
    }
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return [{**row, **judged} for row, judged in zip(rows, _report_fields(result.report), strict=True)]


def _report_fields(report: Report) -> list[Fields]:
    names = [check.name for check in report.checks]
    values = zip(*(np.ravel(check.value).tolist() for check in report.checks), strict=True)
    failed = np.array([np.ravel(check.counts) & ~np.ravel(check.passed) for check in report.checks]).T
    breached = [",".join(compress(names, row)) if any(row) else "" for row in failed.tolist()]
    columns = (np.ravel(report.passed).tolist(), breached, np.ravel(report.score).tolist(), values)
    return [
        {"passed": ok, "breached": told, "score": score, "checks": dict(zip(names, row, strict=True))}
        for ok, told, score, row in zip(*columns, strict=True)
    ]


def _placed(text: str, row: int, place: Callable[[int, int], str]) -> str:
    """Return an error of the core with the place in the file instead of the position."""
    position = re.search(r" at position (\d+)", text)
    if position is None:
        return text
    return f"{place(row, int(position.group(1)))}: {text.replace(position.group(), '', 1)}"
