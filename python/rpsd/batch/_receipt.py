# SPDX-License-Identifier: MIT
"""Receipts: what decided the values of an output and what came out; no clock, host, worker count, place."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec

from rpsd import Config, __version__, build_info
from rpsd._config import plain
from rpsd._options import resolve
from rpsd.batch._outcome import Columns, Outcome
from rpsd.batch._plan import OWN
from rpsd.batch._store import join, opened
from rpsd.batch.files import format_of

#: Version of the form of receipts; raised when a key is removed or changes its meaning.
FORM: Final = 1
# A receipt is read whenever its file is: of many series it has the counts, and the manifest has the rest.
_MOST_SERIES: Final = 100
_SECTIONS: Final = ("denoiser", "guardrails")


def make_settings(columns: Columns, config: Config) -> dict[str, Any]:
    """Return what a user decides about the values: columns, options, guardrails, and where from."""
    resolved = resolve(config.denoiser)
    sections: dict[str, dict[str, Any]] = {section: {} for section in _SECTIONS}
    for section, key, value, origin in config.rows():
        if section in _SECTIONS:
            entry = sections[section][key] = {"value": plain(value), "origin": origin}
            if section == "denoiser" and getattr(resolved, key) != value:
                entry["stands_for"] = plain(getattr(resolved, key))
    return {
        "version": __version__,
        "lookahead": config.denoiser.lookahead,
        "columns": msgspec.to_builtins(columns),
        "options": sections["denoiser"],
        "guardrails": sections["guardrails"],
    }


def make_receipt(
    settings: Mapping[str, Any], input_sha256: str | None, series: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the receipt of an output: settings, the input's hash, the instruction set, and what came out."""
    return {
        "form": FORM,
        # First: it is what readers of one value look for.
        "lookahead": settings["lookahead"],
        "version": settings["version"],
        "isa": instruction_set(),
        "input": {"sha256": input_sha256},
        "columns": settings["columns"],
        "options": settings["options"],
        "guardrails": settings["guardrails"],
        "outcome": _counts(series),
        "series": list(series) if len(series) <= _MOST_SERIES else None,
    }


def as_plain(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return outcomes as JSON holds them; NaN is None."""
    rows: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(outcomes))
    return rows


def receipt_bytes(receipt: Mapping[str, Any]) -> bytes:
    """Return a receipt, or what a run was asked for, as the text of a file of its own."""
    return msgspec.json.format(msgspec.json.encode(receipt), indent=1) + b"\n"


def receipt_path(output: str, name: str) -> str | None:
    """Return where the receipt of an output is, or None where the output itself holds it."""
    if format_of(name).kind == "csv":
        return join(output, f"{OWN}/receipts/{name}.json")
    return None


def settings_hash(settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of settings; where it is the same, so is the output of the same input."""
    return hashlib.sha256(msgspec.json.encode(settings, order="deterministic")).hexdigest()


def file_hash(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file or an object."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def instruction_set() -> str:
    """Return the instruction set in use."""
    return str(build_info()["isa"])


def _counts(series: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "series": len(series),
        "rows": sum(one["rows"] for one in series),
        "actions": dict(sorted(Counter(one["action"] for one in series).items())),
        "breached": sum(not one["passed"] and one["action"] != "failed" for one in series),
    }
