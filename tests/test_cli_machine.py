# SPDX-License-Identifier: MIT
"""`rpsd doctor --machine`: this machine, and others, beside what the guide asks of one."""

import os
import shutil
import sys

import psutil
import pytest
from command import own_home, run_command

import rpsd
from rpsd.cli._machine import GUIDE, Machine, compared, measured

__all__ = ["own_home"]
LEVELS = ("minimum", "recommended")
#: As much as each level asks, and no more.
ENOUGH = {
    "minimum": Machine(
        4, "x86_64", True, 8 * 10**9, 50 * 10**9, False, 100, "linux", (2, 31), True, None
    ),
    "recommended": Machine(
        8, "AMD64", True, 32 * 10**9, 200 * 10**9, False, 1000, "linux", (2, 35), False, "podman"
    ),
}  # fmt: skip


def verdicts(level, machine):
    return {what: good for good, what, _ in compared(level, machine)}


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_asked_is_enough(level):
    assert set(verdicts(level, ENOUGH[level]).values()) == {True}


LESS = [
    ("minimum", {"processors": 3}, "processors", False),
    ("recommended", {"processors": 7}, "processors", False),
    ("minimum", {"architecture": "aarch64"}, "architecture", None),
    ("minimum", {"modern": False}, "architecture", None),
    ("minimum", {"memory": 7 * 10**9}, "memory", False),
    ("minimum", {"memory": 7_700_000_000}, "memory", True),  # the rest is the kernel's
    ("recommended", {"memory": 16 * 10**9}, "memory", False),
    ("minimum", {"memory": None}, "memory", None),
    ("minimum", {"disk": 40 * 10**9}, "disk", False),
    ("recommended", {"disk": 100 * 10**9}, "disk", False),
    ("minimum", {"rotating": True}, "disk", None),
    ("minimum", {"rotating": None}, "disk", None),
    ("minimum", {"rotating": True, "disk": 10**9}, "disk", False),
    ("minimum", {"link": 10}, "network", False),
    ("recommended", {"link": 100}, "network", False),
    ("minimum", {"link": None}, "network", None),
    ("minimum", {"release": (2, 28)}, "system", False),
    ("minimum", {"release": None}, "system", None),
    ("recommended", {"release": (2, 31)}, "system", False),
    ("minimum", {"system": "darwin", "release": (12, 0)}, "system", True),
    ("minimum", {"system": "darwin", "release": (11, 7)}, "system", False),
    ("recommended", {"system": "darwin", "release": (15, 0)}, "system", False),
    ("minimum", {"system": "win32", "release": (10,)}, "system", True),
    ("minimum", {"system": "win32", "release": (6,)}, "system", False),
    ("minimum", {"system": "freebsd14", "release": (14,)}, "system", None),
    ("minimum", {"virtual": False}, "python", None),
    ("recommended", {"virtual": True}, "python", True),
    ("recommended", {"engine": None}, "containers", None),
]


@pytest.mark.parametrize(("level", "less", "what", "verdict"), LESS, ids=str)
def test_less_of_one_thing_is_told_of_that_thing(level, less, what, verdict):
    found = verdicts(level, ENOUGH[level]._replace(**less))
    assert found.pop(what) is verdict
    assert set(found.values()) == {True}


def test_this_machine_is_as_the_system_says(tmp_path):
    found = measured(tmp_path / "not" / "there", ["baseline", "v3"])
    assert found.memory == psutil.virtual_memory().total
    assert found.disk == shutil.disk_usage(tmp_path).total
    assert 1 <= found.processors <= os.cpu_count()
    assert (found.system, found.modern) == (sys.platform, True)
    assert found.release is None or all(isinstance(part, int) for part in found.release)
    assert found.virtual == (sys.prefix != sys.base_prefix)


@pytest.mark.parametrize("level", LEVELS)
def test_the_command_says_so_and_fails_where_something_is_missing(level):
    done = run_command("doctor", "--machine", level)
    lines = {line[6:20].strip(): line for line in done.stdout.splitlines()}
    marks = {True: "ok", None: "warn", False: "fail"}
    told = verdicts(level, measured(rpsd.load_config().paths.state_path, rpsd.build_info()["isas"]))
    assert {what: lines[what][:4].strip() for what in told} == {
        what: marks[good] for what, good in told.items()
    }
    assert done.returncode == int(False in told.values())
    assert f"{level}: {GUIDE[level].processors} and more" in lines["processors"]


def test_without_the_option_the_machine_is_not_judged():
    done = run_command("doctor")
    assert done.returncode == 0
    assert "processors      " not in done.stdout


def test_another_level_is_refused():
    done = run_command("doctor", "--machine", "huge")
    assert done.returncode == 2
    assert "minimum" in done.stderr
