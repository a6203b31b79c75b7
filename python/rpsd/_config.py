# SPDX-License-Identifier: MIT
"""The configuration: six sections, merged key by key from files, environment and command line."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rpsd._config_file import Layer, Setting, read_file
from rpsd._errors import ConfigError, InputError
from rpsd._guardrails import Guardrails
from rpsd._options import Options, check_together, selects_wavelet
from rpsd._schema import Field, fields, shown, suggestion, unknown

#: the configuration of the whole machine, the weakest layer above the defaults
SYSTEM_CONFIG = Path("/etc/rpsd/config.yaml")


class Performance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the machine is used."""

    max_workers: Annotated[
        int, Meta(ge=1, description="Processes of a batch run, threads of the service.")
    ] = 4
    chunk_size: Annotated[
        int, Meta(ge=1, description="Rows of a file that are read at a time; at least 65,536 are.")
    ] = 1000
    cache_size: Annotated[int, Meta(ge=0, description="Results that the cache keeps; 0 is no cache.")] = 1000
    threads: Annotated[int, Meta(ge=0, description="Threads of one call; 0 is all.")] = 1


class Monitoring(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be seen from outside."""

    metrics_port: Annotated[int, Meta(ge=1, le=65535, description="Port of the HTTP service.")] = 8000
    health_check_interval: Annotated[int, Meta(ge=1, description="Seconds between health checks.")] = 30
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        Meta(description="Least level that is logged."),
    ] = "INFO"


class Paths(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where files are; a leading ~ is the home directory."""

    data_dir: Annotated[str, Meta(description="Directory of relative input files.")] = "."
    cache_dir: Annotated[str, Meta(description="Directory of the cache.")] = "~/.cache/rpsd"

    @property
    def data_path(self) -> Path:
        """``data_dir`` with ~ expanded."""
        return _expand(self.data_dir, "data_dir")

    @property
    def cache_path(self) -> Path:
        """``cache_dir`` with ~ expanded."""
        return _expand(self.cache_dir, "cache_dir")


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP service."""

    host: Annotated[str, Meta(description="Address to listen on; a loopback one.")] = "127.0.0.1"
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="Port of /v1 where it is not that of health and metrics."),
    ] = None
    max_body_bytes: Annotated[int, Meta(ge=1, description="Bytes of a request's body, unpacked.")] = 2**27
    max_points: Annotated[int, Meta(ge=1, description="Samples of a request.")] = 10_000_000
    max_series: Annotated[int, Meta(ge=1, description="Series of a request.")] = 10_000
    queue_requests: Annotated[int, Meta(ge=0, description="Requests that may wait for a worker.")] = 256
    queue_points: Annotated[int, Meta(ge=0, description="Samples that may wait for a worker.")] = 20_000_000
    request_timeout: Annotated[
        float, Meta(gt=0, le=86400, description="Seconds in which a request is answered.")
    ] = 60.0
    header_timeout: Annotated[
        float, Meta(gt=0, le=86400, description="Seconds that a client has to send its headers.")
    ] = 10.0
    body_timeout: Annotated[
        float, Meta(gt=0, le=86400, description="Seconds that a client has to send its body.")
    ] = 30.0
    send_timeout: Annotated[
        float, Meta(gt=0, le=86400, description="Seconds for which a client may not take its answer.")
    ] = 30.0
    drain_delay: Annotated[
        float, Meta(ge=0, le=3600, description="Seconds after SIGTERM in which requests are still taken.")
    ] = 5.0
    drain_timeout: Annotated[
        int, Meta(ge=1, le=3600, description="Seconds for what is under way when the doors are closed.")
    ] = 25
    on_failure: Annotated[
        Literal["error", "raw", "hold"],
        Meta(description="What answers where a series fails or breaches a guardrail under policy raise."),
    ] = "error"
    trace_endpoint: Annotated[
        str | None, Meta(description="Where OpenTelemetry spans go, by OTLP over HTTP; none is off.")
    ] = None
    trace_ratio: Annotated[
        float, Meta(ge=0, le=1, description="Share of requests traced where no caller has decided.")
    ] = 0.01


SECTIONS: Mapping[str, type[msgspec.Struct]] = MappingProxyType(
    {
        "denoiser": Options,
        "guardrails": Guardrails,
        "performance": Performance,
        "monitoring": Monitoring,
        "paths": Paths,
        "service": Service,
    }
)
# Variables that are no keys: the file to read, and the instruction set that the core is told to use.
_OTHER_VARIABLES = ("RPSD_CONFIG", "RPSD_ISA")
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
        return _expand(text, "environment RPSD_CONFIG") if text else None
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(name, str) or not name:
        raise ConfigError(f"path must be the name of a configuration file or None, got {shown(path)}")
    return _expand(name, "path")


def _expand(text: str, what: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(f'{what} must begin with ~ only where that home is known, got "{text}"') from None


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
