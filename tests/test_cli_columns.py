# SPDX-License-Identifier: MIT
"""Which column holds the prices, which numbers are times, and what is refused with its place."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import own_home, prices

from rpsd import InputError
from rpsd.batch.files import choose_columns, read_numbers, read_times
from rpsd.batch.files._arrow_source import ParquetSource
from rpsd.batch.files._csv import CsvTable
from rpsd.cli import main

__all__ = ["own_home"]  # a fixture that guards every test here


def load(text, values=()):
    table = CsvTable(text.encode(), "in.csv")
    time_column, columns = choose_columns(table, None, values)
    times = None if time_column is None else read_times(table, time_column)[0]
    return table, read_numbers(table, columns[0]), times, ()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["20250228", "20250301"], ["2025-02-28", "2025-03-01"]),
        (["20250228235959", "20250301000000"], ["2025-02-28T23:59:59", "2025-03-01"]),
        (["9223372036854775806", "9223372036854775807"], ["2262-04-11T23:47:16.854775806"] * 2),
    ],
)
def test_integer_dates_are_dates(rows, expected):
    _, _, times, _ = load("time,price\n" + "".join(f"{row},1\n" for row in rows))
    assert times.values[0] == np.datetime64(expected[0], "ns")
    assert times.values[1] - times.values[0] == (
        np.datetime64(expected[1], "ns") - np.datetime64(expected[0], "ns")
    ) + np.timedelta64(expected[0] == expected[1], "ns")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["20250228", "20250231"], 'line 3, column "time": 20250231 is no date in the form YYYYMMDD from'),
        (["20250228250000", "20250228250001"], "20250228250000 is no date in the form YYYYMMDDhhmmss"),
        (["1724000000", "9223372037"], 'line 3, column "time": 9223372037 as an epoch in s is outside the'),
        (["-9223372037", "1"], 'line 2, column "time": -9223372037 as an epoch in s is outside the years'),
        (["1", "9300000000000"], "as an epoch in ms is outside the years 1677 to 2262"),
        (["1", "9300000000000000"], "as an epoch in us is outside the years 1677 to 2262"),
        (["1", "9300000000000000000"], "as an epoch in ns is outside the years 1677 to 2262"),
        (["-9223372036854775808", "1"], "as an epoch in ns is outside the years 1677 to 2262"),
        (["1", "92233720368.5"], "as an epoch in s is outside the years 1677 to 2262"),
    ],
)
def test_times_that_nanoseconds_cannot_hold_are_refused(rows, message):
    with pytest.raises(InputError, match=re.escape(message)):
        load("time,price\n" + "".join(f"{row},1\n" for row in rows))


def test_parquet_times_that_nanoseconds_cannot_hold_are_refused():
    for column in (
        pa.array([0, 32_503_680_000], pa.timestamp("s")),
        pa.array([0, 376_200], pa.date32()),
        pa.array([1, 2**63 + 5], pa.uint64()),
    ):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"time": column, "price": [1.0, 2.0]}), sink, store_schema=True)
        table = next(
            ParquetSource(sink.getvalue().to_pybytes(), "in.parquet", rows=1, parallel=False).pieces()
        )
        with pytest.raises(InputError, match=r'row 2, column "time": .* outside the years 1677 to 2262'):
            read_times(table, 0)


@pytest.mark.parametrize("cell", ["$205.08", '"1,205.08"', "abc", "-"])
def test_a_price_column_full_of_bad_cells_is_never_passed_over(cell):
    rows = "".join(f"2025-01-{d:02d},{cell},{d}00\n" for d in range(1, 9))
    for name in ("price", "Close", "adj close", "last", "mid", "value", "px"):
        with pytest.raises(InputError, match=f'line 2, column "{name}": '):
            load(f"timestamp,{name},volume\n{rows}")
    with pytest.raises(InputError, match=r'"volume" is the only column of numbers, and "rate" .* --value'):
        load(f"timestamp,rate,volume\n{rows}")
    _, numbers, *_ = load(f"timestamp,rate,volume\n{rows}", values=["volume"])
    assert numbers[0] == 100


SYMBOLS = ["AAPL", "MSFT", "NVDA"]
SERIES = [(f"2025-01-{day:02d}", symbol) for day in range(1, 9) for symbol in SYMBOLS]


@pytest.mark.parametrize("rows", [SERIES, sorted(SERIES, key=lambda row: row[1]), SERIES[1:-1]])
def test_several_series_in_one_file_are_refused_by_the_column_that_tells_them_apart(rows, tmp_path, capsys):
    text = "time,side,ticker,price\n" + "".join(f"{t},x,{symbol},{i}\n" for i, (t, symbol) in enumerate(rows))
    (tmp_path / "in.csv").write_text(text)
    table = {"time": [r[0] for r in rows], "ticker": [r[1] for r in rows], "price": range(len(rows))}
    labels = pa.array(table["ticker"])
    for name, column in (("text", labels), ("dictionary", labels.dictionary_encode())):
        pq.write_table(pa.table({**table, "ticker": column}), tmp_path / f"{name}.parquet")
    for name in ("in.csv", "text.parquet", "dictionary.parquet"):
        assert main(["denoise", name, "-o", f"out{name[name.index('.') :]}"]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f'rpsd: error: {name}: column "ticker" tells 3 series apart ("')
        assert error.count("\n") == 1
    assert main(["denoise", "in.csv", "--no-time"]) == 0


def test_labels_that_do_not_tell_the_repeats_apart_only_warn():
    """Trades of one market: two on one side at one time; and a label that is another in each row."""
    rows = [(f"2025-01-01 10:00:{second:02d}", side) for second in range(20) for side in ("buy", "sell")]
    rows.insert(1, rows[0])
    text = "time,side,trade,price\n" + "".join(f"{t},{side},n{i},{i}\n" for i, (t, side) in enumerate(rows))
    table = CsvTable(text.encode(), "in.csv")
    assert "21 duplicate timestamp(s) kept in file order" in read_times(table, 0)[1][0]
    few = CsvTable(b"time,side,price\n1,buy,1\n2,buy,2\n3,buy,3\n4,buy,4\n5,buy,5\n5,sell,6\n", "in.csv")
    assert "1 duplicate timestamp(s)" in read_times(few, 0)[1][0]


@pytest.mark.parametrize(
    ("options", "cells", "message"),
    [
        (["--missing", "raise"], ["5", "", "3"], 'in.csv: line 3, column "mid": x has NaN; allowed'),
        (["--space", "log"], ["5", "4", "-3"], 'in.csv: line 4, column "mid": x has a value <= 0; allowed'),
        ([], ["", "", ""], 'in.csv: column "mid": no number in any row'),
    ],
)
def test_errors_of_the_core_name_line_and_column(options, cells, message, tmp_path, capsys):
    (tmp_path / "in.csv").write_text("time,mid\n" + "".join(f"{i},{c}\n" for i, c in enumerate(cells)))
    assert main(["denoise", "in.csv", *options]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"rpsd: error: {message}")


def test_an_output_must_be_named_as_a_file(tmp_path, capsys):
    (tmp_path / "in.csv").write_text("price\n1\n2\n")
    assert main(["denoise", "in.csv", "-o", "x/"]) == 1
    assert "cannot write x/: it is a directory; name a file" in capsys.readouterr().err
    assert main(["denoise", "in.csv", "-o", ""]) == 2
    assert "-o must name a file" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "times",
    [
        pa.array([True, False] * 30),
        pa.array([[k] for k in range(60)]),
        pa.array(range(60), pa.duration("s")),
        pa.array(range(60), pa.time64("us")),
        pa.array([b"x"] * 60),
    ],
    ids=lambda times: str(times.type),
)
def test_what_is_called_times_and_holds_none_is_told(tmp_path, times, capsys):
    days = pa.array(range(60), pa.date32())
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"ts": times, "price": prices(60)}), tmp_path / "in" / "a.parquet")
    pq.write_table(
        pa.table({"Time": times, "date": days, "price": prices(60)}), tmp_path / "in" / "b.parquet"
    )
    assert main(["batch", "in", "-o", "out", "--workers", "1"]) == 0
    rows = pq.read_table(tmp_path / "out" / "_rpsd" / "manifest.parquet").to_pylist()
    passed = "holds no times (stamps, dates or numbers) and was passed over"
    notes = [
        f'column "ts" {passed}: rows are in file order',
        f'column "Time" {passed}: times are those of "date"',
    ]
    assert [row["notes"] for row in rows] == [[note] for note in notes]
    capsys.readouterr()
    for name, note in zip("ab", notes, strict=True):
        assert main(["denoise", f"in/{name}.parquet", "-o", "out.parquet"]) == 0
        assert note in capsys.readouterr().err
    assert main(["tune", "in/a.parquet", "--grid", "method=wavelet"]) in (0, 1)
    assert notes[0] in capsys.readouterr().err
    # Nothing is told of columns that are something else, nor where nobody looked for times.
    for arguments in (["in/a.parquet", "--no-time"], ["in/b.parquet", "--time", "date"]):
        assert main(["denoise", *arguments, "-o", "out.parquet"]) == 0
        assert "passed over" not in capsys.readouterr().err
