# SPDX-License-Identifier: MIT
"""Processes do the units: one that is killed takes none with it, an interruption keeps what is done."""

import os
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from batches import batch, csv_text, make_folder, manifest, own_cache, prices, start, tree
from command import own_home

import rpsd.batch._workers as module
from rpsd.batch import plan, run_unit
from rpsd.batch._workers import TRIES, Workers

__all__ = ["own_cache", "own_home"]  # fixtures that guard every test here


def without_how(record):
    return {key: value for key, value in record.items() if key != "how"}


def test_workers_do_what_one_process_does(tmp_path):
    make_folder(tmp_path / "in")
    here = [without_how(run_unit(unit)) for unit in plan(["in"], "out1")]
    with Workers(2) as workers:
        there = sorted((without_how(r) for r in workers.run(plan(["in"], "out2"))), key=lambda r: r["name"])
    assert there == here
    assert tree(tmp_path / "out2") == tree(tmp_path / "out1")


def test_no_units_are_no_work():
    with Workers(1) as workers:
        assert list(workers.run([])) == []


@pytest.mark.parametrize(
    ("processors", "arguments", "count"),
    [(8, [], 3), (2, [], 2), (2, ["--workers", "4"], 4), (8, ["--workers", "9"], 5)],
)
def test_how_many_workers_there_are(tmp_path, monkeypatch, processors, arguments, count):
    make_folder(tmp_path / "in")  # five files
    counts = []

    class Here(Workers):
        def __init__(self, count):
            counts.append(count)
            super().__init__(count)

        def run(self, units):
            return module.run_here(units)

    monkeypatch.setattr(module, "Workers", Here)
    monkeypatch.setattr("rpsd.batch._run.build_info", lambda: {"cpu_count": processors})
    monkeypatch.setenv("RPSD_MAX_WORKERS", "3")
    assert batch("in", "-o", "out", *arguments) == 0
    assert counts == [count]


if sys.platform == "linux":
    import fcntl

    @contextmanager
    def held(path):
        """A file that whoever opens waits for, until it is let go or 45 s are over (fcntl(2), F_SETLEASE)."""
        path.write_text(csv_text(prices(5)))
        told = signal.signal(signal.SIGIO, signal.SIG_IGN)  # that somebody waits
        lease = os.open(path, os.O_RDWR)
        try:
            fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            yield lambda: fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        finally:
            os.close(lease)
            signal.signal(signal.SIGIO, told)

    def wait_for(happened):
        """Return what is waited for; half a minute is for machines that are busy."""
        for _ in range(3000):
            found = happened()
            if found:
                return found
            time.sleep(0.01)
        raise AssertionError("it never happened")

    def kill_who_has(workers, name, times, after=lambda: None):
        """Kill the worker that has a unit, so many times."""
        killed = []
        for _ in range(times):
            worker = wait_for(
                lambda: next(
                    (
                        w
                        for w in workers._workers
                        if w.unit and w.unit["name"] == name and w.process.pid not in killed
                    ),
                    None,
                )
            )
            killed.append(worker.process.pid)
            (after if len(killed) == times else lambda: None)()
            os.kill(worker.process.pid, signal.SIGKILL)

    def test_a_unit_whose_worker_is_killed_is_tried_again(tmp_path):
        make_folder(tmp_path / "in", files=2)
        stale = tmp_path / "out" / "held.csv.01234567.tmp"
        stale.parent.mkdir()
        stale.write_text("left by the killed")
        with held(tmp_path / "in" / "held.csv") as let_go, Workers(2) as workers:
            killer = threading.Thread(
                target=kill_who_has, args=(workers, "held.csv", TRIES - 1, let_go), daemon=True
            )
            killer.start()
            records = {record["name"]: record for record in workers.run(plan(["in"], "out"))}
            killer.join()
        assert {series["action"] for record in records.values() for series in record["series"]} == {
            "denoised"
        }
        assert len(records) == 4
        assert not stale.exists()

    def test_a_unit_whose_workers_are_all_killed_has_failed_and_the_rest_are_there(tmp_path):
        make_folder(tmp_path / "in", files=2)
        with held(tmp_path / "in" / "held.csv"), Workers(1) as workers:
            killer = threading.Thread(target=kill_who_has, args=(workers, "held.csv", TRIES), daemon=True)
            killer.start()
            records = {record["name"]: record for record in workers.run(plan(["in"], "out"))}
            killer.join()
        (series,) = records.pop("held.csv")["series"]
        assert series["action"] == "failed"
        assert series["error"] == (
            "its worker process was ended by signal 9 each of 3 times; is there too little memory?"
        )
        assert [record["series"][0]["action"] for record in records.values()] == ["denoised"] * 3

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_an_interruption_keeps_what_is_done_and_leaves_no_temporaries(tmp_path, number, code):
        make_folder(tmp_path / "in")
        journal = tmp_path / "out" / "_rpsd" / "journal.jsonl"
        with held(tmp_path / "in" / "held.csv"):
            running = start("in", "-o", "out", "--workers", "2")
            wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") == 5)
            os.killpg(running.pid, number)  # as a terminal does: the workers get it too
            _, err = running.communicate()
        assert running.returncode == code
        # The last of the journal may not be counted yet.
        assert re.search(r"[45] of 6 file\(s\) done; the same command with --resume does the rest", err)
        assert "Traceback" not in err
        names = tree(tmp_path / "out").keys()
        assert not [name for name in names if name.endswith(".tmp")]
        assert {"deep/s00.csv", "deep/s03.csv", "p.parquet", "_rpsd/journal.jsonl"} <= names

        done = start("in", "-o", "out", "--resume")
        assert "6 series in 6 file(s) (5 there already): 6 delivered, 0 failed" in done.communicate()[1]
        assert len(manifest(tmp_path / "out")) == 6

    def test_workers_end_with_the_process_that_gave_them_work(tmp_path):
        make_folder(tmp_path / "in")
        journal = tmp_path / "out" / "_rpsd" / "journal.jsonl"
        with held(tmp_path / "in" / "held.csv"):
            running = start("in", "-o", "out", "--workers", "2")
            wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") == 5)
            running.kill()
        # The one that waited for the file ends when it comes to tell of it.
        running.communicate()  # ends when nobody holds the other side of the pipes

    def test_a_second_run_into_one_folder_is_refused(tmp_path, capsys):
        make_folder(tmp_path / "in", files=1)
        with held(tmp_path / "in" / "held.csv"):
            running = start("in", "-o", "out")
            wait_for((tmp_path / "out" / "_rpsd" / "run.json").exists)
            for more in ([], ["--resume"]):
                assert batch("in/p.parquet", "-o", "out", *more) == 1
                assert "another run writes out (journal.jsonl); wait for it" in capsys.readouterr().err
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
        assert batch("in/p.parquet", "-o", "out") == 0
