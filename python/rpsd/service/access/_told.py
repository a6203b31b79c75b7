# SPDX-License-Identifier: MIT
"""How the audit log goes, and what else is amiss: told to the service's log, its metrics, its readiness."""

from __future__ import annotations

from rpsd.service._state import State
from rpsd.service.store._head import Head

_PART = "audit-log"


class Told:
    """What hears of the audit log, and of keys.

    Parameters
    ----------
    state : State
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def wrote(self, records: int) -> None:
        """Count records that are durable."""
        self._state.metrics.audit_records.inc(records)

    def failed(self, records: int) -> None:
        """Count records that are not."""
        self._state.metrics.audit_write_errors.inc(records)

    def changed(self, fault: str | None) -> None:
        """Tell that it begins to fail, or works again."""
        state = self._state
        if fault is None:
            state.phase.set_fault(_PART, None)
            state.log.write("WARNING", _PART, "the audit log can be written again")
            return
        closed = state.snapshot.config.security.audit_on_failure == "closed"
        if closed:
            state.phase.set_fault(_PART, "the audit log cannot be written")
        what = "requests are refused" if closed else "requests go on without a record"
        state.log.write("CRITICAL", _PART, f"{fault}; {what}")

    def key_changed(self, key_id: str) -> None:
        """Tell of a key that proves nobody any more, as somebody has written into the database."""
        text = f"key {key_id} was changed in the database by who lacks the state key: it proves nobody"
        self._state.log.write("CRITICAL", "api-keys", text, key=key_id)

    def ended_at(self, head: Head) -> None:
        """Tell where the chain ends: kept elsewhere, it shows that no end was cut off."""
        self._state.log.write("INFO", _PART, f"the audit log ends at {head.text()}", head=head.text())
