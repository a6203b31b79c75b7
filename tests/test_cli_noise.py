# SPDX-License-Identifier: MIT
"""What `rpsd denoise` says about noise: the model, the action, and why a series is returned as it is."""

import json

import numpy as np
import pytest
from command import own_home

import rpsd
from rpsd.cli import main

__all__ = ["own_home"]  # guards every test here


def noisy(nsr, n=1000):
    return 100 + rpsd.simulate("a", n, seed=3, nsr=nsr, step_sd=0.1).noisy


def spiky():
    x = noisy(0)
    x[[300, 700]] += [9, -8]
    x[500:503] = np.nan  # missing samples are not counted as replaced
    return x


AS_IT_IS = ": the series is returned as it is"
SAID = {
    "noisy": (noisy(2), [], "denoised", ""),
    "clean": (noisy(0), [], "passthrough", f"no significant noise{AS_IT_IS}"),
    "bad ticks": (spiky(), [], "cleaned", "2 bad tick(s) replaced, the rest returned as it is"),
    "short": (noisy(2, 20), [], "passthrough", f"too short or still to fit{AS_IT_IS}"),
    "still": (np.full(99, 7.5), [], "passthrough", f"too short or still to fit{AS_IT_IS}"),
    "little": (noisy(2), ["--min-gain-db", "30"], "passthrough", f"too little to gain{AS_IT_IS}"),
    "wavelets": (noisy(0), ["--method", "wavelet"], "passthrough", f"no significant noise{AS_IT_IS}"),
    "MAD": (np.full(99, 7.5), ["--noise", "mad"], "passthrough", f"no noise found{AS_IT_IS}"),
}


@pytest.mark.parametrize(("x", "options", "action", "why"), SAID.values(), ids=SAID)
def test_the_action_is_told_in_plain_words(tmp_path, capsys, monkeypatch, x, options, action, why):
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "in.csv").write_text("price\n" + "".join(f"{v!r}\n" for v in x.tolist()))
    assert main(["denoise", "in.csv", "-o", "out.csv", *options]) == 0
    lines = [line.strip() for line in capsys.readouterr().err.splitlines()]
    row = next(i for i, line in enumerate(lines) if line.startswith("action"))
    assert lines[row].split() == ["action", action]
    if why:
        assert lines[row + 1] == why
    else:
        assert lines[row + 1].startswith("lookahead")
    same = (tmp_path / "in.csv").read_text() == (tmp_path / "out.csv").read_text()
    assert same == (action == "passthrough")


@pytest.mark.parametrize("method", ["auto", "wavelet"])
def test_the_noise_model_is_told(tmp_path, capsys, method):
    x = noisy(2)
    (tmp_path / "in.csv").write_text("price\n" + "".join(f"{v!r}\n" for v in x.tolist()))
    assert main(["denoise", "in.csv", "-o", "out.csv", "--method", method]) == 0
    noise = rpsd.estimate_noise(x)
    rows = (line.rsplit("  ", 1) for line in map(str.strip, capsys.readouterr().err.splitlines()))
    found = {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}
    assert found["noise sd"] == f"{noise.noise_sd:.4f}"
    assert found["step sd"] == f"{noise.step_sd:.4f}"
    assert found["noise/step"] == f"{noise.nsr:.3f}"
    assert found["predicted gain"] == f"{noise.predicted_gain_db:.2f} dB"
    assert found["P(gain > 0)"] == f"{noise.gain_probability:.3f}"


def test_what_the_mad_does_not_know_is_not_told(tmp_path, capsys):
    (tmp_path / "in.csv").write_text("price\n" + "".join(f"{v!r}\n" for v in noisy(2).tolist()))
    assert main(["denoise", "in.csv", "-o", "out.csv", "--noise", "mad", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "noise sd" in err
    assert not any(word in err for word in ("step sd", "predicted gain", "P(gain"))
    noise = json.loads(out)["series"][0]["noise"]
    assert (noise["kind"], noise["step_sd"], noise["predicted_gain_db"]) == ("mad", None, None)
