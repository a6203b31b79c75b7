# SPDX-License-Identifier: MIT
"""The machine beside what the deployment guide asks of one (docs/operations/sizing.md)."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

#: Some percent of memory are the kernel's, and of a disk the file system's.
_USABLE: Final = 0.95
_GIGABYTE: Final = 1e9


class Asked(NamedTuple):
    """What the guide asks: gigabytes, megabits a second, the C library of the oldest Ubuntu."""

    processors: int
    memory: int
    disk: int
    link: int
    glibc: tuple[int, int]


GUIDE: Final = {
    "minimum": Asked(4, 8, 50, 100, (2, 31)),  # Ubuntu 20.04, macOS 12, Windows 10
    "recommended": Asked(8, 32, 200, 1000, (2, 35)),  # Ubuntu 22.04
}
_OLDEST: Final = {"darwin": ("macOS", (12,)), "win32": ("Windows", (10,))}


class Machine(NamedTuple):
    """What there is; None is not known."""

    processors: int
    architecture: str
    modern: bool
    memory: int | None
    disk: int
    rotating: bool | None
    link: int | None
    system: str
    release: tuple[int, ...] | None
    virtual: bool
    engine: str | None


def measured(place: Path, isas: list[str]) -> Machine:
    """Look at this machine, and at the disk of a directory or of the nearest one above it that is there."""
    there = next(one for one in (place, *place.parents, Path()) if one.exists())
    memory = link = None
    with contextlib.suppress(ImportError):  # it comes with the extra `service`
        import psutil

        memory = psutil.virtual_memory().total
        link = max((one.speed for one in psutil.net_if_stats().values() if one.isup), default=0) or None
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    engines = [name for name in ("docker", "podman") if shutil.which(name)]
    return Machine(
        processors=usable,
        architecture=platform.machine(),
        modern="v3" in isas,
        memory=memory,
        disk=shutil.disk_usage(there).total,
        rotating=_rotating(there),
        link=link,
        system=sys.platform,
        release=_release(),
        virtual=sys.prefix != sys.base_prefix,
        engine=" and ".join(engines) or None,
    )


def _rotating(place: Path) -> bool | None:
    """Tell whether a directory is on a disk that turns, where Linux tells."""
    device = place.stat().st_dev
    if sys.platform != "linux" or not os.major(device):
        return None
    block = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve()
    for one in (block, block.parent):  # of a partition its disk
        with contextlib.suppress(OSError):
            return (one / "queue" / "rotational").read_text().strip() == "1"
    return None


def _release() -> tuple[int, ...] | None:
    """Return the version of what decides: of Linux its C library."""
    if sys.platform == "win32":
        return (sys.getwindowsversion().major,)
    text = platform.mac_ver()[0] if sys.platform == "darwin" else platform.libc_ver()[1]
    parts = text.split(".")[:2]
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else None


def compared(level: str, machine: Machine) -> Iterator[tuple[bool | None, str, str]]:
    """Yield for each thing that a level of the guide asks whether it is there, its name and words."""
    asked = GUIDE[level]
    of = f"{level}: {asked.processors}"
    yield machine.processors >= asked.processors, "processors", f"{machine.processors}; {of} and more"
    known = machine.architecture.lower() in ("x86_64", "amd64")
    kind = f"{machine.architecture}, {'with' if machine.modern else 'without'} AVX2"
    yield (known and machine.modern) or None, "architecture", f"{kind}; {level}: x86-64 of today"
    yield _amount("memory", machine.memory, asked.memory, level)
    good, what, text = _amount("disk", machine.disk, asked.disk, level)
    kinds = {True: "turns, or is a virtual one", False: "solid state", None: "kind not known"}
    solid = True if machine.rotating is False else None
    yield good and solid, what, f"{text}, solid state; this one: {kinds[machine.rotating]}"
    yield _link(machine.link, asked.link, level)
    yield _system(level, machine, asked)
    where = "in a virtual environment" if machine.virtual else "not in a virtual environment"
    version = ".".join(map(str, sys.version_info[:3]))
    fits = machine.virtual or level == "recommended"
    yield fits or None, "python", f"{version}, {where}; {level}: 3.11 and later"
    if level == "recommended":
        found = machine.engine or "neither docker nor podman: without them no containers"
        yield machine.engine is not None or None, "containers", found


def _amount(what: str, found: int | None, asked: int, level: str) -> tuple[bool | None, str, str]:
    wanted = f"{level}: {asked} GB"
    if found is None:
        return None, what, f'not known without pip install "rpsd[service]"; {wanted}'
    return found >= asked * _GIGABYTE * _USABLE, what, f"{found / _GIGABYTE:.1f} GB; {wanted}"


def _link(found: int | None, asked: int, level: str) -> tuple[bool | None, str, str]:
    wanted = f"{level}: {asked} Mbit/s to the internet, which nothing here measures"
    if found is None:
        return None, "network", f"speed not told by this system; {wanted}"
    return found >= asked, "network", f"{found} Mbit/s to the next device; {wanted}"


def _system(level: str, machine: Machine, asked: Asked) -> tuple[bool | None, str, str]:
    name, oldest = _OLDEST.get(machine.system, ("Linux, glibc", asked.glibc))
    release = ".".join(map(str, machine.release)) if machine.release else "version not known"
    wanted = f"{level}: {name} {'.'.join(map(str, oldest))} and later"
    if level == "recommended" and machine.system != "linux":
        return False, "system", f"{name} {release}; {level}: Linux"
    if machine.release is None or machine.system not in ("linux", *_OLDEST):
        return None, "system", f"{machine.system}, {release}; {wanted}"
    return machine.release >= oldest, "system", f"{name} {release}; {wanted}"
