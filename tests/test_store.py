# SPDX-License-Identifier: MIT
"""State in both databases: its schema and its history, sealing, the state key, secrets."""

import base64
import contextlib
import copy
import os
import pickle
import random
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from states import BOTH, OLD, OLD_KEY, database, postgres, raw_engine, run_sql, state_key, url

from rpsd import ConfigError, RpsdError, StateError, load_config
from rpsd.service.access._audit import AuditLog, Record
from rpsd.service.access._keys import Keys
from rpsd.service.jobs import _keep as jobs
from rpsd.service.jobs._forms import Kept
from rpsd.service.store._database import Database
from rpsd.service.store._open import open_database, rotate_state_key
from rpsd.service.store._schema import METADATA, data_keys, stream_inputs, streams, usage
from rpsd.service.store._seal import Seal, StateKey
from rpsd.service.store._secrets import Secret, read_secret
from rpsd.service.streams._ops import Op

__all__ = ["database", "postgres", "state_key", "url"]
OLDER = {"0001": OLD, **{n: OLD.with_name(f"state_{n}.sql") for n in ("0002", "0003")}}
NEWEST = "0004"
OPEN = """
import sys
from rpsd.service.store._database import Database
from rpsd.service.store._seal import StateKey
from rpsd.service.store._secrets import Secret
database = Database(sys.argv[1], StateKey(Secret(sys.argv[2].encode())))
print(database.seal.derive("test").hex())
"""


def test_the_migrations_make_what_the_tables_say(database):
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        tables = set(sa.inspect(connection).get_table_names())
    assert tables == {*METADATA.tables, "alembic_version"}


def load_old(url, number):
    statements = OLDER[number].read_text()
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript(statements)
        return
    statements = statements.replace("BLOB", "BYTEA").replace("BEGIN TRANSACTION;", "").replace("COMMIT;", "")
    statements = re.sub(r"X'([0-9A-F]*)'", r"'\\x\1'", re.sub(r"^--.*\n", "", statements, flags=re.M))
    run_sql(url, statements)


@pytest.mark.parametrize("number", OLDER)
def test_a_database_of_a_schema_before_is_upgraded_with_all_that_it_has(url, number):
    load_old(url, number)
    with contextlib.closing(Database(url, OLD_KEY)) as database:
        assert (database.came_with, database.revision) == (number, NEWEST)
        with database.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        text = re.search(r"^-- Key: (\S+)$", OLDER[number].read_text(), re.M)[1]
        principal = Keys(database).find(text)
        assert (principal.tenant, principal.roles) == ("desk", {"user", "auditor"})
        verdict = AuditLog(database).verify()
        assert (verdict.records, verdict.fault) == (2, None)
        AuditLog(database).write([Record("cli:bob", "state upgrade", "done")])
        assert AuditLog(database).verify().records == 3
        if database.path is not None:
            before = database.path.with_name(f"rpsd.db.before-{number}")
            with contextlib.closing(sqlite3.connect(before)) as copied:
                assert copied.execute("SELECT version_num FROM alembic_version").fetchall() == [(number,)]
                assert copied.execute("SELECT count(*) FROM audit").fetchall() == [(2,)]


def test_keys_of_the_schema_before_are_bound_as_they_are(url):
    load_old(url, "0003")
    texts = re.findall(r"rpsd_\w+", OLDER["0003"].read_text().partition("BEGIN")[0])
    with contextlib.closing(Database(url, OLD_KEY)) as database:
        keys = Keys(database)
        found = [keys.find(text) for text in texts]
        assert [one and (one.tenant, sorted(one.roles)) for one in found] == [
            ("desk", ["auditor", "user"]), None, ("carol", ["viewer"]), ("carol", ["viewer"]),
        ]  # fmt: skip
        assert [one.holds for one in keys.all()] == [True] * 3


def test_a_schema_that_is_turned_back_binds_nothing(url, state_key):
    """Whoever writes the database says that it is older, and has it upgraded, with keys of his own."""
    with contextlib.closing(Database(url, state_key)) as database:
        Keys(database).create("viewer", ["viewer"])
    run_sql(
        url,
        "UPDATE api_keys SET roles = '[\"admin\"]'",
        "ALTER TABLE api_keys DROP COLUMN mac",
        "UPDATE alembic_version SET version_num = '0003'",
    )
    with pytest.raises(StateError, match="was said to have an older schema than it has"):
        Database(url, state_key)
    run_sql(url, "DELETE FROM data_keys")
    with pytest.raises(StateError, match="has lost its data keys"):
        Database(url, state_key)


def test_a_database_without_data_keys_gets_none_while_it_has_anything(url, state_key):
    with contextlib.closing(Database(url, state_key)) as database:
        Keys(database).create("viewer", ["viewer"])
    run_sql(url, "DELETE FROM data_keys", "DELETE FROM audit_head")
    for begin in (True, False):
        with pytest.raises(StateError, match="has lost its data keys; restore a backup into an empty one"):
            Database(url, state_key, begin=begin)
    run_sql(url, "DELETE FROM api_keys")
    with pytest.raises(StateError, match="has lost its data keys"):
        Database(url, state_key, begin=False)
    Database(url, state_key).close()


def test_what_only_reads_makes_no_database(url, state_key):
    with pytest.raises(StateError, match="there is no database"):
        Database(url, state_key, begin=False)
    if url.startswith("sqlite"):
        assert not Path(url.removeprefix("sqlite:///")).exists()


def test_streams_and_jobs_of_the_schema_before_are_still_there(url):
    """A checkpoint may be of another build, and its streams not fit; what was sealed must be whole."""
    load_old(url, "0002")
    with contextlib.closing(Database(url, OLD_KEY)) as database:
        with database.read() as connection:
            inputs = connection.execute(sa.select(stream_inputs).order_by(stream_inputs.c.sequence)).all()
            assert [one.sequence for one in inputs] == [1, 2, 3]
            values = [
                Op.decoded(
                    database.seal.open(one.request, f"stream_inputs/{one.stream}/{one.sequence}")
                ).values
                for one in inputs
            ]
            assert np.concatenate(values).tolist() == [100 + k * 7 % 13 / 10 for k in range(12)]
            used = connection.execute(sa.select(usage)).one()
            assert (used.day, used.points) == (20785, 1234)
            (stream,) = connection.execute(sa.select(streams)).all()
            assert (stream.tenant, stream.sequence, stream.samples) == ("desk", 3, 12)
        (row,) = jobs.Keep(database).rows("desk")
        assert (row.status, row.points, row.bytes) == ("cancelled", 0, 0)
        kept = Kept("application/octet-stream", "application/octet-stream", b"")
        new = jobs.New("desk", "me", "denoise", 3, kept, b"x" * 24)
        jobs.Keep(database).submit(new, 10, 10**6, None)
        assert jobs.Keep(database).claim(60.0).points == 3


def test_a_newer_schema_is_refused_and_left_alone(url, state_key):
    Database(url, state_key).close()
    run_sql(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StateError, match=r"has schema 9999, which is newer than this rpsd's 0\d+$"):
        Database(url, state_key)
    with contextlib.closing(raw_engine(url)) as engine, engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "9999"


def test_processes_that_open_an_empty_database_at_once_agree(url):
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir()
    key = StateKey.new().reveal().decode()
    run = [sys.executable, "-c", OPEN, url, key]
    started = [subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    ended = [one.communicate() for one in started]
    assert [one.returncode for one in started] == [0, 0], ended
    assert len({out for out, _ in ended}) == 1


def test_another_state_key_opens_nothing(url, state_key):
    Database(url, state_key).close()
    with pytest.raises(StateError, match=r"^the state key is not the one that the database was made with$"):
        Database(url, StateKey(StateKey.new()))


def test_what_is_sealed_opens_where_it_was_sealed_for():
    seal = Seal({1: bytes(32)})
    sealed = seal.close(b"values", "streams/a/checkpoint")
    assert seal.open(sealed, "streams/a/checkpoint") == b"values"
    assert b"values" not in sealed
    assert sealed != seal.close(b"values", "streams/a/checkpoint")
    with pytest.raises(StateError, match=r"^streams/b/checkpoint was changed after it was sealed$"):
        seal.open(sealed, "streams/b/checkpoint")
    with pytest.raises(StateError, match="was changed after it was sealed"):
        Seal({1: bytes(31) + b"\x01"}).open(sealed, "streams/a/checkpoint")
    with pytest.raises(StateError, match="was not sealed by this service"):
        Seal({2: bytes(32)}).open(sealed, "streams/a/checkpoint")


def test_every_changed_bit_and_every_cut_is_found():
    seal = Seal({1: bytes(32)})
    sealed = seal.close(b"values", "here")
    for place in range(len(sealed)):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[place] ^= 1 << bit
            with pytest.raises(StateError):
                seal.open(bytes(changed), "here")
    for length in range(len(sealed)):
        with pytest.raises(StateError):
            seal.open(sealed[:length], "here")


def test_the_state_key_rotates_and_what_was_sealed_stays_open(url, state_key):
    new = StateKey(StateKey.new())
    with contextlib.closing(Database(url, state_key)) as database:
        old, derived = database.seal.close(b"old", "x"), database.seal.derive("audit chain")
        _, text = Keys(database).create("alice", ["user"])
        AuditLog(database).write([Record("a", "b", "done")])
        database.rotate(new)
        assert database.seal.open(old, "x") == b"old"
        newer = database.seal.close(b"new", "x")
    with pytest.raises(StateError, match="is not the one"):
        Database(url, state_key)
    with contextlib.closing(Database(url, new)) as database:
        assert database.seal.open(old, "x") == b"old"
        assert database.seal.open(newer, "x") == b"new"
        assert newer[1:5] == b"\x00\x00\x00\x02"
        assert database.seal.derive("audit chain") == derived
        assert Keys(database).find(text) is not None
        assert AuditLog(database).verify().fault is None
        with database.read() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(data_keys)).scalar() == 2


def configured(directory, **more):
    environ = {"RPSD_STATE_DIR": str(directory), **{f"RPSD_{k.upper()}": str(v) for k, v in more.items()}}
    return load_config(environ=environ)


def test_sqlite_makes_its_own_key_and_replaces_it(tmp_path):
    config = configured(tmp_path / "s")
    open_database(config).close()
    path = tmp_path / "s" / "state.key"
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "s" / "rpsd.db").stat().st_mode & 0o777 == 0o600
    with contextlib.closing(open_database(config)) as database:
        assert rotate_state_key(config, database, None) == path
    assert path.read_bytes() != before
    assert sorted(one.name for one in path.parent.glob("state.key*")) == ["state.key"]
    open_database(config).close()
    path.unlink()
    with pytest.raises(ConfigError, match=r"rpsd\.db is there, but not its state key"):
        open_database(config)


def test_a_key_that_is_given_is_replaced_by_one_that_is_given(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(StateKey.new().reveal())
        (tmp_path / name).chmod(0o600)
    config = configured(tmp_path / "s", state_key_file=tmp_path / "a")
    with contextlib.closing(open_database(config)) as database:
        with pytest.raises(ConfigError, match="name the file of the new one by --to"):
            rotate_state_key(config, database, None)
        rotate_state_key(config, database, tmp_path / "b")
    open_database(configured(tmp_path / "s", state_key_file=tmp_path / "b")).close()
    with pytest.raises(StateError):
        open_database(config)


def test_postgresql_gets_no_key_of_its_own(tmp_path):
    with pytest.raises(ConfigError, match="needs a state key"):
        open_database(configured(tmp_path, state_url="postgresql://rpsd@localhost/none"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("mysql://a/b", "must begin with sqlite:// or postgresql://, got mysql://"),
        ("postgresql://a:hunter2@h/n", "must not have a password"),
        ("nonsense", "must be sqlite:///FILE or"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
    ],
)
def test_addresses_that_are_none(given, message, state_key):
    with pytest.raises(ConfigError, match=message) as caught:
        Database(given, state_key)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("kind", BOTH)
def test_a_database_that_is_away_is_one_error_of_ours(kind, tmp_path, state_key):
    broken = tmp_path / "x.db"
    broken.write_bytes(b"no database at all" * 100)
    place = f"sqlite:///{broken}" if kind == "sqlite" else f"postgresql://rpsd@/x?host={tmp_path}"
    with pytest.raises(StateError, match=r"^the database failed: \w+: [^\n]*$"):
        Database(place, state_key)


def test_a_transaction_is_whole_or_not_there(database):
    keys = Keys(database)

    def cut_off():
        with database.begin() as connection:
            connection.execute(sa.delete(data_keys))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cut_off()
    keys.create("a", ["user"])
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(data_keys)).scalar() == 1


def test_reading_waits_for_no_writer(database):
    with database.begin() as connection:
        connection.execute(sa.update(data_keys).values(created=7))
        with database.read() as reading:  # of SQLite, BEGIN IMMEDIATE would wait for ten seconds and fail
            assert reading.execute(sa.select(data_keys.c.created)).scalar() != 7


def test_secrets_show_themselves_to_nobody():
    secret = Secret(b"hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {vars(Secret)}"
    assert not hasattr(secret, "__dict__")
    for careless in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            careless(secret)
    assert secret.reveal() == b"hunter2"


def test_where_secrets_come_from(tmp_path, monkeypatch):
    assert read_secret("state-key", None) is None
    monkeypatch.setenv("RPSD_STATE_KEY", " of-the-environment\n")
    assert read_secret("state-key", None).reveal() == b"of-the-environment"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret("state-key", None).reveal() == b"of-the-environment"
    (tmp_path / "rpsd-state-key").write_text("of-systemd\n")
    (tmp_path / "rpsd-state-key").chmod(0o400)
    assert read_secret("state-key", None).reveal() == b"of-systemd"
    (tmp_path / "own").write_text("of-the-file\n")
    (tmp_path / "own").chmod(0o640)
    assert read_secret("state-key", tmp_path / "own").reveal() == b"of-the-file"


@pytest.mark.skipif(os.name != "posix", reason="files have no modes there")
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
def test_a_secret_that_everybody_reads_is_none(tmp_path, mode):
    (tmp_path / "own").write_text("hunter2")
    (tmp_path / "own").chmod(mode)
    with pytest.raises(ConfigError, match=f"must not be open to everybody, got mode 0{mode:o}") as caught:
        read_secret("state-key", tmp_path / "own")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"short", base64.b64encode(bytes(31)), b"!" * 44, b"\xff" * 44])
def test_state_keys_that_are_none(text):
    with pytest.raises(RpsdError, match=r"^the state key must be 32 bytes as base64"):
        StateKey(Secret(text))


def test_state_keys_may_be_of_either_base64():
    rng = random.Random(5)
    raw = next(one for one in iter(lambda: rng.randbytes(32), None) if b"+" in base64.b64encode(one))
    wrapped = StateKey(Secret(base64.b64encode(raw))).new_data_key(1)
    assert StateKey(Secret(base64.urlsafe_b64encode(raw))).unwrap(wrapped, 1)
    with pytest.raises(StateError):
        StateKey(Secret(base64.b64encode(raw))).unwrap(wrapped, 2)
