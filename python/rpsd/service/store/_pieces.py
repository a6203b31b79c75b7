# SPDX-License-Identifier: MIT
"""Long files sealed in pieces: AES-256-GCM, whose nonce has a piece's number and whether it is the last.

This is the STREAM of Hoang, Reyhanitabar, Rogaway and Vizar (Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance, 2015): a piece that was changed, swapped, removed or added is found, and so
is an end that was cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: Bytes of a piece, open; the last has as many or fewer.
PIECE: Final = 1 << 20
_TAG: Final = 16
_NUMBER: Final = 11


class Damaged(Exception):
    """A piece is not what was sealed."""


class Closing:
    """Seals what is written.

    Parameters
    ----------
    file : binary file
    key : bytes
        32 bytes, for this one file.
    beside : bytes
        What must be the same when it is opened.
    """

    def __init__(self, file: BinaryIO, key: bytes, beside: bytes) -> None:
        self._file, self._cipher, self._beside = file, AESGCM(key), beside
        self._waiting = bytearray()
        self._number = 0

    def write(self, plain: bytes) -> None:
        """Take bytes; whole pieces leave once it is known that they are not the last."""
        self._waiting += plain
        while len(self._waiting) > PIECE:
            self._close(PIECE, last=False)

    def end(self) -> None:
        """Seal what is left: the last piece."""
        self._close(PIECE, last=True)

    def _close(self, size: int, *, last: bool) -> None:
        plain = bytes(self._waiting[:size])
        del self._waiting[:size]
        self._file.write(self._cipher.encrypt(_nonce(self._number, last), plain, self._beside))
        self._number += 1


def opening(file: BinaryIO, key: bytes, beside: bytes) -> Iterator[bytes]:
    """Yield the pieces of a file, open, to its end.

    Raises
    ------
    Damaged
        Before a piece that is not what was sealed.
    """
    cipher, number, ahead = AESGCM(key), 0, file.read(PIECE + _TAG)
    while True:
        sealed, ahead = ahead, file.read(PIECE + _TAG)
        last = not ahead
        try:
            plain = cipher.decrypt(_nonce(number, last), sealed, beside)
        except (InvalidTag, ValueError):
            raise Damaged from None
        yield plain
        if last:
            return
        number += 1


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(_NUMBER, "big") + bytes([last])
