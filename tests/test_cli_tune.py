# SPDX-License-Identifier: MIT
"""`rpsd tune`: the configuration it writes, what it shows, and what it refuses."""

import io
import json

import numpy as np
import pytest
import yaml
from command import own_home, plain, prices
from loose import LOOSE

import rpsd
from rpsd._breaks import causal_time_starts, time_starts
from rpsd.cli import main

__all__ = ["own_home"]  # a fixture that guards every test here

GRID = "- method: [kalman]\n- method: wavelet\n  noise: mad\n  window: [64]\n  threshold_scale: [0.5, 2]\n"
GRIDS = [
    {"method": "kalman"},
    {"method": "wavelet", "noise": "mad", "window": 64, "threshold_scale": [0.5, 2.0]},
]


@pytest.fixture
def x(tmp_path):
    """Return the prices of prices.csv, which are in the directory where the test stands, beside grid.yaml."""
    x = prices(900, nsr=3.0)
    (tmp_path / "prices.csv").write_text(plain(x))
    (tmp_path / "grid.yaml").write_text(GRID)
    return x


def files(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir() if path.is_file())


def test_the_yaml_is_a_configuration_that_gives_the_best_options(x, tmp_path, capsys):
    assert main(["tune", "prices.csv", "--grid", "grid.yaml", "--folds", "3", "-o", "best.yaml"]) == 0
    out, err = capsys.readouterr()
    found = rpsd.tune(x, GRIDS, folds=3)
    assert out == ""
    assert rpsd.load_config("best.yaml").denoiser == found.best
    assert main(["config", "validate", "best.yaml"]) == 0
    assert main(["denoise", "prices.csv", "-o", "y.csv", "--config", "best.yaml"]) == 0
    y = np.loadtxt("y.csv", delimiter=",", skiprows=1, usecols=1)
    np.testing.assert_array_equal(y, rpsd.Denoiser(found.best).denoise(x))
    comments = [line for line in (tmp_path / "best.yaml").read_text().splitlines() if line.startswith("#")]
    assert comments[0] == "# rpsd tune: method=kalman"
    assert comments[1].startswith(f"# best of 3 by likelihood: {found.table[0].mean:.6g}, s.e. ")
    assert comments[2] == "# folds 3, purge 256, embargo 9"
    # The best stands first, each with its numbers.
    lines = err.splitlines()
    (first,) = (k for k, line in enumerate(lines) if line.split()[:1] == ["method=kalman"])
    assert lines[first].split()[1:] == [
        f"{found.table[0].mean:.4f}", f"{found.table[0].standard_error:.4f}",
        "passed" if found.table[0].passed else "breached",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[first + 1 :] if line.startswith(" method=")] == [
        "method=wavelet"
    ] * 2
    assert f"walk forward: {found.forward:.4f}, s.e. {found.forward_error:.4f}" in err
    assert "(purge 256, embargo 9)" in " ".join(err.split())
    assert files(tmp_path) == ["best.yaml", "grid.yaml", "prices.csv", "y.csv"]


def test_without_an_output_the_yaml_is_on_standard_output_and_json_in_its_place(x, capsys):
    command = ["tune", "prices.csv", "--grid", "grid.yaml", "--folds", "3", "--log-level", "WARNING"]
    assert main([*command, "--workers", "2"]) == 0
    out, err = capsys.readouterr()
    found = rpsd.tune(x, GRIDS, folds=3)
    assert yaml.safe_load(out) == found.to_config()
    assert err == ""
    assert main([*command, "--json", "-o", "best.yaml"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["version"] == 1
    assert (answer["input"], answer["output"], answer["best"]) == ("prices.csv", "best.yaml", 0)
    assert answer["config"] == found.to_config()
    assert answer["forward"] == found.forward
    for row, candidate in zip(answer["candidates"], found.table, strict=True):
        assert row["options"] == dict(candidate.choice)
        assert row["scores"] == list(candidate.scores)
        assert (row["mean"], row["passed"]) == (candidate.mean, candidate.passed)
    for fold, step in zip(answer["folds"], found.folds, strict=True):
        assert (fold["train"], fold["test"]) == ([list(part) for part in step.train], list(step.test))
        assert (fold["chosen"], fold["score"]) == (step.chosen, step.score)


def test_options_on_the_command_line_go_with_every_grid_of_a_file_and_over_the_configuration(x, capsys):
    with open("base.yaml", "w") as file:
        file.write("denoiser: {method: wavelet, noise: mad, level: 2}\n")
    arguments = [
        "--config",
        "base.yaml",
        "--grid",
        "threshold-scale=0.5,2",
        "--grid",
        "window=64",
        "--wavelet",
        "haar",
    ]
    assert main(["tune", "prices.csv", *arguments, "--folds", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    wanted = [{"threshold_scale": scale, "window": 64} for scale in (0.5, 2.0)]
    assert [row["options"] for row in answer["candidates"]] == wanted
    chosen = answer["config"]["denoiser"]
    assert (chosen["method"], chosen["level"], chosen["wavelet"]) == ("wavelet", 2, "haar")
    both = ["--grid", "grid.yaml", "--grid", "lookahead=none,2", "--random", "3", "--seed", "4"]
    assert main(["tune", "prices.csv", *both, "--folds", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["candidates"]
    found = rpsd.tune(x, [{**part, "lookahead": [None, 2]} for part in GRIDS], folds=2, n_random=3, seed=4)
    assert [row["options"] for row in rows] == [dict(row.choice) for row in found.table]
    assert len(rows) == 3


def test_several_columns_get_one_choice_and_smoothness_takes_the_smoothest(x, tmp_path, capsys):
    other = prices(900, seed=2, nsr=3.0)
    rows = [f"{i},{a!r},{b!r}\n" for i, (a, b) in enumerate(zip(x.tolist(), other.tolist(), strict=True))]
    (tmp_path / "two.csv").write_text("t,bid,ask\n" + "".join(rows))
    arguments = ["--value", "bid", "--value", "ask", "--grid", "lookahead=2,5", "--grid", "method=kalman"]
    loose = [word for name, value in LOOSE.items() for word in (f"--{name.replace('_', '-')}", f"{value}")]
    more = ["--objective", "smoothness", "--folds", "2", "--train", "100", "--purge", "261", "--embargo", "3"]
    assert main(["tune", "two.csv", *arguments, *loose, *more, "--json"]) == 0
    out, err = capsys.readouterr()
    found = rpsd.tune(
        np.stack([x, other]), {"lookahead": [2, 5], "method": "kalman"}, objective="smoothness",
        guardrails=LOOSE, folds=2, train=100, purge=261, embargo=3,
    )  # fmt: skip
    answer = json.loads(out)
    assert [row["scores"] for row in answer["candidates"]] == [list(row.scores) for row in found.table]
    assert answer["config"]["denoiser"]["lookahead"] == found.best.lookahead
    assert "dB smoother than the input" in err


def test_sessions_by_the_times_are_written_as_auto(tmp_path, capsys):
    s = rpsd.simulate("g", 1170, seed=1, nsr=2.0)
    minutes = np.concatenate([day * 1440 + np.arange(390) for day in range(3)])
    stamps = np.datetime64("2025-08-18T13:30") + minutes.astype("m8[m]")
    rows = [f"{t}:00Z,{p!r}\n" for t, p in zip(stamps, (100 + s.noisy).tolist(), strict=True)]
    (tmp_path / "days.csv").write_text("time,price\n" + "".join(rows))
    command = ["tune", "days.csv", "--folds", "2", "--json"]
    assert main([*command, "--grid", "method=kalman", "--breaks", "auto"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["config"]["denoiser"]["breaks"] == "auto"
    by_mask = rpsd.tune(
        100 + s.noisy, {"method": "kalman"}, config=rpsd._options.make_options(breaks=s.breaks), folds=2
    )
    assert answer["candidates"][0]["scores"] == list(by_mask.table[0].scores)
    assert main([*command, "--grid", "method=kalman", "--grid", "breaks=none,auto"]) == 0
    out, err = capsys.readouterr()
    assert [row["options"]["breaks"] for row in json.loads(out)["candidates"]] == [None, "auto"]
    assert "method=kalman breaks=auto" in err


def test_sessions_are_told_by_the_times_before_them(tmp_path, capsys):
    """What comes later, hours apart, does not make a gap of an hour the usual one."""
    minutes = np.concatenate([np.arange(300), 360 + np.arange(100), 600 + 60 * np.arange(1200)])
    stamps = np.datetime64("2025-08-18T13:30", "ns") + minutes.astype("m8[m]").astype("m8[ns]")
    x = prices(1600, nsr=3.0)
    rows = [f"{t}Z,{p!r}\n" for t, p in zip(stamps, x.tolist(), strict=True)]
    (tmp_path / "days.csv").write_text("time,price\n" + "".join(rows))
    command = ["tune", "days.csv", "--folds", "2", "--json", "--grid", "method=kalman", "--breaks", "auto"]
    assert main(command) == 0
    first = np.zeros(1600, dtype=bool)
    first[causal_time_starts(stamps.astype(np.int64))] = True
    assert np.flatnonzero(first[:401]).tolist() == [300, 400]
    assert time_starts(stamps.astype(np.int64)) == []
    by_mask = rpsd.tune(x, {"method": "kalman"}, config=rpsd._options.make_options(breaks=first), folds=2)
    scores = json.loads(capsys.readouterr().out)["candidates"][0]["scores"]
    assert scores == list(by_mask.table[0].scores)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Missing option '--grid'"),
        (["--grid", "no.yaml"], 2, "--grid: there is no file no.yaml; allowed: a YAML file, or OPTION=V1,V2"),
        (["--grid", "levl=1,2"], 2, '--grid: unknown option "levl"; did you mean "level"?'),
        (["--grid", "level=1,x"], 2, '--grid level=1,x: level must be "auto" or an integer from 0 to 64'),
        (["--grid", "bad.yaml"], 2, 'bad.yaml:2: grid.level must be "auto" or an integer from 0 to 64'),
        (["--grid", "text.yaml"], 2, "text.yaml:1: the file must hold options, each with a list of values"),
        (["--grid", "empty.yaml"], 2, "empty.yaml: the file must hold options, each with a list of values"),
        (["--grid", "unknown.yaml"], 2, 'unknown.yaml:1: unknown option "wavelets"; did you mean "wavelet"?'),
        (["--grid", "method=kalman", "--grid", "noise=mad,price"], 2, '1 of 2 combinations are refused: '),
        (["--grid", "level=2", "--folds", "1"], 2, "'--folds': 1 is not in the range x>=2"),
        (["--grid", "level=2", "--objective", "gain"], 2, "'gain' is not one of 'likelihood', 'smoothness'"),
        (["--grid", "level=2", "--lookahead", "9", "--purge", "8"], 2, "the largest lookahead, 9, got 8"),
        (["--grid", "level=2", "--time", "t", "--no-time"], 2, "--time and --no-time exclude each other"),
        (["--grid", "level=2", "--folds", "300"], 1, "x must have at least"),
        (["--grid", "level=2", "--value", "px"], 1, 'no column "px"'),
        (["--grid", "level=2", "-o", "nowhere/best.yaml"], 1, "cannot write nowhere/best.yaml: "),
        (["--grid", "method=kalman", "--objective", "smoothness", "--variance-threshold", "9"], 1,
         "no candidate passes the guardrails on every fold; method=\"kalman\" passes on 0 of 5"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("x")
def test_what_is_wrong_is_one_line_and_nothing_is_written(arguments, code, message, tmp_path, capsys):
    (tmp_path / "bad.yaml").write_text("method: wavelet\nlevel: [1, x]\n")
    (tmp_path / "text.yaml").write_text("kalman\n")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    (tmp_path / "unknown.yaml").write_text("wavelets: [db4]\n")
    (tmp_path / "best.yaml").write_text("what was there\n")
    before = files(tmp_path)
    where = [] if "-o" in arguments else ["-o", "best.yaml"]
    assert main(["tune", "prices.csv", *arguments, *where]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("rpsd: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert files(tmp_path) == before
    assert (tmp_path / "best.yaml").read_text() == "what was there\n"


@pytest.mark.usefixtures("x")
def test_an_interruption_leaves_what_was_there(tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("rpsd.cli._tune.tune_series", interrupted)
    (tmp_path / "best.yaml").write_text("what was there\n")
    assert main(["tune", "prices.csv", "--grid", "grid.yaml", "-o", "best.yaml"]) == 130
    assert capsys.readouterr().err.strip() == "rpsd: interrupted"
    assert files(tmp_path) == ["best.yaml", "grid.yaml", "prices.csv"]
    assert (tmp_path / "best.yaml").read_text() == "what was there\n"


@pytest.mark.usefixtures("x")
@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_for_terminals_and_luck_is_told(terminal, monkeypatch, capsys, tmp_path):
    from rich.console import Console

    shown = io.StringIO()
    monkeypatch.setattr(
        "rpsd.cli._tune.console",
        lambda stderr: Console(file=shown, force_terminal=terminal, width=100, highlight=False),
    )
    walk = 100 + rpsd.simulate("a", 900, seed=3, nsr=0.0).noisy
    (tmp_path / "walk.csv").write_text(plain(walk))
    grid = [
        "--grid",
        "method=wavelet",
        "--grid",
        "noise=mad",
        "--grid",
        "window=64",
        "--grid",
        "threshold_scale=1,2",
    ]
    assert main(["tune", "walk.csv", *grid, "--folds", "3"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["denoiser"]["window"] == 64
    assert ("candidates" in shown.getvalue()) == terminal
    assert ("2/2" in shown.getvalue()) == terminal
    assert "no candidate is better than doing nothing by two standard errors" in shown.getvalue()


@pytest.mark.usefixtures("x")
def test_a_long_table_shows_the_best_and_tells_how_many_more(capsys):
    scales = ",".join(f"{k / 10}" for k in range(25))
    command = [
        "tune",
        "prices.csv",
        "--grid",
        f"threshold_scale={scales}",
        "--grid",
        "noise=mad",
        "--grid",
        "window=64",
    ]
    assert main([*command, "--folds", "2"]) == 0
    err = capsys.readouterr().err
    assert err.count("threshold_scale=") == 20
    assert "and 5 more; --json lists all of them" in err
