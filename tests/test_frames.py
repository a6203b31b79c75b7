# SPDX-License-Identifier: MIT
"""Frames and arrays of polars, pyarrow and Arrow libraries: mirrored, with nulls, and without copies."""

import datetime
import subprocess
import sys
import tracemalloc
from decimal import Decimal

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import rpsd

N = 300
OPTIONS = {"method": "wavelet", "noise": "mad", "level": 3}


def prices(seed=1, n=N):
    return rpsd.simulate("a", n, seed=seed, nsr=1.0).noisy


class Foreign:
    """An object of a library that rpsd does not know: nothing but the PyCapsule interface."""

    def __init__(self, data):
        self.data = data

    def __arrow_c_stream__(self, requested_schema=None):
        return self.data.__arrow_c_stream__(requested_schema)


class ForeignArray:
    def __init__(self, data):
        self.data = data

    def __arrow_c_array__(self, requested_schema=None):
        return self.data.__arrow_c_array__(requested_schema)


class Returning(Foreign):
    @classmethod
    def from_arrow(cls, data):
        return cls(data)


ONE = {
    "polars.Series": lambda x: pl.Series("px", x),
    "polars chunks": lambda x: pl.concat([pl.Series("px", x[:100]), pl.Series("px", x[100:])], rechunk=False),
    "narwhals.Series": lambda x: nw.from_native(pl.Series("px", x), series_only=True),
    "pyarrow.Array": pa.array,
    "pyarrow slice": lambda x: pa.array(np.r_[0.0, x]).slice(1),
    "pyarrow.ChunkedArray": lambda x: pa.chunked_array([x[:100], x[100:]]),
}
TABLES = {
    "polars.DataFrame": pl.DataFrame,
    "narwhals.DataFrame": lambda columns: nw.from_native(pl.DataFrame(columns)),
    "pyarrow.Table": pa.table,
    "pyarrow.RecordBatch": lambda columns: pa.record_batch({k: pa.array(v) for k, v in columns.items()}),
}


@pytest.mark.parametrize("kind", ONE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_a_series_keeps_its_type_name_and_dtype(kind, dtype):
    x = np.round(100 * prices()).astype(dtype)
    given = ONE[kind](x)
    result = rpsd.denoise(given, **OPTIONS)
    kind = pa.Array if isinstance(given, pa.Array) else type(given)
    assert isinstance(result, kind)
    assert getattr(result, "name", None) == getattr(given, "name", None)
    expected = rpsd.denoise(x, **OPTIONS)
    values = result.to_numpy() if hasattr(result, "to_numpy") else np.asarray(result)
    assert values.dtype == expected.dtype
    np.testing.assert_array_equal(values, expected)
    run = rpsd.Denoiser(**OPTIONS).run(given)
    assert isinstance(run.action, str)
    np.testing.assert_array_equal(np.asarray(run.values), expected)


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_keeps_its_type_columns_and_dtypes(kind):
    columns = {
        "when": [datetime.datetime(2025, 1, 2, tzinfo=datetime.UTC)] * N,
        "b": prices(1),
        "a": prices(2).astype(np.float32),
        "n": np.arange(N),
        "note": ["x"] * N,
    }
    given = TABLES[kind](columns)
    result = rpsd.denoise(given, value=["b", "a", "n"], **OPTIONS)
    assert type(result) is type(given)
    before, after = (
        nw.from_native(pa.table(table) if kind == "pyarrow.RecordBatch" else table)
        for table in (given, result)
    )
    assert after.columns == before.columns
    assert after.schema == {**before.schema, "n": nw.Float64()}
    for name in ("when", "note"):
        assert after[name].to_list() == before[name].to_list()
    for name in ("b", "a", "n"):
        np.testing.assert_array_equal(after[name].to_numpy(), rpsd.denoise(columns[name], **OPTIONS))
    run = rpsd.Denoiser(**OPTIONS).run(given, value=["b", "a", "n"])
    assert run.report.score.shape == (3,)
    assert rpsd.Denoiser(**OPTIONS).run(given, value="b").report.score == run.report.score[0]


@pytest.mark.parametrize("kind", ["polars.Series", "pyarrow.Array", "pyarrow.ChunkedArray"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "decimal"])
def test_nulls_stay_nulls_and_nan_stays_nan(kind, dtype):
    numbers = [Decimal(int(p)) if dtype == "decimal" else p for p in np.round(100 * prices())]
    type_ = pa.decimal128(20, 2) if dtype == "decimal" else getattr(pa, dtype)()
    x = [None if k in {0, 7, N - 1} else number for k, number in enumerate(numbers)]
    if dtype.startswith("float"):
        x[9] = float("nan")
    arrow = pa.array(x, type_, from_pandas=False)
    given = {
        "polars.Series": lambda: pl.Series("px", arrow),
        "pyarrow.Array": lambda: arrow,
        "pyarrow.ChunkedArray": lambda: pa.chunked_array([arrow[:50], arrow[50:]]),
    }[kind]()
    result = rpsd.denoise(given, **OPTIONS)
    plain = np.array([np.nan if p is None else float(p) for p in x], "f4" if dtype == "float32" else "f8")
    expected = rpsd.denoise(plain, **OPTIONS)
    values = result.to_list() if kind == "polars.Series" else result.to_pylist()
    assert [k for k, value in enumerate(values) if value is None] == [0, 7, N - 1]
    seen = [k for k in range(N) if values[k] is not None]
    np.testing.assert_array_equal(np.array([values[k] for k in seen]), expected[seen])


def test_foreign_objects_come_back_by_from_arrow_or_as_pyarrow():
    x = prices()
    expected = rpsd.denoise(x, **OPTIONS)
    table = pa.table({"px": x}).replace_schema_metadata({"k": "v"})
    for given, kind in (
        (Foreign(table), pa.Table),
        (Foreign(pa.chunked_array([x])), pa.ChunkedArray),
        (ForeignArray(pa.array(x)), pa.DoubleArray),
        (ForeignArray(pa.record_batch({"px": x})), pa.RecordBatch),
        (Returning(table), Returning),
    ):
        result = rpsd.denoise(given, **OPTIONS)
        assert type(result) is kind
        result = result.data if kind is Returning else result
        column = result["px"] if isinstance(result, pa.Table | pa.RecordBatch) else result
        np.testing.assert_array_equal(np.asarray(column), expected)
    assert rpsd.denoise(table, **OPTIONS).schema.metadata == {b"k": b"v"}
    assert rpsd.denoise(table.to_batches()[0], **OPTIONS).schema.metadata == {b"k": b"v"}
    struct = pa.record_batch({"px": x}).to_struct_array()
    assert type(rpsd.denoise(struct, **OPTIONS)) is pa.StructArray


def test_empty_frames_and_short_series():
    for given in (
        pl.DataFrame({"px": pl.Series([], dtype=pl.Float32)}),
        pa.table({"px": pa.array([], "f8")}),
    ):
        result = rpsd.denoise(given)
        assert type(result) is type(given)
        assert nw.from_native(result).schema == nw.from_native(given).schema
    assert rpsd.denoise(pa.array([], pa.float64())).to_pylist() == []
    assert rpsd.denoise(pa.record_batch({"px": pa.array([], pa.float32())})).num_rows == 0
    assert rpsd.denoise(pl.Series([1.5])).to_list() == [1.5]


@pytest.mark.parametrize(
    ("make", "address"),
    [
        (lambda x: pl.Series("px", x), lambda s: s.to_numpy().ctypes.data),
        (pa.array, lambda a: a.buffers()[1].address),
        (lambda x: pa.chunked_array([x]), lambda a: a.chunk(0).buffers()[1].address),
        (pd.Series, lambda s: s.to_numpy().ctypes.data),
    ],
    ids=["polars", "pyarrow", "chunked", "pandas"],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_the_core_reads_is_the_memory_that_was_given(make, address, dtype):
    from rpsd._mirror import mirror

    given = make(prices().astype(dtype))
    (batch,) = mirror(given, -1).batches
    assert batch.ctypes.data == address(given)
    if isinstance(given, pl.Series):
        given = given.to_frame()
        (batch,) = mirror(given, -1).batches
        assert batch.ctypes.data == given["px"].to_numpy().ctypes.data


def test_an_arrow_output_is_the_memory_that_the_core_wrote():
    from rpsd._mirror import mirror

    source = mirror(pa.array(prices()), -1)
    output = np.zeros_like(source.batches[0])
    assert source.rebuild([output]).buffers()[1].address == output.ctypes.data


@pytest.mark.parametrize("make", [pa.array, lambda x: pa.table({"px": x})], ids=["array", "table"])
def test_one_allocation_of_the_size_of_the_output(make):
    x = prices(n=200_000)
    given = make(x)
    denoiser = rpsd.Denoiser(**OPTIONS)
    denoiser.denoise(given)
    tracemalloc.start()
    arrow = pa.total_allocated_bytes()
    kept = denoiser.denoise(given)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pa.total_allocated_bytes() == arrow
    assert x.nbytes <= peak < 1.5 * x.nbytes
    del kept


def test_times_of_a_column_are_checked_and_make_sessions():
    minutes = np.r_[np.arange(150), 5000 + np.arange(150)]
    times = np.datetime64("2025-01-02T09:30", "ns") + minutes * np.timedelta64(60, "s")
    x = prices()
    expected = rpsd.denoise(pd.Series(x, index=pd.DatetimeIndex(times)), breaks="auto", **OPTIONS).to_numpy()
    assert not np.array_equal(expected, rpsd.denoise(x, **OPTIONS))
    for clock in (times, times.astype("M8[us]"), minutes, minutes.astype(float), minutes.astype(np.uint64)):
        for make in (pl.DataFrame, pa.table, pd.DataFrame):
            given = make({"ts": clock, "px": x})
            result = rpsd.denoise(given, time="ts", breaks="auto", **OPTIONS)
            np.testing.assert_array_equal(np.asarray(result["px"]), expected)
            assert rpsd.Denoiser(breaks="auto", **OPTIONS).run(given, time="ts").sessions.tolist() == [2]
    wrong = times.copy()
    wrong[[3, 4]] = wrong[[4, 3]]
    for make in (pl.DataFrame, pa.table, pd.DataFrame):
        with pytest.raises(rpsd.InputError, match=r"x\['ts'\] must not go back in time, got .* at row 4;"):
            rpsd.denoise(make({"ts": wrong, "px": x}), time="ts")
        with pytest.warns(rpsd.RpsdWarning, match=r"x\['ts'\] repeats 1 of 300 times"):
            rpsd.denoise(make({"ts": np.r_[times[0], times[:-1]], "px": x}), time="ts")
    days = [datetime.date(2025, 1, 1) + datetime.timedelta(days=k) for k in range(N)]
    np.testing.assert_array_equal(
        rpsd.denoise(pl.DataFrame({"d": days, "px": x}), time="d")["px"], rpsd.denoise(x)
    )


BAD = {
    "text": (lambda: pl.DataFrame({"s": ["a"], "px": [1.0]}), r"x\['s'\] must be .* got String; value names"),
    "times": (lambda: pa.table({"t": pd.to_datetime(["2025"]), "px": [1.0]}), r"named by time='t'"),
    "flags": (lambda: pl.Series([True]), "x must be .* got Boolean$"),
    "half": (lambda: pa.array(np.ones(3, np.float16)), "x must be float32.* got (Float16|Unknown)$"),
    "half of pandas": (
        lambda: pd.Series([1.0], dtype=pd.ArrowDtype(pa.float16())),
        "x must be float32.* got dtype halffloat",
    ),
    "all null": (lambda: pl.Series([None, None]), "x must be"),
    "lazy": (lambda: pl.LazyFrame({"px": [1.0]}), "polars.LazyFrame, which is lazy: collect it"),
    "expression": (lambda: pl.col("px"), "polars.Expr, which is lazy"),
    "infinite": (lambda: pa.array([1.0, np.inf]), "x has inf at position 1"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_bad_frames_are_input_errors(make, message):
    with pytest.raises(rpsd.InputError, match=message):
        rpsd.denoise(make())


def test_bad_arguments_are_input_errors():
    frame = pl.DataFrame({"px": [1.0, 2.0], "s": ["a", "b"]})
    for given, message in (
        ({"value": "p"}, r"value must name a column of x \('px', 's'\), got 'p'"),
        ({"time": "t", "value": "px"}, "time must name a column of x"),
        ({"time": "s", "value": "px"}, r"x\['s'\] must hold times, dates or numbers, got String"),
        ({"time": "px", "value": "px"}, "value must name other columns than by and time"),
        ({"axis": 1, "value": "px"}, "axis must be 0"),
        ({"value": "px", "out": np.empty(2)}, "out is for ndarrays"),
    ):
        with pytest.raises(rpsd.InputError, match=message):
            rpsd.denoise(frame, **given)
    with pytest.raises(rpsd.InputError, match=r"must be a table .* got ndarray"):
        rpsd.denoise(np.ones(3), time="ts")
    with pytest.raises(rpsd.InputError, match="value names a column of a table"):
        rpsd.denoise(pl.Series([1.0]), value="px")
    with pytest.raises(rpsd.InputError, match="which 2 have"):
        rpsd.denoise(pd.DataFrame([[1.0, 2.0]], columns=["px", "px"]), value="px")


def test_other_functions_take_frames():
    x = prices()
    taken = (pl.Series("px", x), pa.array(x))
    for given in taken:
        assert rpsd.estimate_noise(given) == rpsd.estimate_noise(x)
        np.testing.assert_array_equal(
            np.asarray(rpsd.fir_filter(given, [0.5, 0.5])), rpsd.fir_filter(x, [0.5, 0.5])
        )
        assert rpsd.evaluate(given, rpsd.denoise(given)).score == rpsd.evaluate(x, rpsd.denoise(x)).score
        assert type(rpsd.clean(given)) is type(given)
    with pytest.raises(rpsd.InputError, match="a pandas object, got a DataFrame; convert it"):
        rpsd.Denoiser(lookahead=0).vintages(pl.DataFrame({"px": x}), (0, 1))


def test_base_install_names_the_extra_and_pandas_goes_on():
    code = (
        "import sys; sys.modules['narwhals'] = None\n"
        "import polars as pl, pandas as pd, rpsd\n"
        "frame = pd.DataFrame({'s': ['a', 'a', 'b'], 'px': [1.0, 2.0, 3.0]})\n"
        "assert rpsd.denoise(frame, by='s')['px'].tolist() == [1.0, 2.0, 3.0]\n"
        "try: rpsd.denoise(pl.Series([1.0]))\n"
        "except rpsd.RpsdError as error: print(error)\n"
        "try: import rpsd.integrations.polars\n"
        "except ModuleNotFoundError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    first, second = run.stdout.splitlines()
    assert first == 'a polars.Series needs the "frames" extra: pip install "rpsd[frames]"'
    assert second == 'rpsd.integrations.polars needs narwhals: pip install polars "rpsd[frames]"'


def test_arrays_load_no_frames():
    code = (
        "import sys, numpy, rpsd; rpsd.denoise(numpy.ones((2, 50)))\n"
        "assert not {'narwhals', 'polars', 'pyarrow', 'pandas'} & set(sys.modules)\n"
        "assert not any(name.startswith('rpsd.integrations') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_columns_of_one_name_are_refused():
    column = pa.array(np.arange(50.0))
    table = pa.table([column, column, column], names=["a", "b", "a"])

    class Capsule:
        def __arrow_c_stream__(self, requested_schema=None):
            return table.__arrow_c_stream__(requested_schema)

    told = "x must have columns of different names, got 2 named 'a': rename them"
    for given in (table, table.to_batches()[0], Capsule()):
        for call in (rpsd.denoise, rpsd.estimate_noise, lambda x: rpsd.denoise(x, value="b")):
            with pytest.raises(rpsd.InputError, match=told):
                call(given)
