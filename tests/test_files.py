# SPDX-License-Identifier: MIT
"""Reading CSV and Parquet for the commands: every mend, every refusal, and text kept byte for byte."""

import csv
import io
import math
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpsd import InputError
from rpsd.batch.files import choose_columns, read_numbers, read_table, read_times, read_whole, written
from rpsd.batch.files._arrow_source import ParquetSource
from rpsd.batch.files._csv import CsvTable

HEAD = "timestamp,price\n"
ROWS = [f"2025-08-18 13:{m:02d}:00+00:00,{100 + m / 4}" for m in range(12)]
GOOD = HEAD + "\n".join(ROWS) + "\n"


def load(text, time=None, values=(), **more):
    """Do what `rpsd denoise` does in reading: numbers of the first value column, times, and all notes."""
    table = CsvTable(text if isinstance(text, bytes) else text.encode(), "in.csv")
    time_column, columns = choose_columns(table, time, values, **more)
    times, notes = (None, []) if time_column is None else read_times(table, time_column)
    return table, read_numbers(table, columns[0]), times, [*table.mends, *notes]


def changed(table, column, values):
    return b"".join(bytes(piece) for piece in table.replaced({column: values}))


PRICES = np.array([100 + m / 4 for m in range(12)])


DIALECTS = {
    "LF": GOOD,
    "no end of line": GOOD.rstrip("\n"),
    "CRLF": GOOD.replace("\n", "\r\n"),
    "CR": GOOD.replace("\n", "\r"),
    "semicolon": GOOD.replace(",", ";"),
    "semicolon and comma": GOOD.replace(",", ";").replace(".", ","),
    "tab": GOOD.replace(",", "\t"),
    "pipe": GOOD.replace(",", "|"),
    "quoted": "\n".join('"' + line.replace(",", '","') + '"' for line in GOOD.splitlines()),
    "spaces": GOOD.replace(",", " , "),
    "plus": GOOD.replace(",1", ",+1"),
    "T and Z": HEAD + GOOD[len(HEAD) :].replace(" ", "T").replace("+00:00", "Z"),
}


@pytest.mark.parametrize("text", DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_gives_the_same_numbers_and_times(text):
    table, numbers, times, notes = load(text)
    np.testing.assert_array_equal(numbers, PRICES)
    expected = np.datetime64("2025-08-18T13:00") + np.arange(12).astype("m8[m]")
    np.testing.assert_array_equal(times.values, expected.astype("datetime64[ns]"))
    assert (times.zone, notes, table.columns) == ("UTC", [], ("timestamp", "price"))
    # Unchanged numbers leave the file as it was; changed ones change nothing else.
    assert changed(table, 1, numbers) == text.encode()
    sevenths = iter((PRICES / 7).tolist())
    comma = ";" in text and "." not in text
    expected_text = re.sub(
        r"[ +]*1\d\d[.,]\d+", lambda _: repr(next(sevenths)).replace(".", "," if comma else "."), text
    )
    assert changed(table, 1, numbers / 7).decode() == expected_text


LATE = "2025-08-18 14:00:00+00:00"
IN_PRICE = 'line 14, column "price": '
IN_TIME = 'line 14, column "timestamp": '
TAB_COMMA = GOOD.replace(",", "\t").replace(".", ",")
BREAK_IN_CELL = (
    'timestamp,note,price\n2025-01-01,"a\nb",1\n2025-01-02,"a ""b"", c",2\n2025-01-03,,x\n2025-01-04,,5\n'
)
BAD_FILES = {
    "long row": (f"{GOOD}{LATE},1,2\n", "line 14: 3 cell(s) where the header has 2"),
    "short row": (f"{HEAD}2025-08-18\n{ROWS[0]}", "line 2: 1 cell(s) where the header has 2"),
    "rows that add up": ("a,b\n1\n2,3,4\n", "line 2: 1 cell(s) where the header has 2"),
    "not a number": (
        f"{GOOD}{LATE},abc\n",
        IN_PRICE + "'abc' is not a number; allowed: a number, or an empty cell",
    ),
    "not a number, later": (BREAK_IN_CELL, "line 5, column \"price\": 'x' is not a number"),
    "inf": (f"{GOOD}{LATE},-inf\n", IN_PRICE + "'-inf' is infinite; allowed: a finite number"),
    "overflow": (f"{GOOD}{LATE},1e999\n", IN_PRICE + "'1e999' is infinite"),
    "thousands": (
        f'{GOOD}{LATE},"1,234.50"\n',
        "'1,234.50' has thousands separators; allowed: digits with one",
    ),
    "thousands, spaces": (f"{GOOD}{LATE},1 234\n", IN_PRICE + "'1 234' has thousands separators"),
    "both decimal signs": (
        GOOD.replace(",", ";") + f"{LATE};1.234,50\n",
        IN_PRICE + "'1.234,50' beside '100.0' mixes decimal comma and decimal point",
    ),
    "comma after a tab": (
        TAB_COMMA,
        "has a decimal comma, which is read only where the delimiter is a semicolon",
    ),
    "empty": ("", "the file is empty"),
    "blank": ("\n \r\n\n", "the file is empty"),
    "header only": (HEAD, "no data rows after the header"),
    "header without end": ("timestamp,price", "no data rows after the header"),
    "no header": ("\n".join(ROWS), "line 1 holds data (2025-08-18 13:00:00+00:00, 100.0) where column names"),
    "no header, numbers": ("1.5\n2\n", "line 1 holds data (1.5) where column names are needed"),
    "NUL": (f"{GOOD[:60]}\0{GOOD[60:]}", "line 3: a NUL byte (byte 61 of the file)"),
    "Latin-1": (
        GOOD.encode() + b"\xe9,1\n",
        f"line 14: byte 0xe9 (byte {len(GOOD) + 1} of the file) is not UTF-8",
    ),
    "UTF-16": (GOOD.encode("utf-16"), "this is UTF-16 text; save it as UTF-8"),
    "gzip": (b"\x1f\x8b\x08\0", "this is a gzip file; decompress it first"),
    "spreadsheet": (b"PK\x03\x04", "this is a zip file or a spreadsheet"),
    "Parquet in disguise": (b"PAR1", "this is a Parquet file; give it the suffix .parquet"),
    "stray quote": (f'{GOOD}{LATE},5" wide\n', 'line 14: a quote (") that does not enclose a whole cell'),
    "text after a quote": (f'{GOOD}"{LATE}"x,5\n', 'line 14: a quote (") that does not enclose a whole cell'),
    "open quote": (f'{GOOD}{LATE},"5\n', 'line 14: a quote (") is opened here and never closed'),
    "time goes back": (
        f"{GOOD}2025-08-18 13:10:30+00:00,1\n",
        IN_TIME
        + "2025-08-18 13:10:30Z comes after 2025-08-18 13:11:00Z; allowed: times that do not go back (sort",
    ),
    "new to old": (
        HEAD + "\n".join(ROWS[::-1]),
        "2025-08-18 13:10:00Z comes after 2025-08-18 13:11:00Z; allowed: times that do not go back "
        "(the file runs from new to old: reverse it)",
    ),
    "index goes back": ("time,price\n1,1\n2,1\n1,1\n", 'line 4, column "time": 1 comes after 2'),
    "no time": (f"{GOOD},1\n", IN_TIME + "the time is missing; allowed: ISO 8601"),
    "no first time": (f"{HEAD},1\n{ROWS[0]}", 'line 2, column "timestamp": the time is missing'),
    "not a time": (f"{GOOD}yesterday,1\n", IN_TIME + "'yesterday' is not a time; allowed: ISO 8601"),
    "American dates": (
        "date,price\n08/18/2025,1\n08/19/2025,2\n",
        "line 2, column \"date\": '08/18/2025' is not",
    ),
    "no such date": (
        "date,price\n2025-02-28,1\n2025-02-29,2\n",
        "line 3, column \"date\": '2025-02-29' is not",
    ),
    "zone lost": (
        f"{GOOD}2025-08-18 14:00:00,1\n",
        IN_TIME
        + "'2025-08-18 14:00:00' after '2025-08-18 13:11:00+00:00' mixes times with and without a zone",
    ),
    "zone found": (
        f"{HEAD}2025-08-18 10:00:00,1\n{ROWS[0]}",
        "'2025-08-18 13:00:00+00:00' after '2025-08-18 10:00:00' mixes times with and without a zone",
    ),
    "epoch that is NaN": ("time,price\n1724000000.5,1\nNaN,2\n", 'line 3, column "time": nan is not a time'),
}


@pytest.mark.parametrize(("text", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_gets_one_error_that_says_where_and_what(text, message):
    with pytest.raises(InputError) as caught:
        load(text)
    assert str(caught.value).startswith("in.csv: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


BAD_COLUMNS = [
    (GOOD, {"values": ["px"]}, 'no column "px" (--value); the file has "timestamp", "price"'),
    (GOOD, {"time": "ts"}, 'no column "ts" (--time); the file has "timestamp", "price"'),
    (GOOD, {"time": "price", "values": ["price"]}, 'column "price" is named by both --time and --value'),
    ("a,bid,ask\nx,1,2\n", {}, 'several columns may hold the prices: "bid", "ask"; choose with --value NAME'),
    (
        "Open,Close,Adj Close\n1,2,3\n",
        {},
        'may hold the prices: "Close", "Adj Close"; choose with --value NAME',
    ),
    ("price,price\n1,2\n", {"values": ["price"]}, '2 columns are named "price" (--value); rename them'),
    ("a,b\nx,y\n", {}, 'no column of numbers beside the time; the file has "a", "b"'),
]


@pytest.mark.parametrize(("text", "names", "message"), BAD_COLUMNS)
def test_a_column_that_cannot_be_found_is_an_error_that_lists_what_is_there(text, names, message):
    with pytest.raises(InputError) as caught:
        load(text, **names)
    assert str(caught.value).startswith("in.csv: ")
    assert message in str(caught.value)


TWO_OFFSETS = "time,price\n2025-10-26 02:30:00+02:00,1\n2025-10-26 02:00:00+01:00,2\n"
MENDS = {
    "byte-order mark": ("\ufeff" + GOOD, "the byte-order mark at the start was removed"),
    "blank lines": ("\n" + GOOD + "\n\r\n", "3 blank line(s) skipped, the first is line 1"),
    "duplicates": (
        f"{GOOD}{ROWS[-1]}\n{ROWS[-1]}\n",
        'column "timestamp": 2 duplicate timestamp(s) kept in file order, the first at line 14',
    ),
    "offsets": (
        TWO_OFFSETS,
        'column "time": UTC offsets +01:00, +02:00 occur; times are compared as instants',
    ),
}


@pytest.mark.parametrize(("text", "note"), MENDS.values(), ids=MENDS)
def test_a_mend_is_reported_and_keeps_the_rest(text, note):
    table, numbers, _, notes = load(text)
    assert notes == [note]
    assert changed(table, 1, numbers).decode() == text.removeprefix("\ufeff")


@pytest.mark.parametrize(
    "word", ["", "NA", "NaN", "nan", "null", "N/A", "n-a", "None", "<NA>", "#N/A", " ", '""']
)
def test_missing_words_are_missing_and_stay(word):
    text = f"price,x\n1.5,a\n{word},b\n2.5,c\n"
    table, numbers, _, _ = load(text)
    np.testing.assert_array_equal(numbers, [1.5, math.nan, 2.5])
    assert changed(table, 0, np.array([1.0, math.nan, 3.0])).decode() == f"price,x\n1,a\n{word},b\n3,c\n"
    # Warm-up: missing only in the output.
    assert (
        changed(table, 0, np.array([math.nan, math.nan, 3.0])).decode() == f"price,x\nNaN,a\n{word},b\n3,c\n"
    )


def test_a_lone_column_may_have_a_quoted_empty_cell_and_skips_blank_lines():
    table, numbers, _, notes = load('price\n1\n""\n\n3\n')
    np.testing.assert_array_equal(numbers, [1, math.nan, 3])
    assert notes == ["1 blank line(s) skipped, the first is line 4"]
    assert changed(table, 0, np.array([2.0, math.nan, 5.0])) == b'price\n2\n""\n\n5\n'


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        ("17240000{:02d}", "s"),
        ("17240000{:02d}000", "ms"),
        ("17240000{:02d}000000", "us"),
        ("17240000{:02d}000000000", "ns"),
    ],
)
def test_epochs_are_told_by_their_size(cells, unit):
    rows = [cells.format(s) for s in range(20)]
    _, _, times, notes = load("time,price\n" + "".join(f"{row},1\n" for row in rows))
    expected = np.datetime64(1724000000, "s") + np.arange(20)
    np.testing.assert_array_equal(times.values, expected.astype("datetime64[ns]"))
    assert (times.zone, notes) == ("UTC", []), unit


def test_fractional_seconds_keep_their_milliseconds():
    times = load("time,price\n1724000000.125,1\n1724000001.5,2\n")[2]
    assert [str(t)[-12:] for t in times.values.astype("datetime64[ms]")] == ["16:53:20.125", "16:53:21.500"]


@pytest.mark.parametrize(
    ("text", "time", "value", "zone"),
    [
        ("price\n1\n2\n", None, "price", None),
        ("a,close\n5,1\n6,2\n", None, "close", None),
        ("index,price\n0,1\n1,2\n", None, "price", None),
        (",price\n0,1\n1,2\n", None, "price", None),
        ("Date,Open,Close\n2025-01-01,1,2\n2025-01-02,1,2\n", "Date", "Close", ""),
        ("when,px,who\n2025-01-01 10:00,1,x\n2025-01-02 11:00,2,y\n", "when", "px", ""),
        ("stamp,px\n1724000000000,1\n1724000060000,2\n", "stamp", "px", "UTC"),
        ("px\n1724000000000\n1724000060000\n", None, "px", None),
        ("px,TIME\n1,3\n2,4\n", "TIME", "px", None),
        ("timestamp, price\n2025-01-01, 1.5\n", "timestamp", "price", ""),
        ("date,time,price\n2025-01-01,10:00,1\n2025-01-02,11:00,2\n", "date", "price", ""),
        ('"Adj Close",Volume\n1,10\n2,20\n', None, "Adj Close", None),
    ],
)
def test_columns_are_found_where_that_is_unambiguous(text, time, value, zone):
    table = CsvTable(text.encode(), "in.csv")
    time_column, (column,) = choose_columns(table, None, [])
    assert (None if time_column is None else table.columns[time_column]) == time
    assert table.columns[column] == value
    if time is not None:
        assert read_times(table, time_column)[0].zone == zone


def test_no_time_takes_the_rows_as_they_stand():
    text = "date,price\n08/19/2025,1\n08/18/2025,2\n"
    _, numbers, times, _ = load(text, no_time=True)
    assert (numbers.tolist(), times) == ([1, 2], None)


TEXT_CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('";,|\n'), max_size=6)


@given(
    st.lists(
        st.tuples(TEXT_CELL, st.floats(allow_infinity=False, allow_nan=False), TEXT_CELL),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_any_csv_of_the_standard_library_is_read_and_kept(rows, delimiter, newline, quoting):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=newline, quoting=quoting)
    writer.writerows([["one", "number", "two"], *rows])
    table = CsvTable(stream.getvalue().encode(), "in.csv")
    numbers = table.numbers(1)
    assert numbers.tolist() == [number for _, number, _ in rows]
    out = changed(table, 1, numbers * 0.5).decode()
    read = list(csv.reader(io.StringIO(out, newline=""), delimiter=delimiter))
    assert read[0] == ["one", "number", "two"]
    assert [(a, float(x), b) for a, x, b in read[1:]] == [(a, x * 0.5, b) for a, x, b in rows]


@given(st.lists(st.floats(allow_infinity=False, allow_nan=False, width=64), min_size=1, max_size=30))
def test_numbers_are_written_as_the_shortest_text_that_reads_back(values):
    table, _, _, _ = load("price\n" + "7\n" * len(values))
    values = np.array(values)
    texts = changed(table, 0, values).decode().splitlines()[1:]
    assert [float(text) for text in texts] == values.tolist()
    for text, value in zip(texts, values.tolist(), strict=True):
        assert sum(c.isdigit() for c in text.split("e")[0].strip("-0.")) <= sum(
            c.isdigit() for c in repr(value).split("e")[0]
        )


def parquet(tmp_path, **columns):
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_keeps_schema_and_nulls(tmp_path):
    stamps = pa.array([1, 2, 3], pa.timestamp("us", tz="America/New_York"))
    path = parquet(
        tmp_path,
        time=stamps,
        name=pa.array(["a", None, "c"]).dictionary_encode(),
        single=pa.array([1.5, None, 2.5], pa.float32()),
        whole=pa.array([1, None, 3], pa.int16()),
    )
    source, table = read_whole(str(path))
    time, columns = choose_columns(table, None, ["single", "whole"])
    assert read_times(table, time)[0].zone == "UTC"
    inputs = {column: read_numbers(table, column) for column in columns}
    for values in inputs.values():
        np.testing.assert_array_equal(np.isnan(values), [False, True, False])
    changed = {column: values + 0.25 for column, values in inputs.items()}
    pieces = written(source, table, changed, {"lookahead": None})
    out = pq.read_table(pa.BufferReader(b"".join(bytes(piece) for piece in pieces)))
    assert out.column("single").to_pylist() == [1.75, None, 2.75]
    assert out.column("whole").to_pylist() == [1.25, None, 3.25]
    assert [str(field.type) for field in out.schema][2:] == ["float", "double"]
    before = pq.read_table(path)
    assert out.select(["time", "name"]).equals(before.select(["time", "name"]))
    assert out.schema.metadata[b"rpsd"] == b'{"lookahead": null}'


BACK = pa.array([2, 1], pa.timestamp("s"))
LOST = pa.array([2, None], pa.date32())


@pytest.mark.parametrize(
    ("columns", "values", "message"),
    [
        ({"price": pa.array([1.0, math.inf])}, [], 'row 2, column "price": inf is infinite; allowed'),
        ({"price": pa.array(["1", "2"])}, ["price"], 'column "price": the column is of type string; allowed'),
        (
            {"price": np.ones(2, "f2")},
            ["price"],
            "type halffloat; allowed: integer, float32, float64 or decimal",
        ),
        ({"time": BACK, "price": [1.0, 2.0]}, [], 'row 2, column "time": 1970-01-01 00:00:01 comes after'),
        ({"time": LOST, "price": [1.0, 2.0]}, [], 'row 2, column "time": the time is missing'),
        ({"time": ["2025-01-01", "x"], "price": [1.0, 2.0]}, [], "row 2, column \"time\": 'x' is not a time"),
    ],
)
def test_parquet_errors_name_row_and_column(tmp_path, columns, values, message):
    table = read_table(str(parquet(tmp_path, **columns)))
    time, chosen = choose_columns(table, None, values)

    def read():
        return time is not None and read_times(table, time), read_numbers(table, chosen[0])

    with pytest.raises(InputError) as caught:
        read()
    assert message in str(caught.value)


def test_parquet_without_rows_is_refused(tmp_path):
    path = parquet(tmp_path, price=pa.array([], pa.float64()))
    with pytest.raises(InputError, match="no data rows"):
        read_table(str(path))


def test_a_broken_parquet_file_is_refused():
    with pytest.raises(InputError, match=r"x\.parquet: not a readable Parquet file"):
        ParquetSource(b"PAR1 and nothing more", "x.parquet", rows=1, parallel=False)
