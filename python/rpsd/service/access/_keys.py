# SPDX-License-Identifier: MIT
"""API keys: an id, a secret of 256 bits, and a check that tells a mistyped one without the database."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from rpsd import InputError, StateError
from rpsd.service.access._principal import KeyLimits, Principal
from rpsd.service.access._roles import GRANTED
from rpsd.service.store._bound import Binding
from rpsd.service.store._database import Database, now
from rpsd.service.store._schema import api_keys

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH, _SECRET_LENGTH, _CHECK_LENGTH = 12, 43, 6  # 62^43 > 2^256
_FORM: Final = re.compile(r"rpsd_([0-9A-Za-z]{12})_([0-9A-Za-z]{43})_([0-9A-Za-z]{6})")
_ID: Final = re.compile(r"[0-9A-Za-z]{12}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")
_SECOND: Final = 1_000_000
#: A key's last use is written when it is older than this.
_USE_EVERY: Final = 60 * _SECOND
# Compared against where there is no such key, so that both take the same time.
_NO_DIGEST: Final = bytes(32)
#: What a row's values may be: SQLite takes any.
_TYPES: Final = {
    column.name: (column.type.python_type, *([NoneType] if column.nullable else [])) for column in api_keys.c
}
#: What a row is bound by: all but when it was last used.
_BOUND: Final = tuple(name for name in map(str, api_keys.c.keys()) if name not in ("last_used", "mac"))


class KeyText(NamedTuple):
    """The parts of a key's text."""

    id: str
    secret: str

    @classmethod
    def make(cls, key_id: str | None = None) -> KeyText:
        """Return a new one, of a new id where none is given."""
        return cls(key_id or _random(_ID_LENGTH), _random(_SECRET_LENGTH))

    @classmethod
    def parse(cls, text: str) -> KeyText | None:
        """Return the parts of a text, None where it cannot be a key."""
        match = _FORM.fullmatch(text)
        if match is None:
            return None
        parts = cls(match[1], match[2])
        return parts if hmac.compare_digest(parts.text(), text) else None

    def text(self) -> str:
        """Return it as its owner has it."""
        head = f"rpsd_{self.id}_{self.secret}"
        return f"{head}_{_base62(zlib.crc32(head.encode()), _CHECK_LENGTH)}"


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is listed; its secret is nowhere. One that does not hold was changed, and proves nobody."""

    id: str
    name: str
    tenant: str
    roles: tuple[str, ...]
    limits: KeyLimits
    created: int
    expires: int | None
    revoked: int | None
    last_used: int | None
    overlap_until: int | None
    holds: bool


class Keys:
    """The keys of a database.

    Parameters
    ----------
    database : Database
    changed : callable
        Is told the id of a key that is shown and whose row was changed by who lacks the state key.
    """

    def __init__(self, database: Database, changed: Callable[[str], None] = lambda _: None) -> None:
        self._database = database
        self._changed = changed
        self._binding = Binding(database.seal, api_keys.name)
        self._pepper = database.seal.derive("api keys")

    def create(
        self,
        name: str,
        roles: Iterable[str],
        *,
        tenant: str | None = None,
        seconds: float | None = None,
        limits: KeyLimits = KeyLimits(),  # noqa: B008  frozen
    ) -> tuple[Key, str]:
        """Make a key; its text is returned this once.

        Parameters
        ----------
        name : str
            Whose it is, for those who read lists of keys.
        roles : iterable of str
        tenant : str, optional
            Whose streams and jobs it sees; its name where none is given.
        seconds : float, optional
            After how many it ends; None is never.
        limits : KeyLimits, optional

        Raises
        ------
        InputError
            For a name that is none, no role or an unknown one, or an end that has passed.
        """
        tenant = name if tenant is None else tenant
        for what, text in (("name", name), ("tenant", tenant)):
            if not _NAME.fullmatch(text):
                raise InputError(f"{what} must be 1 to 64 letters, digits, blanks and ._@-, got {text!r}")
        chosen = _checked_roles(roles)
        if seconds is not None and not seconds > 0:
            raise InputError(f"a key must end after more than 0 seconds, got {seconds}")
        made = KeyText.make()
        row = {
            "id": made.id,
            "name": name,
            "tenant": tenant,
            "roles": msgspec.json.encode(chosen).decode(),
            "limits": msgspec.json.encode(limits).decode(),
            "digest": self._digest(made.secret),
            "digest_before": None,
            "before_until": None,
            "created": now(),
            "expires": None if seconds is None else now() + round(seconds * _SECOND),
            "revoked": None,
        }
        with self._database.begin() as connection:
            connection.execute(api_keys.insert().values(**row, mac=self._mac(row)))
        return self._one(made.id), made.text()

    def rotate(self, key_id: str, overlap: float = 86400.0) -> tuple[Key, str]:
        """Give a key a new secret; the old one is taken for ``overlap`` seconds more.

        Raises
        ------
        InputError
            Where there is no such key, or it is revoked or over.
        StateError
            Where its row does not hold.
        """
        if not overlap >= 0:
            raise InputError(f"overlap must be 0 seconds or more, got {overlap}")
        with self._database.begin() as connection:
            row = self._row(connection, key_id)
            if not _is_alive(row, now()):
                raise InputError(f"key {key_id} is revoked or has ended")
            made = KeyText.make(row.id)
            until = now() + round(overlap * _SECOND)
            digest = self._digest(made.secret)
            self._change(connection, row, digest_before=row.digest, before_until=until, digest=digest)
        return self._one(key_id), made.text()

    def revoke(self, key_id: str) -> Key:
        """End a key at once; a second time changes nothing.

        Raises
        ------
        InputError
            Where there is no such key.
        StateError
            Where its row does not hold: nobody takes it anyhow.
        """
        with self._database.begin() as connection:
            row = self._row(connection, key_id)
            if row.revoked is None:
                self._change(connection, row, revoked=now())
        return self._one(key_id)

    def all(self) -> list[Key]:
        """Return every key, oldest first."""
        with self._database.begin() as connection:
            rows = connection.execute(sa.select(api_keys).order_by(api_keys.c.created, api_keys.c.id)).all()
        return [self._key(row) for row in rows]

    def is_any(self) -> bool:
        """Return whether there is a key that is neither revoked nor over."""
        with self._database.read() as connection:
            return any(map(self._holds, connection.execute(sa.select(api_keys).where(_alive(now())))))

    def find(self, text: str) -> Principal | None:
        """Return whom a key's text proves, None where it proves nobody."""
        parts = KeyText.parse(text)
        if parts is None:
            return None
        when = now()
        with self._database.read() as connection:
            row = connection.execute(sa.select(api_keys).where(api_keys.c.id == parts.id)).one_or_none()
        digest = self._digest(parts.secret)
        good = row if self._holds(row) else None
        current = hmac.compare_digest(digest, good.digest if good else _NO_DIGEST)
        before = hmac.compare_digest(digest, (good.digest_before if good else None) or _NO_DIGEST)
        if row is not None and good is None:
            self._changed(parts.id)
        if row is None or good is None or not _is_alive(row, when):
            return None
        if not current and not (before and when < row.before_until):
            return None
        if row.last_used is None or when - row.last_used > _USE_EVERY:
            with contextlib.suppress(StateError), self._database.begin() as connection:
                # A full disk must not lock out who has a good key.
                connection.execute(api_keys.update().where(api_keys.c.id == row.id).values(last_used=when))
        key = self._key(row)
        return Principal(
            name=f"key:{key.id}", tenant=key.tenant, roles=frozenset(key.roles), limits=key.limits
        )

    def _digest(self, secret: str) -> bytes:
        return hmac.digest(self._pepper, secret.encode(), hashlib.sha256)

    def _mac(self, row: Mapping[str, Any]) -> bytes:
        return self._binding.mac(row[name] for name in _BOUND)

    def _holds(self, row: Any) -> bool:
        # Of no row too, so that a key that is not there takes the same time.
        values = (getattr(row, name, None) for name in _BOUND)
        bound = self._binding.holds(values, getattr(row, "mac", None))
        return bound and all(isinstance(getattr(row, name), types) for name, types in _TYPES.items())

    def _change(self, connection: sa.Connection, row: Any, **values: Any) -> None:
        new = {**row._mapping, **values}
        here = api_keys.c.id == row.id
        done = connection.execute(api_keys.update().where(here).values(**values, mac=self._mac(new)))
        if done.rowcount != 1:
            raise StateError(f"key {row.id} was not changed: the database kept its row as it was")

    def _row(self, connection: sa.Connection, key_id: str) -> Any:
        """Return the row of a key, for a change of it: what does not hold must not be bound anew."""
        row = None
        if _ID.fullmatch(key_id):
            this = sa.select(api_keys).where(api_keys.c.id == key_id).with_for_update()
            row = connection.execute(this).one_or_none()
        if row is None:
            raise InputError(f"there is no key {key_id[:_ID_LENGTH]!r}")
        if not self._holds(row):
            raise StateError(f"key {key_id} was changed past rpsd, and proves nobody")
        return row

    def _one(self, key_id: str) -> Key:
        with self._database.begin() as connection:
            return self._key(self._row(connection, key_id))

    def _key(self, row: Any) -> Key:
        holds = self._holds(row)
        return Key(
            id=str(row.id),
            name=str(row.name),
            tenant=str(row.tenant),
            roles=tuple(msgspec.json.decode(row.roles)) if holds else (),
            limits=msgspec.json.decode(row.limits, type=KeyLimits) if holds else KeyLimits(),
            created=row.created if holds else 0,
            expires=row.expires if holds else None,
            revoked=row.revoked if holds else None,
            last_used=row.last_used if holds else None,
            overlap_until=row.before_until if holds else None,
            holds=holds,
        )


def _checked_roles(roles: Iterable[str]) -> list[str]:
    chosen = sorted(set(roles))
    unknown = [role for role in chosen if role not in GRANTED]
    if unknown or not chosen:
        got = f"{unknown[0]!r}" if unknown else "none"
        raise InputError(f"roles must be one or more of {', '.join(GRANTED)}, got {got}")
    return chosen


def _alive(when: int) -> Any:
    ends = api_keys.c.expires
    return sa.and_(api_keys.c.revoked.is_(None), sa.or_(ends.is_(None), ends > when))


def _is_alive(row: Any, when: int) -> bool:
    return row.revoked is None and (row.expires is None or when < row.expires)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
