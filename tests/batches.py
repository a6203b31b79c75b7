# SPDX-License-Identifier: MIT
"""What the tests of batches share: folders of small files, and what is in an output folder."""

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rpsd
from rpsd.cli import main

COMMAND = (sys.executable, "-m", "rpsd.cli", "batch")


def prices(seed, n=200):
    return 100 + rpsd.simulate("a", n, seed=seed, nsr=2.0).noisy


def csv_text(x):
    return "t,price\n" + "".join(f"{i},{v!r}\n" for i, v in enumerate(x.tolist()))


def make_folder(folder, files=4, n=200):
    """Write CSV files in a folder of a folder, and a Parquet file beside it."""
    (folder / "deep").mkdir(parents=True)
    for i in range(files):
        (folder / "deep" / f"s{i:02d}.csv").write_text(csv_text(prices(i, n)))
    pq.write_table(pa.table({"price": prices(99, n), "row": range(n)}), folder / "p.parquet")


def tree(folder):
    """Return the bytes of every file below a folder by its relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def batch(*arguments):
    """Run `rpsd batch` in this process."""
    return main(["batch", *map(str, arguments)])


def start(*arguments, **more):
    """Start `rpsd batch` as the leader of a process group of its own."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        **more,
    )


def locked_out(folder, *arguments):
    """Run `rpsd` in a folder as one whom folders without rights keep out, as they do not root."""
    rights = "-dac_override,-dac_read_search"
    without = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.geteuid() == 0 else []
    command = [*without, *COMMAND[:-1], *map(str, arguments)]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def manifest(folder):
    """Return the rows of the manifest of an output folder."""
    return pq.read_table(folder / "_rpsd" / "manifest.parquet").to_pylist()


@pytest.fixture
def in_process(monkeypatch):
    """Do units in the process of the test: no start of workers, and what is patched is patched there too."""
    import rpsd.batch._workers as workers

    class Here:
        def __init__(self, count):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def run(self, units):
            return workers.run_here(units)

    monkeypatch.setattr(workers, "Workers", Here)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep results of one test from another."""
    monkeypatch.setenv("RPSD_CACHE_DIR", os.fspath(tmp_path / "cache"))


@pytest.fixture
def done(monkeypatch):
    """Return the list of names of the files that are denoised from here on."""
    import rpsd.batch._unit as unit

    names = []
    real = unit.denoise_file

    def recorded(*arguments, name, **more):
        names.append(name)
        return real(*arguments, name=name, **more)

    monkeypatch.setattr(unit, "denoise_file", recorded)
    return names
