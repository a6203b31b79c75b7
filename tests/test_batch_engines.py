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

from rpsd.batch import finish, plan, run_unit
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
    finish(records, "out")
    assert contents(tmp_path / "out") == local
    run = run_command("batch", "in", "-o", "out", "--resume")
    assert run.returncode == 0
    assert "3 file(s) (3 there already)" in run.stderr
    assert contents(tmp_path / "out") == local


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
