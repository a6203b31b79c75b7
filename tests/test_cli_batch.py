# SPDX-License-Identifier: MIT
"""`rpsd batch` as a person and a script see it: messages, tables, JSON, codes, the manifest."""

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from batches import COMMAND, batch, csv_text, in_process, make_folder, manifest, own_cache, prices
from command import own_home, run_command

import rpsd
from rpsd.cli import main

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

__all__ = ["in_process", "own_cache", "own_home"]  # fixtures; the last two guard every test here


def test_outputs_keep_names_and_suffixes_and_are_what_denoise_makes(tmp_path):
    make_folder(tmp_path / "in", files=2)
    done = run_command("batch", "in", "-o", "out", "--workers", "2")
    assert (done.returncode, done.stdout) == (0, "")
    last = "rpsd: 3 series in 3 file(s): 3 delivered, 0 failed; manifest out/_rpsd/manifest.parquet"
    assert done.stderr.splitlines()[-1] == last
    for name in ("deep/s00.csv", "deep/s01.csv", "p.parquet"):
        assert main(["denoise", f"in/{name}", "-o", os.path.basename(name)]) == 0
    for name in ("deep/s00.csv", "deep/s01.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / os.path.basename(name)).read_bytes()
    assert pq.read_table(tmp_path / "out" / "p.parquet").equals(pq.read_table(tmp_path / "p.parquet"))


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--by", ("exch", "symbol")),
        ("--time", ("t", "price")),
        ("--output", ("out", "other")),
        ("--manifest", ("m.parquet", "n.parquet")),
        ("--shard", ("1/2", "2/2")),
        ("--config", ("a.yaml", "b.yaml")),
    ],
)
def test_of_two_columns_or_places_none_is_lost(tmp_path, capsys, option, values):
    (tmp_path / "in").mkdir()
    symbols = {"exch": ["N"] * 400, "symbol": ["A", "B"] * 200, "price": [*prices(1), *prices(2)]}
    pq.write_table(pa.table(symbols), tmp_path / "in" / "long.parquet")
    output = [] if option == "--output" else ["-o", "out"]
    assert batch("in", *output, *(part for value in values for part in (option, value))) == 2
    message = f"rpsd: error: {option} may be given once, got {values[0]}, {values[1]}"
    assert capsys.readouterr().err.startswith(message)
    assert not (tmp_path / "out").exists()


def test_the_manifest_has_a_row_for_each_series(tmp_path, in_process):
    (tmp_path / "in").mkdir()
    bid, ask = prices(1), prices(2)
    bid[5] = np.nan
    pq.write_table(pa.table({"bid": bid, "ask": ask}), tmp_path / "in" / "q.parquet")
    (tmp_path / "in" / "bad.csv").write_text("bid,ask\n1,2\n")
    arguments = ["--value", "bid", "--value", "ask", "--manifest", "m.parquet"]
    (tmp_path / "in" / "bad.csv").write_text("bid,ask\n1,2\n3,x\n")
    assert batch("in", "-o", "out", *arguments) == 4
    assert (tmp_path / "m.parquet").read_bytes() == (tmp_path / "out/_rpsd/manifest.parquet").read_bytes()
    rows = {(row["file"], row["column"]): row for row in manifest(tmp_path / "out")}
    assert len(rows) == 4
    result = rpsd.Denoiser().run(bid)
    row = rows["q.parquet", "bid"]
    assert (row["rows"], row["missing"], row["action"], row["error"]) == (200, 1, result.action, "")
    assert (row["noise_sd"], row["step_sd"]) == (result.noise.noise_sd, result.noise.step_sd)
    assert (row["passed"], row["score"]) == (result.report.passed, result.report.score)
    for check in result.report.checks:
        value = row[f"check_{check.name}"]
        assert value == check.value or (value is None and np.isnan(check.value))
    assert rows["bad.csv", "ask"]["error"].endswith("or an empty cell, NA, NaN or null for missing")
    assert rows["bad.csv", "ask"]["action"] == rows["bad.csv", "bid"]["action"] == "failed"


@pytest.mark.parametrize("by", [[], ["--by", "symbol"]], ids=["one series", "a table"])
def test_the_manifest_names_the_guardrails_that_are_breached(by, tmp_path, in_process):
    (tmp_path / "in").mkdir()
    series = {"A": prices(1), "B": np.linspace(100, 101, 200) ** 2, "C": prices(3)}
    if by:
        table = pa.table(
            {"symbol": np.repeat(list(series), 200), "price": np.concatenate(list(series.values()))}
        )
        pq.write_table(table, tmp_path / "in" / "long.parquet")
    else:
        for name, x in series.items():
            pq.write_table(pa.table({"price": x}), tmp_path / "in" / f"{name}.parquet")
    assert batch("in", "-o", "out", *by, "--roughness-threshold", "0", "--variance-threshold", "5") == 0
    strict = rpsd.Denoiser(guardrails={"roughness_threshold": 0.0, "variance_threshold": 5.0})
    told = {}
    for row in manifest(tmp_path / "out"):
        name = row["key"] or row["file"].removesuffix(".parquet")
        told[name] = row["breached"]
        report = strict.run(series[name]).report
        assert row["breached"] == ",".join(c.name for c in report.checks if c.counts and not c.passed)
        assert (row["breached"] == "") == row["passed"]
    assert told["A"] == "variance,roughness"


def test_the_page_has_every_column_of_the_manifest(tmp_path, in_process):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "out") == 0
    page = (Path(__file__).parent.parent / "docs" / "batch.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", re.search(r"\| column \| has \|.*?\n\n", page, re.DOTALL).group()))
    columns = {column for column in manifest(tmp_path / "out")[0] if not column.startswith("check_")}
    assert named == columns


def test_a_long_table(tmp_path, in_process):
    x, y = prices(1), prices(2)
    bad = np.where(np.arange(200) == 7, np.inf, prices(3))
    table = pa.table({"symbol": ["A", "B", "C"] * 200, "price": np.column_stack((x, y, bad)).ravel()})
    (tmp_path / "in").mkdir()
    pq.write_table(table, tmp_path / "in" / "long.parquet")
    assert batch("in", "-o", "out", "--by", "symbol") == 4
    out = pq.read_table(tmp_path / "out" / "long.parquet")
    assert out.column("symbol").equals(table.column("symbol"))
    values = out.column("price").to_pylist()
    np.testing.assert_array_equal(values[0::3], rpsd.denoise(x))
    np.testing.assert_array_equal(values[1::3], rpsd.denoise(y))
    assert values[2::3] == [None] * 200
    assert [(row["key"], row["action"]) for row in manifest(tmp_path / "out")] == [
        ("A", "denoised"),
        ("B", "denoised"),
        ("C", "failed"),
    ]
    assert batch("in", "-o", "out", "--by", "symbol", "--only", "B") == 0
    assert pq.read_table(tmp_path / "out" / "long.parquet").column("symbol").to_pylist() == ["B"] * 200


@pytest.mark.parametrize(("good", "bad", "code"), [(2, 0, 0), (1, 1, 4), (0, 2, 1)])
def test_exit_codes(tmp_path, in_process, good, bad, code):
    (tmp_path / "in").mkdir()
    for i in range(good):
        (tmp_path / "in" / f"g{i}.csv").write_text(csv_text(prices(i)))
    for i in range(bad):
        (tmp_path / "in" / f"b{i}.csv").write_text("price\n1\nx\n")
    assert batch("in", "-o", "out") == code
    assert len(manifest(tmp_path / "out")) == 2


def test_a_guardrail_under_policy_raise_is_a_failed_series(tmp_path, in_process, capsys):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "out", "--gain-threshold", "99", "--policy", "raise") == 1
    assert "gain" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_twenty_failures_are_told_and_all_counted(tmp_path, in_process, capsys):
    (tmp_path / "in").mkdir()
    for i in range(23):
        (tmp_path / "in" / f"b{i:02d}.csv").write_text("price\n1\nx\n")
    (tmp_path / "in" / "good.csv").write_text(csv_text(prices(1)))
    assert batch("in", "-o", "out", "--log-level", "WARNING") == 4
    lines = capsys.readouterr().err.splitlines()
    assert [line[:20] for line in lines[:20]] == [f"rpsd: error: b{i:02d}.csv" for i in range(20)]
    assert lines[20] == "rpsd: error: ... and 3 more, all in the manifest"
    assert lines[21:] == [
        "rpsd: 24 series in 24 file(s): 1 delivered, 23 failed; manifest out/_rpsd/manifest.parquet"
    ]


def test_log_level_decides_what_is_said(tmp_path, in_process, capsys):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "out", "--log-level", "WARNING") == 0
    assert capsys.readouterr() == ("", "")
    assert batch("in", "-o", "out", "--workers", "1") == 0
    err = capsys.readouterr().err
    assert "\n denoised   2\n" in err
    assert "breached" not in err
    assert [line for line in err.splitlines() if line != line.rstrip()] == []
    assert err.splitlines()[0] == "rpsd: 2 file(s), 1 worker(s)"


def test_failures_are_told_as_the_manifest_has_them_whenever_they_ended(tmp_path, in_process, capsys):
    (tmp_path / "in").mkdir()
    for i, name in enumerate("dacb"):  # the largest is done first
        (tmp_path / "in" / f"{name}.csv").write_text("t,price\n" + "1,1\n" * (9 - i) + "2,x\n")
    pq.write_table(pa.table({"price": ["x"]}), tmp_path / "in" / "e.parquet")
    (tmp_path / "in" / "f.csv").write_text("")
    assert batch("in", "-o", "out", "--json", "--no-time") == 1
    out, err = capsys.readouterr()
    told = json.loads(out)["failures"]
    assert [(one["file"], one["error"]) for one in told] == [
        (row["file"], row["error"]) for row in manifest(tmp_path / "out")
    ]
    assert not [one for one in told if one["file"] in one["error"]]
    lines = [line for line in err.splitlines() if "error" in line]
    for line, one in zip(lines, told, strict=True):
        assert line.startswith(f"rpsd: error: {one['file']}: ")
        assert line.endswith(one["error"])


def test_keys_that_no_file_has_are_named(tmp_path, in_process, capsys):
    (tmp_path / "in").mkdir()
    for name, keys in (("a", ["A", "B"]), ("b", ["A", "C"])):
        table = pa.table({"symbol": keys * 200, "price": np.column_stack((prices(1), prices(2))).ravel()})
        pq.write_table(table, tmp_path / "in" / f"{name}.parquet")
    only = [part for key in ("A", "C", "TYPO", "b") for part in ("--only", key)]
    assert batch("in", "-o", "out", "--by", "symbol", *only, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["unmatched"] == ["TYPO", "b"]
    assert 'rpsd: warning: --only: no series of any file has the key "TYPO", "b"' in err.splitlines()
    assert batch("in", "-o", "out", "--by", "symbol", "--only", "C", "--only", "A", "--resume") == 0
    assert "--only" not in capsys.readouterr().err
    assert batch("in", "-o", "out", "--by", "symbol", "--only", "Z", "--only", "A", "--shard", "1/2") == 0
    assert "--only" not in capsys.readouterr().err  # another shard may have it


def test_keys_that_are_numbers_may_be_written_otherwise(tmp_path, in_process, capsys):
    pq.write_table(pa.table({"id": [7] * 200, "price": prices(1)}), tmp_path / "a.parquet")
    assert batch("a.parquet", "-o", "out", "--by", "id", "--only", "007") == 0
    assert "--only" not in capsys.readouterr().err


@pytest.mark.parametrize("only", ["true", "True", "TRUE", "1", "false", "False", "0"])
def test_keys_that_are_flags_may_be_written_otherwise(tmp_path, in_process, capsys, only):
    pq.write_table(
        pa.table({"up": [True, False] * 200, "price": np.tile(prices(1), 2)}), tmp_path / "a.parquet"
    )
    assert batch("a.parquet", "-o", "out", "--by", "up", "--only", only, "--only", "yes", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["series"], told["unmatched"]) == (1, ["yes"])
    other = {"t": "0", "1": "False"}.get(only[0].lower(), "True")
    assert batch("a.parquet", "-o", "out2", "--by", "up", "--only", only, "--only", other, "--json") == 0
    assert json.loads(capsys.readouterr().out)["unmatched"] == []


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_a_link_to_nowhere_and_a_pipe_are_one_failed_file_each(tmp_path, capsys):
    make_folder(tmp_path / "in", files=1)
    (tmp_path / "in" / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    (tmp_path / "in" / "round.csv").symlink_to(tmp_path / "in" / "round.csv")
    os.mkfifo(tmp_path / "in" / "pipe.csv")
    done = run_command("batch", "in", "-o", "out", "--workers", "2", timeout=120)
    assert done.returncode == 4
    assert [line for line in done.stderr.splitlines() if "error" in line] == [
        "rpsd: error: gone.csv: No such file or directory",
        "rpsd: error: pipe.csv: not a regular file",
        "rpsd: error: round.csv: Too many levels of symbolic links",
    ]
    assert done.stderr.splitlines()[-1].startswith("rpsd: 5 series in 5 file(s): 2 delivered, 3 failed;")
    # As a pattern of the shell gives it.
    assert batch("in/gone.csv", "in/p.parquet", "-o", "out2") == 4


def test_breaches_and_what_was_put_right_are_told_with_where_to_look(tmp_path, in_process, capsys):
    (tmp_path / "in").mkdir()
    for i in range(7):
        (tmp_path / "in" / f"{i}.csv").write_text(csv_text(prices(i)))
    (tmp_path / "in" / "3.csv").write_text("\ufeff" + csv_text(prices(3)), encoding="utf-8")
    (tmp_path / "in" / "5.csv").write_text(csv_text(prices(5)) + "\n\n")
    assert batch("in", "-o", "out", "--roughness-threshold", "0", "--json") == 0
    out, err = capsys.readouterr()
    rows = manifest(tmp_path / "out")
    breached = [row["file"] for row in rows if row["breached"]]
    assert len(breached) > 5  # else the test shows nothing
    lines = err.splitlines()
    count = f"guardrails breached in {len(breached)} of 7 series: roughness {len(breached)}"
    first = lines.index(f"rpsd: {count}")
    assert lines[first + 1 : first + 6] == [f"rpsd: breached: {name}: roughness" for name in breached[:5]]
    assert lines[first + 6].endswith(" more, in the manifest's column breached")
    summary = json.loads(out)
    assert (summary["breached"], summary["guardrails"]) == (len(breached), {"roughness": len(breached)})
    assert [one["file"] for one in summary["breaches"]] == breached
    assert [row["file"] for row in rows if row["notes"]] == ["3.csv", "5.csv"]
    assert summary["noted"] == 2
    (told,) = [line for line in lines if "notes" in line]
    told_first = next(row["notes"][0] for row in rows if row["notes"])
    where = "notes on 2 of 7 file(s), in the manifest's column notes"
    assert told == f"rpsd: {where}; such as 3.csv: {told_first}"


def test_the_name_of_the_output_is_one_line(tmp_path, in_process, capsys):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "out/of/many/folders/below/each/other") == 0
    assert "out/of/many/folders/below/each/other" in capsys.readouterr().err.splitlines()


def test_json(tmp_path, in_process, capsys):
    make_folder(tmp_path / "in", files=1)
    (tmp_path / "in" / "bad.csv").write_text("price\n1\nx\n")
    assert batch("in", "-o", "out", "--json") == 4
    summary = json.loads(capsys.readouterr().out)
    (failure,) = summary.pop("failures")
    assert failure["file"] == "bad.csv"
    assert summary == {
        "version": 1,
        "output": "out",
        "manifest": "out/_rpsd/manifest.parquet",
        "files": 3,
        "kept": 0,
        "cached": 0,
        "series": 3,
        "delivered": 2,
        "failed": 1,
        "breached": 0,
        "guardrails": {},
        "breaches": [],
        "noted": 0,
        "unmatched": [],
        "actions": {"denoised": 2, "failed": 1},
    }


def test_everything_but_outputs_is_under_one_folder(tmp_path, in_process):
    make_folder(tmp_path / "in", files=1)
    assert batch("in", "-o", "out", "--manifest", "out/m.parquet") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "_rpsd",
        "deep",
        "m.parquet",
        "p.parquet",
    ]
    assert main(["verify", "out"]) == 0


if os.name == "posix":

    def on_a_terminal(columns, *arguments):
        """Run `rpsd batch` with standard error on a terminal; exit code and what was written to it."""
        ours, theirs = os.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
        running = subprocess.Popen([*COMMAND, *arguments], stderr=theirs, env=environment)
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # the other side has closed
            pass
        os.close(ours)
        return running.wait(), shown.decode()

    @pytest.mark.parametrize("columns", [50, 80, 120])
    def test_the_bar_is_one_line_on_terminals_of_any_width(tmp_path, columns):
        make_folder(tmp_path / "in", files=2)
        (tmp_path / "in" / "bad.csv").write_text("price\nx\n")
        code, shown = on_a_terminal(columns, "in", "-o", "out", "--workers", "1")
        assert code == 4
        drawn = [line for line in re.split(r"[\r\n]+", ESCAPES.sub("", shown)) if "denoising" in line]
        assert re.search("denoising .* 0/4 files +$", drawn[0])
        assert re.search(r"[^ ] 4/4 files  1 failed .* 0:00:00$", drawn[-1])
        assert {len(line) for line in drawn} == {columns}
        assert ("s/s " in drawn[-1] or "B/s " in drawn[-1]) == (columns > 50)
        assert "?" not in "".join(drawn)
        assert shown.rstrip().endswith("manifest out/_rpsd/manifest.parquet")
