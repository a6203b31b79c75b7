# SPDX-License-Identifier: MIT
"""What decides on access, as long as the process lives."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from rpsd import Config
from rpsd.service.access import _certificates
from rpsd.service.access._attempts import Attempts
from rpsd.service.access._audit import AuditLog, Record
from rpsd.service.access._credentials import Shown
from rpsd.service.access._finder import Finder
from rpsd.service.access._keys import Keys
from rpsd.service.access._limits import Limits
from rpsd.service.access._principal import Principal
from rpsd.service.access._quota import Quota
from rpsd.service.access._recorder import Heard as HeardOfLog
from rpsd.service.access._recorder import Recorder
from rpsd.service.access._tokens import Tokens
from rpsd.service.store._database import Database

#: Seconds between two times that it is told of one key, and how many keys are remembered.
_TELL_EVERY: Final = 60.0
_KEPT: Final = 1000


class Heard(HeardOfLog, Protocol):
    """Who is told how the audit log goes, and of keys that somebody changed; by threads."""

    def key_changed(self, key_id: str) -> None:
        """Hear that somebody shows a key whose row was changed by who lacks the state key."""


class Access:
    """Credentials, limits and the audit log of one process.

    Parameters
    ----------
    config : Config
    database : Database
    heard : Heard
    """

    def __init__(self, config: Config, database: Database, heard: Heard) -> None:
        self._keys = Keys(database, self._changed)
        self._heard = heard
        self._told: dict[str, float] = {}
        self.attempts = Attempts()
        self.limits = Limits()
        self.quota = Quota(database)
        self.finder = Finder(self._find)
        self._tokens: Tokens | None = None
        self.prepare(config)()
        self.recorder = Recorder(AuditLog(database), heard, self.quota.flush)

    def prepare(self, config: Config) -> Callable[[], None]:
        """Read what a configuration names; return what puts it to use.

        Raises
        ------
        ConfigError
            For an issuer's keys that are none, and roles that there are not.
        """
        security = config.security
        tokens = Tokens.of(security, self._tokens)
        certificates = _certificates.Identities(security.certificate_roles)

        def use() -> None:
            self.security, self._tokens, self._certificates = security, tokens, certificates

        return use

    def _find(self, shown: Shown) -> Principal | None:
        principal = self._principal(shown)
        if principal is not None and self.points_of(principal) is not None:
            self.quota.refresh(principal.name)
        return principal

    def _principal(self, shown: Shown) -> Principal | None:
        if shown.kind == "certificate":
            return self._certificates.find(shown.content)
        text = shown.content.decode("ascii")
        if shown.kind == "key":
            return self._keys.find(text)
        return None if self._tokens is None else self._tokens.find(text)

    def _changed(self, key_id: str) -> None:
        now = time.monotonic()
        if now - self._told.get(key_id, -math.inf) < _TELL_EVERY:
            return
        if len(self._told) >= _KEPT:
            self._told.clear()
        self._told[key_id] = now
        self._heard.key_changed(key_id)
        self.note("api-key", "denied", key=key_id, message="its row was changed past rpsd")

    def points_of(self, principal: Principal) -> int | None:
        """Return the samples a day of a principal, None where any number is allowed."""
        own = principal.limits.points_per_day
        return self.security.points_per_day if own is None else own

    def rate_of(self, principal: Principal) -> float:
        """Return the requests a second of a principal."""
        own = principal.limits.rate
        return self.security.rate_limit if own is None else own

    def note(self, action: str, outcome: str = "done", **details: Any) -> None:
        """Have an act of the service itself recorded, or what it found."""
        self.recorder.note(Record("service", action, outcome, details))

    def close(self) -> bool:
        """Write what waits; return whether all of the audit log is durable."""
        self.finder.close()
        return self.recorder.close()
