# SPDX-License-Identifier: MIT
"""Which files a batch reads and what they become; what is refused before any work."""

import os

import pytest
from batches import csv_text, in_process, locked_out, manifest, own_cache, prices
from command import own_home

from rpsd import ConfigError, InputError
from rpsd.batch import plan, run_unit
from rpsd.batch._plan import Source, find_inputs, share_of, suffix_of
from rpsd.cli import main

__all__ = ["in_process", "own_cache", "own_home"]  # fixtures; the latter two guard every test here


def write(path, text="price\n1\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(*inputs, output="out", data_dir="."):
    return [source.name for source in find_inputs(list(map(str, inputs)), output, data_dir)]


def test_folders_are_searched_sorted_and_names_are_relative(tmp_path):
    for name in (
        "b.csv",
        "a/z.parquet",
        "a/day=1/x.csv.gz",
        "c.FEATHER",
        "d.csv.zst",
        "e.pq",
        "f.ipc",
        "g.arrow",
    ):
        write(tmp_path / "in" / name)
    for name in (
        ".hidden.csv",
        "_SUCCESS",
        "_log/x.parquet",
        ".git/x.csv",
        "readme.txt",
        "x.csv.bak",
        "y.tmp",
    ):
        write(tmp_path / "in" / name)
    expected = sorted(
        ["b.csv", "a/z.parquet", "a/day=1/x.csv.gz", "c.FEATHER", "d.csv.zst", "e.pq", "f.ipc", "g.arrow"]
    )
    assert names("in") == expected
    # A file that is named is taken whatever its name begins with; it comes alone, without its folders.
    assert names("in/_log/x.parquet", "in/a") == ["day=1/x.csv.gz", "x.parquet", "z.parquet"]


def test_one_file_given_twice_is_one_input(tmp_path):
    write(tmp_path / "in" / "a.csv")
    assert names("in", "in/a.csv", tmp_path / "in" / "a.csv") == ["a.csv"]


def test_links_that_go_round_end(tmp_path):
    write(tmp_path / "in" / "a" / "x.csv")
    (tmp_path / "in" / "a" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "in" / "a" / "x.csv")
    assert names("in") == ["a/x.csv", "link.csv"]


def test_relative_inputs_are_taken_from_the_data_directory(tmp_path, monkeypatch):
    write(tmp_path / "data" / "in" / "a.csv", csv_text(prices(1)))
    monkeypatch.setenv("RPSD_DATA_DIR", str(tmp_path / "data"))
    assert main(["batch", "in", "-o", "out"]) == 0
    assert (tmp_path / "out" / "a.csv").exists()


@pytest.mark.parametrize(
    ("inputs", "output", "error", "message"),
    [
        (["in"], "in", ConfigError, "the output in must not be in the input ./in"),
        (["in"], "in/out", ConfigError, "the output in/out must not be in the input ./in"),
        (["in"], "in/a.csv", ConfigError, "-o must name a folder, got the file in/a.csv"),
        (["in"], "", ConfigError, '-o must name a folder, got ""'),
        (["in/a.csv"], "in", ConfigError, "the output in/a.csv would replace an input"),
        (
            ["in", "other/a.csv"],
            "out",
            ConfigError,
            "would both become out/a.csv; give a folder that holds both",
        ),
        (["-"], "out", ConfigError, 'IN must name files or folders, got "-"'),
        (["in/notes.txt"], "out", ConfigError, "in/notes.txt must end in one of .arrow, .csv, .csv.gz"),
        (["none.csv"], "out", InputError, "cannot read ./none.csv: No such file or directory"),
        (["none"], "out", InputError, "cannot read ./none: no such file or folder"),
        (["empty"], "out", InputError, "no input: empty has no file that ends in .arrow, .csv"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(tmp_path, inputs, output, error, message):
    for name in ("in/a.csv", "in/notes.txt", "other/a.csv"):
        write(tmp_path / name)
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error) as caught:
        plan(inputs, output)
    assert message in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "out"], 2, "Missing argument"),
        (["in"], 2, "Missing option '-o'"),
        (["in", "-o", "in/out"], 2, "must not be in the input"),
        (["none", "-o", "out"], 1, "cannot read ./none"),
        (["in", "-o", "out", "--only", "A"], 2, "--only names keys of a column; give the column with --by"),
        (["in", "-o", "out", "--time", "t", "--no-time"], 2, "exclude each other"),
        (["in", "-o", "out", "--shard", "0/4"], 2, "must be K/N with K from 1 to N, as 3/8, got '0/4'"),
        (["in", "-o", "out", "--shard", "5/4"], 2, "must be K/N"),
        (["in", "-o", "out", "--shard", "1"], 2, "must be K/N"),
        (["in", "-o", "out", "--workers", "0"], 2, "--workers"),
        (["in", "-o", "out", "--manifest", "m.csv"], 2, "--manifest must end in .parquet or .pq, got m.csv"),
        (["in", "-o", "out", "--manifest", "no/m.parquet"], 1, "there is no directory"),
        (
            ["in", "-o", "out", "--shard", "1/2", "--manifest", "m.parquet"],
            2,
            "--manifest and --shard exclude",
        ),
        (["in", "-o", "out", "--method", "kalman", "--noise", "mad"], 2, "noise"),
        (["in", "-o", "out", "--level", "-1"], 2, "level must be"),
    ],
)
def test_the_command_refuses_with_one_line_and_a_code(tmp_path, arguments, code, message, capsys):
    write(tmp_path / "in" / "a.csv")
    assert main(["batch", *arguments]) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_shares_are_all_inputs_once():
    sources = [Source(f"{i:02d}.csv", "", 0) for i in range(11)]
    shares = [share_of(sources, (k, 4)) for k in range(1, 5)]
    assert sorted(source for share in shares for source in share) == sources
    assert share_of(sources, None) == sources


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.csv", ".csv"),
        ("a.b.CSV.GZ", ".csv.gz"),
        ("a.gz", None),
        ("csv", None),
        (".csv", None),
        ("a.pq", ".pq"),
    ],
)
def test_suffixes(name, suffix):
    assert suffix_of(name) == suffix


if os.name == "posix":

    @pytest.mark.parametrize("inputs", [["in"], ["in/a.csv", "in/\udcff.csv"]])
    def test_a_name_that_is_no_text_is_one_failed_file(tmp_path, inputs, in_process, capsys):
        write(tmp_path / "in" / "a.csv", csv_text(prices(1)))
        bad = tmp_path / "in" / "\udcff.csv"
        write(bad, csv_text(prices(2)))
        assert main(["batch", *inputs, "-o", "out"]) == 4
        err = capsys.readouterr().err
        assert "\\udcff.csv: its path must be UTF-8; rename the file, or the folder" in err
        rows = {row["file"]: row["action"] for row in manifest(tmp_path / "out")}
        assert rows == {"\\udcff.csv": "failed", "a.csv": "denoised"}
        assert main(["verify", "out"]) == 0
        assert main(["batch", *inputs, "-o", "out", "--resume"]) == 4
        assert "2 file(s) (1 there already)" in capsys.readouterr().err
        for unit in plan(inputs, "units"):
            assert run_unit(unit)["series"][0]["action"] == rows[unit["name"]]
        bad.rename(tmp_path / "in" / "b.csv")
        assert main(["batch", "in", "-o", "out", "--resume"]) == 0
        assert sorted(row["file"] for row in manifest(tmp_path / "out")) == ["a.csv", "b.csv"]

    def test_of_a_folder_that_is_no_text_all_files_fail_and_none_is_an_output(tmp_path, capsys):
        write(tmp_path / "in\udcff" / "a.csv", csv_text(prices(1)))
        assert main(["batch", "in\udcff", "-o", "out"]) == 1
        assert "a.csv: its path must be UTF-8" in capsys.readouterr().err
        for option in (["-o", "out\udcff"], ["-o", "out", "--manifest", "m\udcff.parquet"]):
            assert main(["batch", "in\udcff", *option]) == 2
            assert f"{option[-2]} must be a path in UTF-8, got " in capsys.readouterr().err

    def test_a_folder_that_cannot_be_read_is_one_failed_entry(tmp_path):
        for name in ("a", "closed/b"):
            write(tmp_path / "in" / f"{name}.csv", csv_text(prices(1)))
        (tmp_path / "in" / "closed").chmod(0)
        for option in ([], ["--resume"]):
            done = locked_out(tmp_path, "batch", "in", "-o", "out", *option)
            assert done.returncode == 4, done.stderr
            assert "closed/: the folder cannot be read: Permission denied" in done.stderr
            rows = {row["file"]: row["action"] for row in manifest(tmp_path / "out")}
            assert rows == {"a.csv": "denoised", "closed/": "failed"}
        (tmp_path / "in" / "closed").chmod(0o700)
        assert main(["batch", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--resume"]) == 0
        assert [row["file"] for row in manifest(tmp_path / "out")] == ["a.csv", "closed/b.csv"]

    def test_two_closed_folders_of_one_name_and_one_of_another_key(tmp_path):
        table = "symbol,price\nA,1\nA,2\n"
        for name in ("one/symbol=A/a.csv", "one/x/p.csv", "one/symbol=B/b.csv", "two/x/q.csv"):
            write(tmp_path / name, table)
        closed = [tmp_path / name for name in ("one/x", "one/symbol=B", "two/x")]
        for folder in closed:
            folder.chmod(0)
        keys = ["--by", "symbol", "--only", "A"]
        done = locked_out(tmp_path, "batch", "one", "two", "one", "two/", "-o", "out", *keys)
        assert done.returncode == 4, done.stderr
        rows = {row["file"]: row["action"] for row in manifest(tmp_path / "out")}
        second = f"{(tmp_path / 'two' / 'x').as_posix().strip('/')}/"
        assert rows == {"symbol=A/a.csv": "passthrough", "x/": "failed", second: "failed"}
        for folder in closed:
            folder.chmod(0o700)

    def test_a_closed_folder_counts_once_and_keys_above_inputs_are_none_of_its(tmp_path):
        for name in ("symbol=B/one/x/p.csv", "symbol=B/two/x/q.csv", "symbol=B/two/symbol=B/x/r.csv"):
            write(tmp_path / name)
        write(tmp_path / "symbol=B" / "one" / "a.csv", "symbol,price\nA,1\nA,2\n")
        closed = [path for path in tmp_path.rglob("x") if path.is_dir()]
        for folder in closed:
            folder.chmod(0)
        inputs = ["symbol=B/one", "symbol=B/one", "./symbol=B/one/", "symbol=B/two"]
        done = locked_out(tmp_path, "batch", *inputs, "-o", "out", "--by", "symbol", "--only", "A")
        for folder in closed:
            folder.chmod(0o700)
        assert done.returncode == 4, done.stderr
        second = f"{(tmp_path / 'symbol=B' / 'two' / 'x').as_posix().strip('/')}/"
        assert [row["file"] for row in manifest(tmp_path / "out")] == sorted(["a.csv", second, "x/"])
