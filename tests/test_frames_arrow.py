# SPDX-License-Identifier: MIT
"""Long tables whose keys are of Arrow types that pyarrow cannot compare: taken, or refused in words."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import rpsd

VIEW = pa.string_view()
KEYS = [*"ABACBA"] * 20
PRICES = 100 + rpsd.simulate("a", len(KEYS), seed=1, nsr=2.0).noisy
CODES, NAMES = pa.array([ord(key) - ord("A") for key in KEYS]), pa.array([*"ABC"], VIEW)
NUMBERS = pa.array([Decimal(ord(key)) for key in KEYS], pa.decimal64(9, 2))
FORMS = {
    "view": pa.array(KEYS, VIEW),
    "views of bytes": pa.array([key.encode() for key in KEYS], pa.binary_view()),
    "dictionary of views": pa.DictionaryArray.from_arrays(CODES, NAMES),
    "decimal64": NUMBERS,
    "dictionary of decimal64": pa.DictionaryArray.from_arrays(
        CODES, pa.array([Decimal(65), Decimal(66), Decimal(67)], pa.decimal64(9, 2))
    ),
    "float16": pa.array(np.array([ord(key) for key in KEYS], np.float16)),
    "runs": pc.run_end_encode(pa.array(KEYS)),
}


def tables(keys):
    """Yield the same table of pyarrow in one chunk and in two, and of pandas where it takes the type."""
    table = pa.table({"id": keys, "price": PRICES})
    yield table
    yield pa.concat_tables([table[:50], table[50:]])
    if not pa.types.is_run_end_encoded(keys.type):  # at which pyarrow's to_pandas ends the process
        yield table.to_pandas(types_mapper=pd.ArrowDtype)


@pytest.mark.parametrize("form", FORMS)
def test_keys_of_any_arrow_type_tell_series_apart(form):
    keys = FORMS[form]
    plain = rpsd.Denoiser().run(pd.DataFrame({"id": KEYS, "price": PRICES}), by="id")
    for table in tables(keys):
        found = rpsd.Denoiser().run(table, by="id")
        assert list(found.groups) == list(dict.fromkeys(keys.to_pylist()))
        np.testing.assert_array_equal(np.asarray(found.values["price"]), plain.values["price"])
        if isinstance(table, pa.Table):
            assert found.values.schema.field("id").type == keys.type
            broken = table.set_column(1, "price", pa.array([np.inf] * len(KEYS)))
            with pytest.raises(rpsd.InputError, match="inf"):
                rpsd.denoise(broken, by="id")


NO_KEYS = {
    "list": pa.array([["a"]] * 120),
    "struct": pa.array([{"a": 1}] * 120),
    "runs of views": pa.RunEndEncodedArray.from_arrays(pa.array([120], pa.int32()), pa.array(["a"], VIEW)),
}


@pytest.mark.parametrize("form", NO_KEYS)
def test_what_cannot_be_compared_is_refused_with_its_column_and_type(form):
    given = pa.table({"id": NO_KEYS[form], "price": PRICES})
    told = r"by must name columns of text, numbers, flags, times or bytes, got x\['id'\] of type "
    for table in (given, None if form == "runs of views" else given.to_pandas()):
        if table is not None:
            with pytest.raises(rpsd.InputError, match=told):
                rpsd.denoise(table, by="id", value="price")


def test_float16_of_numpy_is_no_key_of_pandas():
    table = pd.DataFrame({"id": np.ones(120, np.float16), "price": PRICES})
    with pytest.raises(rpsd.InputError, match=r"x\['id'\] must have a type that pandas has an index of"):
        rpsd.denoise(table, by="id", value="price")


@pytest.mark.parametrize("kind", [pa.string(), VIEW])
def test_keys_that_are_not_utf8_are_told_where_they_are_asked_for(kind):
    keys = pa.array([b"A", b"\xff"] * 60).view(pa.string()).cast(kind)
    for table in tables(keys):
        with pytest.raises(rpsd.InputError, match=r"x\['id'\] must have keys in UTF-8, got b'\\xff'"):
            rpsd.Denoiser().run(table, by="id")


@pytest.mark.parametrize("kind", [pa.decimal32(5, -2), pa.decimal64(9, -2), pa.decimal128(20, -2)])
@pytest.mark.parametrize("coded", [False, True])
def test_a_decimal_of_negative_scale_is_refused_with_its_column(kind, coded):
    column = pa.array([Decimal(100 * ord(key)) for key in KEYS], kind)
    if coded:
        column = pa.DictionaryArray.from_arrays(CODES, column[:3])
    told = f"x['id'] must have digits down to units or below, got {column.type}: cast it to float64"
    with pytest.raises(rpsd.InputError, match=re.escape(told)):
        rpsd.denoise(pa.table({"id": column, "price": PRICES}), by="id", value="price")


def test_a_decimal_of_negative_scale_beside_or_as_prices_is_refused():
    hundreds = pa.array([Decimal(100 * ord(key)) for key in KEYS], pa.decimal128(20, -2))
    with pytest.raises(rpsd.InputError, match=r"^x\['beside'\] must have digits down to units"):
        rpsd.denoise(pa.table({"beside": hundreds, "price": PRICES}), value="price")
    for series in (hundreds, pa.chunked_array([hundreds])):
        with pytest.raises(rpsd.InputError, match=r"^x must have digits down to units"):
            rpsd.denoise(series)
