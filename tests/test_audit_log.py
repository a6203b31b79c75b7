# SPDX-License-Identifier: MIT
"""The audit log's chain: whatever is done to it from outside is found, in both databases."""

import contextlib
import hashlib
import hmac
import json
import random
import sqlite3
import threading

import pytest
import sqlalchemy as sa
from states import database, postgres, raw_engine, run_sql, state_key, url

from rpsd import StateError
from rpsd.cli._app import run
from rpsd.service.access._audit import AuditLog, Record
from rpsd.service.access._recorder import Recorder
from rpsd.service.store._database import Database
from rpsd.service.store._head import START, Head
from rpsd.service.store._schema import audit_head

__all__ = ["database", "postgres", "state_key", "url"]
RECORDS = [Record(f"key:{n % 3}", f"POST /v1/{n}", "allowed", {"request_id": f"r{n}"}) for n in range(8)]


@pytest.fixture
def audit(database):
    log = AuditLog(database)
    for begin in range(0, len(RECORDS), 3):
        log.write(RECORDS[begin : begin + 3])
    assert log.verify() == (8, None, log.head())
    return log


def test_the_chain_is_as_it_is_said_to_be(audit, database):
    """By the standard library alone: HMAC-SHA-256 of the digest before, the number and the record."""
    key, before = database.seal.derive("audit chain"), bytes(32)
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT number, record, digest FROM audit ORDER BY number").all()
        ((number, end),) = connection.exec_driver_sql("SELECT number, digest FROM audit_head").all()
    for n, record, digest in rows:
        before = hmac.digest(key, before + n.to_bytes(8, "big") + record.encode(), hashlib.sha256)
        assert bytes(digest) == before
        content = json.loads(record)
        assert content["number"] == n
        assert record == json.dumps(content, separators=(",", ":"), sort_keys=True)
    assert (number, bytes(end)) == (8, before)


CHANGES = {
    "a record changed": (
        "UPDATE audit SET record = replace(record, 'allowed', 'alloweb') WHERE number = 3", 3,
    ),
    "a time changed": ("UPDATE audit SET time = time + 1 WHERE number = 5", 5),
    "the first removed": ("DELETE FROM audit WHERE number = 1", 1),
    "one removed": ("DELETE FROM audit WHERE number = 4", 4),
    "the last removed": ("DELETE FROM audit WHERE number = 8", None),
    "the end cut off": ("DELETE FROM audit WHERE number > 5", None),
    "all removed": ("DELETE FROM audit", None),
    "two swapped": (
        "UPDATE audit SET number = 100 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 6; "
        "UPDATE audit SET number = 6 WHERE number = 100", 2,
    ),
    "one added before": (
        "INSERT INTO audit SELECT -5, time, record, digest FROM audit WHERE number = 1", 1,
    ),
    "the least number added": (
        f"INSERT INTO audit SELECT {-(2**63)}, time, record, digest FROM audit WHERE number = 1", 1,
    ),
    "number 0 added": ("INSERT INTO audit SELECT 0, time, record, digest FROM audit WHERE number = 1", 1),
    "one numbered anew": ("UPDATE audit SET number = 9 WHERE number = 8", 8),
    "one added": ("INSERT INTO audit SELECT 9, time, record, digest FROM audit WHERE number = 8", 9),
    "one copied over": (
        "UPDATE audit SET record = (SELECT record FROM audit WHERE number = 2), "
        "digest = (SELECT digest FROM audit WHERE number = 2) WHERE number = 3", 3,
    ),
    "a digest that is none": ("UPDATE audit SET digest = 'abc' WHERE number = 1", 1),
    "a head before the first": ("UPDATE audit_head SET number = -5", None),
    "a head of another form": ("UPDATE audit_head SET digest = 'abc'", None),
    "the head removed": ("DELETE FROM audit_head", None),
    "the head turned back": ("UPDATE audit_head SET number = 5", None),
    "the head and the end turned back": (
        "UPDATE audit_head SET number = 5, digest = (SELECT digest FROM audit WHERE number = 5); "
        "DELETE FROM audit WHERE number > 5", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_done_to_it_is_found(audit, url, what):
    statements, number = CHANGES[what]
    run_sql(url, *statements.split("; "))
    verdict = audit.verify()
    assert verdict.fault is not None
    if "a head" in what:
        with pytest.raises(StateError, match="the head of the audit log was changed"):
            audit.write(RECORDS[:1])
    if number is not None:
        assert verdict.fault.startswith(f"record {number} ")
        assert verdict.records == number - 1


def test_an_older_copy_of_all_of_it_is_found_by_a_head_kept_elsewhere(tmp_path, state_key):
    path = tmp_path / "rpsd.db"
    database = Database(f"sqlite:///{path}", state_key)
    log = AuditLog(database)
    log.write(RECORDS[:3])
    database.close()
    older = path.read_bytes()
    with contextlib.closing(Database(f"sqlite:///{path}", state_key)) as database:
        head = AuditLog(database).write(RECORDS[3:])
    path.write_bytes(older)
    for rest in tmp_path.glob("rpsd.db-*"):
        rest.unlink()
    with contextlib.closing(Database(f"sqlite:///{path}", state_key)) as database:
        log = AuditLog(database)
        assert log.verify().fault is None  # by itself it is whole
        assert "before the head given" in log.verify(head).fault
        other = log.write([Record("mallory", "x", "done")] * 5)
        assert other.number == head.number
        assert "is not that of the head given" in log.verify(head).fault
        assert log.verify(other).fault is None
        assert log.verify(START).fault is None


def head_of(url):
    with contextlib.closing(raw_engine(url)) as engine, engine.connect() as connection:
        return dict(connection.execute(sa.select(audit_head)).one()._mapping)


def turn_back(url, head):
    """Cut the end off, and put back the head of then, which has a good signature for ever."""
    with contextlib.closing(raw_engine(url)) as engine, engine.begin() as connection:
        connection.execute(audit_head.update().values(head))
        connection.exec_driver_sql(f"DELETE FROM audit WHERE number > {head['number']}")


@pytest.mark.parametrize("others", [0, 1, 3, 9])
def test_who_writes_finds_that_it_was_turned_back(audit, database, url, others):
    """Also where another process has written since, to any number."""
    log = AuditLog(database)
    before = head_of(url)
    log.write(RECORDS[:3])
    turn_back(url, before)
    if others:
        AuditLog(database).write(RECORDS[:1] * others)
    for _ in range(2):
        with pytest.raises(StateError, match=r"^the audit log was turned back: it had 11:\w+, and ends at "):
            log.write(RECORDS[:1])
    assert audit.verify().records == 8 + others


def test_who_writes_goes_on_after_what_others_wrote(audit, database):
    one, other = AuditLog(database), AuditLog(database)
    for k in range(6):
        (one, other)[k % 2].write(RECORDS[: 1 + k % 3])
        audit.write(RECORDS[:1])
    assert audit.verify().fault is None


def test_a_head_without_a_good_signature_is_not_signed_anew(audit, url):
    run_sql(url, *CHANGES["the head and the end turned back"][0].split("; "))
    with pytest.raises(StateError, match="head of the audit log was changed"):
        audit.write(RECORDS[:1])
    assert "head was changed" in audit.verify().fault


def test_random_bytes_of_the_file_that_change_are_found(tmp_path, state_key):
    """Of each cell of each row, any byte: the record, its number, its time, its digest, and the head's."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng, path = random.Random(seed), tmp_path / "rpsd.db"
    with contextlib.closing(Database(f"sqlite:///{path}", state_key)) as database:
        log = AuditLog(database)
        log.write(RECORDS)
        cells = [
            ("audit", n, column) for n in range(1, 9) for column in ("record", "digest", "time", "number")
        ]
        cells += [("audit_head", 1, column) for column in ("digest", "signature", "number")]
        with contextlib.closing(sqlite3.connect(path)) as raw:
            raw.isolation_level = None
            for _ in range(150):
                table, row, column = rng.choice(cells)
                key = "number" if table == "audit" else "id"
                ((good,),) = raw.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", (row,)).fetchall()
                bad = changed(rng, good)
                raw.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (bad, row))
                assert log.verify().fault is not None, (table, row, column, good, bad)
                now = bad if column == key else row
                raw.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (good, now))
                assert log.verify().fault is None


def changed(rng, value):
    if isinstance(value, int):
        return value ^ 1 << rng.randrange(20, 40)  # not a number that is there
    data = bytearray(value.encode() if isinstance(value, str) else value)
    place = rng.randrange(len(data))
    if isinstance(value, str):
        data[place] = rng.choice([c for c in range(32, 127) if c != data[place]])
        return data.decode()
    data[place] ^= 1 << rng.randrange(8)
    return bytes(data)


def test_writers_at_once_make_one_chain(database, url, state_key):
    others = [Database(url, state_key) for _ in range(3)]
    try:

        def write(one):
            for record in RECORDS:
                AuditLog(one).write([record, record])

        threads = [threading.Thread(target=write, args=(one,)) for one in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for one in others:
            one.close()
    verdict = AuditLog(database).verify()
    assert (verdict.records, verdict.fault) == (48, None)


def test_a_record_cannot_lie_about_itself(audit):
    audit.write(
        [Record("mallory", "x", "done", {"number": 1, "time": 0, "who": "alice", "outcome": "allowed"})]
    )
    last = next(iter(audit.read(8)))
    assert (last["number"], last["who"], last["outcome"]) == (9, "mallory", "done")
    assert last["time"] > 0


class Heard:
    def __init__(self):
        self.told = []

    def wrote(self, records):
        self.told.append(("wrote", records))

    def failed(self, records):
        self.told.append(("failed", records))

    def changed(self, fault):
        self.told.append(("changed", fault))

    def ended_at(self, head):
        self.told.append(("ended", head.number))


def test_what_waits_is_written_together_and_all_of_it_at_the_end(database):
    log, heard, gate = AuditLog(database), Heard(), threading.Event()
    write, log.write = log.write, lambda records: (gate.wait(), write(records))[1]
    recorder = Recorder(log, heard)
    for record in RECORDS:
        recorder.note(record)
    gate.set()
    assert recorder.close(30)
    assert log.verify()[:2] == (8, None)
    assert sum(count for what, count in heard.told if what == "wrote") == 8
    assert len([1 for what, _ in heard.told if what == "wrote"]) <= 2
    assert heard.told[-1] == ("ended", 8)


def test_while_it_fails_nothing_piles_up_and_it_goes_on_by_itself(database):
    log, heard, works, asked = AuditLog(database), Heard(), threading.Event(), threading.Event()
    write = log.write

    def failing(records):
        if works.is_set():
            return write(records)
        asked.set()
        raise StateError("no space left")

    log.write = failing
    recorder = Recorder(log, heard)
    recorder.note(RECORDS[0])
    assert asked.wait(30)
    for _ in range(20_000):
        recorder.note(RECORDS[1])
    assert recorder._queue.qsize() < 100
    works.set()
    while recorder.failing:  # it tries again by itself
        threading.Event().wait(0.05)
    recorder.note(RECORDS[2])
    assert recorder.close(30)
    assert [one["action"] for one in log.read()] == ["audit-log", RECORDS[2].action]
    assert ("changed", "no space left") in heard.told
    assert ("changed", None) in heard.told


def test_the_command_verifies_and_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RPSD_STATE_DIR", str(tmp_path))
    assert run(["keys", "create", "alice", "--role", "user"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("rpsd_")
    assert len(out.split()) == 1
    assert out.strip() not in err
    assert run(["audit-log", "show"]) == 0
    begun, done = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (begun["outcome"], done["outcome"], done["action"]) == ("begun", "done", "keys create")
    assert done["who"].startswith("cli:")
    assert run(["audit-log", "verify"]) == 0
    said = capsys.readouterr().out
    head = said.split()[-1]
    assert said.startswith("2 records hold; head 2:")
    assert run(["audit-log", "verify", "--head", head]) == 0
    assert run(["audit-log", "verify", "--head", "2:" + "0" * 64]) == 1
    assert run(["audit-log", "verify", "--head", "nonsense"]) == 2
    capsys.readouterr()
    run_sql(f"sqlite:///{tmp_path / 'rpsd.db'}", "DELETE FROM audit WHERE number = 2")
    assert run(["audit-log", "verify", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["good"] is False
    assert "the chain ends at record 1, and the head is of record 2" in err


def test_showing_ends_where_a_row_has_another_number_than_its_record(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RPSD_STATE_DIR", str(tmp_path))
    assert run(["keys", "create", "alice", "--role", "user"]) == 0
    capsys.readouterr()
    run_sql(f"sqlite:///{tmp_path / 'rpsd.db'}", "UPDATE audit SET number = 'zz' WHERE number = 2")
    assert run(["audit-log", "show"]) != 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) <= 4
    assert "the records after 2 are damaged" in err


def test_verify_makes_nothing_and_finds_that_all_was_emptied(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RPSD_STATE_DIR", str(tmp_path / "s"))
    for command in ("verify", "show"):
        assert run(["audit-log", command]) == 2  # no state key
    assert not (tmp_path / "s").exists()
    assert run(["keys", "create", "alice", "--role", "user"]) == 0
    place = f"sqlite:///{tmp_path / 's' / 'rpsd.db'}"
    run_sql(place, "DELETE FROM data_keys", "DELETE FROM audit", "DELETE FROM audit_head")
    capsys.readouterr()
    assert run(["audit-log", "verify"]) == 1
    assert "has lost its data keys" in capsys.readouterr().err
    with contextlib.closing(sqlite3.connect(tmp_path / "s" / "rpsd.db")) as raw:
        assert raw.execute("SELECT count(*) FROM data_keys").fetchall() == [(0,)]


def test_keys_from_their_making_to_their_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RPSD_STATE_DIR", str(tmp_path))

    def out(*arguments, code=0):
        assert run(["keys", *arguments]) == code
        return capsys.readouterr()

    first = out(
        "create", "alice", "--role", "user", "--role", "viewer", "--expires", "90d", "--rate", "5"
    ).out
    (key,) = json.loads(out("list", "--json").out)["keys"]
    assert (key["name"], key["roles"], key["limits"]["rate"]) == ("alice", ["user", "viewer"], 5.0)
    assert abs(key["expires"] - key["created"] - 90 * 86_400_000_000) < 60_000_000
    second = out("rotate", key["id"], "--overlap", "1h").out
    assert second != first
    assert second.split("_")[1] == first.split("_")[1] == key["id"]
    out("revoke", key["id"])
    listed = out("list").out
    assert "revoked" in listed
    assert first.split("_")[2] not in listed
    for wrong in (
        ("create", "x", "--role", "boss"),
        ("create", "x\n", "--role", "user"),
        ("revoke", "nothing"),
        ("rotate", key["id"]),
    ):
        assert out(*wrong, code=1).out == ""
    # Who gives the key in place of its id has it in no record.
    assert out("revoke", first.strip(), code=1).out == ""
    assert run(["audit-log", "show"]) == 0
    assert first.split("_")[2] not in capsys.readouterr().out
    out("create", "x", "--role", "user", "--expires", "soon", code=2)


def test_the_state_key_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RPSD_STATE_DIR", str(tmp_path))
    assert run(["state", "new-key"]) == 0
    text = capsys.readouterr().out
    assert len(text.strip()) == 44
    assert run(["state", "upgrade"]) == 0
    before = (tmp_path / "state.key").read_text()
    assert run(["state", "rotate-key"]) == 0
    assert (tmp_path / "state.key").read_text() != before
    assert run(["audit-log", "verify"]) == 0


def test_heads_are_kept_as_text():
    head = Head(310, bytes(range(32)))
    assert head.text() == "310:" + bytes(range(32)).hex()
