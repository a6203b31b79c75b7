# SPDX-License-Identifier: MIT
"""The database: SQLite by itself, PostgreSQL for several replicas."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as Alembic
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from rpsd import ConfigError, StateError
from rpsd.service.store._head import START
from rpsd.service.store._schema import METADATA, audit_head, data_keys
from rpsd.service.store._seal import Seal, StateKey

#: Seconds that a transaction waits for another of SQLite's.
_BUSY: Final = 10.0
#: Seconds that PostgreSQL has to take a connection, and libpq's settings for one that went away unheard.
_PATIENCE: Final = 5
_LIBPQ: Final = {"connect_timeout": _PATIENCE, "tcp_user_timeout": 2000 * _PATIENCE}
#: Whoever upgrades holds this advisory lock of PostgreSQL.
_UPGRADING: Final = 0x72707364
_WRAPPED: Final = sa.select(data_keys.c.number, data_keys.c.wrapped)
_MICROSECONDS: Final = 1_000_000
#: Marks a transaction that writes nothing.
_READING: Final = "rpsd_reading"
_NONE: Final = "there is no database: is this the configuration of the service?"
_DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


def now() -> int:
    """Return microseconds since 1970, UTC, as the tables have them."""
    return time.time_ns() // 1000


class Database:
    """Tables, in transactions, and what seals their contents.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``; a password comes from the file or variable
        that libpq knows (PGPASSFILE, PGPASSWORD), not from here.
    state_key : StateKey
    begin : bool
        Whether there may be a new one where there is none.

    Attributes
    ----------
    came_with : str or None
        The schema that it had before it was upgraded; None: it was empty.

    Raises
    ------
    ConfigError
        For another kind of database, or a password in the address.
    StateError
        Where it cannot be opened, a newer rpsd made it, or it has lost its data keys.
    """

    def __init__(self, url: str, state_key: StateKey, *, begin: bool = True) -> None:
        self._url = _checked(url)
        if not begin and self.path is not None and not self.path.exists():
            raise StateError(_NONE)
        self.engine = _make_engine(self._url)
        self.state_key = state_key
        self._begin = begin
        try:
            self.came_with = self.revision
            if self.came_with is None and not begin:
                raise StateError(_NONE)
            with opened():
                self.upgrade()
            self.reload_keys()
        except BaseException:
            self.close()
            raise

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The file of SQLite."""
        return Path(self._url.database or "") if self.is_sqlite else None

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Open a transaction: committed at its end, rolled back by an exception.

        Raises
        ------
        StateError
            Where the database is away, full or broken.
        """
        with opened(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads: it sees one moment, and waits for no other.

        Raises
        ------
        StateError
            Where the database is away or broken.
        """
        options: Any = {_READING: True} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with opened(), self.engine.execution_options(**options).begin() as connection:
            yield connection

    def hold(self, connection: sa.Connection, name: str) -> None:
        """Keep others that hold a name out until this transaction ends; SQLite has one at a time anyhow."""
        if not self.is_sqlite:
            connection.execute(
                sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name}
            )

    def clock(self, connection: sa.Connection) -> int:
        """Return now as all replicas have it: by the clock of the database, where that is another machine."""
        if self.is_sqlite:
            return now()
        seconds = sa.extract("epoch", sa.func.clock_timestamp())
        return int(connection.execute(sa.select(seconds * _MICROSECONDS)).scalar_one())

    def upgrade(self) -> None:
        """Bring the schema to that of this rpsd, whole or not at all; SQLite's file is copied first."""
        with self.engine.connect() as connection:
            before = self.revision_of(connection)
        if before == _scripts().get_current_head():
            return
        if before is not None:
            require_known(before, "the database")
        if before is not None and self.path is not None:
            self._copy_aside(before)
        with self.engine.begin() as connection:
            self.migrate(connection, "head")

    def migrate(self, connection: sa.Connection, to: str) -> None:
        """Bring the schema to a revision, in a transaction that somebody else ends."""
        if not self.is_sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:n)"), {"n": _UPGRADING})
        config = _alembic()
        config.attributes.update(connection=connection, state_key=self.state_key)
        command.upgrade(config, to)

    def drop(self, connection: sa.Connection) -> None:
        """Remove all tables, in a transaction that somebody else ends."""
        METADATA.drop_all(connection)
        connection.execute(sa.text("DROP TABLE alembic_version"))

    def reload_keys(self) -> None:
        """Take the data keys that are there now for those that seal."""
        with opened():
            self.seal = Seal(self._data_keys())

    @property
    def revision(self) -> str | None:
        """Which schema it has."""
        with opened(), self.engine.connect() as connection:
            return self.revision_of(connection)

    def rotate(self, to: StateKey) -> None:
        """Seal the data keys under another state key, and begin a new data key."""
        with self.begin() as connection:
            numbers = [0]
            for number, wrapped in connection.execute(_WRAPPED).all():
                again = self.state_key.wrap_again(wrapped, number, to)
                here = data_keys.c.number == number
                connection.execute(data_keys.update().where(here).values(wrapped=again))
                numbers.append(number)
            self._add_data_key(connection, max(numbers) + 1, to)
        self.state_key = to
        self.reload_keys()

    def close(self) -> None:
        """Close what is open."""
        self.engine.dispose()

    def _data_keys(self) -> dict[int, bytes]:
        with self.engine.begin() as connection:
            if not connection.execute(_WRAPPED).all():
                if not self.is_sqlite:  # two replicas may come at once
                    connection.execute(sa.text("LOCK TABLE data_keys IN EXCLUSIVE MODE"))
                if not connection.execute(_WRAPPED).all():
                    self._begin_with(connection)
            rows = connection.execute(_WRAPPED).all()
        return {number: self.state_key.unwrap(wrapped, number) for number, wrapped in rows}

    def _begin_with(self, connection: sa.Connection) -> None:
        """Give an empty database its first data key, and the audit log the head of an empty chain.

        Raises
        ------
        StateError
            Where it is not empty: other keys read nothing of what it has, and would hide that they are gone.
        """
        if not self._begin or any(_has_rows(connection, one) for one in METADATA.sorted_tables):
            raise StateError("the database has lost its data keys; restore a backup into an empty one")
        self._add_data_key(connection, 1, self.state_key)
        seal = Seal(
            {
                number: self.state_key.unwrap(wrapped, number)
                for number, wrapped in connection.execute(_WRAPPED)
            }
        )
        connection.execute(audit_head.insert().values(id=1, signature=START.signed(seal), **START._asdict()))

    @staticmethod
    def _add_data_key(connection: sa.Connection, number: int, under: StateKey) -> None:
        wrapped = under.new_data_key(number)
        connection.execute(data_keys.insert().values(number=number, created=now(), wrapped=wrapped))

    def _copy_aside(self, revision: str) -> None:
        assert self.path is not None
        target = self.path.with_name(f"{self.path.name}.before-{revision}")
        _make_file(target)
        # The file alone is not all of it: what is newest is in the write-ahead log.
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(target)) as copied:
            source.backup(copied)

    @staticmethod
    def revision_of(connection: sa.Connection) -> str | None:
        """Return which schema a transaction sees."""
        return MigrationContext.configure(connection).get_current_revision()


def _has_rows(connection: sa.Connection, table: sa.Table) -> bool:
    return connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None


def require_known(revision: str, what: str) -> None:
    """Raise the error of a schema that a newer rpsd made."""
    scripts = _scripts()
    if revision not in {one.revision for one in scripts.walk_revisions()}:
        newest = scripts.get_current_head()
        raise StateError(f"{what} has schema {revision}, which is newer than this rpsd's {newest}")


@contextmanager
def opened() -> Iterator[None]:
    """Tell what a database says as an error of ours, without its values."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        raise StateError(f"the database failed: {type(cause).__name__}: {_first_line(cause)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


def _checked(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise ConfigError("state_url must be sqlite:///FILE or postgresql://USER@HOST/NAME") from None
    backend = parsed.drivername
    if backend not in _DRIVERS:
        raise ConfigError(f"state_url must begin with sqlite:// or postgresql://, got {backend}://")
    if parsed.password is not None:
        raise ConfigError("state_url must not have a password; give it by PGPASSFILE or PGPASSWORD")
    return parsed.set(drivername=_DRIVERS[backend])


def _make_engine(url: sa.URL) -> sa.Engine:
    try:
        if url.get_backend_name() != "sqlite":
            return sa.create_engine(
                url,
                pool_pre_ping=True,
                pool_size=5,
                max_overflow=5,
                pool_timeout=_PATIENCE,
                connect_args=_LIBPQ,
            )
    except (ModuleNotFoundError, NoSuchModuleError):
        raise ConfigError("state_url of PostgreSQL needs: pip install 'rpsd[postgres]'") from None
    path = Path(url.database or "")
    if not url.database or url.database == ":memory:":
        raise ConfigError("state_url must name a file: sqlite:///FILE")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make_file(path)
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY}, poolclass=sa.QueuePool)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_immediate)
    return engine


def _make_file(path: Path) -> None:
    """Make an empty file that only its owner reads, where there is none."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later would fail where another has written in between.
    reading = connection.get_execution_options().get(_READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _alembic() -> Alembic:
    config = Alembic()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_alembic())
