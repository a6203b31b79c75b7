# SPDX-License-Identifier: MIT
"""`rpsd denoise`: the output mirrors the input, files appear whole or not at all, everything is said."""

import dataclasses
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import SEED_YAML, goog, own_home, run_command

import rpsd
from rpsd.cli import main

__all__ = ["goog", "own_home"]  # fixtures; the second guards every test here


def split(path):
    lines = path.read_text().splitlines()
    cells = [line.split(",") for line in lines[1:]]
    return lines[0], [cell[0] for cell in cells], np.array([float(cell[-1]) for cell in cells])


def test_the_seeds_configuration_by_the_real_command(goog, tmp_path):
    (tmp_path / "seed.yaml").write_text(SEED_YAML)
    done = run_command("denoise", "goog.csv", "-o", "out.csv", "--plot", "out.png", "--config", "seed.yaml")
    assert (done.returncode, done.stdout) == (0, "")
    header, stamps, prices = split(tmp_path / "out.csv")
    before = split(goog)
    assert (header, stamps) == before[:2]
    assert len(stamps) == 1946
    expected = rpsd.denoise(
        before[2], wavelet="db4", level=4, threshold_mode="bayes", use_fir_filter=True, fir_cutoff=0.1
    )
    np.testing.assert_array_equal(prices, expected)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    for word in (
        "correlation",
        "rmse",
        "trend",
        "power",
        "score",
        "threshold",
        "verdict",
        "1946",
        "denoised",
        "offline",
    ):
        assert word in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "goog.csv",
        "home",
        "out.csv",
        "out.png",
        "seed.yaml",
    ]


def test_the_tables_in_the_documentation_are_those_printed_but_for_the_numbers(goog, tmp_path):
    page = (Path(__file__).parent.parent / "docs" / "cli.md").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(prices.csv: price\n.*?)```", page, re.DOTALL).group(1)
    goog.rename(tmp_path / "prices.csv")
    done = run_command("denoise", "prices.csv", "-o", "out.csv", encoding="utf-8")
    printed, documented = (
        [re.sub(r"\d+\.\d+|\d{3,}", "#", line).split() for line in text.splitlines() if line.strip()]
        for text in (done.stderr, shown)
    )
    assert printed == documented


def test_options_of_the_command_line_are_those_of_the_library(goog, tmp_path):
    options = [
        "--wavelet",
        "sym8",
        "--level",
        "3",
        "--threshold-mode",
        "universal",
        "--threshold-rule",
        "hard",
    ]
    assert (
        main(["denoise", "goog.csv", "-o", "out.csv", *options, "--noise", "0.05", "--no-use-fir-filter"])
        == 0
    )
    expected = rpsd.denoise(
        split(goog)[2], wavelet="sym8", level=3, threshold_mode="universal", threshold_rule="hard", noise=0.05
    )
    np.testing.assert_array_equal(split(tmp_path / "out.csv")[2], expected)


def test_standard_input_to_standard_output_by_the_real_command(goog):
    text = goog.read_text()
    done = run_command("denoise", "-", "--log-level", "WARNING", input=text)
    assert (done.returncode, done.stderr) == (0, "")
    values = [float(line.split(",")[1]) for line in done.stdout.splitlines()[1:]]
    np.testing.assert_array_equal(values, rpsd.denoise(split(goog)[2]))


def test_output_may_be_the_input(goog):
    before = split(goog)
    assert main(["denoise", "goog.csv", "-o", "goog.csv"]) == 0
    np.testing.assert_array_equal(split(goog)[2], rpsd.denoise(before[2]))


def test_every_other_column_keeps_its_text(tmp_path):
    x = 100 + rpsd.simulate("a", 60, seed=6, nsr=3).noisy
    odd = ['"a ""b""; c"', "", "007", "1.0", "ä", '"two\r\nlines"']

    def text(prices):
        rows = ((odd[i % 6], repr(p).replace(".", ","), odd[i % 5]) for i, p in enumerate(prices.tolist()))
        return "note;px;other\r\n" + "".join(";".join(row) + "\r\n" for row in rows)

    (tmp_path / "in.csv").write_bytes(text(x).encode())
    assert main(["denoise", "in.csv", "-o", "out.csv", "--value", "px"]) == 0
    assert (tmp_path / "out.csv").read_bytes().decode() == text(rpsd.denoise(x))


def test_several_values_are_denoised_each_for_itself(tmp_path, capsys):
    a, b = (100 + rpsd.simulate("a", 200, seed=s, nsr=3).noisy for s in (2, 3))
    rows = "\n".join(f"{i},{p!r},{q!r}" for i, (p, q) in enumerate(zip(a.tolist(), b.tolist(), strict=True)))
    (tmp_path / "in.csv").write_text("row,bid,ask\n" + rows)
    assert main(["denoise", "in.csv", "-o", "out.csv", "--value", "ask", "--value", "bid", "--json"]) == 0
    cells = np.loadtxt(tmp_path / "out.csv", delimiter=",", skiprows=1)
    np.testing.assert_array_equal(cells, np.column_stack((np.arange(200), rpsd.denoise(a), rpsd.denoise(b))))
    assert [s["column"] for s in json.loads(capsys.readouterr().out)["series"]] == ["ask", "bid"]


def test_parquet_in_and_out(tmp_path):
    x = 100 + rpsd.simulate("a", 300, seed=4, nsr=3).noisy.astype(np.float32)
    pq.write_table(pa.table({"symbol": ["A"] * 300, "price": x}), tmp_path / "in.parquet")
    assert main(["denoise", "in.parquet", "-o", "out.pq"]) == 0
    out = pq.read_table(tmp_path / "out.pq")
    assert out.column_names == ["symbol", "price"]
    expected = rpsd.denoise(x.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(out.column("price").to_numpy(), expected)
    receipt = json.loads(out.schema.metadata[b"rpsd"])
    assert receipt["lookahead"] is None
    assert receipt["input"]["sha256"] == hashlib.sha256((tmp_path / "in.parquet").read_bytes()).hexdigest()
    assert receipt["series"][0]["noise_sd"] == rpsd.estimate_noise(x.astype(np.float64)).noise_sd
    assert main(["verify", "out.pq", "--input", "in.parquet"]) == 0


@pytest.mark.parametrize(
    ("source", "target"),
    [("in.parquet", "out.csv"), ("goog.csv", "out.parquet"), ("goog.csv", "out.csv.gz")],
)
def test_the_format_is_not_changed(goog, tmp_path, source, target, capsys):
    pq.write_table(pa.table({"price": [1.0, 2.0]}), tmp_path / "in.parquet")
    assert main(["denoise", source, "-o", target]) == 2
    assert "the output has the format of the input" in capsys.readouterr().err
    assert not (tmp_path / target).exists()


def test_json_is_stable(goog, tmp_path, capsys):
    assert main(["denoise", "goog.csv", "-o", "out.csv", "--plot", "p.png", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert list(out) == ["version", "input", "output", "plot", "report", "rows", "time", "notes", "series"]
    assert out["version"] == 1
    assert out["notes"] == []
    assert (out["input"], out["output"], out["plot"]) == ("goog.csv", "out.csv", "p.png")
    assert (out["rows"], out["time"]) == (1946, "timestamp")
    (series,) = out["series"]
    assert list(series) == [
        "column",
        "missing",
        "sessions",
        "noise_sd",
        "noise",
        "level",
        "action",
        "strength",
        "binding",
        "lookahead",
        "warmup",
        "report",
    ]
    result = rpsd.Denoiser().run(split(goog)[2])
    assert series["noise_sd"] == result.noise.noise_sd
    assert series["noise"] == dataclasses.asdict(result.noise)
    assert (series["missing"], series["level"], series["action"]) == (0, 0, "denoised")
    assert (series["lookahead"], series["warmup"]) == (None, 0)
    metrics = ["correlation", "rmse", "trend", "power", "score"]
    assert list(series["report"]) == ["passed", "action", *metrics, "checks"]
    assert series["report"]["score"] == result.report.score
    assert [list(check) for check in series["report"]["checks"]] == [
        ["name", "value", "relation", "threshold", "passed", "counts", "verdict"]
    ] * len(result.report.checks)


def test_missing_stay_missing_and_are_counted(tmp_path, capsys):
    x = 100 + rpsd.simulate("a", 100, seed=5).noisy
    cells = [repr(v) for v in x.tolist()]
    cells[3], cells[50] = "", "null"
    (tmp_path / "in.csv").write_text("price,row\n" + "".join(f"{c},{i}\n" for i, c in enumerate(cells)))
    assert main(["denoise", "in.csv", "-o", "out.csv", "--value", "price", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["series"][0]["missing"] == 2
    assert "missing" in err
    lines = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert (lines[3], lines[50]) == (",3", "null,50")
    assert sum(line.startswith(",") for line in lines) == 1


@pytest.mark.parametrize("source", ["variable", "file", "option"])
def test_relative_inputs_are_taken_from_the_data_directory(goog, tmp_path, monkeypatch, source):
    data = tmp_path / "data"
    data.mkdir()
    goog.rename(data / "goog.csv")
    arguments = ["denoise", "goog.csv", "-o", "out.csv"]
    assert main(arguments) == 1
    if source == "variable":
        monkeypatch.setenv("RPSD_DATA_DIR", str(data))
    elif source == "file":
        (tmp_path / "c.yaml").write_text(f"paths:\n  data_dir: {data}\n")
        arguments += ["--config", "c.yaml"]
    else:
        arguments += ["--data-dir", "data"]
    assert main(arguments) == 0
    assert (tmp_path / "out.csv").exists()
    # A path that stands for itself is not touched.
    assert main([*arguments[:1], str(data / "goog.csv"), *arguments[2:]]) == 0


def test_threads_reach_the_run(goog, monkeypatch):
    run = rpsd.Denoiser.run
    seen = []

    def recorded(self, x, *, threads):
        seen.append(threads)
        return run(self, x, threads=threads)

    monkeypatch.setattr(rpsd.Denoiser, "run", recorded)
    for arguments in ([], ["--threads", "2"]):
        assert main(["denoise", "goog.csv", "-o", "out.csv", *arguments]) == 0
    monkeypatch.setenv("RPSD_THREADS", "0")
    assert main(["denoise", "goog.csv", "-o", "out.csv"]) == 0
    assert seen == [1, 2, 0]


def test_log_level_decides_what_is_said(goog, tmp_path, monkeypatch, capsys):
    goog.write_bytes(b"\xef\xbb\xbf" + goog.read_bytes())
    arguments = ["denoise", "goog.csv", "-o", "out.csv"]
    mend = "rpsd: warning: goog.csv: the byte-order mark at the start was removed\n"

    def said(*more):
        assert main([*arguments, *more]) == 0
        return capsys.readouterr().err

    assert said().startswith(mend)
    assert "correlation" in said("--log-level", "INFO")
    assert said("--log-level", "WARNING") == mend
    assert said("--log-level", "ERROR") == ""
    monkeypatch.setenv("RPSD_LOG_LEVEL", "ERROR")
    assert said() == ""
    (tmp_path / "c.yaml").write_text("monitoring:\n  log_level: WARNING\n")
    assert said("--config", "c.yaml") == ""
    monkeypatch.delenv("RPSD_LOG_LEVEL")
    assert said("--config", "c.yaml") == mend


def test_a_traceback_is_shown_at_debug_only(tmp_path, capsys):
    assert main(["denoise", "none.csv", "--log-level", "DEBUG"]) == 1
    debug = capsys.readouterr().err
    assert main(["denoise", "none.csv"]) == 1
    assert capsys.readouterr().err == "rpsd: error: cannot read none.csv: No such file or directory\n"
    assert "Traceback" in debug


def test_a_breach_exits_3_under_policy_raise_only_and_writes_nothing(goog, tmp_path, capsys):
    arguments = ["denoise", "goog.csv", "-o", "out.csv", "--plot", "p.png", "--rmse-threshold", "0"]
    assert main([*arguments, "--policy", "raise"]) == 3
    err = capsys.readouterr().err
    assert "breached" in err
    assert err.splitlines()[-1].startswith("rpsd: error: guardrails breached: rmse")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["goog.csv", "home"]
    assert main([*arguments, "--policy", "warn", "--log-level", "WARNING"]) == 0
    assert capsys.readouterr().err.startswith("rpsd: warning: guardrails breached: rmse")
    assert main(arguments) == 0


@pytest.mark.parametrize("name", ["goog.csv/x", "home", "none.csv"])
def test_unreadable_inputs(goog, name, capsys):
    assert main(["denoise", name]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"rpsd: error: cannot read {name}: ")
    assert err.count("\n") == 1


def test_no_data_rows_is_a_failure(tmp_path):
    (tmp_path / "in.csv").write_text("timestamp,price\n")
    done = run_command("denoise", "in.csv", "-o", "out.csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "rpsd: error: in.csv: no data rows after the header\n"
    assert not (tmp_path / "out.csv").exists()


def test_breaks_auto_goes_by_the_times_of_the_file(tmp_path, capsys):
    rng = np.random.default_rng(4)
    x = 100 + 0.01 * (np.cumsum(rng.normal(size=800)) + rng.normal(size=800))  # no gap in the prices
    days = [np.datetime64(f"2025-03-0{day}T14:30") + np.arange(400).astype("m8[m]") for day in (3, 4)]
    lines = [f"{t}:00Z,{float(v)!r}" for t, v in zip(np.concatenate(days), x, strict=True)]
    (tmp_path / "in.csv").write_text("time,price\n" + "\n".join(lines) + "\n")
    assert main(["denoise", "in.csv", "-o", "out.csv", "--breaks", "auto", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["series"][0]["sessions"] == 2
    assert re.search(r"sessions\W+2", err)
    mask = np.arange(800) % 400 == 0
    np.testing.assert_allclose(split(tmp_path / "out.csv")[2], rpsd.denoise(x, breaks=mask), rtol=1e-12)
    # Without times nothing stands out, and that is said.
    assert main(["denoise", "in.csv", "-o", "out.csv", "--breaks", "auto", "--no-time", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["series"][0]["sessions"] == 1
    assert 'breaks="auto" found no session break' in err


def test_a_fixed_lag_is_written_with_nan_where_there_is_no_value(goog, tmp_path, capsys):
    arguments = ["denoise", "goog.csv", "-o", "out.csv", "--noise", "mad", "--lookahead", "2", "--json"]
    assert main(arguments) == 0
    (series,) = json.loads(capsys.readouterr().out)["series"]
    assert (series["lookahead"], series["warmup"], series["missing"]) == (2, 257, 0)
    expected = rpsd.denoise(split(goog)[2], noise="mad", lookahead=2)
    np.testing.assert_array_equal(split(tmp_path / "out.csv")[2], expected)
