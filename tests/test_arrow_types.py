# SPDX-License-Identifier: MIT
"""Columns of every Arrow type as keys, as times, and beside them: taken, or refused in one sentence."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from long_tables import run

from rpsd import InputError
from rpsd.batch.files import read_table

VIEW, BYTES = pa.string_view(), pa.binary_view()
KEYS = ["A", "B", "A", "C", "B", "A"]
PRICES = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
OF_A = [k for k, key in enumerate(KEYS) if key == "A"]
STAMPS = [1_700_000_000_000_000_000 + 10 * k for k in range(6)]


def coded(values):
    """Return a column as a dictionary that has each value in its place."""
    return pa.DictionaryArray.from_arrays(pa.array(range(len(values)), pa.int32()), values)


def write(path, **columns):
    table = pa.table(columns)
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    return path


def written(path):
    return pa.ipc.open_file(path).read_all()


KEY_FORMS = {
    "view": pa.array(KEYS, VIEW),
    "dictionary of views": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 0, 2, 1, 0]), pa.array(["A", "B", "C"], VIEW)
    ),
    "dictionary with a view twice": coded(pa.array(KEYS, VIEW)),
}


@pytest.mark.parametrize("keys", KEY_FORMS.values(), ids=KEY_FORMS)
@pytest.mark.parametrize("only", [(), ("A",)])
def test_keys_that_are_views_are_those_of_plain_text(tmp_path, keys, only):
    write(tmp_path / "plain.arrow", id=pa.array(KEYS), price=PRICES)
    write(tmp_path / "in.arrow", id=keys, price=PRICES)
    plain = run(tmp_path / "plain.arrow", tmp_path / "out.arrow", by="id", only=only)
    assert repr(run(tmp_path / "in.arrow", tmp_path / "out.arrow", by="id", only=only)) == repr(plain)
    assert [one.key for one in plain] == (["A"] if only else ["A", "B", "C"])
    table = written(tmp_path / "out.arrow")
    assert table.schema.field("id").type == keys.type
    assert table["id"].to_pylist() == (["A"] * 3 if only else KEYS)


@pytest.mark.parametrize("kind", [pa.float16(), pa.decimal32(4, 1), pa.decimal64(4, 1), pa.decimal128(4, 1)])
@pytest.mark.parametrize("form", [lambda keys: keys, coded], ids=["plain", "dictionary"])
def test_only_takes_numbers_that_pyarrow_does_not_compare(tmp_path, kind, form):
    numbers = [1.5, 2.5, 1.5, 7.5, 2.5, 1.5]
    of = np.array(numbers, np.float16) if kind == pa.float16() else [Decimal(str(x)) for x in numbers]
    write(tmp_path / "in.arrow", id=form(pa.array(of, kind)), price=PRICES)
    assert [one.key for one in run(tmp_path / "in.arrow", tmp_path / "out.arrow", by="id")] == [
        "1.5",
        "2.5",
        "7.5",
    ]
    (one,) = run(tmp_path / "in.arrow", tmp_path / "out.arrow", by="id", only=("1.5", "x"))
    assert (one.key, one.rows) == ("1.5", 3)


OF_TIME = {
    "time of day": (pa.time32("s"), "09:30:00"),
    "time of day in ms": (pa.time32("ms"), "09:30:00.000"),
    "time of day in us": (pa.time64("us"), "09:30:00.000005"),
    "time of day in ns": (pa.time64("ns"), "00:00:00.000000007"),
    "duration": (pa.duration("s"), "90"),
    "duration in ns": (pa.duration("ns"), "90"),
}


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("form", [lambda keys: keys, coded], ids=["plain", "dictionary"])
@pytest.mark.parametrize(("kind", "name"), OF_TIME.values(), ids=OF_TIME)
def test_only_takes_the_names_that_times_of_day_and_durations_have(tmp_path, kind, name, form, suffix):
    first = {"09:30:00": 34_200, "09:30:00.000": 34_200_000, "09:30:00.000005": 34_200_000_005, "90": 90}
    numbers = [first.get(name, 7) + (key != "A") for key in KEYS]
    width = pa.int32() if pa.types.is_time32(kind) else pa.int64()
    table = pa.table({"id": form(pa.array(numbers, width).cast(kind)), "price": PRICES})
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    if suffix == "parquet":
        pq.write_table(table, source, row_group_size=2)
    else:
        write(source, **dict(zip(table.column_names, table.columns, strict=True)))
    all_keys = [one.key for one in run(source, target, by="id")]
    assert len(all_keys) == 2
    assert all_keys[0].startswith(name)  # Parquet has no seconds: they are written as milliseconds
    (one,) = run(source, target, by="id", only=(all_keys[0], "x"))
    assert (one.key, one.rows) == (all_keys[0], 3)


NO_KEYS = {
    "bytes": pa.array([b"A"] * 6),
    "views of bytes": pa.array([b"A"] * 6, BYTES),
    "dictionary of bytes": coded(pa.array([b"A"] * 6)),
    "bytes of one length": pa.array([b"A", b"\xff"] * 3, pa.binary(1)),
    "dictionary of bytes of one length": coded(pa.array([b"A"] * 6, pa.binary(1))),
    "interval": pa.array([(1, 2, 3)] * 6, pa.month_day_nano_interval()),
    "dictionary of intervals": coded(pa.array([(1, 2, 3)] * 6, pa.month_day_nano_interval())),
    "dictionary of views of bytes": coded(pa.array([b"A"] * 6, BYTES)),
    "runs": pc.run_end_encode(pa.array(["A"] * 6)),
    "list": pa.array([["A"]] * 6),
    "JSON": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1"] * 6)),
}


@pytest.mark.parametrize("keys", NO_KEYS.values(), ids=NO_KEYS)
@pytest.mark.parametrize("only", [(), ("A",)])
def test_what_tells_no_series_apart_is_refused_with_its_column(tmp_path, keys, only):
    write(tmp_path / "in.arrow", id=keys, price=PRICES)
    with pytest.raises(InputError) as caught:
        run(tmp_path / "in.arrow", tmp_path / "out.arrow", by="id", only=only)
    told = f'row 1, column "id": the column is of type {keys.type}; allowed: text, numbers, dates'
    assert told in str(caught.value)


def decimals(kind, values=STAMPS):
    return pa.array([Decimal(value) for value in values], kind)


TIME_FORMS = {
    "dictionary of integers": coded(pa.array(STAMPS)),
    "decimal": decimals(pa.decimal128(38, 0)),
    "dictionary of decimals": coded(decimals(pa.decimal128(38, 0))),
    "decimal of tens": decimals(pa.decimal128(20, -1)),
}


@pytest.mark.parametrize("times", TIME_FORMS.values(), ids=TIME_FORMS)
def test_times_as_whole_numbers_of_any_type_are_exact(tmp_path, times):
    table = read_table(write(tmp_path / "in.arrow", at=times, price=PRICES))
    assert table.times(0).values.astype(np.int64).tolist() == STAMPS


def test_decimals_with_places_are_the_nearest_float64_as_times_too(tmp_path):
    for kind in (pa.decimal64(18, 3), pa.decimal128(20, 6), pa.decimal256(50, 6)):
        seconds = [f"17000000{k:02d}.5" for k in range(6)]
        for times in (decimals(kind, seconds), coded(decimals(kind, seconds))):
            table = read_table(write(tmp_path / "in.arrow", at=times, price=PRICES))
            expected = np.array(seconds, np.float64) * 1e9
            assert table.times(0).values.astype(np.float64).tolist() == expected.tolist()
    beyond = decimals(pa.decimal128(38, 0), [10**30 + k for k in range(6)])
    (one,) = run(write(tmp_path / "in.arrow", at=beyond, price=PRICES), tmp_path / "out.arrow", time="at")
    assert 'row 1, column "at": 1e+30 as an epoch in ns is outside the years 1677 to 2262' in one.error


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_times_that_are_a_dictionary_of_floats(tmp_path, kind):
    table = read_table(write(tmp_path / "in.arrow", at=coded(pa.array(PRICES, kind)), price=PRICES))
    assert table.times(0).values.tolist() == PRICES


@pytest.mark.parametrize("name", ["at", "other"])
def test_a_dictionary_of_views_is_read_as_times_and_passed_by(tmp_path, name):
    texts = coded(pa.array([f"2026-01-05 09:3{k}:00" for k in (0, 2, 1, 3, 4, 5)], VIEW))
    write(tmp_path / "in.arrow", at=texts, price=PRICES)
    (found,) = run(tmp_path / "in.arrow", tmp_path / "out.arrow", time="at" if name == "at" else None)
    assert "2026-01-05 09:31:00 comes after 2026-01-05 09:32:00" in found.error
    write(tmp_path / "in.arrow", other=coded(pa.array(KEYS, VIEW)), price=PRICES)
    (found,) = run(tmp_path / "in.arrow", tmp_path / "out.arrow")
    assert found.action == "passthrough"


NO_TIMES = {
    "float16": pa.array(np.arange(6, dtype=np.float16)),
    "dictionary of float16": coded(pa.array(np.arange(6, dtype=np.float16))),
    "flags": coded(pa.array([True] * 6)),
    "views of bytes": coded(pa.array([b"x"] * 6, BYTES)),
    "runs": pc.run_end_encode(pa.array(STAMPS)),
}


@pytest.mark.parametrize("times", NO_TIMES.values(), ids=NO_TIMES)
def test_what_holds_no_times_is_refused_by_its_type(tmp_path, times):
    write(tmp_path / "in.arrow", at=times, price=PRICES)
    with pytest.raises(InputError) as caught:
        run(tmp_path / "in.arrow", tmp_path / "out.arrow", time="at")
    allowed = "timestamp, date, integer, float32, float64, decimal or text"
    assert f'column "at": the column is of type {times.type}; allowed: {allowed}' in str(caught.value)


LISTS = pa.array([["a view that is longer than twelve bytes", None], None, [], ["b"], ["c"], ["d"]])
OTHERS = {
    "views": pa.array([*KEYS[:5], None], VIEW),
    "views of bytes": pa.array([b"of more than twelve bytes", None, *[b"x"] * 4], BYTES),
    "list of views": LISTS.cast(pa.list_(VIEW)),
    "large list of views": LISTS.cast(pa.large_list(VIEW)),
    "pairs of views": pa.array([["a", "b"], None] * 3, pa.list_(pa.string(), 2)).cast(pa.list_(VIEW, 2)),
    "struct of views": pa.StructArray.from_arrays(
        [pa.array(KEYS, VIEW), LISTS.cast(pa.list_(VIEW))], ["a", "b"]
    ),
    "map to views": pa.MapArray.from_arrays(list(range(7)), pa.array(KEYS), pa.array(KEYS, VIEW)),
    "JSON": pa.ExtensionArray.from_storage(pa.json_(VIEW), pa.array(["1"] * 6, VIEW)),
    "runs": pc.run_end_encode(pa.array([1.5, 1.5, None, None, 2.5, 2.5]), run_end_type=pa.int16()),
    "dictionary of lists": pa.DictionaryArray.from_arrays([0, 1, 2] * 2, LISTS.cast(pa.list_(VIEW))[:3]),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_only_keeps_the_rows_of_columns_of_any_type(tmp_path, other):
    write(tmp_path / "in.arrow", id=KEYS, other=other, price=PRICES)
    (one,) = run(tmp_path / "in.arrow", tmp_path / "out.arrow", by="id", only=("A",))
    assert (one.key, one.rows) == ("A", 3)
    table = written(tmp_path / "out.arrow")
    table.validate(full=True)
    assert table.schema.field("other").type == other.type
    assert table["other"].to_pylist() == [other[k].as_py() for k in OF_A]
    with pytest.raises(InputError, match="no data rows with any of the keys none"):
        run(tmp_path / "in.arrow", tmp_path / "out.arrow", by="id", only=("none",))


def test_a_column_that_cannot_be_cut_is_named(tmp_path):
    runs = pa.ListArray.from_arrays(list(range(7)), pc.run_end_encode(pa.array(KEYS)))
    write(tmp_path / "in.arrow", id=KEYS, other=runs, price=PRICES)
    assert len(run(tmp_path / "in.arrow", tmp_path / "out.arrow", by="id")) == 3
    with pytest.raises(InputError) as caught:
        run(tmp_path / "in.arrow", tmp_path / "out.arrow", by="id", only=("A",))
    assert f'column "other" is of type {runs.type}, of which pyarrow takes no part' in str(caught.value)
