# SPDX-License-Identifier: MIT
"""Command-line options made from the one schema, and the configuration they lead to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from rpsd import Config, load_config
from rpsd._config import SECTIONS
from rpsd._schema import Field, fields
from rpsd._text import shown
from rpsd.cli._log import use_level

# Whole sections, and single keys of the others that a single command heeds.
_DENOISER: Final = {"denoiser": None, "guardrails": None, "performance": ("threads",)}
_GUARDRAILS: Final = {"guardrails": None}
_GENERAL: Final = {"monitoring": ("log_level",), "paths": ("data_dir",)}


def once(
    *declarations: str, read: Callable[[str], Any] | None = None, **more: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return `click.option` of an option that names a column or a place, and may be given once.

    Of two the first would be lost without a word, and other data read or written than those that were meant.
    """

    def only(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> Any:
        if len(given) > 1:
            texts = ", ".join(map(shown, given))
            raise click.UsageError(f"{option.opts[-1]} may be given once, got {texts}", context)
        if not given:
            return None
        return given[0] if read is None else read(given[0])

    return click.option(*declarations, multiple=True, callback=only, **more)


def denoiser_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config and every option of the denoiser and its guardrails."""
    return _with_options(command, {**_DENOISER, **_GENERAL})


def stream_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config and every option of the denoiser alone."""
    return _with_options(command, {"denoiser": None, "monitoring": ("log_level",)})


def tuning_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config and every option of the denoiser and its guardrails, for many runs."""
    return _with_options(command, {"denoiser": None, **_GUARDRAILS, **_GENERAL})


def batch_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config and every option of the denoiser, its guardrails, and a batch."""
    performance = ("chunk_size", "cache_size")
    return _with_options(
        command,
        {
            "denoiser": None,
            **_GUARDRAILS,
            "performance": performance,
            "monitoring": ("log_level",),
            "paths": None,
        },
    )


def general_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config and what every command heeds."""
    return _with_options(command, {**_GENERAL})


def guardrail_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config and the options of the guardrails."""
    return _with_options(command, {**_GUARDRAILS, **_GENERAL})


def service_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config and every option of the service, and of what it computes where a request says nothing."""
    return _with_options(
        command,
        {
            "service": None,
            "security": None,
            "state": None,
            "monitoring": None,
            "performance": None,
            "paths": None,
            "denoiser": None,
            **_GUARDRAILS,
        },
    )


def state_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config and where the service keeps its state."""
    return _with_options(command, {"state": None, "paths": ("state_dir",), "monitoring": ("log_level",)})


def configuration(config_path: str | None, given: dict[str, Any]) -> Config:
    """Return the configuration under the options given, and heed its log level."""
    config = read_configuration(config_path, given)
    use_level(config)
    return config


def read_configuration(config_path: str | None, given: dict[str, Any]) -> Config:
    """Return the configuration under the options given."""
    command_line: dict[str, dict[str, object]] = {}
    for name, value in given.items():
        section, _, key = name.partition("__")
        if value is not None:
            command_line.setdefault(section, {})[key] = value
    return load_config(config_path, command_line=command_line)


def _with_options(
    command: Callable[..., Any], wanted: dict[str, tuple[str, ...] | None]
) -> Callable[..., Any]:
    # The last decorator is the first in --help.
    for section, keys in reversed(wanted.items()):
        for field in reversed(list(fields(SECTIONS[section]).values())):
            if keys is None or field.name in keys:
                command = _option(section, field)(command)
    return once("--config", "config_path", metavar="YAML", help="Configuration file.")(command)


def _option(section: str, field: Field) -> Callable[..., Any]:
    name = f"{section}__{field.name}"
    help_text = f"{field.help}  [default: {_shown(field.default)}]"
    if field.kind is bool:
        negative = field.option.replace("--", "--no-", 1)
        return click.option(f"{field.option}/{negative}", name, default=None, help=help_text)
    return click.option(field.option, name, metavar=_metavar(field), help=help_text)


def _metavar(field: Field) -> str:
    numbers: dict[type | None, str] = {int: "INTEGER", float: "NUMBER", str: "TEXT"}
    other = "TEXT" if field.special else numbers.get(field.kind, "")
    words = [*field.words, *(["none"] if field.nullable and "none" not in field.words else [])]
    return "|".join([*words, *([other] if other else [])])


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)
