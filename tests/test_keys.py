# SPDX-License-Identifier: MIT
"""Keys in a database that somebody else writes to: what was not made by rpsd proves nobody."""

import contextlib

import pytest
import sqlalchemy as sa
from guarded import guarded
from states import database, postgres, raw_engine, run_sql, state_key, url

from rpsd import StateError
from rpsd.service.access._keys import Keys, KeyText
from rpsd.service.store._database import Database
from rpsd.service.store._schema import api_keys

__all__ = ["database", "postgres", "state_key", "url"]
BOUND = [name for name in api_keys.c.keys() if name != "last_used"]  # noqa: SIM118  of columns
#: What the owner of a key writes into its row, past rpsd.
CHANGES = {
    "id": "'ForgedForged'", "name": "'x'", "tenant": "'victim'", "roles": """'["admin","user"]'""",
    "limits": """'{"rate":1e9,"points_per_day":null}'""", "digest": "digest_before",
    "digest_before": "digest", "before_until": "9000000000000000", "created": "created + 1",
    "expires": "NULL", "revoked": "1", "mac": "NULL",
}  # fmt: skip


def rows(url):
    with contextlib.closing(raw_engine(url)) as engine, engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.select(api_keys))]


@pytest.mark.parametrize("column", BOUND)
def test_a_row_with_any_column_changed_proves_nobody(database, url, column):
    told = []
    keys = Keys(database, told.append)
    key, old = keys.create("alice", ["viewer"], seconds=3600)
    _, new = keys.rotate(key.id, 3600)
    assert keys.find(old) == keys.find(new) is not None
    run_sql(url, f"UPDATE api_keys SET {column} = {CHANGES[column]}")
    id = rows(url)[0]["id"]
    texts = [KeyText(id, KeyText.parse(text).secret).text() for text in (old, new)]
    assert [keys.find(text) for text in texts] == [None, None]
    assert told == [id, id]
    assert not keys.is_any()
    (listed,) = keys.all()
    assert (listed.holds, listed.roles) == (False, ())
    for change in (keys.rotate, keys.revoke):  # would bind what was written
        with pytest.raises(StateError, match="was changed past rpsd, and proves nobody"):
            change(id)
    assert [keys.find(text) for text in texts] == [None, None]


@pytest.mark.parametrize("value", ["'abc'", "3000000000", "9e18", "x'00'"])
@pytest.mark.parametrize("column", ["digest", "digest_before", "mac", "last_used", "created", "name"])
def test_values_of_any_type_prove_nobody(tmp_path, state_key, column, value):
    """SQLite takes them; a number is not made as many bytes."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    with contextlib.closing(Database(url, state_key)) as database:
        told = []
        keys = Keys(database, told.append)
        key, text = keys.create("alice", ["viewer"])
        run_sql(url, f"UPDATE api_keys SET {column} = {value}")
        fine = column == "last_used" and value in ("3000000000", "9e18")  # whole numbers
        assert (keys.find(text) is None) is not fine
        assert told == ([] if fine else [key.id])
        (listed,) = keys.all()
        assert listed.holds is fine


def test_a_change_that_did_not_happen_is_no_success(tmp_path, state_key):
    url = f"sqlite:///{tmp_path / 'state.db'}"
    with contextlib.closing(Database(url, state_key)) as database:
        keys = Keys(database)
        key, _ = keys.create("alice", ["viewer"])
        run_sql(url, "CREATE TRIGGER t BEFORE UPDATE ON api_keys BEGIN SELECT RAISE(IGNORE); END")
        with pytest.raises(StateError, match="was not changed"):
            keys.revoke(key.id)


def test_every_column_is_tried():
    assert set(CHANGES) == set(BOUND)


def test_a_row_that_is_copied_from_ones_own_proves_nobody(database, url):
    keys = Keys(database)
    _, text = keys.create("viewer", ["viewer"])
    copied = {**rows(url)[0], "id": "ForgedForged", "roles": '["admin","operator","user"]'}
    with contextlib.closing(raw_engine(url)) as engine, engine.begin() as connection:
        connection.execute(api_keys.insert().values(copied))
    assert keys.find(KeyText("ForgedForged", KeyText.parse(text).secret).text()) is None
    assert keys.find(text).roles == {"viewer"}


def test_what_is_done_with_keys_holds(database):
    keys, told = Keys(database), []
    key, text = keys.create("alice", ["user"], seconds=3600)
    assert Keys(database, told.append).find(text).roles == {"user"}
    assert keys.find(text) is not None  # it was written when it was last used
    _, new = keys.rotate(key.id, 0)
    assert (keys.find(text), keys.find(new).tenant) == (None, "alice")
    assert keys.revoke(key.id).revoked == keys.revoke(key.id).revoked
    assert keys.find(new) is None
    assert [one.holds for one in keys.all()] == [True]
    assert told == []


def test_a_service_tells_of_a_key_that_was_changed(tmp_path):
    with guarded(tmp_path) as service:
        service.start()
        assert service.ask("viewer", "GET", "/metrics").status == 200
        id = service.ids["auditor"]
        run_sql(
            f"sqlite:///{tmp_path / 'state' / 'rpsd.db'}",
            f"""UPDATE api_keys SET roles = '["admin"]' WHERE id = '{id}'""",
        )
        assert [service.ask("auditor", "GET", "/metrics").status for _ in range(2)] == [401, 401]
        line = service.server.logged(operation="api-keys", level="CRITICAL")
        assert line["key"] == id
        assert service.server.stop() == 0
        (record,) = service.records(action="api-key")  # not one for each request
        assert (record["who"], record["outcome"], record["key"]) == ("service", "denied", id)
