# SPDX-License-Identifier: MIT
"""The unit of a batch under other engines: Dask, and xargs with shards as Slurm's arrays have them."""

import shutil
import subprocess
import sys
import warnings

import pytest
from batches import own_cache  # noqa: F401 - a fixture
from command import QUIET, own_home, run_command  # noqa: F401 - a fixture
from engines import contents, make_days

from rpsd.batch import Columns, finish, plan, run_unit
from rpsd.cli import main


@pytest.fixture
def local(tmp_path):
    """Write three files and do them here; what the outputs hold."""
    make_days(tmp_path / "in", 3)
    assert main(["batch", "in", "-o", "local", *QUIET]) == 0
    shutil.rmtree(tmp_path / "home" / ".cache", ignore_errors=True)
    return contents(tmp_path / "local")


def test_dask(tmp_path, local):
    import distributed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ports and of the machine's memory
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            units = plan(["in"], "out")
            futures = client.map(run_unit, units, retries=2, pure=False)
            records = [future.result() for future in distributed.as_completed(futures)]
    assert {record["how"] for record in records} == {"made"}
    finish(records, "out", units)
    assert contents(tmp_path / "out") == local
    run = run_command("batch", "in", "-o", "out", "--resume")
    assert run.returncode == 0
    assert "3 file(s) (3 there already)" in run.stderr
    assert contents(tmp_path / "out") == local


def test_what_is_finished_is_as_after_the_command_line(tmp_path, local, capsys):
    assert local
    (tmp_path / "in" / "deep").mkdir()
    (tmp_path / "in" / "deep" / "bad.csv").write_text("price\nx\n")
    units = plan(["in"], "out")
    killed, foreign = (tmp_path / "out" / name for name in ("day001.csv.0123abcd.tmp", "x.csv.0123abcd.tmp"))

    def records():
        for unit in units:
            yield run_unit(unit)
            killed.write_text("half")
            foreign.write_text("of another batch")

    finish(records(), "out", units)
    assert (killed.exists(), foreign.exists()) == (False, True)
    assert not (tmp_path / "out" / "deep").exists()
    run = (tmp_path / "out" / "_rpsd" / "run.json").read_bytes()
    assert run == (tmp_path / "local" / "_rpsd" / "run.json").read_bytes()
    assert main(["verify", "out"]) == 0
    assert "3 file(s): 3 same" in capsys.readouterr().err


def test_inputs_and_columns_of_a_plan_are_told_to_verify(tmp_path, capsys):
    table = "symbol,price\n" + "".join(f"{key},{100 + k}\n" for k in range(60) for key in "AB")
    for name in ("long/deep/x.csv", "y.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(table)
    units = plan(["long", "y.csv"], "out", columns=Columns(by="symbol"))
    records = list(map(run_unit, units))
    finish(records, "out")
    assert main(["verify", "out"]) == 2
    assert "has no _rpsd/run.json that names its inputs; give --input" in capsys.readouterr().err
    finish(records, "out", units)
    assert main(["verify", "out"]) == 0
    (tmp_path / "long" / "more.csv").write_text(table)
    assert main(["verify", "out"]) == 1
    assert "more.csv: missing: its input has no output" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="xargs is of POSIX")
def test_xargs(tmp_path, local):
    command = f"{sys.executable} -m rpsd.cli batch in -o out --shard {{}}/3 --workers 1 --cache-size 0"
    subprocess.run(
        ["xargs", "-P", "2", "-I{}", *command.split(), *QUIET], input="1\n2\n3\n", text=True, check=True
    )
    assert sorted(path.name for path in (tmp_path / "out" / "_rpsd").glob("journal*")) == [
        f"journal-{k}-of-3.jsonl" for k in (1, 2, 3)
    ]
    run = run_command("batch", "in", "-o", "out", "--resume")
    assert run.returncode == 0
    assert "3 file(s) (3 there already)" in run.stderr
    assert contents(tmp_path / "out") == local
