# SPDX-License-Identifier: MIT
"""Whether a service that was just deployed works: `rpsd smoke URL`."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlencode

import numpy as np

from rpsd.service import _known
from rpsd.service._client import ARROW, BINARY, JSON, Client, Reply

_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? \S+")
#: Without these nobody could tell how it does.
_METRICS: Final = (
    "rpsd_build_info",
    "rpsd_http_requests_total",
    "rpsd_http_request_duration_seconds_bucket",
    "rpsd_queue_depth",
    "rpsd_config_last_reload_successful",
)
#: Whatever the service is configured to do on a breach, it must not be done to these numbers.
_POLICIES: Final[dict[str, Any]] = {"policy": "report", "policies": None}
_NO_ANSWER: Final = (OSError, http.client.HTTPException)


class Finding(NamedTuple):
    """What one check found."""

    check: str
    verdict: Literal["ok", "fail", "skip"]
    seconds: float
    text: str


class _Wrong(Exception):
    """What a check found, where it is not as it should be."""


class _Skipped(Exception):
    """Why a check was not made."""


def smoke(api: Client, metrics: Client) -> Iterator[Finding]:
    """Yield a finding for each check: health, metrics, numbers through each media type, refusals.

    Parameters
    ----------
    api : Client
        Of /v1.
    metrics : Client
        Of health and metrics; the same where there is one port.
    """
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("health", lambda: _health(metrics)),
        ("health/detailed", lambda: _detailed(metrics)),
        ("health/live", lambda: _probe(metrics, "/health/live")),
        ("health/ready", lambda: _probe(metrics, "/health/ready")),
        ("health/startup", lambda: _probe(metrics, "/health/startup")),
        ("denoise json", lambda: _denoise_json(api)),
        ("denoise float64", lambda: _denoise_binary(api)),
        ("denoise arrow", lambda: _denoise_arrow(api)),
        ("denoise many", lambda: _denoise_many(api)),
        ("noise", lambda: _noise(api)),
        ("evaluate", lambda: _evaluate(api)),
        ("refusal", lambda: _refusal(api)),
        ("metrics", lambda: _metrics(metrics)),
    )
    for name, check in checks:
        begin = time.perf_counter()
        verdict: Literal["ok", "fail", "skip"] = "ok"
        try:
            text = check()
        except _Skipped as reason:
            verdict, text = "skip", str(reason)
        except _Wrong as wrong:
            verdict, text = "fail", str(wrong)
        except _NO_ANSWER as error:
            verdict, text = "fail", f"no answer: {str(error) or type(error).__name__}"
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            verdict, text = "fail", f"not the answer that was expected ({type(error).__name__})"
        yield Finding(name, verdict, time.perf_counter() - begin, text)


def _require(truth: bool, text: str) -> None:
    if not truth:
        raise _Wrong(text)


def _good(reply: Reply, content_type: str) -> Reply:
    if reply.status != 200:
        detail = ""
        if reply.headers.get("content-type") == "application/problem+json":
            detail = f": {reply.json.get('detail')}"
        raise _Wrong(f"status {reply.status}{detail}")
    came = reply.headers.get("content-type", "none").partition(";")[0]
    _require(came == content_type, f"Content-Type is {came}, expected {content_type}")
    degraded = reply.headers.get("rpsd-degraded")
    _require(degraded is None, f"the answer is degraded: {degraded}")
    return reply


def _health(client: Client) -> str:
    content = _good(client.ask("GET", "/health"), JSON).json
    _require(content["status"] == "healthy", f'status is "{content["status"]}"')
    _require(_TIME.fullmatch(content["timestamp"]) is not None, "timestamp is not of the form ...Z")
    return str(content["status"])


def _detailed(client: Client) -> str:
    content = _good(client.ask("GET", "/health/detailed"), JSON).json
    for part, keys in (
        ("system", ("cpu_usage", "memory_usage", "disk_usage")),
        ("denoiser", ("requests_per_minute", "average_processing_time", "error_rate")),
    ):
        _require(all(content[part][key] >= 0 for key in keys), f"{part} has a value below 0")
    errors = content["denoiser"]["error_rate"]
    return f"{content['denoiser']['requests_per_minute']} requests a minute, error rate {errors:.2%}"


def _probe(client: Client, path: str) -> str:
    return str(_good(client.ask("GET", path), JSON).json["status"])


def _known_json(body: dict[str, Any]) -> bytes:
    return json.dumps({**body, **_known.CHAIN, "guardrails": _POLICIES, "report": "none"}).encode()


def _query() -> str:
    asked = {**_known.CHAIN, **{f"guardrails.{name}": value for name, value in _POLICIES.items()}}
    options = {name: str(value).lower() for name, value in asked.items()}
    return urlencode({**options, "report": "none"})


def _require_known(values: Any) -> None:
    wrong = _known.difference([np.nan if value is None else value for value in values], _known.CHAIN_VALUES)
    _require(wrong is None, str(wrong))


def _denoise_json(client: Client) -> str:
    body = _known_json({"values": _known.SERIES.tolist()})
    reply = _good(client.ask("POST", "/v1/denoise", body, JSON), JSON)
    _require_known(reply.json["values"])
    return f"{len(_known.SERIES)} values as expected, version {reply.headers.get('rpsd-version')}"


def _denoise_many(client: Client) -> str:
    values = _known.SERIES.tolist()
    body = _known_json({"series": {"a": values, "b": values[::-1], "c": values}})
    series = _good(client.ask("POST", "/v1/denoise", body, JSON), JSON).json["series"]
    _require(list(series) == ["a", "b", "c"], "the series are not those that were sent")
    for name in ("a", "c"):
        _require_known(series[name]["values"])
    return "3 series, each as if alone"


def _denoise_binary(client: Client) -> str:
    data = _known.SERIES.astype("<f8").tobytes()
    reply = _good(client.ask("POST", f"/v1/denoise?{_query()}", data, BINARY), BINARY)
    _require_known(np.frombuffer(reply.body, "<f8"))
    return f"{len(_known.SERIES)} values as expected"


def _denoise_arrow(client: Client) -> str:
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        raise _Skipped("pyarrow is not installed here") from None
    table = pa.table({"x": _known.SERIES})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    reply = client.ask("POST", f"/v1/denoise?{_query()}", sink.getvalue().to_pybytes(), ARROW)
    if reply.status == 415:
        raise _Skipped("the service does not take Arrow")
    with pa.ipc.open_stream(_good(reply, ARROW).body) as reader:
        _require_known(reader.read_all().column("x").to_pylist())
    return f"{len(_known.SERIES)} values as expected"


def _noise(client: Client) -> str:
    body = json.dumps({"values": _known.SERIES.tolist()}).encode()
    noise = _good(client.ask("POST", "/v1/noise", body, JSON), JSON).json["noise"]
    _require(noise["noise_sd"] >= 0, "noise_sd is below 0")
    return f"noise_sd {noise['noise_sd']:.4g}"


def _evaluate(client: Client) -> str:
    body = json.dumps({"x": _known.SERIES.tolist(), "y": _known.CHAIN_VALUES.tolist()}).encode()
    report = _good(client.ask("POST", "/v1/evaluate", body, JSON), JSON).json["report"]
    x, y = _known.SERIES, _known.CHAIN_VALUES
    expected = float(np.corrcoef(x, y)[0, 1])
    _require(abs(report["correlation"] - expected) < 1e-9, "the correlation is not that of input and output")
    return f"correlation {report['correlation']:.4f}"


def _refusal(client: Client) -> str:
    reply = client.ask("POST", "/v1/denoise", b'{"values": [1, NaN]}', JSON)
    _require(400 <= reply.status < 500, f"status {reply.status} for a body that is no JSON")
    content_type = reply.headers.get("content-type")
    _require(content_type == "application/problem+json", f"Content-Type of a problem is {content_type}")
    return f"{reply.status} {reply.json['title']}"


def _metrics(client: Client) -> str:
    text = _good(client.ask("GET", "/metrics"), "text/plain").body.decode()
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [_SAMPLE.fullmatch(line) for line in samples]
    _require(all(found), "a line is no sample")
    names = {match[1] for match in found if match is not None}
    absent = [name for name in _METRICS if name not in names]
    _require(not absent, f"{', '.join(absent)} is missing")
    return f"{len(samples)} samples of {len(names)} names"
