# SPDX-License-Identifier: MIT
"""`rpsd verify`: the same, or different and where, for every way to be different."""

import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from batches import batch, csv_text, in_process, locked_out, make_folder, own_cache, prices
from command import own_home, run_command

from rpsd.cli import main

__all__ = ["in_process", "own_cache", "own_home"]  # fixtures; the last two guard every test here


def verify(*arguments):
    return main(["verify", *map(str, arguments)])


@pytest.fixture
def out(tmp_path, in_process):
    """Return the folder of a batch of three files."""
    make_folder(tmp_path / "in", files=2)
    assert batch("in", "-o", "out") == 0
    return tmp_path / "out"


def test_outputs_as_they_were_made_are_the_same(out, capsys):
    capsys.readouterr()
    assert verify(out) == 0
    assert capsys.readouterr() == ("", f"rpsd: {out}: 3 file(s): 3 same, 0 different\n")
    assert verify(out / "p.parquet") == 0
    assert verify(out / "deep" / "s00.csv") == 0


@pytest.mark.parametrize("name", ["p.parquet", "deep/s00.csv", "_rpsd/receipts/deep/s00.csv.json"])
def test_one_flipped_bit_is_found_wherever_it_is(out, name):
    random_bits = random.Random(name)
    path, target = out / name, out / name.removeprefix("_rpsd/receipts/").removesuffix(".json")
    whole = path.read_bytes()
    for _ in range(25):
        damaged = bytearray(whole)
        damaged[random_bits.randrange(len(whole))] ^= 1 << random_bits.randrange(8)
        path.write_bytes(damaged)
        assert verify(target) == 1
    path.write_bytes(whole)
    assert verify(target) == 0


def test_the_place_of_a_changed_value_is_told(out, capsys):
    table = pq.read_table(out / "p.parquet")
    values = table.column("price").to_numpy().copy()
    before = values[41].item()
    values.view(np.uint64)[41] ^= 1  # the last bit
    pq.write_table(table.set_column(0, table.schema.field(0), pa.array(values)), out / "p.parquet")
    lines = (out / "deep" / "s01.csv").read_text().splitlines()
    t, price = lines[5].split(",")
    lines[5] = f"{t},99.5"
    (out / "deep" / "s01.csv").write_text("\n".join(lines) + "\n")
    capsys.readouterr()
    assert verify(out) == 1
    told, counts = capsys.readouterr()
    assert told.splitlines() == [
        "deep/s01.csv: different: 1 cell(s) are not what they are recomputed to be",
        f'  row 5, column "price": 99.5, recomputed {price}',
        "p.parquet: different: 1 cell(s) are not what they are recomputed to be",
        f'  row 42, column "price": {values[41].item()!r}, recomputed {before!r}',
    ]
    assert counts.endswith("3 file(s): 1 same, 2 different\n")
    assert verify(out, "--json") == 1
    first = json.loads(capsys.readouterr().out)["files"][1]
    assert first["cells"] == [{"row": 5, "column": "price", "there": "99.5", "recomputed": price}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda out: (out / "p.parquet").unlink(), "p.parquet: missing: the manifest has it"),
        (
            lambda out: (out / "more.csv").write_text("price\n1\n"),
            "more.csv: extra: the manifest has no output",
        ),
        (
            lambda out: (out.parent / "in" / "new.csv").write_text("price\n1\n"),
            "new.csv: missing: its input has no output",
        ),
        (
            lambda out: (out.parent / "in" / "deep" / "s00.csv").write_text(csv_text(prices(9))),
            "deep/s00.csv: its input has changed since: SHA-256 ",
        ),
        (
            lambda out: (out / "_rpsd" / "receipts" / "deep" / "s00.csv.json").unlink(),
            "deep/s00.csv: it has no receipt that can be read",
        ),
        (
            lambda out: (out / "deep" / "s00.csv").write_text("a,b\n1,2\n"),
            'its columns are "a", "b", not "t", "price"',
        ),
        (
            lambda out: (out / "deep" / "s00.csv").write_text("t,price\n0,1\n"),
            "its rows differ from row 2 on",
        ),
        (
            lambda out: (out / "p.parquet").write_bytes(b"PAR1"),
            "p.parquet: it has no receipt that can be read",
        ),
    ],
)
def test_every_other_difference_is_told(out, change, message, capsys):
    change(out)
    assert verify(out) == 1
    assert message in capsys.readouterr().out


def test_what_cannot_be_compared_is_no_difference(out, capsys):
    (out.parent / "in" / "p.parquet").unlink()
    assert verify(out) == 2
    told, counts = capsys.readouterr()
    assert "p.parquet: its input is not there" in told
    assert counts == f"rpsd: {out}: 3 file(s): 2 same, 0 different, 1 not compared\n"
    assert verify(out, "--json") == 2
    summary = json.loads(capsys.readouterr().out)
    assert [summary[key] for key in ("same", "different", "unknown")] == [2, 0, 1]
    assert [one["file"] for one in summary["files"] if one["unknown"]] == ["p.parquet"]
    (out / "_rpsd" / "manifest.parquet").write_bytes(b"PAR1")
    assert verify(out) == 2
    assert "rpsd: error: " in capsys.readouterr().err


def test_an_output_of_another_version_is_compared_all_the_same(out, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("rpsd.batch._receipt.__version__", "9.0")
        assert batch("in", "-o", "out") == 0
    capsys.readouterr()
    assert verify(out) == 0
    assert "deep/s00.csv: same (made by rpsd 9.0, recomputed by 0.1.0)\n" in capsys.readouterr().out
    path = out / "_rpsd" / "receipts" / "deep" / "s00.csv.json"
    path.write_text(path.read_text().replace('"min_periods"', '"least_periods"'))
    assert verify(out) == 1  # it is not what the manifest tells of
    assert "it cannot be recomputed: " in capsys.readouterr().out


def test_inputs_that_were_moved_are_named(out, tmp_path, capsys):
    (tmp_path / "in").rename(tmp_path / "moved")
    assert verify(out) == 2
    assert verify(out, "--input", "moved") == 0
    assert verify(out / "p.parquet", "--input", tmp_path / "moved" / "p.parquet") == 0
    assert verify(out, "--input", "none") == 2
    assert "rpsd: error: cannot read ./none: no such file or folder" in capsys.readouterr().err


def test_a_file_without_a_batch_needs_its_input(out, tmp_path, capsys):
    (out / "p.parquet").rename(tmp_path / "alone.parquet")
    assert verify("alone.parquet") == 2
    assert "alone.parquet is in no folder of a batch; name its input with --input" in capsys.readouterr().err
    assert verify("alone.parquet", "--input", "in/p.parquet") == 0
    assert verify("nothing") == 2


def test_of_a_csv_file_without_a_batch_it_is_told_what_to_do(out, tmp_path, capsys):
    assert main(["denoise", "in/deep/s00.csv", "-o", "alone.csv"]) == 0
    for more in ([], ["--input", "in/deep/s00.csv"]):
        assert verify("alone.csv", *more) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert (
            "a CSV file carries no receipt of its own: run rpsd denoise again with the same options" in error
        )
    assert main(["denoise", "in/deep/s00.csv", "-o", "again.csv"]) == 0
    assert main(["diff", "alone.csv", "again.csv"]) == 0


def test_failed_series_have_nothing_to_verify(tmp_path, in_process, capsys):
    make_folder(tmp_path / "in", files=1)
    (tmp_path / "in" / "bad.csv").write_text("price\n1\nx\n")
    assert batch("in", "-o", "out") == 4
    assert verify("out") == 0
    (tmp_path / "out" / "bad.csv").write_text("price\n1\n2\n")
    assert verify("out") == 1
    assert "bad.csv: extra" in capsys.readouterr().out


def test_neither_workers_nor_threads_nor_the_instruction_set_matter(tmp_path, monkeypatch):
    make_folder(tmp_path / "in", files=2)
    monkeypatch.setenv("RPSD_ISA", "baseline")
    assert run_command("batch", "in", "-o", "out", "--workers", "2").returncode == 0
    monkeypatch.setenv("RPSD_ISA", "v3")
    assert verify("out") == 0


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst", ".arrow"])
def test_other_formats(tmp_path, in_process, suffix, capsys):
    name = f"x{suffix}"
    (tmp_path / "in").mkdir()
    table = pa.table({"price": prices(1)})
    if suffix == ".arrow":
        with pa.ipc.new_file(tmp_path / "in" / name, table.schema) as file:
            file.write(table)
    else:
        with pa.CompressedOutputStream(
            tmp_path / "in" / name, {"gz": "gzip", "zst": "zstd"}[suffix[5:]]
        ) as file:
            file.write(csv_text(prices(1)).encode())
    assert batch("in", "-o", "out") == 0
    assert verify("out") == 0
    assert batch("in", "-o", "out2", "--method", "wavelet", "--noise", "mad") == 0
    capsys.readouterr()
    (tmp_path / "out" / name).write_bytes((tmp_path / "out2" / name).read_bytes())
    assert verify("out") == 1
    # The Arrow file brings its own receipt, with the options that made it.
    message = "it is not what the manifest tells of" if suffix == ".arrow" else "cell(s) are not what"
    assert message in capsys.readouterr().out


def test_outputs_of_a_folder_that_is_closed_now_cannot_be_checked(tmp_path):
    make_folder(tmp_path / "in", files=1)
    assert locked_out(tmp_path, "batch", "in", "-o", "out").returncode == 0
    (tmp_path / "out" / "deep" / "none.csv").write_text("price\n1\n")
    (tmp_path / "in" / "deep").chmod(0)
    closed = f"{tmp_path / 'in' / 'deep'}: the folder cannot be read: Permission denied"
    shut = f"deep/s00.csv: its input cannot be read: {closed}"
    done = locked_out(tmp_path, "verify", "out")
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        "deep/: the folder cannot be read: Permission denied",
        "deep/none.csv: extra: the manifest has no output of that name",
        shut,
    ]
    assert locked_out(tmp_path, "verify", "out/deep/s00.csv").stdout == f"{shut}\n"
    (tmp_path / "out" / "deep" / "none.csv").unlink()
    assert locked_out(tmp_path, "batch", "in", "-o", "out", "--resume").returncode == 4
    done = locked_out(tmp_path, "verify", "out")  # the manifest knows of the folder only that it was closed
    assert (done.returncode, done.stdout) == (2, f"{shut}\n")
    assert "2 file(s): 1 same, 0 different, 1 not compared" in done.stderr
    (tmp_path / "in" / "deep").chmod(0o700)
    assert locked_out(tmp_path, "verify", "out").returncode == 0
    (tmp_path / "in" / "deep" / "s00.csv").unlink()
    assert "deep/s00.csv: its input is not there" in locked_out(tmp_path, "verify", "out").stdout
