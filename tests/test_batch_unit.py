# SPDX-License-Identifier: MIT
"""`run_unit`: plain data in and out, once or often the same, an output or none; receipts."""

import hashlib
import json
import os
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from batches import csv_text, own_cache, prices, tree
from command import own_home

import rpsd
from rpsd.batch import Columns, plan, run_unit
from rpsd.cli import main

__all__ = ["own_cache", "own_home"]  # fixtures that guard every test here


@pytest.fixture
def day(tmp_path):
    """Return the path of a file of prices."""
    path = tmp_path / "day.csv"
    path.write_text(csv_text(prices(1)))
    return path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_unit_is_plain_data_and_so_is_its_record(day, tmp_path):
    (unit,) = plan(
        [day],
        tmp_path / "out",
        config=rpsd.load_config(environ={"RPSD_METHOD": "fir", "RPSD_FIR_WINDOW": "kaiser,8.6"}),
    )
    assert json.loads(json.dumps(unit)) == unit == pickle.loads(pickle.dumps(unit))
    record = run_unit(json.loads(json.dumps(unit)))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    output = tmp_path / "out" / "day.csv"
    assert record["name"] == "day.csv"
    assert record["input"] == sha256(day)
    assert record["output"] == sha256(output)
    assert record["receipt"] == sha256(tmp_path / "out" / "_rpsd" / "receipts" / "day.csv.json")
    np.testing.assert_array_equal(
        np.loadtxt(output, delimiter=",", skiprows=1)[:, 1],
        rpsd.denoise(prices(1), method="fir", fir_window=("kaiser", 8.6)),
    )
    (series,) = record["series"]
    result = rpsd.Denoiser(method="fir", fir_window=("kaiser", 8.6)).run(prices(1))
    assert (series["action"], series["rows"], series["column"]) == ("denoised", 200, "price")
    assert (series["noise_sd"], series["score"]) == (
        None,
        result.report.score,
    )  # the filter asks for no noise
    assert series["checks"]["correlation"] == result.report.correlation


def test_a_unit_is_the_same_however_often_it_is_run(day, tmp_path):
    (unit,) = plan([day], tmp_path / "out", config=rpsd.load_config(environ={"RPSD_CACHE_SIZE": "0"}))
    first = run_unit(unit)
    before = tree(tmp_path / "out")
    assert run_unit(unit) == first
    assert tree(tmp_path / "out") == before
    assert [name for name in before if name.endswith(".tmp")] == []


def test_what_is_there_is_kept_only_while_everything_is_as_it_was(day, tmp_path):
    config = rpsd.load_config(environ={"RPSD_CACHE_SIZE": "0"})
    output, receipt = tmp_path / "out" / "day.csv", tmp_path / "out" / "_rpsd" / "receipts" / "day.csv.json"
    (unit,) = plan([day], tmp_path / "out", config=config)
    done = run_unit(unit)

    def how(**changes):
        return run_unit({**unit, **changes, "done": done})["how"]

    assert how() == "kept"
    for damage in (
        output.unlink,
        lambda: output.write_bytes(output.read_bytes()[:-1]),
        lambda: receipt.write_text("{}"),
        receipt.unlink,
    ):
        damage()
        assert how() == "made"
        assert how() == "kept"

    def config_with(rows):
        return {**unit["config"], "performance": {**unit["config"]["performance"], "chunk_size": rows}}

    assert how(config=config_with(500)) == "kept"  # 65,536 rows are read at a time at least
    assert how(config=config_with(100_000)) == "made"
    assert how(columns={"values": ["price"]}) == "made"
    day.write_text(csv_text(prices(2)))
    assert how() == "made"


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("t,price\n", {}, "no data rows"),
        ("t,price\n1,2\n2,x\n", {}, "'x' is not a number"),
        ("t,price\n1,2\n", {"values": ("px",)}, 'no column "px"'),
        ("t,price\n1,\n2,\n", {}, "no number in any row"),
        ("", {}, "empty"),
    ],
)
def test_a_file_that_fails_is_told_of_and_has_no_output_not_even_an_old_one(
    day, tmp_path, text, columns, message
):
    run_unit(plan([day], tmp_path / "out")[0])
    assert len(tree(tmp_path / "out")) == 2
    day.write_text(text)
    (unit,) = plan([day], tmp_path / "out", columns=Columns(**columns))
    record = run_unit(unit)
    (series,) = record["series"]
    assert series["action"] == "failed"
    assert message in series["error"]
    assert (record["output"], record["receipt"]) == (None, None)
    assert tree(tmp_path / "out") == {}


def test_a_file_that_is_gone_or_cannot_be_written_is_a_failure(day, tmp_path):
    (unit,) = plan([day], tmp_path / "out")
    day.rename(tmp_path / "other.csv")
    assert "No such file" in run_unit(unit)["series"][0]["error"]
    (tmp_path / "other.csv").rename(day)
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / "day.csv").mkdir()
    assert "it is a directory" in run_unit(unit)["series"][0]["error"]


@pytest.mark.skipif(os.name != "posix", reason="pipes with names")
def test_a_pipe_is_a_failure_and_nobody_waits_for_it(day, tmp_path):
    day.unlink()
    os.mkfifo(day)
    (unit,) = plan([day], tmp_path / "out")
    assert run_unit(unit)["series"][0]["error"] == "not a regular file"


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_in_the_place_of_an_output_is_replaced_and_what_it_leads_to_is_not(day, tmp_path):
    foreign = tmp_path / "foreign.txt"
    foreign.write_text("not ours")
    receipts = tmp_path / "out" / "_rpsd" / "receipts"
    receipts.mkdir(parents=True)
    places = [tmp_path / "out" / "day.csv", receipts / "day.csv.json"]
    for place in places:
        place.symlink_to(foreign)
    record = run_unit(plan([day], tmp_path / "out")[0])
    assert record["series"][0]["action"] == "denoised"
    assert [place.is_symlink() for place in places] == [False, False]
    assert [record["output"], record["receipt"]] == [sha256(place) for place in places]
    assert foreign.read_text() == "not ours"
    assert list(tmp_path.rglob("*.tmp")) == []


def test_an_error_nobody_thought_of_is_one_files_failure(day, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("rpsd.batch._unit.denoise_file", broken)
    (series,) = run_unit(plan([day], tmp_path / "out")[0])["series"]
    assert series["error"] == "ZeroDivisionError: of all things"


def test_a_file_that_changes_while_it_is_read_is_a_failure_and_not_cached(day, tmp_path, monkeypatch):
    import rpsd.batch._unit as unit_module

    real = unit_module.denoise_file

    def slow(source, *arguments, **more):
        outcomes = real(source, *arguments, **more)
        day.write_text(csv_text(prices(3)) + "\n")
        return outcomes

    monkeypatch.setattr(unit_module, "denoise_file", slow)
    record = run_unit(plan([day], tmp_path / "out")[0])
    assert record["series"][0]["error"] == "it was changed while it was read"
    assert tree(tmp_path / "out") == {}
    assert not (tmp_path / "cache").exists()


def test_all_columns_of_a_file_or_none(tmp_path):
    a, b = prices(1).tolist(), prices(2).tolist()
    rows = "".join(f"{x!r},{y!r}\n" for x, y in zip(a, b, strict=True))
    (tmp_path / "quotes.csv").write_text("bid,ask\n" + rows + "1,bad\n")
    (unit,) = plan([tmp_path / "quotes.csv"], tmp_path / "out", columns=Columns(values=("bid", "ask")))
    bid, ask = run_unit(unit)["series"]
    assert (bid["action"], bid["error"]) == ("failed", "not written, as another column of the file failed")
    assert "'bad' is not a number" in ask["error"]


def test_receipts_say_what_decided_the_values(day, tmp_path, monkeypatch):
    pq.write_table(pa.table({"price": prices(1)}, metadata={b"owner": b"desk"}), tmp_path / "day.parquet")
    monkeypatch.setenv("RPSD_LAG_THRESHOLD", "0.4")
    arguments = ["--noise", "mad", "--lookahead", "2", "--window", "64"]
    assert main(["batch", "day.csv", "day.parquet", "-o", "out", *arguments]) == 0
    schema = pq.read_schema(tmp_path / "out" / "day.parquet")
    assert schema.metadata[b"owner"] == b"desk"
    inside = json.loads(schema.metadata[b"rpsd"])
    beside = json.loads((tmp_path / "out" / "_rpsd" / "receipts" / "day.csv.json").read_text())
    for receipt, source in ((inside, "day.parquet"), (beside, "day.csv")):
        assert receipt["lookahead"] == 2
        assert receipt["version"] == rpsd.__version__
        assert receipt["isa"] == rpsd.build_info()["isa"]
        assert receipt["input"]["sha256"] == sha256(tmp_path / source)
        options = receipt["options"]
        assert options["noise"] == {"value": "mad", "origin": "command line --noise"}
        assert options["wavelet"] == {"value": "auto", "origin": "default", "stands_for": "db4"}
        assert options.keys() == set(rpsd.Options.__struct_fields__)
        assert receipt["guardrails"]["lag_threshold"]["origin"] == "environment RPSD_LAG_THRESHOLD"
        breached = int(not receipt["series"][0]["passed"])
        counts = {"series": 1, "rows": 200, "actions": {"denoised": 1}, "breached": breached}
        assert receipt["outcome"] == counts
        assert receipt["series"][0]["checks"].keys() >= {"correlation", "lag"}
    # No clock, host, worker count or place.
    text = json.dumps([inside, beside])
    for word in (str(tmp_path), "out/", "workers", "threads"):
        assert word not in text


def test_docstring_examples_run():
    import doctest

    import rpsd.batch._unit

    result = doctest.testmod(rpsd.batch._unit)
    assert (result.failed, result.attempted > 3) == (0, True)
