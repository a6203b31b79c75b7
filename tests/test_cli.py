# SPDX-License-Identifier: MIT
"""The `rpsd` command as a whole: exit codes, messages, configuration, evaluate, demo, doctor."""

import json
import math
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from command import SEED_YAML, own_home, run_command

import rpsd
from rpsd._config import SECTIONS
from rpsd._schema import fields
from rpsd.cli import main

__all__ = ["own_home"]  # a fixture that guards every test here


def write_csv(path, values, start="2025-08-18T13:30"):
    stamps = np.datetime64(start) + np.arange(len(values)).astype("m8[m]")
    rows = [f"{str(t).replace('T', ' ')}:00+00:00,{v}" for t, v in zip(stamps, values, strict=True)]
    path.write_text("timestamp,price\n" + "\n".join(rows) + "\n")
    return str(path)


def test_version_and_help_by_the_real_command():
    version = run_command("--version")
    assert (version.returncode, version.stdout, version.stderr) == (0, f"rpsd {rpsd.__version__}\n", "")
    text = run_command("denoise", "--help")
    assert text.returncode == 0
    for section in ("denoiser", "guardrails"):
        for field in fields(SECTIONS[section]).values():
            assert f"{field.option} " in text.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["denoise", "x.csv", "--fir-cut", "1"], 'No such option "--fir-cut"; did you mean "--fir-cutoff"?'),
        (["polish"], "No such command 'polish'. (see rpsd --help)"),
        (["denoize"], "No such command 'denoize'; did you mean \"denoise\"? (see rpsd --help)"),
        (["denoise"], "Missing argument 'IN'. (see rpsd denoise --help)"),
        (["denoise", "x.csv", "--json"], "--json prints its summary where the data go without"),
        (["denoise", "x.csv", "-o", "-", "--json"], "--json prints its summary where the data go"),
        (["denoise", "x.csv", "--plot", "x.pdf"], "--plot writes PNG; the name must end in .png, got x.pdf"),
        (["denoise", "x.csv", "--plot", "p.png", "--value", "a", "--value", "b"], "--plot draws one column"),
        (["denoise", "x.csv", "--plot", "p.png", "-o", "./p.png"], "-o and --plot name the same file, p.png"),
        (["denoise", "x.csv", "--time", "t", "--no-time"], "--time and --no-time exclude each other"),
        (["denoise", "x.csv", "--level", "-3"], 'command line --level: level must be "auto" or an'),
        (["denoise", "x.csv", "--fir-cutoff", "1"], "command line --fir-cutoff: fir_cutoff must be"),
        (["denoise", "x.csv", "--threads", "some"], 'command line --threads: threads must be an integer'),
        (["denoise", "x.csv", "--config", "no.yaml"], "the configuration file no.yaml does not exist"),
        (["denoise", "x.csv", "--lookahead", "-3"], "lookahead"),
        (["config", "validate", "no.yaml"], "the configuration file no.yaml does not exist"),
        (["evaluate", "-", "-"], "only one of ORIGINAL and DENOISED can be standard input"),
    ],
)  # fmt: skip
def test_usage_errors_are_one_line_and_exit_2(arguments, message, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("rpsd: error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["config"]])
def test_no_command_shows_help_and_exits_2(arguments, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: rpsd")
    assert "Commands:" in err


@pytest.mark.parametrize("module", ["click", "rich", "pyarrow"])
def test_a_base_installation_names_the_extra(module, tmp_path):
    path = write_csv(tmp_path / "in.csv", range(20))
    code = f"""
import sys
sys.modules[{module!r}] = None
from rpsd.cli import main
sys.exit(main(['denoise', {path!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == 'rpsd: the command line needs the "cli" extra: pip install "rpsd[cli]"\n'


def test_another_missing_module_is_not_called_an_extra():
    code = "import sys; sys.modules['rpsd.cli._doctor'] = None; from rpsd.cli import main; main(['doctor'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: import of rpsd.cli._doctor halted" in done.stderr


def test_importing_rpsd_loads_nothing_of_the_command():
    heavy = ("click", "rich", "pyarrow", "matplotlib")
    code = f"import rpsd, sys; print(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def config_rows(capsys):
    rows = [re.split(r"  +", line, maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    return {key: (value, origin) for key, value, origin in rows}


def test_config_show_is_yaml_that_gives_the_same_again(tmp_path, capsys):
    assert main(["config", "show", "--level", "3", "--rmse-threshold", "0.25"]) == 0
    first = capsys.readouterr().out
    (tmp_path / "again.yaml").write_text(first)
    assert main(["config", "show", "--config", "again.yaml"]) == 0
    assert capsys.readouterr().out == first
    assert rpsd.load_config("again.yaml").denoiser.level == 3


def test_config_show_origin_follows_the_precedence(tmp_path, monkeypatch, capsys):
    (tmp_path / "seed.yaml").write_text(SEED_YAML)
    monkeypatch.setenv("RPSD_MAX_WORKERS", "7")
    monkeypatch.setenv("RPSD_FIR_CUTOFF", "0.3")
    assert main(["config", "show", "--origin", "--config", "seed.yaml", "--fir-cutoff", "0.2"]) == 0
    rows = config_rows(capsys)
    assert rows["denoiser.fir_cutoff"] == ("0.2", "command line --fir-cutoff")
    assert rows["performance.max_workers"] == ("7", "environment RPSD_MAX_WORKERS")
    assert rows["denoiser.wavelet"] == ("db4", "seed.yaml:3")
    assert rows["guardrails.power_threshold"] == ("0.95", "seed.yaml:14")
    assert rows["denoiser.fir_taps"] == ("101", "default")


ALL_FIELDS = [
    (section, field) for section in ("denoiser", "guardrails") for field in fields(SECTIONS[section]).values()
] + [
    ("performance", fields(SECTIONS["performance"])["threads"]),
    ("monitoring", fields(SECTIONS["monitoring"])["log_level"]),
    ("paths", fields(SECTIONS["paths"])["data_dir"]),
]


@pytest.mark.parametrize(("section", "field"), ALL_FIELDS, ids=[field.name for _, field in ALL_FIELDS])
def test_every_key_is_an_option(section, field, capsys):
    text = "none" if field.default is None else str(field.default)
    given = [field.option.replace("--", "--no-")] if field.kind is bool else [field.option, text]
    assert main(["config", "show", "--origin", *given]) == 0
    value, origin = config_rows(capsys)[f"{section}.{field.name}"]
    assert (value, origin) == (str(field.default), f"command line {field.option}")


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (SEED_YAML, 0, "c.yaml: valid\n"),
        ("denoiser:\n  level: -1\n", 2, "c.yaml:2: denoiser.level must be"),
        ("denoiser:\n  levels: 4\n", 2, 'c.yaml:2: unknown key "denoiser.levels"'),
    ],
)
def test_config_validate(text, code, message, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(text)
    assert main(["config", "validate", "c.yaml"]) == code
    out, err = capsys.readouterr()
    assert message in (err if code else out)


def test_config_validate_without_a_file_checks_all_that_is_in_effect(monkeypatch, capsys):
    assert main(["config", "validate"]) == 0
    assert capsys.readouterr().out == "the configuration in effect: valid\n"
    monkeypatch.setenv("RPSD_CHUNK_SIZE", "0")
    assert main(["config", "validate"]) == 2
    assert "environment RPSD_CHUNK_SIZE: chunk_size must be" in capsys.readouterr().err


@pytest.mark.parametrize(("policy", "code", "sign"), [("raise", 3, "error"), ("warn", 0, "warning")])
def test_evaluate_obeys_the_policy_after_it_has_printed(policy, code, sign, pair, capsys):
    a, b, *_ = pair
    strict = ["--rmse-threshold", "1e-9", "--policy", policy]
    assert main(["evaluate", a, b, "--json", *strict]) == code
    out, err = capsys.readouterr()
    assert json.loads(out)["series"][0]["report"]["passed"] is False
    assert err.startswith(f'rpsd: {sign}: guardrails breached: column "price": rmse')
    assert err.count("\n") == 1
    assert main(["evaluate", a, a, "--policy", policy]) == 0


@pytest.mark.parametrize(
    ("closed", "message"), [(">&-", "standard output is closed"), ("<&-", "it is closed")]
)
def test_closed_standard_streams_are_one_line(closed, message):
    command = f'"{sys.executable}" -m rpsd.cli denoise - {closed}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_messages_are_short_and_without_control_characters(tmp_path, capsys):
    (tmp_path / "x.csv").write_text(f"t,price\n1,\x1b[31m{'x y ' * 10_000}\n")
    assert main(["denoise", "x.csv"]) == 1
    (tmp_path / "y.csv").write_text(f"time,\x1b[31m{'z' * 10_000}\n1,x\n")
    assert main(["denoise", "y.csv"]) == 1
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert err.count(r"\x1b[31m") == 2
    assert len(err) < 600


@pytest.fixture
def pair(tmp_path):
    x = 100 + rpsd.simulate("a", 400, seed=8, step_sd=0.1).noisy
    y = rpsd.denoise(x)
    return write_csv(tmp_path / "a.csv", x), write_csv(tmp_path / "b.csv", y), x, y


def test_evaluate_prints_what_the_library_finds(pair, capsys):
    a, b, x, y = pair
    assert main(["evaluate", a, b, "--json", "--rmse-threshold", "1e-9"]) == 0
    result = json.loads(capsys.readouterr().out)
    report = rpsd.evaluate(x, y, {"rmse_threshold": 1e-9})
    assert (result["version"], result["rows"], result["series"][0]["column"]) == (1, 400, "price")
    found = result["series"][0]["report"]
    assert (found["score"], found["passed"]) == (report.score, False)
    assert {check["name"]: check["value"] for check in found["checks"]} == {
        check.name: None if math.isnan(check.value) else check.value for check in report.checks
    }
    assert main(["evaluate", a, b]) == 0
    table = capsys.readouterr().out
    assert re.search(rf"correlation\s+{report.correlation:.4f}\s+>= 0.85\s+ok", table)


def test_evaluate_obeys_policies_of_single_guardrails(pair, capsys):
    a, b, *_ = pair
    breached = ["--rmse-threshold", "1e-9"]
    assert main(["evaluate", a, b, *breached, "--policies", "rmse=raise"]) == 3
    assert main(["evaluate", a, b, *breached, "--policies", "lag=raise"]) == 0
    assert main(["evaluate", a, b, *breached, "--policy", "raise", "--policies", "rmse=report"]) == 0
    capsys.readouterr()
    assert main(["evaluate", a, b, *breached, "--policies", "rmse=warn"]) == 0
    assert "guardrails breached" in capsys.readouterr().err


def test_evaluate_is_told_of_a_lookahead_or_reads_it_from_the_file(tmp_path, capsys):
    x = 100 + rpsd.simulate("a", 600, 2, nsr=1.0).noisy
    pd.DataFrame({"price": x}).to_csv(tmp_path / "x.csv", index=False)
    pd.DataFrame({"price": x}).to_parquet(tmp_path / "x.parquet")
    for suffix in ("csv", "parquet"):
        assert main(["denoise", f"x.{suffix}", "-o", f"y.{suffix}", "--lookahead", "3"]) == 0
    capsys.readouterr()

    def found(*arguments):
        assert main(["evaluate", *arguments, "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        return result["lookahead"], result["series"][0]["report"]["passed"]

    assert found("x.csv", "y.csv", "--lookahead", "3") == (3, True)
    assert found("x.csv", "y.csv") == (None, False)  # its last three have no value
    assert found("x.parquet", "y.parquet") == (3, True)
    assert found("x.parquet", "y.parquet", "--lookahead", "none") == (None, False)
    assert main(["evaluate", "x.csv", "y.csv", "--lookahead", "-1"]) == 2
    assert "lookahead must be none or an integer of at least 0" in capsys.readouterr().err


def test_evaluate_writes_null_for_what_cannot_be_computed(tmp_path, capsys):
    short = write_csv(tmp_path / "s.csv", [1.0, 2.0, 3.0, 2.0])
    assert main(["evaluate", short, short, "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["series"][0]["report"]["checks"]
    assert {check["name"]: check["value"] for check in checks}["trend"] is None


def test_evaluate_refuses_files_that_do_not_fit(pair, tmp_path, capsys):
    a, _, x, _ = pair
    short = write_csv(tmp_path / "short.csv", x[:-1])
    late = write_csv(tmp_path / "late.csv", x, start="2025-08-18T13:31")
    for other, message in (
        (short, f"{short}: 399 rows where {a} has 400; allowed: the same rows"),
        (late, f'{late}: line 2, column "timestamp": another time than at line 2 of {a}'),
        ("none.csv", "cannot read none.csv: No such file or directory"),
    ):
        assert main(["evaluate", a, other]) == 1
        assert message in capsys.readouterr().err
    assert main(["evaluate", a, late, "--no-time"]) == 0
    assert main(["evaluate", a, late, "--no-time", "--time", "timestamp"]) == 2


def test_demo_by_the_real_command(tmp_path):
    done = run_command("demo", "-o", str(tmp_path / "new" / "place"), env={**os.environ, "COLUMNS": "80"})
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80
    assert (tmp_path / "new" / "place" / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert done.stdout.splitlines()[-1] == f"picture: {tmp_path / 'new' / 'place' / 'demo.png'}"
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r"\s*[0-9.]+ +[a-z]", line)]
    assert [row[0] for row in rows] == ["3", "1", "0.3", "0.1"]
    assert [row[1] for row in rows] == ["denoised"] * 3 + ["passthrough"]
    for nsr, _, gain, predicted, limit, textbook, score in rows:
        assert float(limit) == pytest.approx(5 * math.log10(1 + 4 * float(nsr) ** 2), abs=0.005)
        assert float(gain) == pytest.approx(float(limit), abs=0.25)
        assert float(predicted) == pytest.approx(float(limit), abs=0.4)
        assert float(textbook) < float(gain)
        assert 90 < float(score) <= 100
    # The textbook chain, measured (bench/quality): about +6.9 dB at 3 and a loss at 0.3, which is said.
    assert float(rows[0][5]) == pytest.approx(6.9, abs=0.4)
    assert float(rows[2][5]) < -2
    assert "makes prices WORSE that have little of it" in " ".join(done.stdout.split())
    speeds = re.findall(
        r"^ (the default|method=\"wavelet\", noise=\"mad\") +([\d.]+) +[\d.]+x (?:fast|slow)er",
        done.stdout,
        re.M,
    )
    assert [name for name, _ in speeds] == ["the default", 'method="wavelet", noise="mad"']


def test_demo_says_where_it_cannot_write(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "-o", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith(f"rpsd: error: cannot make the directory {tmp_path / 'file'}: ")


def verdicts(text):
    return {line[6:20].strip(): line[:4].strip() for line in text.splitlines()}


def test_doctor_finds_this_installation_sound():
    done = run_command("doctor")
    found = verdicts(done.stdout)
    assert done.returncode == 0, done.stdout
    assert set(found.values()) == {"ok"}
    assert set(found) >= {
        "rpsd",
        "commit",
        "build",
        "instructions",
        "threads",
        "packages",
        "extra cli",
        "extra frames",
        "extra ray",
        "extra remote",
        "extra sklearn",
        "configuration",
        "self-test",
    }
    assert "transform" in done.stdout


@pytest.mark.parametrize(
    ("absent", "verdict", "told"),
    [
        (["ray"], "ok", 'not installed; pip install "rpsd[ray]"'),
        (["fsspec", "s3fs"], "ok", 'not installed; pip install "rpsd[remote]"'),
        (["s3fs"], "ok", 's3fs missing; pip install "rpsd[remote]"'),
        (["rich"], "warn", 'rich missing; pip install "rpsd[cli]"'),
    ],
    ids=str,
)
def test_doctor_tells_of_extras_that_are_not_there(absent, verdict, told, monkeypatch):
    from rpsd.cli import _doctor

    monkeypatch.setattr(_doctor.importlib.util, "find_spec", lambda name: None if name in absent else name)
    monkeypatch.setattr(_doctor.metadata, "version", lambda name: "1.0")
    found = {finding.text: finding.verdict for finding in _doctor._extra_findings()}
    assert found[told] == verdict
    assert list(found.values()).count("ok") >= 5


def test_doctor_fails_on_an_unknown_instruction_set():
    done = run_command("doctor", env={**os.environ, "RPSD_ISA": "v9"})
    assert done.returncode == 1
    assert verdicts(done.stdout)["core"] == "fail"
    assert '"v9"' in done.stdout


def test_doctor_fails_on_a_bad_configuration_and_names_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "home" / ".rpsd").mkdir()
    (tmp_path / "home" / ".rpsd" / "config.yaml").write_text("denoiser:\n  level: x\n")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert verdicts(out)["configuration"] == "fail"
    assert "config.yaml:2" in out


def test_doctor_fails_where_numbers_differ_from_pywavelets(monkeypatch, capsys):
    from rpsd.cli import _doctor

    chain = _doctor.pywavelets_chain
    monkeypatch.setattr(_doctor, "pywavelets_chain", lambda x: chain(x) * (1 + 1e-9))
    assert main(["doctor"]) == 1
    assert verdicts(capsys.readouterr().out)["self-test"] == "fail"


def test_doctor_warns_of_a_missing_extra_and_data_directory(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("RPSD_DATA_DIR", "nowhere")
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert verdicts(out)["extra plot"] == verdicts(out)["data directory"] == "warn"
    assert 'pip install "rpsd[plot]"' in out
    assert "environment RPSD_DATA_DIR" in out
