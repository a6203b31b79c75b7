# SPDX-License-Identifier: MIT
"""Who may pass: credentials, limits, roles and the audit log, before anything of a request is read."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Any, Final

from rpsd import StateError
from rpsd.service._observe import refuse, seen
from rpsd.service._problems import Problem
from rpsd.service._protocol import CERTIFICATE
from rpsd.service._state import State
from rpsd.service.access import _credentials, _routes
from rpsd.service.access._access import Access
from rpsd.service.access._audit import Record
from rpsd.service.access._credentials import Malformed, Shown
from rpsd.service.access._principal import ANYBODY, Principal
from rpsd.service.access._roles import FREE, HIDDEN, OPEN, QUIET, UNCHANGING, may

#: Seconds that an answer waits for its record.
_PATIENCE: Final = 5.0
_CHALLENGE: Final = 'Bearer realm="rpsd"'
#: Close codes of a WebSocket (RFC 6455, 7.4.1): policy, try again later.
_POLICY, _LATER = 1008, 1013
_FAILED: Final = 500


class Guard:
    """Middleware that passes on what may pass, with `Seen.principal` set.

    An answer leaves when the record of its decision is durable. What changes nothing is computed meanwhile.
    Of a WebSocket the handshake is decided on, and again with each message whether it may go on.

    Parameters
    ----------
    app : ASGI application
    state : State
    access : Access
    """

    def __init__(self, app: Any, state: State, access: Access) -> None:
        self._app = app
        self._state = state
        self._access = access

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = _Request(scope)
        request.here.principal = ANYBODY
        try:
            written = await self._decide(request)
        except Problem as problem:
            await self._refuse(request, problem, send)
            return
        if written is None:
            await self._app(scope, receive, send)
            return
        waiting = _Waiting(self._access, request, written, send)
        if scope["type"] == "websocket":
            receive = self._watched(request, receive, waiting)
        try:
            await self._app(scope, receive, waiting.send)
        finally:
            self._charge(request)

    async def _decide(self, request: _Request) -> asyncio.Future[bool] | None:
        """Return what tells when the decision is recorded, None where it needs no record."""
        if _credentials.in_address(request.path, request.query):
            failures = self._access.attempts.fail(request.address, "address", guess=False)
            request.quiet = failures > self._most_attempts
            raise Problem(
                "credentials-in-address",
                "a credential belongs in the header Authorization; take this one out of use",
            )
        row = _routes.row_of(request.path)
        permission = None if row is None else row.permissions.get(request.method)
        request.route = "none" if row is None else row.route
        if permission == OPEN:
            return None
        request.here.principal = principal = await self._principal(request)
        self._take(request, principal)
        others: set[str] = set() if row is None else row.permissions.keys() - {_routes.WEBSOCKET}
        needed = [] if row is None else list(row.permissions.values())
        hidden = HIDDEN.issuperset(needed) and not any(may(principal, one) for one in needed)
        if permission is None and (not others or hidden or request.method == _routes.WEBSOCKET):
            raise Problem("not-found", "there is no such address")
        if permission is None:
            allowed = ", ".join(sorted(others))
            raise Problem("method-not-allowed", f"allowed: {allowed}", headers={"allow": allowed})
        request.permission = permission
        self._check(request, principal)
        if permission in QUIET and request.method in ("GET", "HEAD"):
            return None
        written = self._record(request, "allowed")
        if request.route not in UNCHANGING:
            await self._durable(written)
        return written

    def _watched(self, request: _Request, receive: Any, waiting: _Waiting) -> Any:
        """Return what receives the messages of a WebSocket, and ends it where it may not go on."""

        async def receiving() -> Any:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            try:
                self._charge(request)
                self._check(request, await self._principal(request, slowed=False))
            except Problem as problem:
                await self._recorded(request, problem)
                await waiting.end(problem)
                return {"type": "websocket.disconnect", "code": _POLICY}
            return message

        return receiving

    def _check(self, request: _Request, principal: Principal) -> None:
        """Raise the Problem of a principal that may not do something, or had its samples of today."""
        permission = request.permission
        if not may(principal, permission):
            if permission in HIDDEN:
                raise Problem("not-found", "there is no such address")
            raise Problem("forbidden", "the roles of these credentials do not allow it")
        methods, routes = FREE
        if permission == "compute" and request.method not in methods and request.route not in routes:
            self._check_quota(principal)

    async def _principal(self, request: _Request, *, slowed: bool = True) -> Principal:
        """Return who asks, or say that nobody knows; slowed: unseen where too many of his address failed."""
        try:
            shown = _credentials.read(request.headers, request.certificate)
        except Malformed:
            raise self._failed(request, "malformed", None) from None
        if shown is None:
            raise self._failed(request, "none", None)
        known = self._access.finder.known(shown)
        if known is not None:
            return known
        # What was good a while ago is no guess: others of its address must not keep it out.
        wait = 0.0
        if slowed and not self._access.finder.was_good(shown):
            wait = self._access.attempts.wait(request.address, shown.prefix, self._most_attempts)
        if wait:
            self._state.metrics.auth_failures.labels("slowed").inc()
            request.quiet = True  # those that slowed it are in the audit log
            raise _limited("rate-limited", "too many credentials that failed", wait)
        try:
            principal = await self._access.finder.find(shown)
        except StateError:
            self._state.metrics.auth_failures.labels("unchecked").inc()
            raise Problem(
                "not-checked", "credentials cannot be checked now", headers={"retry-after": "1"}
            ) from None
        if principal is None:
            raise self._failed(request, shown.kind, shown)
        self._state.metrics.saw(principal.name)
        return principal

    @property
    def _most_attempts(self) -> int:
        return self._access.security.failed_credentials

    def _failed(self, request: _Request, reason: str, shown: Shown | None) -> Problem:
        """Count credentials that are missing or prove nobody, and return the answer."""
        self._state.metrics.auth_failures.labels(reason).inc()
        prefix = reason if shown is None else shown.prefix
        # Where there is no credential nothing is looked up, and nobody guesses.
        failures = self._access.attempts.fail(request.address, prefix, guess=shown is not None)
        request.quiet = failures > self._most_attempts
        request.reason = prefix
        wrong = ', error="invalid_token"' * (reason != "none")
        return Problem(
            "unauthenticated",
            "give a good credential in the header Authorization: Bearer",
            headers={"www-authenticate": _CHALLENGE + wrong},
        )

    def _take(self, request: _Request, principal: Principal) -> None:
        access = self._access
        rate, burst = access.rate_of(principal), access.security.rate_burst
        taken = access.limits.take(principal.name, rate, burst)
        request.headers_out = [
            (b"ratelimit-policy", f'"requests";q={burst + 1};w={math.ceil((burst + 1) / rate)}'.encode()),
            (b"ratelimit", f'"requests";r={taken.left};t={math.ceil(taken.reset)}'.encode()),
        ]
        if taken.wait:
            self._state.metrics.ratelimited.inc()
            # One record a second tells of a principal that is over its rate.
            request.quiet = not access.limits.take(f"record {principal.name}", 1.0, 1).left
            raise _limited("rate-limited", f"{rate:g} requests a second are allowed", taken.wait)

    def _check_quota(self, principal: Principal) -> None:
        most = self._access.points_of(principal)
        if most is not None:
            quota = self._access.quota
            if quota.used(principal.name) >= most:
                self._state.metrics.ratelimited.inc()
                raise _limited("quota-used", f"{most} samples a day are allowed", quota.until_tomorrow())

    def _charge(self, request: _Request) -> None:
        """Count the samples of a request that were not counted yet."""
        here = request.here
        points, request.charged = here.data_size - request.charged, here.data_size
        if points and self._access.points_of(here.principal) is not None:
            self._access.quota.charge(here.principal.name, points)

    def _record(self, request: _Request, outcome: str, **details: Any) -> asyncio.Future[bool]:
        record = Record(
            request.here.principal.name,
            f"{request.method} {request.route}",
            outcome,
            {
                "address": request.address,
                "request_id": request.here.request_id,
                **_routes.chosen(request.route, request.path),
                **details,
            },
        )
        written = self._access.recorder.write(record)
        if written is None:
            written = asyncio.get_running_loop().create_future()
            written.set_result(False)
        return written

    async def _durable(self, written: asyncio.Future[bool]) -> None:
        if not await is_durable(self._access, written):
            raise not_recorded()

    async def _recorded(self, request: _Request, problem: Problem) -> bool:
        """Return whether a refusal may be told: its record is durable, or there need not be one."""
        if request.quiet or problem.name in ("not-checked", "not-recorded"):
            return True
        details = {"status": problem.status, "reason": problem.name}
        if request.reason:
            details["credential"] = request.reason
        return await is_durable(self._access, self._record(request, "denied", **details))

    async def _refuse(self, request: _Request, problem: Problem, send: Any) -> None:
        if not await self._recorded(request, problem):
            problem = not_recorded()
        problem.headers.update({name.decode(): value.decode() for name, value in request.headers_out})
        await refuse(request.scope, problem, send)


class _Request:
    """What the guard knows of a request."""

    __slots__ = (
        "address", "certificate", "charged", "headers", "headers_out", "here", "method", "path", "permission",
        "query", "quiet", "reason", "route", "scope",
    )  # fmt: skip

    def __init__(self, scope: Any) -> None:
        self.scope = scope
        self.here = seen(scope)
        self.method: str = scope.get("method", _routes.WEBSOCKET)
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.address = str((scope.get("client") or ("unknown",))[0])
        self.certificate: bytes | None = (scope.get("state") or {}).get(CERTIFICATE)
        self.headers_out: list[tuple[bytes, bytes]] = []
        self.route = "none"
        self.permission = OPEN
        self.charged = 0
        self.reason = ""
        self.quiet = False


class _Waiting:
    """Holds an answer back until its record is durable."""

    def __init__(self, access: Access, request: _Request, written: asyncio.Future[bool], send: Any) -> None:
        self._access = access
        self._request = request
        self._written = written
        self._send = send
        self._refused = False

    async def send(self, message: Any) -> None:
        """Send, or answer in its place."""
        if message["type"] in ("http.response.start", "websocket.accept"):
            if not await is_durable(self._access, self._written):
                self._refused = True
                await refuse(self._request.scope, not_recorded(), self._send)
                return
            message["headers"] = [*message.get("headers", ()), *self._request.headers_out]
        if not self._refused:
            await self._send(message)

    async def end(self, problem: Problem) -> None:
        """End a WebSocket, as its handlers do: with the problem, and a code."""
        self._refused = True
        here = self._request.here
        here.message, here.level, here.fields["problem"] = problem.title, "WARNING", problem.name
        text = problem.body(here.request_id).decode()
        with contextlib.suppress(OSError):  # the client left
            await self._send({"type": "websocket.send", "text": text})
            code = _POLICY if problem.status < _FAILED else _LATER
            await self._send({"type": "websocket.close", "code": code, "reason": problem.name})


async def is_durable(access: Access, written: asyncio.Future[bool]) -> bool:
    """Return whether an answer may leave: its record is durable, or need not be."""
    try:
        async with asyncio.timeout(_PATIENCE):
            done = await asyncio.shield(written)
    except TimeoutError:
        done = False
    return done or access.security.audit_on_failure == "open"


def not_recorded() -> Problem:
    """Return the problem of what cannot be recorded."""
    return Problem("not-recorded", "come back later", headers={"retry-after": "5"})


def _limited(name: str, detail: str, wait: float) -> Problem:
    return Problem(name, detail, headers={"retry-after": str(max(1, math.ceil(wait)))})
