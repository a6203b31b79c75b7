# SPDX-License-Identifier: MIT
"""Series that fail: each by itself, with a true account, and the others are delivered."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from long_tables import GOOD, lines, long_table, read, run, write

import rpsd

BAD_SERIES = {
    "text": (["A,2025-01-02,1", "A,2025-01-03,abc"], "line 8, column \"price\": 'abc' is not a number"),
    "infinity": (["A,2025-01-02,inf", "A,2025-01-03,2"], "line 7, column \"price\": 'inf' is infinite"),
    "all text": (["A,2025-01-02,x", "A,2025-01-03,y"], "line 7, column \"price\": 'x' is not a number"),
    "no number": (["A,2025-01-02,", "A,2025-01-03,NA"], "no number in any row"),
    "no time": (["A,2025-01-02,1", "A,,2"], 'line 8, column "timestamp": the time is missing'),
    "zone": (["A,2025-01-02,1", "A,2025-01-03T00:00:00Z,2"], "mixes times with and without a zone"),
    "unsorted": (
        ["A,2025-01-03,1", "A,2025-01-02,2"],
        'line 8, column "timestamp": 2025-01-02 00:00:00 comes after 2025-01-03 00:00:00; allowed',
    ),
    "no key": ([",2025-01-03,1", " ,2025-01-02,2"], 'line 7, column "symbol": the key is missing'),
}


@pytest.mark.parametrize(("bad", "message"), BAD_SERIES.values(), ids=BAD_SERIES)
@pytest.mark.parametrize("mixed", [False, True])
def test_a_bad_series_fails_by_itself_and_says_why(tmp_path, bad, message, mixed):
    rows = GOOD + bad
    if mixed:
        rows = [GOOD[0], bad[0], *GOOD[1:], bad[1]]
        message = message.replace("line 7", "line 3")
    (tmp_path / "in.csv").write_text(lines(*rows))
    outcomes = run(tmp_path / "in.csv", tmp_path / "out.csv", by="symbol")
    failed = [o for o in outcomes if o.action == "failed"]
    assert [o.key for o in failed] == ["" if message.endswith("the key is missing") else "A"]
    assert message in failed[0].error
    assert (failed[0].rows, failed[0].column, "\n" in failed[0].error) == (2, "price", False)
    out = read(tmp_path / "out.csv")
    assert out["price"].isna().tolist() == [row not in GOOD for row in rows]
    good = out["price"].dropna().to_numpy()
    np.testing.assert_array_equal(good, rpsd.denoise(np.arange(100.0, 105.0)))


def test_a_failed_series_is_null_in_parquet(tmp_path):
    frame = long_table(series=3)
    frame.loc[frame["symbol"] == "S001", "price"] = np.inf
    write(frame, tmp_path / "in.parquet")
    outcomes = run(tmp_path / "in.parquet", tmp_path / "out.parquet", by="symbol")
    assert [o.action == "failed" for o in outcomes] == [False, True, False]
    assert outcomes[1].error.startswith('row 391, column "price": inf is infinite')
    column = pq.read_table(tmp_path / "out.parquet")["price"]
    missing = frame["price"].isna() | (frame["symbol"] == "S001")
    assert column.is_null().to_pylist() == missing.tolist()


TEXTS = {
    "string": pa.array(["x", None, "y"] * 4),
    "dictionary": pa.array(["x", None, "y"] * 4).dictionary_encode(),
    "list": pa.array([["x"], None, []] * 4),
    "bool": pa.array([True, None, False] * 4),
    "timestamp": pa.array([1, None, 2] * 4, pa.timestamp("us")),
}


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("string", "csv"), *((kind, suffix) for kind in TEXTS for suffix in ("parquet", "arrow", "ipc"))],
)
def test_a_column_of_no_numbers_fails_its_own_series_only(tmp_path, kind, suffix):
    frame = pd.DataFrame({"symbol": ["A", "A", "B", "B"] * 3, "bid": np.arange(12.0), "n": range(12)})
    table = pa.Table.from_pandas(frame, preserve_index=False).append_column("note", TEXTS[kind])
    if suffix == "csv":
        table.to_pandas().to_csv(tmp_path / "in.csv", index=False)
    elif suffix == "parquet":
        pq.write_table(table, tmp_path / "in.parquet", row_group_size=5)
    else:
        make = pa.ipc.new_stream if suffix == "ipc" else pa.ipc.new_file
        with make(tmp_path / f"in.{suffix}", table.schema) as writer:
            writer.write_table(table, max_chunksize=5)
    outcomes = run(tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}", by="symbol", values=("note", "bid"))
    assert [(o.key, o.column, o.action) for o in outcomes] == [
        ("A", "bid", "passthrough"),
        ("A", "note", "failed"),
        ("B", "bid", "passthrough"),
        ("B", "note", "failed"),
    ]
    assert [o.missing for o in outcomes] == [0, 2, 0, 2]
    for outcome, row in ((outcomes[1], 1), (outcomes[3], 3)):
        place = f"line {row + 1}" if suffix == "csv" else f"row {row}"
        assert outcome.error.startswith(f'{place}, column "note": ')
    out = read(tmp_path / f"out.{suffix}")
    pd.testing.assert_frame_equal(out.drop(columns="note"), frame)
    assert out["note"].isna().all()
    outcomes = run(tmp_path / f"in.{suffix}", tmp_path / f"whole.{suffix}", values=("note", "bid"))
    assert [(o.column, o.action) for o in outcomes] == [("bid", "passthrough"), ("note", "failed")]
    assert not (tmp_path / f"whole.{suffix}").exists()


@pytest.mark.parametrize(
    ("cells", "missing"),
    [(["1", "x", "", "inf", "2"], 1), (["x", "y", "z", "x", "y"], 0), (["", "NA", "", "null", ""], 5)],
)
def test_cells_that_cannot_be_read_are_not_counted_as_missing(tmp_path, cells, missing):
    rows = [f"A,2025-01-{k + 1:02d},{cell}" for k, cell in enumerate(cells)]
    rows += [",2025-01-01,", ",2025-01-02,x", ",2025-01-02,1"]
    (tmp_path / "in.csv").write_text(lines(*rows, *GOOD))
    outcomes = run(tmp_path / "in.csv", tmp_path / "out.csv", by="symbol", values=("price",))
    assert [(o.key, o.rows, o.missing) for o in outcomes] == [
        ("A", 5, missing),
        ("GOOD", 5, 0),
        ("", 3, 1),
    ]


@pytest.mark.parametrize("time", ["soon", ""])
def test_times_that_cannot_be_read_are_not_called_duplicates(tmp_path, time):
    rows = [f"A,{time},{k}" for k in range(50)]
    (tmp_path / "in.csv").write_text(lines(*GOOD, *rows, "B,2025-01-01,1", "B,2025-01-01,2"))
    good, bad, twice = run(tmp_path / "in.csv", tmp_path / "out.csv", by="symbol")
    assert (good.notes, bad.notes, bad.action, bad.missing) == ((), (), "failed", 0)
    assert bad.error.startswith('line 7, column "timestamp": ')
    assert "1 duplicate timestamp(s) kept in file order" in twice.notes[0]


def test_where_all_fail_nothing_is_written(tmp_path):
    (tmp_path / "in.csv").write_text(lines("A,2025-01-02,x", "B,2025-01-02,y"))
    outcomes = run(tmp_path / "in.csv", tmp_path / "out.csv", by="symbol", values=("price",))
    assert [o.error.split(":")[0] for o in outcomes] == [f'line {i}, column "price"' for i in (2, 3)]
    assert not (tmp_path / "out.csv").exists()


def test_a_column_that_fails_leaves_no_file_where_columns_are_series(tmp_path):
    (tmp_path / "in.csv").write_text("t,a,b\n1,1,1\n2,2,x\n3,3,3\n")
    outcomes = run(tmp_path / "in.csv", tmp_path / "out.csv", values=("a", "b"))
    assert [(o.key, o.column, o.action) for o in outcomes] == [("", "a", "passthrough"), ("", "b", "failed")]
    assert not (tmp_path / "out.csv").exists()


def test_duplicate_times_of_a_key_are_kept_and_noted(tmp_path):
    (tmp_path / "in.csv").write_text(lines(GOOD[0], "A,2025-01-02,1", *GOOD[1:], "A,2025-01-02,3"))
    first, second = run(tmp_path / "in.csv", tmp_path / "out.csv", by="symbol")
    assert first.notes == ()
    assert second.notes == (
        'column "timestamp": 1 duplicate timestamp(s) kept in file order, the first at line 8',
    )
    assert second.action == "passthrough"
