# SPDX-License-Identifier: MIT
"""Health, for people, supervisors and balancers; and the metrics. None of it waits in a queue."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from litestar import HttpMethod, MediaType, Request, Response, route
from litestar.handlers import HTTPRouteHandler

from rpsd.service._clock import utc_now
from rpsd.service._metrics import AUDIT_VERIFIED, CONTENT_TYPE, LAST_BACKUP
from rpsd.service._observe import seen
from rpsd.service._problems import Problem
from rpsd.service._state import State
from rpsd.service._system import disk_of
from rpsd.service.store._mark import AUDIT, BACKUP, marked

_READ: Final = (HttpMethod.GET, HttpMethod.HEAD)
_Any = Request[Any, Any, Any]


def health_routes(state: State) -> list[HTTPRouteHandler]:
    """Return the handlers of /health and below, and of /metrics."""
    page = _Page(state)

    def ready() -> None:
        if state.phase.reason is not None:
            raise Problem("not-ready", state.phase.reason, headers={"retry-after": "1"})

    @route("/health", http_method=_READ)
    async def health(request: _Any) -> Response[bytes]:
        _note(request, "/health")
        return _json(_basic(state), _code(state))

    @route("/health/detailed", http_method=_READ)
    async def detailed(request: _Any) -> Response[bytes]:
        _note(request, "/health/detailed")
        system, rates = state.system.usage(), state.rates.summary()
        content = {**_basic(state), "system": system._asdict(), "denoiser": rates._asdict()}
        return _json(content, _code(state))

    @route(["/health/live", "/v2/health/live"], http_method=_READ)
    async def live(request: _Any) -> Response[bytes]:
        _note(request, "/health/live")
        return _json({"status": "alive"})

    @route(["/health/ready", "/v2/health/ready"], http_method=_READ)
    async def is_ready(request: _Any) -> Response[bytes]:
        _note(request, "/health/ready")
        ready()
        return _json({"status": "ready"})

    @route("/health/startup", http_method=_READ)
    async def startup(request: _Any) -> Response[bytes]:
        _note(request, "/health/startup")
        if state.phase.name == "starting":
            ready()
        return _json({"status": "started"})

    @route("/metrics", http_method=_READ)
    async def metrics(request: _Any) -> Response[bytes]:
        _note(request, "/metrics", "metrics")
        return Response(await page.text(), media_type=CONTENT_TYPE)

    return [health, detailed, live, is_ready, startup, metrics]


class _Page:
    """The text of the metrics, which takes ten milliseconds to make: those who ask together share one."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._next: asyncio.Task[bytes] | None = None

    async def text(self) -> bytes:
        """Return how things stand now or a little later."""
        if self._next is None:
            self._next = asyncio.create_task(self._made())
        return await asyncio.shield(self._next)

    async def _made(self) -> bytes:
        await asyncio.sleep(0)  # for others who ask in this turn of the event loop
        self._next = None
        _read_gauges(self._state)
        return self._state.metrics.text()


def _note(request: _Any, path: str, operation: str = "health") -> None:
    here = seen(request.scope)
    here.route, here.operation = path, operation


def _basic(state: State) -> dict[str, Any]:
    return {"status": "healthy" if state.phase.reason is None else "unhealthy", "timestamp": utc_now()}


def _code(state: State) -> int:
    return 200 if state.phase.reason is None else 503


def _json(content: Any, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(content), media_type=MediaType.JSON, status_code=status)


def _read_gauges(state: State) -> None:
    metrics, admission, usage = state.metrics, state.admission, state.system.usage()
    metrics.queue_depth.set(admission.waiting)
    metrics.queue_points.set(admission.waiting_points)
    metrics.workers_busy.set(admission.running)
    metrics.computing_for_nobody.set(admission.abandoned)
    metrics.cache_bytes.set(state.snapshot.cache.bytes)
    metrics.log_lost.set(state.log.lost)
    metrics.cpu.set(usage.cpu_usage / 100)
    metrics.memory.set(usage.memory_usage / 100)
    metrics.disk.set(usage.disk_usage / 100)
    metrics.ready.set(state.phase.reason is None)
    paths = state.snapshot.config.paths
    for name, path in (("data", paths.data_path), ("state", paths.state_path)):
        metrics.disk_free.labels(name).set(disk_of(path).free)
    for metric, mark in ((LAST_BACKUP, BACKUP), (AUDIT_VERIFIED, AUDIT)):
        if (moment := marked(paths.state_path, mark)) is not None:
            metrics.set_declared(metric, moment)
