# SPDX-License-Identifier: MIT
"""Backups: all rows as one moment has them, sealed in a file of their own, and back into any empty database.

A file has a mark, the length of the header, the header (JSON), and pieces: the rows, each a msgpack of its
table's number and its values, behind its length.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import sqlalchemy as sa

import rpsd
from rpsd import InputError, StateError
from rpsd.service.store._database import Database, require_known
from rpsd.service.store._head import START, Head
from rpsd.service.store._pieces import Closing, Damaged, opening
from rpsd.service.store._schema import METADATA, audit_head, data_keys
from rpsd.service.store._seal import StateKey

_MARK: Final = b"rpsd backup 1\n"
_LENGTH: Final = 4
_LONGEST_HEADER: Final = 65_536
_SALT: Final = 32
_PURPOSE: Final = "backup"
#: Rows that are had at a time, fewer of tables whose rows may be large; and bytes that are put at a time.
_ROWS: Final = 1000
_LARGE: Final = {"streams": 8, "stream_inputs": 8, "jobs": 1, "idempotency": 8}
_TOGETHER: Final = 1 << 20
#: What a database has that nothing was put into.
_FIRST: Final = (data_keys, audit_head)


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup has of a table."""

    columns: list[str]
    rows: int


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup says of itself, readable by everybody and sealed with the rest.

    Attributes
    ----------
    rpsd : str
        Which release made it.
    schema : str
        Which one its tables have.
    time : str
        The moment it is of, UTC.
    database : str
        The kind it was of: sqlite or postgresql.
    audit_head : str
        Where the audit log ends, as `Head.text` says.
    salt : str
        What its key is derived with.
    tables : mapping
    """

    rpsd: str
    schema: str
    time: str
    database: str
    audit_head: str
    salt: str
    tables: dict[str, Table]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(one.rows for one in self.tables.values())


def backup(database: Database, to: Path) -> Header:
    """Write all of a database into a new file, and read it back; whoever uses the database goes on.

    Raises
    ------
    InputError
        Where there is a file already, or none can be there.
    StateError
        Where the database failed.
    """
    if to.exists():
        raise InputError(f"{to} is there already, and a backup replaces nothing")
    part = to.with_name(f"{to.name}.{os.getpid()}.part")
    try:
        # One transaction, which sees one moment; neither database has anybody wait for it.
        with _new_file(part) as file, database.read() as connection:
            header = _write(file, database, connection)
        verify(part, database.state_key)
        part.rename(to)
        _sync_directory(to.parent)
    except OSError as error:
        raise InputError(f"{to} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    return header


def verify(file: Path, state_key: StateKey) -> Header:
    """Read all of a backup, and hold it against its header.

    Raises
    ------
    InputError
        Where it cannot be read.
    StateError
        Where a byte of it is not what was written, or it was made under another state key.
    """
    with _Reading(file, state_key) as found:
        for _ in found.rows():
            pass
        return found.header


def restore(source: Path, database: Database, *, replace: bool = False) -> Header:
    """Put a backup into a database, all of it or nothing.

    Parameters
    ----------
    source : Path
    database : Database
        Opened with the state key that the backup was made under; no service may use it.
    replace : bool
        Whether what is in the database may be lost.

    Raises
    ------
    InputError
        Where the file cannot be read.
    StateError
        Where the file is damaged, or the database is not empty.
    """
    with _Reading(source, database.state_key) as found:
        require_known(found.header.schema, "the backup")
        with database.begin() as connection:
            if not replace and not _is_empty(connection):
                raise StateError("the database is not empty: restore into an empty one, or give --replace")
            database.drop(connection)
            database.migrate(connection, found.header.schema)
            for name, rows in _batches(found.rows()):
                columns = found.header.tables[name].columns
                table = sa.table(name, *map(sa.column, columns))
                connection.execute(table.insert(), [dict(zip(columns, row, strict=True)) for row in rows])
            database.migrate(connection, "head")
        database.reload_keys()
    return found.header


def _write(file: BinaryIO, database: Database, connection: sa.Connection) -> Header:
    tables = METADATA.sorted_tables
    # Else the file would open with one state key, and what is in it with another.
    for number, wrapped in connection.execute(sa.select(data_keys.c.number, data_keys.c.wrapped)):
        database.state_key.unwrap(wrapped, number)
    salt = secrets.token_bytes(_SALT)
    row = connection.execute(sa.select(audit_head)).one_or_none()
    header = Header(
        rpsd=rpsd.__version__,
        schema=str(database.revision_of(connection)),
        time=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        database=connection.dialect.name,
        audit_head=(START if row is None else Head(row.number, bytes(row.digest))).text(),
        salt=salt.hex(),
        tables={
            str(one.name): Table([*map(str, one.columns.keys())], _count(connection, one)) for one in tables
        },
    )
    text = msgspec.json.encode(header)
    beside = _MARK + len(text).to_bytes(_LENGTH, "big") + text
    file.write(beside)
    closing = Closing(file, database.state_key.derive(_PURPOSE, salt), beside)
    for k, table in enumerate(tables):
        query = sa.select(table).execution_options(yield_per=_LARGE.get(table.name, _ROWS))
        for one in connection.execute(query):
            packed = msgspec.msgpack.encode((k, tuple(one)))
            closing.write(len(packed).to_bytes(_LENGTH, "big") + packed)
    closing.end()
    file.flush()
    os.fsync(file.fileno())
    return header


class _Reading:
    """A backup that is read: its header, then its rows, once."""

    def __init__(self, path: Path, state_key: StateKey) -> None:
        self._path, self._state_key = path, state_key

    def __enter__(self) -> _Reading:
        try:
            self._file = self._path.open("rb")
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}") from None
        try:
            self._beside, self.header = self._read_header()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def rows(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield the name of a table and the values of a row; as many of each as the header says."""
        names, left = list(self.header.tables), {k: one.rows for k, one in self.header.tables.items()}
        key = self._state_key.derive(_PURPOSE, bytes.fromhex(self.header.salt))
        try:
            for packed in _records(opening(self._file, key, self._beside)):
                number, values = msgspec.msgpack.decode(packed, type=tuple[int, tuple[Any, ...]])
                left[names[number]] -= 1
                yield names[number], values
        except Damaged:
            raise StateError(
                f"{self._path} is not as it was written, or was made under another state key"
            ) from None
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}") from None
        if any(left.values()):
            raise StateError(f"{self._path} does not have the rows that it says it has")

    def _read_header(self) -> tuple[bytes, Header]:
        begin = self._file.read(len(_MARK) + _LENGTH)
        length = int.from_bytes(begin[len(_MARK) :], "big")
        if begin[: len(_MARK)] != _MARK or length > _LONGEST_HEADER:
            raise StateError(f"{self._path} is no backup that this rpsd reads")
        text = self._file.read(length)
        try:
            header = msgspec.json.decode(text, type=Header)
            bytes.fromhex(header.salt)
        except (msgspec.DecodeError, ValueError):
            raise StateError(f"{self._path} has no header that can be read") from None
        return begin + text, header


def _records(pieces: Iterator[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        at = 0
        while len(waiting) >= (begin := at + _LENGTH):
            end = begin + int.from_bytes(waiting[at:begin], "big")
            if end > len(waiting):
                break
            yield bytes(waiting[begin:end])
            at = end
        del waiting[:at]
    if waiting:
        raise Damaged


def _batches(rows: Iterator[tuple[str, tuple[Any, ...]]]) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Yield rows of one table that are put at once."""
    name, batch, size = "", list[tuple[Any, ...]](), 0
    for table, row in rows:
        if batch and (table != name or size > _TOGETHER or len(batch) == _ROWS):
            yield name, batch
            batch, size = [], 0
        name = table
        batch.append(row)
        size += sum(len(one) for one in row if isinstance(one, bytes | str))
    if batch:
        yield name, batch


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _is_empty(connection: sa.Connection) -> bool:
    return not any(_count(connection, one) for one in METADATA.sorted_tables if one not in _FIRST)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        yield file


def _sync_directory(path: Path) -> None:
    """Have a new name on the disk, where a directory can be told to."""
    with contextlib.suppress(OSError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
