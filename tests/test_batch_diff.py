# SPDX-License-Identifier: MIT
"""`rpsd diff`: why two outputs differ, and by how much."""

import json

import numpy as np
import pytest
from batches import batch, csv_text, in_process, make_folder, own_cache, prices
from command import own_home

from rpsd.cli import main

__all__ = ["in_process", "own_cache", "own_home"]  # fixtures; the last two guard every test here


def diff(*arguments):
    return main(["diff", *map(str, arguments)])


@pytest.fixture
def inputs(tmp_path, in_process):
    make_folder(tmp_path / "in", files=2)
    return tmp_path / "in"


def test_the_same_is_the_same(inputs, capsys):
    assert batch("in", "-o", "a") == batch("in", "-o", "b") == 0
    capsys.readouterr()
    assert diff("a", "b") == 0
    assert capsys.readouterr() == ("", "rpsd: a and b: 3 file(s): 3 same, 0 different\n")
    assert diff("a/p.parquet", "b/p.parquet") == 0


def test_options_are_told_with_their_origins_and_values_by_how_much(inputs, tmp_path, capsys, monkeypatch):
    assert batch("in", "-o", "a", "--method", "kalman") == 0
    monkeypatch.setenv("RPSD_METHOD", "wavelet")
    assert batch("in", "-o", "b") == 0
    capsys.readouterr()
    assert diff("a", "b") == 1
    told, counts = capsys.readouterr()
    where = "in 3 file(s): deep/s00.csv, deep/s01.csv, p.parquet"
    assert (
        f"option method: kalman (command line --method) | wavelet (environment RPSD_METHOD), {where}" in told
    )
    assert counts == "rpsd: a and b: 3 file(s): 0 same, 3 different\n"
    a, b = (
        np.loadtxt(tmp_path / side / "deep" / "s00.csv", delimiter=",", skiprows=1)[:, 1] for side in "ab"
    )
    apart = np.abs(a - b)
    row = int(apart.argmax())
    assert (
        f"deep/s00.csv: {np.count_nonzero(apart)} cell(s) differ, at most by {apart[row]:.6g} "
        f'(row {row + 1}, column "price": {a[row].item()!r} | {b[row].item()!r}), '
        f"RMS {np.sqrt(np.mean(apart[apart > 0] ** 2)):.6g}"
    ) in told
    assert diff("a", "b", "--json") == 1
    first = json.loads(capsys.readouterr().out)["files"][0]
    assert first["largest"] == apart[row]
    assert {"what": "option method", "decides": True}.items() <= first["reasons"][0].items()


def test_an_origin_alone_changes_no_value(inputs, capsys, monkeypatch):
    assert batch("in", "-o", "a", "--window", "100") == 0
    monkeypatch.setenv("RPSD_WINDOW", "100")
    assert batch("in", "-o", "b") == 0
    capsys.readouterr()
    assert diff("a", "b") == 0
    line = (
        "option window: 100 (command line --window) | 100 (environment RPSD_WINDOW), which changes no value"
    )
    assert line in capsys.readouterr().out


def test_data_columns_and_versions_are_told(inputs, tmp_path, capsys):
    assert batch("in", "-o", "a") == 0
    (inputs / "deep" / "s00.csv").write_text(csv_text(prices(40)))
    assert batch("in", "-o", "b", "--value", "price") == 0
    receipt = tmp_path / "b" / "_rpsd" / "receipts" / "deep" / "s01.csv.json"
    receipt.write_text(receipt.read_text().replace('"version": "', '"version": "9.'))
    capsys.readouterr()
    assert diff("a", "b") == 1
    told = capsys.readouterr().out
    assert "other input data, in 1 file(s): deep/s00.csv\n" in told
    assert "version: 0.1.0 | 9.0.1.0, in 1 file(s): deep/s01.csv\n" in told
    assert "columns: values: [] | ['price'], in 3 file(s)" in told
    assert told.count("cell(s) differ") == 1


def test_files_on_one_side_and_without_receipts(inputs, tmp_path, capsys):
    assert batch("in", "-o", "a") == batch("in", "-o", "b") == 0
    (tmp_path / "a" / "p.parquet").unlink()
    (tmp_path / "b" / "deep" / "s01.csv").unlink()
    (tmp_path / "b" / "_rpsd" / "receipts" / "deep" / "s00.csv.json").unlink()
    capsys.readouterr()
    assert diff("a", "b") == 1
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "no receipt that tells why, in 1 file(s): deep/s00.csv",
        "deep/s01.csv: only in a",
        "p.parquet: only in b",
    ]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("none", "in", "cannot read none: no such file or folder"),
        ("in", "in/p.parquet", "in and in/p.parquet must both be files, or both folders"),
        ("in/deep/s00.csv", "in/p.parquet", "must be of one format"),
    ],
)
def test_what_cannot_be_compared(inputs, first, second, message, capsys):
    assert diff(first, second) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_trouble_and_no_difference(inputs, tmp_path, capsys):
    assert batch("in", "-o", "a") == batch("in", "-o", "b") == 0
    (tmp_path / "b" / "p.parquet").write_bytes((tmp_path / "b" / "p.parquet").read_bytes()[:-50])
    capsys.readouterr()
    assert diff("a", "b") == 2
    told, counts = capsys.readouterr()
    assert "p.parquet: it cannot be read: " in told
    assert "2 same, 0 different, 1 not compared" in counts
    assert diff("a", "b", "--json") == 2
    summary = json.loads(capsys.readouterr().out)
    assert (summary["different"], summary["unknown"]) == (0, 1)
