# SPDX-License-Identifier: MIT
"""Folders whose names are keys, as Hive and Spark write them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from batches import batch, in_process, manifest, own_cache, prices, tree
from command import own_home

import rpsd
from rpsd.batch import plan, run_unit
from rpsd.batch._outcome import Columns
from rpsd.batch._partitions import partition_key
from rpsd.cli import main

__all__ = ["in_process", "own_cache", "own_home"]

KEYS = ["A", "BRK/B", " A", "x=y", "EUR USD", "Ünï"]


@pytest.fixture
def hive(tmp_path, in_process):
    """A table that pyarrow wrote in folders of keys; return it."""
    frame = pd.DataFrame(
        {
            "symbol": np.repeat(KEYS, 120),
            "t": np.tile(np.arange(120), len(KEYS)),
            "price": np.concatenate([prices(k, 120) for k in range(len(KEYS))]),
        }
    )
    flavour = ds.partitioning(pa.schema([("symbol", pa.string())]), flavor="hive")
    ds.write_dataset(pa.Table.from_pandas(frame), tmp_path / "in", format="parquet", partitioning=flavour)
    return frame


def read(folder):
    """Read a folder as the table that it is, without what is no data."""
    found = ds.dataset(folder, partitioning="hive", exclude_invalid_files=False).to_table().to_pandas()
    return found.sort_values(["symbol", "t"], ignore_index=True)


def test_the_key_of_a_file_is_that_of_its_folder(hive, tmp_path):
    assert batch("in", "-o", "out", "--by", "symbol") == 0
    names = sorted(path for path in tree(tmp_path / "in"))
    assert sorted(name for name in tree(tmp_path / "out") if not name.startswith("_rpsd")) == names
    rows = manifest(tmp_path / "out")
    assert sorted(row["key"] for row in rows) == sorted(KEYS)
    assert all(row["action"] == "denoised" and row["rows"] == 120 for row in rows)
    expected = hive.sort_values(["symbol", "t"], ignore_index=True)
    for _, part in expected.groupby("symbol"):
        expected.loc[part.index, "price"] = rpsd.denoise(part["price"].to_numpy())
    columns = list(expected.columns)
    pd.testing.assert_frame_equal(read(tmp_path / "out")[columns], expected, check_dtype=False)
    assert main(["verify", "out"]) == 0


def test_only_opens_the_files_of_the_keys(hive, tmp_path, capsys):
    for path in (tmp_path / "in").glob("symbol=*/*"):
        if partition_key(path.relative_to(tmp_path / "in").as_posix(), "symbol") not in ("A", "BRK/B"):
            path.write_bytes(b"not to be opened")
    assert batch("in", "-o", "out", "--by", "symbol", "--only", "BRK/B", "--only", "A", "--only", "no") == 0
    assert sorted(row["key"] for row in manifest(tmp_path / "out")) == ["A", "BRK/B"]
    assert main(["verify", "out"]) == 0
    assert batch("in", "-o", "none", "--by", "symbol", "--only", "no") == 1
    assert "none of 6 file(s) is in a folder symbol=KEY of any of the keys no" in capsys.readouterr().err
    units = plan(["in"], "other", columns=Columns(by="symbol", only=("A",)))
    assert [partition_key(unit["name"], "symbol") for unit in units] == ["A"]
    unit = {**units[0], "columns": {**units[0]["columns"], "only": ["B"]}}
    assert 'no data rows with any of the keys B in column "symbol"' in run_unit(unit)["series"][0]["error"]


@pytest.mark.parametrize("view", [False, True])
def test_only_takes_what_statistics_let_through_and_rows_do_not(tmp_path, in_process, view):
    """Of the row groups b, d, a + c the last may hold b by its least and greatest key, and does not."""
    kind = pa.string_view() if view else pa.string()
    schema = pa.schema([("id", kind), ("price", pa.float64())])
    (tmp_path / "in").mkdir()
    with pq.ParquetWriter(tmp_path / "in" / "x.parquet", schema) as writer:
        for keys in ("bbb", "ddd", "aac"):
            one = pa.table({"id": pa.array(list(keys)).cast(kind), "price": [1.0, 2.0, 3.0]}, schema)
            writer.write_table(one)
    assert batch("in", "-o", "out", "--by", "id", "--only", "b") == 0
    assert pq.read_table(tmp_path / "out" / "x.parquet")["price"].to_pylist() == [1.0, 2.0, 3.0]
    assert batch("in", "-o", "out", "--by", "id", "--only", "b\udcff") == 2


def test_escapes_that_are_not_utf8_leave_two_keys_apart():
    keys = {partition_key(f"symbol=A%{byte}/x.csv", "symbol") for byte in ("FF", "FE", "C3%A9")}
    assert keys == {"A%FF", "A%FE", "A\u00e9"}


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_files_of_one_content_are_told_apart_by_their_folders(tmp_path, in_process, suffix):
    table = pa.table({"price": prices(1), "volume": np.arange(200.0)})
    for key in "AB":
        path = tmp_path / "in" / "day=1" / f"symbol={key}" / f"part-0.{suffix}"
        path.parent.mkdir(parents=True)
        if suffix == "csv":
            table.to_pandas().to_csv(path, index=False)
        elif suffix == "parquet":
            pq.write_table(table, path)
        else:
            with pa.ipc.new_file(path, table.schema) as writer:
                writer.write_table(table)
    for target in ("out", "again"):  # the second from the cache
        assert batch("in", "-o", target, "--by", "symbol", "--value", "price") == 0
        assert [row["key"] for row in manifest(tmp_path / target)] == ["A", "B"]
        assert main(["verify", target]) == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "again")
    assert batch("in", "-o", "days", "--by", "day", "--value", "price") == 0
    assert [row["key"] for row in manifest(tmp_path / "days")] == ["1", "1"]


def test_a_series_that_fails_leaves_the_other_columns(tmp_path, in_process):
    path = tmp_path / "in" / "symbol=A" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"bid": prices(1), "note": ["x"] * 200}), path)
    assert batch("in", "-o", "out", "--by", "symbol", "--value", "bid", "--value", "note") == 4
    told = {(row["key"], row["column"]): row["action"] for row in manifest(tmp_path / "out")}
    assert told == {("A", "bid"): "denoised", ("A", "note"): "failed"}
    out = pq.ParquetFile(tmp_path / "out" / "symbol=A" / "part-0.parquet").read()
    np.testing.assert_array_equal(out["bid"], rpsd.denoise(prices(1)))
    assert out["note"].null_count == 200


@pytest.mark.parametrize(
    ("folder", "given", "message"),
    [
        ("symbol=__HIVE_DEFAULT_PARTITION__", "in", "the key is missing in the folder"),
        ("symbol=A", "in/symbol=A", 'where folders tell it ("symbol=KEY"), give the folder that they are in'),
        ("sym=A", "in", 'no column "symbol" (--by); the file has "price"; where folders tell it'),
    ],
)
def test_folders_that_tell_no_key(tmp_path, in_process, capsys, folder, given, message):
    (tmp_path / "in" / folder).mkdir(parents=True)
    (tmp_path / "in" / folder / "part-0.csv").write_text("price\n1\n2\n3\n")
    assert batch(given, "-o", "out", "--by", "symbol") == 1
    assert message in capsys.readouterr().err


def test_a_column_of_the_file_goes_before_the_folder(tmp_path, in_process):
    path = tmp_path / "in" / "symbol=A" / "part-0.csv"
    path.parent.mkdir(parents=True)
    path.write_text("symbol,price\nX,1\nX,2\nY,3\n")
    assert batch("in", "-o", "out", "--by", "symbol") == 0
    assert [row["key"] for row in manifest(tmp_path / "out")] == ["X", "Y"]
