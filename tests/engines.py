# SPDX-License-Identifier: MIT
"""Folders of files for the tests of engines, and what is in them."""

import pytest

import rpsd
from rpsd.batch._workers import run_here


def make_days(folder, files, *, rows=390):
    """Write CSV files of one price column each, of different lengths."""
    folder.mkdir(parents=True)
    for day in range(files):
        x = 100 + rpsd.simulate("a", rows + 7 * day, seed=day, nsr=1.0).noisy
        text = "\n".join(map(repr, x.round(4).tolist()))
        (folder / f"day{day:03}.csv").write_text(f"price\n{text}\n")


def contents(folder):
    """Return the bytes of each file below a folder by its name; but for where its run said the inputs are."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


@pytest.fixture
def in_process(monkeypatch):
    """Do the units of a batch in the process of the test."""
    monkeypatch.setattr("rpsd.batch._workers.Workers", _Here)


class _Here:
    def __init__(self, count):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, units):
        return run_here(units)
