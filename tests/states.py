# SPDX-License-Identifier: MIT
"""What the tests of the service's state share: databases of both kinds, and keys in them."""

import base64
import contextlib
import hashlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from postgres import postgres

from rpsd.service.store._database import Database
from rpsd.service.store._seal import StateKey
from rpsd.service.store._secrets import Secret

__all__ = ["postgres"]
BOTH = ("sqlite", "postgresql")
#: A database of the first schema, and its state key.
OLD = Path(__file__).parent / "data" / "state_0001.sql"
OLD_KEY = StateKey(Secret(base64.b64encode(hashlib.sha256(b"rpsd test").digest())))


@pytest.fixture(params=BOTH)
def url(request, tmp_path):
    """Return the address of a new, empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'rpsd.db'}"
    return request.getfixturevalue("postgres").url()


@pytest.fixture
def state_key():
    return StateKey(StateKey.new())


@pytest.fixture
def database(url, state_key):
    with contextlib.closing(Database(url, state_key)) as opened:
        yield opened


def run_sql(url, *statements):
    """Run statements by a connection of their own, past all that the service does."""
    with contextlib.closing(raw_engine(url)) as engine, engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def raw_engine(url):
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)
    engine.close = engine.dispose
    return engine
