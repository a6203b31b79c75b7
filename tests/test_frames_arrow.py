# SPDX-License-Identifier: MIT
"""Long tables whose keys are of Arrow types that pyarrow cannot compare: taken, or refused in words."""

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
