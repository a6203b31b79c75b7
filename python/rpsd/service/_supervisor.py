# SPDX-License-Identifier: MIT
"""What systemd and the service tell each other: sockets that it holds, notices, the watchdog.

Both are a few lines of protocol, sd_listen_fds(3) and sd_notify(3), that need no library.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Final

from rpsd import ConfigError, RpsdError

_FIRST: Final = 3
_PLACE: Final = "NOTIFY_SOCKET"


def notify(*lines: str) -> None:
    """Tell the supervisor, such as ``READY=1``; nobody is told where there is none or it does not listen."""
    place = os.environ.get(_PLACE)
    if not place:
        return
    # A name that begins with @ is abstract: no file, its first byte is zero.
    address = "\0" + place[1:] if place.startswith("@") else place
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)  # the event loop waits for nobody
        try:
            datagrams.sendto("\n".join(lines).encode(), address)
        except OSError:
            return


def notify_reloading() -> None:
    """Tell that a reload begins; ``READY=1`` ends it. Type=notify-reload compares the times."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


class Watchdog:
    """Tells the supervisor that the service is alive, three times in the span after which it is ended."""

    def __init__(self) -> None:
        span = os.environ.get("WATCHDOG_USEC", "")
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._interval = int(span) / 3e6 if mine and span.isdecimal() else float("inf")
        self._next = 0.0 if self._interval < float("inf") else float("inf")

    def feed(self, now: float) -> None:
        """Tell it, if it is time to; now is of the monotonic clock."""
        if now >= self._next:
            notify("WATCHDOG=1")
            self._next = now + self._interval


def given_sockets(ports: tuple[int, ...], *, local: bool) -> list[socket.socket]:
    """Return the listening sockets that the supervisor holds for this process, or none.

    Parameters
    ----------
    ports : tuple of int
        What the configuration says; the sockets must be on these.
    local : bool
        Whether only this machine may reach the service: then a socket that others reach is refused.

    Raises
    ------
    ConfigError
        Where the sockets are not those of the configuration: it decides who needs credentials.
    RpsdError
        Where what was given are no sockets.
    """
    count = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return []
    try:
        found = [socket.socket(fileno=number) for number in range(_FIRST, _FIRST + int(count))]
    except OSError as error:
        raise RpsdError(f"LISTEN_FDS={count} are no open sockets: {error.strerror}") from None
    refusal = _refusal(found, ports, local)
    if refusal is not None:
        for one in found:
            one.close()
        raise ConfigError(refusal)
    for one in found:
        os.set_inheritable(one.fileno(), False)
        one.setblocking(False)
    return found


def _refusal(found: list[socket.socket], ports: tuple[int, ...], local: bool) -> str | None:
    if any(one.family not in {socket.AF_INET, socket.AF_INET6} for one in found):
        return "sockets of systemd must be of TCP: ListenStream=ADDRESS:PORT"
    places = [one.getsockname() for one in found]
    if sorted(place[1] for place in places) != sorted(set(ports)):
        wanted, got = (
            ", ".join(map(str, sorted(numbers))) for numbers in (set(ports), {p[1] for p in places})
        )
        return f"sockets of systemd must be on the ports of the configuration, {wanted}, got {got or 'none'}"
    if local and not all(_is_loopback(place[0]) for place in places):
        return (
            "sockets of systemd can be reached by others, and host says that they cannot: "
            "give host the address they listen on"
        )
    return None


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
