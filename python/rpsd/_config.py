# SPDX-License-Identifier: MIT
"""The configuration: eight sections, merged key by key from files, environment and command line."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from rpsd._config_file import Layer, Setting, read_file
from rpsd._errors import ConfigError, InputError
from rpsd._guardrails import Guardrails
from rpsd._options import Options, check_together, selects_wavelet
from rpsd._schema import Field, fields, shown, suggestion, unknown
from rpsd._sections import Monitoring, Paths, Performance, Security, Service, State, expand

#: the configuration of the whole machine, the weakest layer above the defaults
SYSTEM_CONFIG = Path("/etc/rpsd/config.yaml")


SECTIONS: Mapping[str, type[msgspec.Struct]] = MappingProxyType(
    {
        "denoiser": Options,
        "guardrails": Guardrails,
        "performance": Performance,
        "monitoring": Monitoring,
        "paths": Paths,
        "service": Service,
        "security": Security,
        "state": State,
    }
)
# Variables that are no keys: the file to read, the instruction set that the core is told to use, and
# secrets, which no configuration may hold.
_OTHER_VARIABLES = ("RPSD_CONFIG", "RPSD_ISA", "RPSD_STATE_KEY", "RPSD_API_KEY", "RPSD_API_KEY_FILE")
# Kubernetes gives each pod such variables for the Services beside it: a Service named rpsd, or
# rpsd-worker, must not stop every pod of its namespace.
_SERVICE_LINK = re.compile(
    r"RPSD_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_LINK_PORT = re.compile(r"RPSD_(\w+_)?PORT=(tcp|udp|sctp)://.*")


@dataclass(frozen=True)
class Config:
    """All settings, immutable, with the place that each came from; made by `load_config`.

    Examples
    --------
    >>> Config().monitoring.log_level
    'INFO'
    >>> Config().origin("monitoring", "log_level")
    'default'
    """

    denoiser: Options = field(default_factory=Options)
    guardrails: Guardrails = field(default_factory=Guardrails)
    performance: Performance = field(default_factory=Performance)
    monitoring: Monitoring = field(default_factory=Monitoring)
    paths: Paths = field(default_factory=Paths)
    service: Service = field(default_factory=Service)
    security: Security = field(default_factory=Security)
    state: State = field(default_factory=State)
    _origins: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False, compare=False)

    def origin(self, section: str, key: str) -> str:
        """Tell where a value came from.

        Returns
        -------
        str
            Such as ``default``, ``/etc/rpsd/config.yaml:4``, ``environment RPSD_MAX_WORKERS`` or
            ``command line --max-workers``.

        Raises
        ------
        ConfigError
            If there is no such section or key.
        """
        known = _known(section)
        if key not in known:
            raise unknown(f"key of section {section}", key, known)
        return self._origins.get((section, key), "default")

    def rows(self) -> Iterator[tuple[str, str, object, str]]:
        """Yield section, key, value and origin of every setting, in the order of the sections."""
        for section, settings in SECTIONS.items():
            for key in fields(settings):
                yield section, key, getattr(getattr(self, section), key), self.origin(section, key)

    def to_yaml(self) -> str:
        """Return the settings as a configuration file that gives them all again."""
        import yaml

        sections: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
        for section, key, value, _ in self.rows():
            sections[section][key] = plain(value)
        text: str = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True)
        return text


def load_config(
    path: str | os.PathLike[str] | None = None,
    *,
    command_line: Mapping[str, Mapping[str, object]] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Load the configuration: files, then the environment, then the command line, key by key.

    The order, strongest first: command line, ``RPSD_*`` variables, the file given (``path``, or
    ``RPSD_CONFIG`` where no path is given), ``~/.rpsd/config.yaml``, ``/etc/rpsd/config.yaml``,
    defaults. docs/config.md lists every key, its default and its variable.

    Parameters
    ----------
    path : str or path-like, optional
        A configuration file that must exist; a leading ~ is the home directory.
    command_line : mapping, optional
        Values by section and key that override all others; text is read as in the environment.
    environ : mapping, optional
        The environment; None: that of the process.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        For an unreadable file, an unknown section, key or variable, or a value that is not allowed,
        naming the file and line, variable or argument, what came, and what is allowed.

    Examples
    --------
    >>> config = load_config(environ={"RPSD_LEVEL": "3"})
    >>> config.denoiser.level, config.origin("denoiser", "level")
    (3, 'environment RPSD_LEVEL')
    """
    variables = os.environ if environ is None else environ
    layers = [
        *_file_layers(path, variables),
        _environment_layer(variables),
        _command_line_layer(command_line or {}),
    ]
    return _merge(layers)


def _known(section: str) -> Mapping[str, Field]:
    if section not in SECTIONS:
        raise unknown("section", section, SECTIONS)
    return fields(SECTIONS[section])


def _file_layers(path: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Iterator[Layer]:
    sections = {section: fields(settings) for section, settings in SECTIONS.items()}
    for place in _default_places():
        try:
            yield read_file(place, sections)
        except (FileNotFoundError, NotADirectoryError):
            continue
    given = _given_place(path, environ)
    if given is not None:
        try:
            yield read_file(given, sections)
        except (FileNotFoundError, NotADirectoryError):
            source = " (from RPSD_CONFIG)" if path is None else ""
            raise ConfigError(f"the configuration file {given}{source} does not exist") from None


def _default_places() -> list[Path]:
    try:
        return [SYSTEM_CONFIG, Path.home() / ".rpsd" / "config.yaml"]
    except RuntimeError:  # a user without a home
        return [SYSTEM_CONFIG]


def _given_place(path: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Path | None:
    if path is None:
        text = environ.get("RPSD_CONFIG", "")
        return expand(text, "environment RPSD_CONFIG") if text else None
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(name, str) or not name:
        raise ConfigError(f"path must be the name of a configuration file or None, got {shown(path)}")
    return expand(name, "path")


def _environment_layer(environ: Mapping[str, str]) -> Layer:
    known = {key.variable: (section, key) for section in SECTIONS for key in _known(section).values()}
    layer: Layer = {}
    for variable, text in environ.items():
        if (
            not variable.startswith("RPSD_")
            or variable in _OTHER_VARIABLES
            or _is_service_link(variable, text)
        ):
            continue
        if variable not in known:
            raise ConfigError(f"environment {variable}: unknown variable{_nearest(variable, known)}")
        if not text.strip():  # as compose files and units pass on what is not set
            continue
        section, key = known[variable]
        origin = f"environment {variable}"
        layer[section, key.name] = Setting(_parsed(key, text, origin), origin)
    return layer


def _nearest(variable: str, known: Iterable[str]) -> str:
    # Compared without their common beginning, which would make every name look near.
    endings = [name.removeprefix("RPSD_") for name in (*known, *_OTHER_VARIABLES)]
    return suggestion(variable.removeprefix("RPSD_"), endings).replace('"', '"RPSD_', 1)


def _is_service_link(variable: str, text: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(variable) or _SERVICE_LINK_PORT.fullmatch(f"{variable}={text}"))


def _command_line_layer(command_line: Mapping[str, Mapping[str, object]]) -> Layer:
    layer: Layer = {}
    for section, given in command_line.items():
        known = _known(section)
        for name, value in given.items():
            if name not in known:
                raise unknown(f"key of section {section}", name, known)
            origin = f"command line {known[name].option}"
            layer[section, name] = Setting(_parsed(known[name], value, origin), origin)
    return layer


def _parsed(key: Field, value: object, origin: str) -> Any:
    try:
        return key.parse(value) if isinstance(value, str) else key.check(value)
    except (ConfigError, InputError) as error:
        raise ConfigError(f"{origin}: {error}") from None


def _merge(layers: list[Layer]) -> Config:
    merged: Layer = {}
    for layer in layers:
        merged |= layer
        chosen = selects_wavelet(
            {key: value for (section, key), (value, _) in layer.items() if section == "denoiser"}
        )
        method = merged.get(("denoiser", "method"))
        if chosen is not None and (method is None or method.value == "auto"):
            origin = layer["denoiser", chosen].origin
            merged["denoiser", "method"] = Setting("wavelet", f"{origin} (as {chosen} is given)")
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for (section, key), setting in merged.items():
        values[section][key] = setting.value
    origins = {place: setting.origin for place, setting in merged.items()}
    structs = {section: SECTIONS[section](**given) for section, given in values.items()}
    config = Config(**structs, _origins=origins)  # type: ignore[arg-type]
    try:
        check_together(config.denoiser)
    except ConfigError as error:
        pair = f"{config.origin('denoiser', 'min_periods')} and {config.origin('denoiser', 'window')}"
        raise ConfigError(f"{pair}: {error}") from None
    return config


def plain(value: object) -> object:
    """Return a value as YAML holds it: a tuple is a list, a pywt.Wavelet its name."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return (
        value
        if value is None or isinstance(value, bool | int | float | str)
        else getattr(value, "name", str(value))
    )
