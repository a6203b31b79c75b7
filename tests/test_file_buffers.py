# SPDX-License-Identifier: MIT
"""Columns between Arrow and NumPy are what pyarrow's own conversions make of them, without pandas."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rpsd
from rpsd.batch.files._buffers import as_arrow, as_numpy, missing_rows, scalar, texts

COUNTS = (0, 1, 7, 8, 9, 64, 1000)
RUN = "import sys; from rpsd.cli import main; sys.exit(main(sys.argv[1:]) or 'pandas' in sys.modules)"


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "uint16", "bool"])
def test_numbers_become_the_array_that_pyarrow_makes(dtype: str, count: int) -> None:
    """With and without nulls, of memory that is not in one piece too."""
    values = (np.random.default_rng(count).normal(size=2 * count) * 3).astype(dtype)[::2]
    missing = np.random.default_rng(count).random(count) < 0.3
    for made, expected in (
        (as_arrow(values), pa.array(values)),
        (as_arrow(values, missing), pa.array(values, mask=missing)),
        (as_arrow(values, np.zeros(count, bool)), pa.array(values)),
    ):
        made.validate(full=True)
        assert made.equals(expected)
        assert made.null_count == expected.null_count


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("cut", [0, 1, 8, 13])
@pytest.mark.parametrize(
    "kind", [pa.float64(), pa.int32(), pa.bool_(), pa.timestamp("us"), pa.timestamp("ns", "UTC")]
)
def test_an_array_becomes_the_numbers_that_pyarrow_makes(kind: pa.DataType, cut: int, count: int) -> None:
    """From any row on, and with nulls where they have a number."""
    given = np.random.default_rng(count).integers(0, 2, count).tolist()
    whole = pa.array(given, pa.int64()).cast(kind)
    arrays = [whole]
    if kind == pa.float64():
        arrays += [pa.array([None if one else 2.5 for one in given], kind), pa.nulls(count, kind)]
    for array in (array.slice(cut) for array in arrays):
        expected = array.to_numpy(zero_copy_only=False)
        assert as_numpy(array).dtype == expected.dtype
        np.testing.assert_array_equal(as_numpy(array), expected)
        np.testing.assert_array_equal(missing_rows(array), np.asarray(array.is_null()))


@pytest.mark.parametrize("text", [None, "", "NaN", "Zürich"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_text_becomes_the_scalar_that_pyarrow_makes(kind: pa.DataType, text: str | None) -> None:
    """Null too."""
    assert scalar(text, kind).equals(pa.scalar(text, kind))
    for given in ([], [text], [text, "b", "", None] * 5):
        made = texts(given, kind)
        made.validate(full=True)
        assert made.equals(pa.array(given, kind))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("command", ["denoise", "batch"])
def test_commands_on_files_do_not_load_pandas(command: str, suffix: str, tmp_path: Path) -> None:
    """It takes longer to load than a million rows to denoise."""
    price = rpsd.simulate("a", 300, seed=1, nsr=2.0).noisy
    stamps = np.datetime64("2025-01-02T14:30", "us") + np.arange(300) * np.timedelta64(60, "s")
    source = tmp_path / f"day.{suffix}"
    missing = np.arange(300) % 50 == 3
    table = pa.table({"timestamp": stamps, "price": pa.array(price, mask=missing)})
    if suffix == "csv":
        rows = [f"{t},{'' if m else p}\n" for t, p, m in zip(stamps, price, missing, strict=True)]
        source.write_text("timestamp,price\n" + "".join(rows))
    else:
        pq.write_table(table, source)
    out = tmp_path / ("out" if command == "batch" else f"out.{suffix}")
    done = subprocess.run(
        [sys.executable, "-c", RUN, command, source, "-o", out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
