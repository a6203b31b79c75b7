# SPDX-License-Identifier: MIT
"""Backups: of one moment, sealed, any damage found, and back into either database whole or not at all."""

import base64
import contextlib
import hashlib
import hmac
import io
import json
import os
import random
import re
import sqlite3
import subprocess
import sys

import msgspec
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from states import BOTH, OLD, OLD_KEY, database, postgres, state_key, url

from rpsd import InputError, StateError
from rpsd.service.access._audit import AuditLog, Record
from rpsd.service.access._keys import Keys
from rpsd.service.store import _pieces
from rpsd.service.store._backup import backup, restore, verify
from rpsd.service.store._database import Database
from rpsd.service.store._head import START, Head
from rpsd.service.store._schema import METADATA, api_keys, audit, audit_head, data_keys
from rpsd.service.store._seal import StateKey
from rpsd.service.store._secrets import Secret

__all__ = ["database", "postgres", "state_key", "url"]
FILLED = [one for one in METADATA.sorted_tables if one not in (data_keys, audit, audit_head)]
RAW = b"k" * 32
KEY = base64.b64encode(RAW).decode()
CANARY = "canary-of-a-tenant"
KILLED = """
import os, signal, sys
from pathlib import Path
from rpsd.service.store import _backup
from rpsd.service.store._database import Database
from rpsd.service.store._seal import StateKey
from rpsd.service.store._secrets import Secret
batches = _backup._batches
def some(rows):
    for number, batch in enumerate(batches(rows)):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield batch
_backup._batches = some
database = Database(sys.argv[2], StateKey(Secret(sys.argv[3].encode())))
_backup.restore(Path(sys.argv[1]), database, replace=True)
"""


def another(kind, request, directory):
    """Return the address of one more empty database."""
    if kind == "sqlite":
        return f"sqlite:///{directory / 'other' / f'{random.getrandbits(64):x}.db'}"
    return request.getfixturevalue("postgres").url()


def value_of(chance, column, number):
    if column.foreign_keys:
        return str(number)
    if column.nullable and chance.random() < 0.3:
        return None
    if isinstance(column.type, sa.LargeBinary):
        return chance.randbytes(chance.choice([0, 1, 100, 5000]))
    if isinstance(column.type, sa.BigInteger):
        return number if column.primary_key else chance.choice([0, -1, 2**63 - 1, -(2**63), number])
    if isinstance(column.type, sa.Integer):
        return number
    return (
        str(number) if column.primary_key else chance.choice(["", CANARY, "é\u2028😀\x01\\'\"", "x" * 3000])
    )


def fill(database, rows=20):
    """Put rows by chance into every table, and records into the audit log."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    with database.begin() as connection:
        for table in FILLED:
            made = [{one.name: value_of(chance, one, k) for one in table.columns} for k in range(rows)]
            connection.execute(table.insert(), made)
    AuditLog(database).write([Record(f"key:{k}", CANARY, "allowed", {"k": k}) for k in range(rows)])
    database.rotate(database.state_key)  # so that there are two data keys


def content(database):
    """Return all rows, as the driver gives them."""
    with database.read() as connection:
        return {
            table: sorted(
                ([bytes(cell) if isinstance(cell, memoryview) else cell for cell in row]
                 for row in connection.exec_driver_sql(f"SELECT * FROM {table}")),
                key=repr,
            )
            for table in (*METADATA.tables, "alembic_version")
        }  # fmt: skip


@pytest.mark.parametrize("kind", BOTH)
def test_all_of_either_comes_back_in_either(kind, database, state_key, request, tmp_path):
    fill(database)
    head = AuditLog(database).head()
    header = backup(database, tmp_path / "b")
    assert (header.schema, header.audit_head) == (database.revision, head.text())
    assert {name: one.rows for name, one in header.tables.items()} == {
        name: len(rows) for name, rows in content(database).items() if name != "alembic_version"
    }
    assert verify(tmp_path / "b", state_key) == header
    with contextlib.closing(Database(another(kind, request, tmp_path), state_key)) as other:
        assert restore(tmp_path / "b", other) == header
        assert content(other) == content(database)
        assert AuditLog(other).verify(head) == (head.number, None, head)
        assert other.seal.derive("x") == database.seal.derive("x")
        assert other.seal.open(database.seal.close(b"values", "here"), "here") == b"values"
        AuditLog(other).write([Record("cli:bob", "restore", "done")])
        assert AuditLog(other).verify(head).records == head.number + 1


def test_what_a_database_without_anything_has(database, state_key, tmp_path):
    assert Head.of(backup(database, tmp_path / "b").audit_head) == START
    restore(tmp_path / "b", database)


def rows_at(text):
    return 18 + int.from_bytes(text[14:18], "big")


def opened(file, raw=RAW, piece=_pieces.PIECE):
    """Open a backup by its description alone: header and rows."""
    text = file.read_bytes()
    mark = b"rpsd backup 1\n"
    assert text.startswith(mark)
    at = rows_at(text)
    beside, rest = text[:at], text[at:]
    header = json.loads(beside[len(mark) + 4 :])
    # HKDF (RFC 5869) of one block.
    secret = hmac.digest(bytes.fromhex(header["salt"]), raw, hashlib.sha256)
    cipher = AESGCM(hmac.digest(secret, b"rpsd backup\x01", hashlib.sha256))
    pieces = [rest[k : k + piece + 16] for k in range(0, len(rest), piece + 16)]
    plain = b"".join(
        cipher.decrypt(k.to_bytes(11, "big") + bytes([k == len(pieces) - 1]), one, beside)
        for k, one in enumerate(pieces)
    )
    rows, names = {name: [] for name in header["tables"]}, list(header["tables"])
    while plain:
        size = int.from_bytes(plain[:4], "big")
        number, row = msgspec.msgpack.decode(plain[4 : 4 + size])
        rows[names[number]].append(row)
        plain = plain[4 + size :]
    return header, rows


def made(file, raw, content, **more):
    """Make a backup by its description alone; content: columns and rows of each table."""
    header = {
        "rpsd": "0.1.0", "schema": "0002", "time": "2026-01-01T00:00:00.000Z", "database": "sqlite",
        "audit_head": START.text(), "salt": "ab" * 32,
        "tables": {name: {"columns": names, "rows": len(rows)} for name, (names, rows) in content.items()},
        **more,
    }  # fmt: skip
    text = json.dumps(header).encode()
    beside = b"rpsd backup 1\n" + len(text).to_bytes(4, "big") + text
    secret = hmac.digest(bytes.fromhex(header["salt"]), raw, hashlib.sha256)
    cipher = AESGCM(hmac.digest(secret, b"rpsd backup\x01", hashlib.sha256))
    plain = b""
    for number, (_, rows) in enumerate(content.values()):
        for row in rows:
            packed = msgspec.msgpack.encode([number, row])
            plain += len(packed).to_bytes(4, "big") + packed
    file.write_bytes(beside + cipher.encrypt(bytes(11) + b"\x01", plain, beside))


@pytest.fixture
def full(tmp_path):
    """Return a database of a known key that is full."""
    key = StateKey(Secret(KEY.encode()))
    with contextlib.closing(Database(f"sqlite:///{tmp_path / 'full.db'}", key)) as it:
        fill(it)
        yield it


def test_a_file_is_as_it_is_described(full, tmp_path, monkeypatch):
    for piece in (_pieces.PIECE, 1000, 7):
        monkeypatch.setattr(_pieces, "PIECE", piece)
        file = tmp_path / f"b{piece}"
        backup(full, file)
        header, rows = opened(file, piece=piece)
        assert header["tables"]["api_keys"]["columns"] == api_keys.columns.keys()
        expected = content(full)
        del expected["alembic_version"]
        assert {name: sorted(here, key=repr) for name, here in rows.items()} == expected
        assert CANARY.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
        verify(file, full.state_key)


def damages(text, pieces_at, size, chance, share):
    """Yield what may have become of a file: any byte changed, any end cut off, pieces swapped and more."""
    for place in chance.sample(range(len(text)), round(share * len(text))):
        yield text[:place] + bytes([text[place] ^ 1 << chance.randrange(8)]) + text[place + 1 :]
        yield text[:place]
    head, pieces = text[:pieces_at], [text[k : k + size] for k in range(pieces_at, len(text), size)]
    assert len(pieces) > 2
    for k in range(len(pieces)):
        yield head + b"".join(pieces[:k] + pieces[k + 1 :])
        yield head + b"".join(pieces[: k + 1] + pieces[k:])
    for k in range(len(pieces) - 1):
        yield head + b"".join([*pieces[:k], pieces[k + 1], pieces[k], *pieces[k + 2 :]])
    yield text + b"\0"
    yield text + pieces[-1]
    yield text + text


@pytest.mark.parametrize("share", [0.1, pytest.param(1.0, marks=pytest.mark.slow)])
def test_any_damage_is_found(tmp_path, state_key, monkeypatch, share):
    seed = random.randrange(2**32)
    print("seed", seed)
    monkeypatch.setattr(_pieces, "PIECE", 100)
    file = tmp_path / "b"
    with contextlib.closing(Database(f"sqlite:///{tmp_path / 'a.db'}", state_key)) as database:
        Keys(database).create("a", ["user"])
        AuditLog(database).write([Record("a", "b", "done")] * 2)
        backup(database, file)
        before = content(database)
        text = file.read_bytes()
        for number, bad in enumerate(damages(text, rows_at(text), 116, random.Random(seed), share)):
            file.write_bytes(bad)
            with pytest.raises(StateError):
                verify(file, state_key)
            if number % 97 == 0:
                with pytest.raises(StateError):
                    restore(file, database, replace=True)
        assert content(database) == before
        file.write_bytes(text)
        restore(file, database, replace=True)
        assert content(database) == before


def test_pieces_know_which_is_the_last(monkeypatch):
    """Without the rows that a header counts."""
    monkeypatch.setattr(_pieces, "PIECE", 10)
    for size in (0, 9, 10, 11, 30):
        file, plain = io.BytesIO(), bytes(range(size))
        closing = _pieces.Closing(file, RAW, b"beside")
        closing.write(plain)
        closing.end()
        text = file.getvalue()
        assert b"".join(_pieces.opening(io.BytesIO(text), RAW, b"beside")) == plain
        for cut in range(len(text)):
            with pytest.raises(_pieces.Damaged):
                list(_pieces.opening(io.BytesIO(text[:cut]), RAW, b"beside"))


def test_nothing_is_half_restored(database, state_key, tmp_path):
    """The last byte is wrong, after all rows were put."""
    fill(database)
    backup(database, tmp_path / "b")
    text = bytearray((tmp_path / "b").read_bytes())
    text[-1] ^= 1
    (tmp_path / "b").write_bytes(text)
    Keys(database).create("later", ["user"])
    before = content(database)
    with pytest.raises(StateError, match=r"b is not as it was written, or was made under another state key$"):
        restore(tmp_path / "b", database, replace=True)
    assert content(database) == before
    AuditLog(database).write([Record("a", "b", "done")])
    assert AuditLog(database).verify().fault is None


def test_a_restore_that_is_killed_has_done_nothing(url, tmp_path):
    with contextlib.closing(Database(url, StateKey(Secret(KEY.encode())))) as database:
        fill(database)
        backup(database, tmp_path / "b")
        Keys(database).create("later", ["user"])
        before = content(database)
        database.engine.dispose()
        killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "b", url, KEY], check=False)
        assert killed.returncode == -9
        assert content(database) == before


def test_it_is_of_one_moment_and_nobody_waits_for_it(database, state_key, request, tmp_path, monkeypatch):
    """Others write in the middle of it: they need not wait, and it has nothing of what they wrote."""
    fill(database)
    before, audit_log, write = content(database), AuditLog(database), _pieces.Closing.write
    seen = []

    def writing(closing, plain):
        if len(seen) % 40 == 5:
            audit_log.write([Record("a", "meanwhile", "done")])
            Keys(database).create(f"k{len(seen)}", ["user"])
        seen.append(plain)
        write(closing, plain)

    monkeypatch.setattr(_pieces.Closing, "write", writing)
    backup(database, tmp_path / "b")
    monkeypatch.undo()
    assert content(database) != before
    restore(tmp_path / "b", database, replace=True)
    assert content(database) == before
    assert audit_log.verify().fault is None


def test_a_database_that_has_something_is_left_alone(database, state_key, tmp_path):
    Keys(database).create("a", ["user"])
    backup(database, tmp_path / "b")
    before = content(database)
    with pytest.raises(StateError, match=r"^the database is not empty: restore .* or give --replace$"):
        restore(tmp_path / "b", database)
    assert content(database) == before


def test_an_older_backup_gets_the_schema_of_today(url, tmp_path, monkeypatch):
    """Its columns are those of the first schema, made of a dump that an older rpsd had made."""
    with contextlib.closing(sqlite3.connect(":memory:")) as old:
        old.executescript(OLD.read_text())
        names = [name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {}
        for name in sorted(set(names) - {"alembic_version"}, key=lambda name: name == "stream_inputs"):
            found = old.execute(f"SELECT * FROM {name}")
            tables[name] = ([one[0] for one in found.description], found.fetchall())
    raw = hashlib.sha256(b"rpsd test").digest()
    made(tmp_path / "b", raw, tables, schema="0001")
    with contextlib.closing(Database(url, OLD_KEY)) as database:
        migrate, ways = database.migrate, []
        monkeypatch.setattr(
            database, "migrate", lambda connection, to: (ways.append(to), migrate(connection, to))
        )
        restore(tmp_path / "b", database)
        assert ways == ["0001", "head"]  # the rows have the columns of then, and become those of now
        assert database.revision != "0001"
        text = re.search(r"^-- Key: (\S+)$", OLD.read_text(), re.M)[1]
        assert Keys(database).find(text).tenant == "desk"
        assert AuditLog(database).verify().records == 2


def test_files_that_are_none(database, state_key, tmp_path):
    file = tmp_path / "b"
    with pytest.raises(InputError, match="b cannot be read: No such file"):
        verify(file, state_key)
    for text, message in (
        (b"", "is no backup that this rpsd reads"),
        (b"rpsd backup 2\n" + bytes(100), "is no backup that this rpsd reads"),
        (b"rpsd backup 1\n" + b"\xff" * 100, "is no backup that this rpsd reads"),
        (b"rpsd backup 1\n\0\0\0\x02{}", "has no header that can be read"),
    ):
        file.write_bytes(text)
        with pytest.raises(StateError, match=message):
            verify(file, state_key)
    made(file, RAW, {}, schema="9999")
    with pytest.raises(StateError, match="the backup has schema 9999, which is newer than this rpsd's"):
        restore(file, database)
    key = StateKey(Secret(KEY.encode()))
    made(file, RAW, {"jobs": (["id"], [["a"]])})
    assert verify(file, key).rows == 1
    with pytest.raises(StateError, match="was made under another state key"):
        verify(file, state_key)
    text = file.read_bytes()
    made(file, RAW, {"jobs": (["id"], [["a"], ["b"]])})
    file.write_bytes(file.read_bytes()[: rows_at(text)] + text[rows_at(text) :])
    with pytest.raises(StateError, match="not as it was written"):  # the header of one, the rows of the other
        verify(file, key)
    said = {"jobs": {"columns": ["id"], "rows": 1}, "streams": {"columns": ["id"], "rows": 0}}
    made(file, RAW, {"jobs": (["id"], []), "streams": (["id"], [["a"]])}, tables=said)
    with pytest.raises(StateError, match="does not have the rows that it says it has"):
        verify(file, key)


def test_what_is_in_its_way_stays(database, tmp_path, monkeypatch):
    (tmp_path / "b").write_bytes(b"mine")
    with pytest.raises(InputError, match="b is there already, and a backup replaces nothing"):
        backup(database, tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"mine"
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        backup(database, tmp_path / "none" / "b")

    def full_disk(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(InputError, match="c cannot be written: No space left on device"):
        backup(database, tmp_path / "c")
    assert not list(tmp_path.glob("c*"))


def test_a_state_key_that_was_changed_meanwhile_is_told(database, url, tmp_path):
    with contextlib.closing(Database(url, database.state_key)) as other:
        other.rotate(StateKey(StateKey.new()))
    with pytest.raises(StateError, match="the state key is not the one that the database was made with"):
        backup(database, tmp_path / "b")
    assert not list(tmp_path.glob("b*"))
