# SPDX-License-Identifier: MIT
"""Start, listen, drain and stop."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

import uvicorn

import rpsd
from rpsd import Config, RpsdError
from rpsd.service import _notes, _tls
from rpsd.service._accept import Acceptor
from rpsd.service._admission import Admission
from rpsd.service._app import make_app
from rpsd.service._door import Door
from rpsd.service._exposure import asks_credentials, is_local, open_access, open_to_others
from rpsd.service._log import Forwarded, Log
from rpsd.service._metrics import CERTIFICATE_END, Metrics
from rpsd.service._pace import PATIENCE
from rpsd.service._protocol import Times, make_protocol, sweep
from rpsd.service._reload import Reload
from rpsd.service._selfcheck import SelfCheck
from rpsd.service._snapshot import Snapshot
from rpsd.service._state import State
from rpsd.service._supervisor import Watchdog, given_sockets, notify
from rpsd.service._system import System
from rpsd.service._tracing import Tracer
from rpsd.service._warm import warm_computing, warm_routing
from rpsd.service._workers import Workers
from rpsd.service.jobs._jobs import Jobs
from rpsd.service.jobs._runner import Runner
from rpsd.service.streams._forms import most_bytes
from rpsd.service.streams._socket import make_socket_protocol

_BACKLOG: Final = 2048
_UVLOOP: Final = importlib.util.find_spec("uvloop") is not None
_FAILURE: Final = 1
_SELF_CHECK: Final = "self-check"
_CAN_RELOAD: Final = hasattr(signal, "SIGHUP")
#: Seconds between two ticks of uvicorn's server.
_TICK: Final = 0.1


def serve(config: Config, load: Callable[[], Config] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, finish what is under way, and return the exit code.

    Parameters
    ----------
    config : Config
        Its sections service, monitoring and performance say how; denoiser and guardrails are what requests
        find where they say nothing.
    load : callable, optional
        Reads the configuration anew, where SIGHUP asks for it; None keeps this one.

    Returns
    -------
    int
        0 where it stopped as told, 1 where it was told a second time and left requests unanswered.

    Raises
    ------
    ConfigError
        For a host that others can reach while nobody can prove who he is, and options that fit no denoiser.
    RpsdError
        Where a port cannot be had.
    """
    snapshot = Snapshot(config)
    service = snapshot.service
    tls = _tls.Tls(config.security) if _tls.is_on(config.security) else None
    database = open_to_others(config) if asks_credentials(config) else None
    ports = (config.monitoring.metrics_port, service.port or config.monitoring.metrics_port)
    sockets = given_sockets(ports, local=is_local(service.host)) or [
        _listen(service.host, port) for port in dict.fromkeys(ports)
    ]
    tracer = Tracer(service.trace_endpoint, service.trace_ratio) if service.trace_endpoint else None
    log = Log(sys.stderr.buffer, config.monitoring.log_level)
    _take_over_logging(log)
    workers, metrics = Workers(config.performance.max_workers), Metrics()
    state = State(
        snapshot=snapshot,
        ports=ports,
        log=log,
        metrics=metrics,
        admission=Admission(
            workers, service.queue_requests, service.queue_points, metrics.count, metrics.batch_size.observe
        ),
        system=System(config.paths.data_path),
        tracer=tracer,
        _database=database,
    )
    if tls is not None:
        metrics.set_declared(CERTIFICATE_END, tls.not_after)
    if database is not None:
        state.access = open_access(state, database)
    self_check = SelfCheck(
        lambda: state.snapshot.config.monitoring.health_check_interval,
        lambda fault: _tell_fault(state, fault),
    )
    jobs = Jobs(state)
    server = _make_server(state, jobs, self_check, load or (lambda: config), tls)
    begin = time.monotonic()
    self_check.run()  # before anybody is told that it is ready
    try:
        with _hangup_ignored():
            server.run(sockets=sockets)
    finally:
        server.door.tell()
        jobs.runner.close()
        self_check.stop()
        workers.close()
        if state.access is not None and not state.access.close():
            log.write("ERROR", "stop", "records of the audit log were lost")
        if tracer is not None:
            tracer.close()
        code = _FAILURE if server.force_exit else 0
        seconds = round(time.monotonic() - begin, 3)
        log.write("INFO", "stop", f"stopped after {seconds} s", processing_time=seconds)
        log.close()
    return code


def _tell_fault(state: State, fault: str | None) -> None:
    """Heed the end of a self-check; called by its thread."""
    before = state.phase.set_fault(_SELF_CHECK, fault)
    state.metrics.checked(fault)
    if fault is not None:
        state.log.write("CRITICAL", _SELF_CHECK, f"{fault}; requests are refused")
    elif before is not None:
        state.log.write("WARNING", _SELF_CHECK, "the self-check passes again")


@contextlib.contextmanager
def _hangup_ignored() -> Iterator[None]:
    """Until there is a handler, and after it is gone, SIGHUP would end the process."""
    if not _CAN_RELOAD or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let two servers have one port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise RpsdError(f"port {port} of {host} cannot be had: {error.strerror}") from None
    return listener


def _take_over_logging(log: Log) -> None:
    """Send what libraries log, and warnings of no request, through the log of the service."""
    root = logging.getLogger()
    root.handlers = [Forwarded(log)]
    root.setLevel(logging.WARNING)
    ours = logging.getLogger("rpsd")
    ours.handlers, ours.propagate = [], True
    _notes.install(lambda text: log.write("WARNING", "warning", text))


class _Server(uvicorn.Server):
    """uvicorn's server with an end of our own: it would end by the signal itself, and at once."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: State,
        door: Door,
        acceptor: Acceptor,
        self_check: SelfCheck,
        reload: Reload,
        runner: Runner,
        warm: Callable[[], Any],
    ) -> None:
        super().__init__(config)
        self._warm = warm
        self._state = state
        self.door = door
        self._acceptor = acceptor
        self._self_check = self_check
        self._reload = reload
        self._runner = runner
        self._signals: list[int] = []
        self._close_at: float | None = None
        self._ticked = 0.0
        self._watchdog = Watchdog()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, ready for what comes."""
        await self._warm()
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        sweep(loop, self.server_state.connections)
        if type(loop).__module__.startswith("uvloop"):  # asyncio's own takes all that wait
            self._acceptor.start(loop, sockets or (), self._make_connection)
        if _CAN_RELOAD and threading.current_thread() is threading.main_thread():
            self._reload.start(loop)
            loop.add_signal_handler(signal.SIGHUP, self._reload.request)
        self._self_check.start()
        self._state.phase.serve()
        self._runner.start()
        names = [one.getsockname()[:2] for one in sockets or []]
        places = ", ".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in names)
        text = f"rpsd {rpsd.__version__} listens on {places}"
        self._state.log.write("INFO", "start", text, config=self._state.snapshot.digest)
        notify("READY=1", f"STATUS={text}")

    def _make_connection(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Remember a signal: it may come in the middle of anything, the log's own locks among them."""
        self._signals.append(sig)
        if len(self._signals) > 1:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, ask whether to drain, or to close the doors."""
        if self._signals and self._close_at is None:
            self._state.phase.drain()
            sig = signal.Signals(self._signals[0])
            delay = 0.0 if sig == signal.SIGINT else self._state.snapshot.service.drain_delay
            self._close_at = time.monotonic() + delay
            self._state.log.write("INFO", "stop", f"{sig.name}: draining, {delay} s with open doors")
            notify("STOPPING=1", "STATUS=draining")
        now = time.monotonic()
        if self._ticked:
            self._state.metrics.loop_lag.observe(max(0.0, now - self._ticked - _TICK))
        self._ticked = now
        self.door.tell()
        if self._self_check.overdue:
            self._state.phase.set_fault(_SELF_CHECK, "the self-check does not end")
        elif self._self_check.fault is None:
            self._watchdog.feed(now)
        if self._close_at is not None and time.monotonic() >= self._close_at:
            self.should_exit = True
        return await super().on_tick(counter)


def _make_server(
    state: State, jobs: Jobs, self_check: SelfCheck, load: Callable[[], Config], tls: _tls.Tls | None
) -> _Server:
    times, door = Times(), Door(state)
    acceptor = Acceptor(None if tls is None else tls.context)
    app, inner = make_app(state, jobs)

    async def warm() -> None:
        warm_computing(state.snapshot)
        await warm_routing(inner, state.snapshot, state.ports[1])

    config = uvicorn.Config(
        app,
        loop="uvloop" if _UVLOOP else "asyncio",
        http=make_protocol(times, door, acceptor),
        ws=make_socket_protocol,  # type: ignore[arg-type]  # whatever makes one
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # a reader that is held up would not see the answer; idle ones are closed
        lifespan="off",
        log_config=None,
        access_log=False,
        backlog=_BACKLOG,
        server_header=False,
        proxy_headers=False,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls.context,
    )

    def check(settings: Config) -> Callable[[], None]:
        """Read what a configuration names; return what puts it to use."""
        asks_credentials(settings)
        loaded = _tls.load(settings.security) if tls is not None and _tls.is_on(settings.security) else None
        credentials = None if state.access is None else state.access.prepare(settings)

        def use() -> None:
            if tls is not None and loaded is not None:
                tls.use(loaded)
                state.metrics.set_declared(CERTIFICATE_END, tls.not_after)
            if credentials is not None:
                credentials()

        return use

    def apply(snapshot: Snapshot) -> None:
        service = snapshot.service
        times.header, times.body = service.header_timeout, service.body_timeout
        times.send = service.send_timeout
        config.ws_max_size = most_bytes(service.max_push)
        state.admission.pace.most = PATIENCE * service.request_timeout
        config.timeout_graceful_shutdown = service.drain_timeout
        if state.access is not None:
            state.access.note("configuration", config=snapshot.digest)

    apply(state.snapshot)
    return _Server(
        config, state, door, acceptor, self_check, Reload(state, load, check, apply), jobs.runner, warm
    )
