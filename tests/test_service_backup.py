# SPDX-License-Identifier: MIT
"""The drill: a backup of a service at work, all of it destroyed, restored elsewhere, gone on to the bit."""

import json
import os
import threading
from pathlib import Path

import pytest
from command import run_command
from guarded import guarded
from postgres import postgres
from streaming import PATH, create, push, same, samples, taken

from rpsd.service.store._seal import StateKey

__all__ = ["postgres"]
X = samples(6000, seed=5)
LOOKAHEAD = 2
METRIC = "rpsd_backup_last_success_timestamp_seconds"


def command(home, url, *arguments):
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RPSD_")},
        "HOME": str(home),
        "RPSD_STATE_URL": url,
        "RPSD_STATE_KEY_FILE": f"{home}/key",
        "RPSD_STATE_DIR": f"{home}/state",
    }
    done = run_command(*map(str, arguments), env=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def destroy(url, postgres):
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        for one in path.parent.glob(f"{path.name}*"):
            one.unlink()
    else:
        name = url.removeprefix("postgresql://rpsd@/").partition("?")[0]
        postgres.sql("postgres", f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.parametrize(
    "kinds", [("sqlite", "postgresql"), pytest.param(("postgresql", "sqlite"), marks=pytest.mark.slow)]
)
def test_backup_destroy_restore_and_go_on(kinds, postgres, tmp_path):
    first, second = (
        f"sqlite:///{tmp_path / 'db' / 'rpsd.db'}" if k == "sqlite" else postgres.url() for k in kinds
    )
    answered, over, file, key = [], threading.Event(), tmp_path / "backup", tmp_path / "key"
    key.write_bytes(StateKey.new().reveal())
    key.chmod(0o600)
    with guarded(tmp_path, state_url=first, state_key_file=key, rate_limit=10_000) as service:
        service.start()
        user = service.as_("user")
        id = create(user, lookahead=LOOKAHEAD)

        def pushing():
            while not over.wait(0.02) and 5 * len(answered) < len(X) - 100:
                at = 5 * len(answered)
                answer = push(user, id, X[at : at + 5], len(answered) + 1)
                assert answer.status == 200, answer.body
                answered.append(answer.json["values"])

        at_work = threading.Thread(target=pushing)
        at_work.start()
        while len(answered) < 20:
            threading.Event().wait(0.01)
        assert service.metric(METRIC) == 0  # without a value
        head = command(tmp_path, first, "backup", file)
        known = len(answered)
        while len(answered) < known + 5:
            assert at_work.is_alive()
            threading.Event().wait(0.01)
        over.set()
        at_work.join()
        assert service.metric(METRIC) > 1.7e9
        service.server.process.kill()
        keys = service.keys
    destroy(first, postgres)
    assert command(tmp_path, second, "restore", file) == head
    assert "records hold" in command(tmp_path, second, "audit-log", "verify", "--head", head)
    with guarded(tmp_path, state_url=second, state_key_file=key) as service:
        service.keys = keys  # of the service before: they are in the backup
        service.start()
        user = service.as_("user")
        told = user.ask("GET", f"{PATH}/{id}").json
        sequence = told["sequence"]
        assert 20 <= sequence <= len(answered)
        assert told["samples"] == 5 * sequence
        again = push(
            user, id, X[5 * sequence - 5 : 5 * sequence], sequence
        )  # asked again, as after a lost answer
        assert again.json["values"] == answered[sequence - 1]
        rest = push(user, id, X[5 * sequence :], sequence + 1).json["values"]
        y = [value for one in answered[:sequence] for value in one] + rest
        assert same(taken(y), X, LOOKAHEAD)
        assert (
            json.loads(command(tmp_path, second, "backup", file, "--verify", "--json"))["audit_head"] == head
        )
