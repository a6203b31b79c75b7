# SPDX-License-Identifier: MIT
"""Killed at any moment and resumed, a batch leaves what one that was not leaves, byte for byte."""

import contextlib
import os
import random
import signal
import time

import pyarrow.parquet as pq
import pytest
from batches import batch, csv_text, done, in_process, make_folder, manifest, own_cache, prices, start, tree
from command import own_home

import rpsd
from rpsd.batch import _unit

__all__ = ["done", "in_process", "own_cache", "own_home"]  # fixtures; the last two guard every test here

NO_CACHE = ("--cache-size", "0")


def make_inputs(folder, files):
    make_folder(folder, files)
    (folder / "bad.csv").write_text("t,price\n1,2\n2,x\n")


if os.name == "posix":

    def kill_at_random_moments(tmp_path, seed, kills, files):
        """Kill a batch and its workers again and again, then let it finish; return all it leaves."""
        moments = random.Random(seed)
        journal = tmp_path / "out" / "_rpsd" / "journal.jsonl"
        for kill in range(kills):
            lines = moments.randrange(-1, files) if kill else moments.randrange(files // 2)
            running = start("in", "-o", "out", "--workers", "2", *NO_CACHE, *(["--resume"] if kill else []))
            while running.poll() is None and lines >= 0:
                if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
                    break
                time.sleep(0.001)
            time.sleep(moments.random() * (0.02 if lines >= 0 else 1.0))
            with contextlib.suppress(ProcessLookupError):  # it had ended
                os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
            for path in (tmp_path / "out").rglob("*.csv"):
                assert (
                    path.read_bytes()
                    == (tmp_path / "whole" / path.relative_to(tmp_path / "out")).read_bytes()
                )
        assert batch("in", "-o", "out", "--workers", "2", "--resume", *NO_CACHE) == 4
        return tree(tmp_path / "out")

    def test_killed_at_five_moments(tmp_path, in_process):
        make_inputs(tmp_path / "in", 12)
        assert batch("in", "-o", "whole", *NO_CACHE) == 4
        assert kill_at_random_moments(tmp_path, 1, 5, 12) == tree(tmp_path / "whole")

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(10))
    def test_killed_at_fifty_moments(tmp_path, in_process, seed):
        make_inputs(tmp_path / "in", 40)
        assert batch("in", "-o", "whole", *NO_CACHE) == 4
        assert kill_at_random_moments(tmp_path, 100 + seed, 5, 40) == tree(tmp_path / "whole")


def interrupted(tmp_path, monkeypatch, after, *arguments):
    """Run a batch that is interrupted when so many files are done."""
    real = _unit.denoise_file
    count = 0

    def stops(*arguments, **more):
        nonlocal count
        count += 1
        if count > after:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(_unit, "denoise_file", stops)
        assert batch("in", "-o", "out", *NO_CACHE, *arguments) == 130


def test_what_is_finished_is_not_done_twice(tmp_path, monkeypatch, in_process, done, capsys):
    make_folder(tmp_path / "in")
    interrupted(tmp_path, monkeypatch, 3)
    assert len(done) == 3
    first, done[:] = list(done), []
    assert batch("in", "-o", "out", "--resume", *NO_CACHE) == 0
    assert sorted(first + done) == [
        "deep/s00.csv",
        "deep/s01.csv",
        "deep/s02.csv",
        "deep/s03.csv",
        "p.parquet",
    ]
    done.clear()
    # Nor after the manifest was made.
    before = tree(tmp_path / "out")
    assert batch("in", "-o", "out", "--resume", *NO_CACHE) == 0
    assert done == []
    assert tree(tmp_path / "out") == before
    assert "(5 there already): 5 delivered, 0 failed; manifest" in capsys.readouterr().err.splitlines()[-1]
    # Without it all are.
    assert batch("in", "-o", "out", *NO_CACHE) == 0
    assert len(done) == 5
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize(
    "torn", [b'{"name":"deep/s00.csv","settings":"', b"\xff\x00\n", b"{}\n[]\n", b"\n\n"]
)
def test_a_torn_or_damaged_line_is_nothing(tmp_path, monkeypatch, in_process, done, torn):
    make_folder(tmp_path / "in")
    assert batch("in", "-o", "whole", *NO_CACHE) == 0
    interrupted(tmp_path, monkeypatch, 2)
    with open(tmp_path / "out" / "_rpsd" / "journal.jsonl", "ab") as journal:
        journal.write(torn)
    done.clear()
    interrupted(tmp_path, monkeypatch, 1, "--resume")
    assert len(done) == 1
    # The line of that one is not lost to the torn one before it.
    assert batch("in", "-o", "out", "--resume", *NO_CACHE) == 0
    assert len(done) == 3
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_manifest_that_cannot_be_read_is_nothing(tmp_path, in_process, done, capsys):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "out", *NO_CACHE) == 0
    before = tree(tmp_path / "out")
    path = tmp_path / "out" / "_rpsd" / "manifest.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    done.clear()
    assert batch("in", "-o", "out", "--resume", *NO_CACHE) == 0
    assert "manifest.parquet: not a manifest of rpsd" in capsys.readouterr().err
    assert len(done) == 2
    assert tree(tmp_path / "out") == before


def test_failures_are_tried_again_and_only_they(tmp_path, in_process, done):
    make_inputs(tmp_path / "in", 2)
    assert batch("in", "-o", "out", *NO_CACHE) == 4
    (tmp_path / "in" / "bad.csv").write_text(csv_text(prices(7)))
    done.clear()
    assert batch("in", "-o", "out", "--resume", *NO_CACHE) == 0
    assert done == ["bad.csv"]
    assert batch("in", "-o", "whole", *NO_CACHE) == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_changed_inputs_options_and_outputs_are_done_again(tmp_path, in_process, done):
    make_folder(tmp_path / "in", files=2)
    assert batch("in", "-o", "out", *NO_CACHE) == 0

    def again(*options):
        done.clear()
        assert batch("in", "-o", "out", "--resume", *NO_CACHE, *options) == 0
        return sorted(done)

    assert again() == []
    (tmp_path / "in" / "deep" / "s01.csv").write_text(csv_text(prices(50)))
    assert again() == ["deep/s01.csv"]
    (tmp_path / "out" / "deep" / "s00.csv").write_text("t,price\n")
    assert again() == ["deep/s00.csv"]
    (tmp_path / "in" / "new.csv").write_text(csv_text(prices(51)))
    assert again() == ["new.csv"]
    assert len(again("--method", "kalman")) == 4
    assert again("--method", "kalman") == []
    (tmp_path / "in" / "new.csv").unlink()
    assert again("--method", "kalman") == []
    assert [row["file"] for row in manifest(tmp_path / "out")] == [
        "deep/s00.csv",
        "deep/s01.csv",
        "p.parquet",
    ]


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path, in_process):
    make_folder(tmp_path / "in", files=2)
    stale = ["p.parquet.0123abcd.tmp", "_rpsd/run.json.00000000.tmp", "deep/gone.csv.ffffffff.tmp"]
    kept = ["p.parquet.tmp", "deep/s00.csv.0123abc.tmp", "notes.txt"]
    for name in stale + kept:
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("")
    # A shard leaves those of others alone: they may be at work.
    assert batch("in", "-o", "out", "--shard", "3/3") == 0
    assert [name for name in stale if (tmp_path / "out" / name).exists()] == stale[1:]
    assert batch("in", "-o", "out", "--resume") == 0
    assert [name for name in stale + kept if (tmp_path / "out" / name).exists()] == kept


def test_a_folder_in_which_nothing_came_out_goes_and_others_stay(tmp_path, in_process):
    make_folder(tmp_path / "in", files=2)
    assert batch("in", "-o", "out") == 0
    (tmp_path / "in" / "deep" / "er").mkdir()
    for name in ("s00", "s01", "er/bad"):
        (tmp_path / "in" / "deep" / f"{name}.csv").write_text("price\nx\n")
    (tmp_path / "out" / "own").mkdir()
    assert batch("in", "-o", "out", "--shard", "1/1", "--resume") == 4
    assert (tmp_path / "out" / "deep" / "er").exists()  # other shards may be at work there
    assert batch("in", "-o", "out", "--resume") == 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_rpsd", "own", "p.parquet"]
    assert not (tmp_path / "out" / "_rpsd" / "receipts").exists()


def test_shards_and_a_last_run_make_what_one_run_makes(tmp_path, in_process, done, capsys):
    make_inputs(tmp_path / "in", 5)
    assert batch("in", "-o", "whole", *NO_CACHE) == 4
    done.clear()
    codes = [batch("in", "-o", "out", "--shard", f"{k}/3", *NO_CACHE) for k in (3, 1, 2)]
    assert sorted(codes) == [0, 0, 4]
    assert capsys.readouterr().err.splitlines()[-1].endswith("; shard 2/3")
    assert len(done) == 7
    assert not (tmp_path / "out" / "_rpsd" / "manifest.parquet").exists()
    done.clear()
    assert batch("in", "-o", "out", "--shard", "2/3", "--resume", *NO_CACHE) == 0
    assert done == []
    assert batch("in", "-o", "out", "--resume", *NO_CACHE) == 4
    assert done == ["bad.csv"]
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_shard_without_files_is_fine(tmp_path, in_process, capsys):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "out", "--shard", "3/3") == 0
    assert "0 series in 0 file(s): 0 delivered, 0 failed; shard 3/3" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_workers_changes_no_byte(tmp_path, monkeypatch, workers):
    make_inputs(tmp_path / "in", 1)
    with monkeypatch.context() as patch:
        import rpsd.batch._workers as module

        threads = []
        real = module.run_unit
        patch.setattr(module, "run_unit", lambda unit: threads.append(unit["threads"]) or real(unit))
        patch.setattr(module.Workers, "run", lambda self, units: module.run_here(units))
        assert batch("in", "-o", "out", "--workers", workers, *NO_CACHE) == 4
        assert threads == [max(1, workers // 3)] * 3
        assert batch("in", "-o", "one", "--workers", 1, *NO_CACHE) == 4
    assert tree(tmp_path / "out") == tree(tmp_path / "one")


def test_a_manifest_gives_its_records_back(tmp_path):
    from rpsd.batch._manifest import read_manifest, write_manifest

    make_inputs(tmp_path / "in", 2)
    records = [
        {key: value for key, value in _unit.run_unit(unit).items() if key != "how"}
        for unit in rpsd.batch.plan(["in"], "out")
    ]
    write_manifest(records, ["m.parquet", "copy.parquet"])
    again = list(read_manifest("m.parquet"))
    for record in records:
        for series in record["series"]:  # what cannot be computed is not there
            series["checks"] = {name: value for name, value in series["checks"].items() if value is not None}
    assert again == records
    assert (tmp_path / "m.parquet").read_bytes() == (tmp_path / "copy.parquet").read_bytes()
    assert pq.read_table("m.parquet").num_rows == 4
    (tmp_path / "m.parquet").write_text("no")
    with pytest.raises(rpsd.InputError, match=r"m\.parquet: not a manifest of rpsd"):
        list(read_manifest("m.parquet"))
