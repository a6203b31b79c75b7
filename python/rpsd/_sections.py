# SPDX-License-Identifier: MIT
"""Sections of the configuration beside the denoiser's: the machine, files, the service."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from rpsd._errors import ConfigError


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
    state_dir: Annotated[str, Meta(description="Directory of what the service keeps.")] = (
        "~/.local/state/rpsd"
    )

    @property
    def data_path(self) -> Path:
        """``data_dir`` with ~ expanded."""
        return expand(self.data_dir, "data_dir")

    @property
    def cache_path(self) -> Path:
        """``cache_dir`` with ~ expanded."""
        return expand(self.cache_dir, "cache_dir")

    @property
    def state_path(self) -> Path:
        """``state_dir`` with ~ expanded."""
        return expand(self.state_dir, "state_dir")


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
    max_push: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Samples of a push to a stream, of all its series.")
    ] = 8192
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
    max_sessions: Annotated[int, Meta(ge=0, description="Connections of /v1/stream of one tenant.")] = 1000
    session_idle_timeout: Annotated[
        float, Meta(gt=0, le=86400, description="Seconds after which a connection of /v1/stream is closed.")
    ] = 300.0
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


class Security(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may use the service, and how much of it."""

    auth: Annotated[
        Literal["auto", "on", "off"],
        Meta(description="Whether credentials are asked for; auto: off this machine."),
    ] = "auto"
    tls_certificate: Annotated[str | None, Meta(description="PEM file of the certificate chain.")] = None
    tls_key: Annotated[str | None, Meta(description="PEM file of the certificate's key.")] = None
    tls_client_ca: Annotated[
        str | None, Meta(description="PEM file of those who sign clients' certificates.")
    ] = None
    token_issuer: Annotated[str | None, Meta(description="Issuer (iss) of the tokens that are taken.")] = None
    token_audience: Annotated[str | None, Meta(description="Audience (aud) of tokens.")] = None
    token_keys: Annotated[
        str | None, Meta(description="The issuer's keys: a JWKS file or an https address.")
    ] = None
    token_roles: Annotated[str, Meta(description="Claim that names a token's roles.")] = "roles"
    certificate_roles: Annotated[
        str | None, Meta(description="Roles of clients' certificates: NAME=ROLE+ROLE, NAME=ROLE.")
    ] = None
    plain_http: Annotated[
        bool, Meta(description="Whether others may ask without TLS: where a proxy of yours ends it.")
    ] = False
    failed_credentials: Annotated[
        int, Meta(ge=1, description="Failures a minute of one address and credential that are looked at.")
    ] = 10
    rate_limit: Annotated[float, Meta(gt=0, description="Requests a second of one principal.")] = 100.0
    rate_burst: Annotated[int, Meta(ge=1, description="Requests at once beyond the rate.")] = 100
    points_per_day: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Samples a day of one principal; none: any.")
    ] = None
    audit_on_failure: Annotated[
        Literal["closed", "open"],
        Meta(description="What happens where the audit log cannot be written: refuse, or go on."),
    ] = "closed"


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the service keeps."""

    state_url: Annotated[
        str | None,
        Meta(description="postgresql://USER@HOST/NAME or sqlite:///FILE; none: a file in state_dir."),
    ] = None
    state_key_file: Annotated[
        str | None, Meta(description="File of the key that seals it, 32 bytes as base64.")
    ] = None
    max_streams: Annotated[int, Meta(ge=0, description="Streams of one tenant.")] = 1000
    stream_idle_timeout: Annotated[
        float, Meta(gt=0, description="Seconds after which a stream that nobody changes may go.")
    ] = 604800.0
    max_jobs: Annotated[int, Meta(ge=0, description="Jobs of one tenant, those with a result too.")] = 1000
    max_jobs_bytes: Annotated[
        int, Meta(ge=0, description="Bytes of the jobs of one tenant, and of their results.")
    ] = 2**30
    job_workers: Annotated[
        int, Meta(ge=0, le=1024, description="Jobs that this process computes at a time; 0: others do.")
    ] = 1
    job_timeout: Annotated[
        float, Meta(gt=0, description="Seconds of computing after which a job has failed.")
    ] = 3600.0
    job_lease: Annotated[
        float, Meta(ge=1, le=3600, description="Seconds after which a job is lost that nobody tells of.")
    ] = 15.0
    job_expiry: Annotated[
        float, Meta(gt=0, description="Seconds after its end for which a job and its result are kept.")
    ] = 86400.0


def expand(text: str, what: str) -> Path:
    """Return a path, a leading ~ expanded."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(f'{what} must begin with ~ only where that home is known, got "{text}"') from None
