# SPDX-License-Identifier: MIT
"""wavedec and waverec behave as PyWavelets' do: dtypes, warnings, None, odd arguments, refusals."""

import pickle
import warnings

import numpy as np
import pytest
import pywt
import tblib.pickling_support
from reference.agreement import worst_error

import rpsd

X = np.random.default_rng(1).standard_normal(16)
COEFFS = pywt.wavedec(X, "db2", level=2)


def outcome(function, *args, **kwargs):
    """Return the result, and the warnings' categories and texts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **kwargs)
    return result, [(w.category, str(w.message)) for w in caught]


def check_same(name, *args, **kwargs):
    """Compare result, dtype, shape and warnings of one call with PyWavelets'."""
    expected, expected_warnings = outcome(getattr(pywt, name), *args, **kwargs)
    actual, actual_warnings = outcome(getattr(rpsd, name), *args, **kwargs)
    assert actual_warnings == expected_warnings
    first = expected[0] if isinstance(expected, list) else expected
    assert worst_error(actual, expected) <= (1e-5 if first.dtype.char in "fF" else 1e-12)


@pytest.mark.parametrize("level", [None, 0, 1])
@pytest.mark.parametrize("dtype", "?bBhHiIlLqQefdgFDGO")
def test_dtypes(dtype, level):
    data = np.array([3, 7, 1, 1, -2, 5, 4, 6, 0]).astype(dtype)
    if level == 0:
        assert rpsd.wavedec(data, "db1", level=0)[0] is data
        assert rpsd.waverec([data], "db1") is data
        return
    check_same("wavedec", data, "db1", level=level)
    check_same("waverec", [data, data], "db1")


@pytest.mark.parametrize("detail", "?bqefdgFDGO")
@pytest.mark.parametrize("approximation", "?bqefdgFDGO")
def test_mixed_dtypes(approximation, detail):
    a, d = np.arange(4).astype(approximation), np.arange(5, 1, -1).astype(detail)
    check_same("waverec", [a, d], "db2")
    check_same("waverec", [np.stack([a, a]), np.stack([d, d])], "db2")
    check_same("waverec", [None, d], "db2")
    check_same("waverec", [a, d, np.ones(6, detail), None], "db2")


def test_byte_order():
    check_same("wavedec", X.astype(">f8"), "db2")
    check_same("wavedec", X.astype(">f4"), "db2")


@pytest.mark.parametrize(
    "data", [[3, 7, 1, 1], (3.0, 7.0, 1.0), [1, 2j, 3, 4], [[1, 2], [3, 4]], ["1", "2.5"]]
)
def test_array_likes(data):
    check_same("wavedec", data, "haar", level=1)


def test_masked_array_is_taken_without_its_mask():
    check_same("wavedec", np.ma.masked_array([1, 2, 3, 4.0], [0, 1, 0, 0]), "haar")


def test_arrays_that_do_not_lie_in_order():
    buffer = np.zeros(8 * 16 + 1, dtype=np.uint8)
    unaligned = buffer[1:].view(np.float64)
    unaligned[:] = X
    for data in (unaligned, X[::-1], X[::2]):
        before = data.copy()
        check_same("wavedec", data, "db2", level=1)
        np.testing.assert_array_equal(data, before)
    check_same("waverec", [unaligned, unaligned[::-1]], "db2")


def test_read_only_arrays():
    """Which PyWavelets refuses where they are one-dimensional."""
    repeated = np.broadcast_to(X[:1], 9)
    expected = pywt.wavedec(repeated.copy(), "db2", level=1)
    assert worst_error(rpsd.wavedec(repeated, "db2", level=1), expected) <= 1e-12
    for c in expected:
        c.flags.writeable = False
    assert worst_error(rpsd.waverec(expected, "db2"), pywt.waverec(expected, "db2")) <= 1e-12


@pytest.mark.filterwarnings("ignore:Level value of:UserWarning")
@pytest.mark.parametrize("axis", [-2, -1, 0, 1])
@pytest.mark.parametrize("shape", [(0, 8), (8, 0), (1, 1), (1, 9), (9, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_empty_batches_and_single_samples(shape, axis, dtype):
    data = np.ones(shape, dtype)
    for level in (None, 0, 1):
        if shape[axis] == 0 and level == 1:
            with pytest.raises(rpsd.InputError, match=rf"x .* axis {axis % 2}, got shape \({shape[0]}, "):
                rpsd.wavedec(data, "db2", level=level, axis=axis)
        else:
            check_same("wavedec", data, "db2", level=level, axis=axis)


@pytest.mark.parametrize(
    "holes", [[0], [1], [2], [0, 2], [1, 2]], ids=lambda holes: "-".join(map(str, holes))
)
@pytest.mark.parametrize("mode", ["symmetric", "periodization"])
def test_none_counts_as_zeros(holes, mode):
    for data, axis in ((X, -1), (np.stack([X, 1j * X], axis=1), 0)):
        coeffs = pywt.wavedec(data, "db2", mode, 2, axis)
        for i in holes:
            coeffs[i] = None
        check_same("waverec", coeffs, "db2", mode, axis)


def test_coefficient_containers():
    check_same("waverec", tuple(COEFFS), "db2")
    check_same("waverec", [[1.0, 2.0, 3.0, 4.0], None], "db2")
    assert rpsd.waverec([None], "db2") is None
    assert rpsd.waverec(["anything"], "no wavelet is looked at") == "anything"


def test_an_approximation_one_longer_loses_its_last_sample():
    check_same("waverec", [np.arange(6.0), np.ones(5)], "db2")
    check_same("waverec", [np.arange(12.0).reshape(6, 2), np.ones((5, 2))], "db2", axis=0)


@pytest.mark.parametrize(
    "mode", [*pywt.Modes.modes, *range(9), pywt.Modes.periodization, np.str_("zero"), True]
)
def test_mode_by_name_or_member(mode):
    check_same("wavedec", X, "db2", mode)
    check_same("waverec", [X, X], "db2", mode)


@pytest.mark.parametrize("mode", ["zpd", "cpd", "sym", "ppd", "sp1", "per"])
def test_short_mode_names_warn_as_in_pywavelets(mode):
    check_same("wavedec", X, "db2", mode, level=1)


@pytest.mark.parametrize("wavelet", ["DB4", "Haar", np.str_("db2"), pywt.Wavelet("bior3.1")])
def test_wavelet_by_name_in_any_case_or_object(wavelet):
    check_same("wavedec", X, wavelet, level=1)
    check_same("waverec", [X, X], wavelet)


@pytest.mark.parametrize("level", [0, 1, 2, 3, 20, True, np.int64(2), np.array(1)])
def test_level_and_its_warning(level):
    check_same("wavedec", X, "db2", level=level)


def test_level_warning_points_at_the_caller():
    with pytest.warns(UserWarning, match="Level value of 3 is too high: all coefficients will") as caught:
        rpsd.wavedec(X, "db2", level=3)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("mode", ["bogus", "sym", None])
def test_level_0_looks_at_no_mode(mode):
    check_same("wavedec", X, "db2", mode, level=0)
    check_same("wavedec", X[:2], "db2", mode)


REFUSED = [
    ("wavedec", (X, "nope"), {}, "wavelet must be a discrete wavelet, .* got 'nope'"),
    ("wavedec", (X, "morl"), {}, "wavelet .* got 'morl'"),
    ("wavedec", (X, pywt.ContinuousWavelet("morl")), {}, "wavelet .* got ContinuousWavelet"),
    ("waverec", (COEFFS, pywt.ContinuousWavelet("morl")), {}, "wavelet .* got ContinuousWavelet"),
    ("wavedec", (X, "db2", "bogus"), {}, "mode must be one of symmetric, .* got 'bogus'"),
    ("wavedec", (X, "db2", "SYMMETRIC"), {}, "mode .* got 'SYMMETRIC'"),
    ("wavedec", (X, "db2", 9), {}, "mode .* got 9"),
    ("waverec", (COEFFS, "db2", -1), {}, "mode .* got -1"),
    ("wavedec", (X, "db2"), {"level": -1}, "level must be an integer >= 0 or None, got -1"),
    ("wavedec", (X, "db2"), {"axis": 1}, "axis must be an integer from -1 to 0 .* got 1"),
    ("wavedec", (X, "db2"), {"axis": -2}, "axis .* got -2"),
    ("waverec", (COEFFS, "db2"), {"axis": 1}, "axis .* got 1"),
    ("wavedec", (np.float64(3), "db2"), {}, "x must have at least one dimension"),
    ("wavedec", (None, "db2"), {}, "x must have at least one dimension"),
    (
        "wavedec",
        ([], "db2"),
        {"level": 1},
        r"x must have at least one sample along axis 0, got shape \(0,\)",
    ),
    ("wavedec", ([[1, 2], [3]], "db2"), {}, "x must be an array of numbers"),
    ("wavedec", (["a", "b", "c", "d"], "db1"), {}, "x must hold numbers, got dtype <U1"),
    ("wavedec", ([1.0], "db2", "reflect"), {"level": 1}, "mode reflect needs at least 2 samples .* level 1"),
    ("wavedec", (X, "haar", "antireflect"), {"level": 5}, "mode antireflect needs .* level 5"),
    ("waverec", (np.ones(8), "db2"), {}, "coeffs must be a list or tuple of arrays, got ndarray"),
    ("waverec", ({}, "db2"), {}, "coeffs .* got dict"),
    ("waverec", ([], "db2"), {}, "coeffs must hold at least one array"),
    ("waverec", ([X, [1.0, 2.0]], "db2"), {}, r"Unexpected detail coefficient type: coeffs\[1\] .* got list"),
    ("waverec", ([X, {"d": X}], "db2"), {}, "Unexpected detail coefficient type: .* got dict"),
    ("waverec", ([None, None, X], "db2"), {}, r"coeffs\[0\] and coeffs\[1\] must not both be None"),
    ("waverec", ([np.ones(7), np.ones(5)], "db2"), {}, r"coeffs\[1\] must have 7 or 6 samples .* got 5"),
    ("waverec", ([np.ones(4), np.ones(5)], "db2"), {}, r"coeffs\[1\] must have 4 or 3 samples .* got 5"),
    (
        "waverec",
        ([np.ones(4), None, np.ones(4)], "db2"),
        {},
        r"coeffs\[2\] must have 6 or 5 samples .* got 4",
    ),
    ("waverec", ([np.ones(1), np.ones(1)], "db2"), {}, r"coeffs\[1\] is too short for a wavelet of 4 taps"),
    ("waverec", ([np.ones(0), np.ones(0)], "db2", "periodization"), {}, r"coeffs\[1\] is too short"),
    ("waverec", ([np.ones((2, 0)), np.ones((2, 0))], "db2"), {}, r"coeffs\[1\] is too short"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "message"), REFUSED, ids=range(len(REFUSED)))
def test_both_refuse(name, args, kwargs, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with pytest.raises(ValueError):  # noqa: PT011 - any text of PyWavelets' is fine
            getattr(pywt, name)(*args, **kwargs)
        with pytest.raises(rpsd.InputError, match=message) as caught:
            getattr(rpsd, name)(*args, **kwargs)
    assert isinstance(caught.value, ValueError)


AXES = (-1, 0, 1, -3)
BAD_TOGETHER = [
    *(
        ("wavedec", (x, wavelet, mode, level, axis))
        for x in (X, np.ones((2, 8)), 1.0, [])
        for wavelet in ("db2", "nope", pywt.ContinuousWavelet("morl"))
        for mode in ("symmetric", "bogus", 99)
        for level in (None, 0, 1, -1)
        for axis in AXES
    ),
    *(
        ("waverec", (coeffs, wavelet, mode, axis))
        for coeffs in (
            COEFFS, [X], [], {}, [X, None], [None, X], [None, None], [X, [1.0]], [X, X[:9]],
            [np.ones((2, 8)), X], [np.ones((9, 2)), np.ones((7, 2))], [np.ones((2, 8))] * 2, [1.0, None],
        )
        for wavelet in ("db2", "nope")
        for mode in ("symmetric", "bogus", 99)
        for axis in AXES
    ),
]  # fmt: skip


def test_a_value_error_of_pywavelets_is_one_of_the_same_class_here():
    """Whatever else is wrong: who catches AxisError or ValueError of theirs catches ours."""
    refused = 0
    for name, args in BAD_TOGETHER:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                getattr(pywt, name)(*args)
            except ValueError as error:
                with pytest.raises(type(error)) as caught:
                    getattr(rpsd, name)(*args)
                assert isinstance(caught.value, rpsd.InputError), args
                refused += 1
            except (AttributeError, IndexError, RuntimeError, TypeError):
                with pytest.raises(rpsd.InputError):
                    getattr(rpsd, name)(*args)
    assert refused > 500


# Here PyWavelets raises something else, reads past an array, or answers with nonsense.
REFUSED_HERE = [
    ("wavedec", (X, 4), {}, "wavelet must be the name of a discrete wavelet or a pywt.Wavelet, got int"),
    ("wavedec", (X, ("db1",)), {}, "wavelet .* got tuple"),
    ("wavedec", (X, ""), {}, "wavelet .* got ''"),
    ("wavedec", (X, "db2", None), {}, "mode .* got None"),
    ("wavedec", (X, "db2", "modes"), {}, "mode .* got 'modes'"),
    ("wavedec", (X, "db2", ["zero"]), {}, "mode .* got"),
    ("wavedec", (X, "db2"), {"level": 2.0}, "level must be an integer >= 0 or None, got 2.0"),
    ("wavedec", (X, "db2"), {"level": "3"}, "level .* got '3'"),
    ("wavedec", (X, "db2"), {"axis": None}, "axis .* got None"),
    ("wavedec", (X, "db2"), {"axis": 0.0}, "axis .* got 0.0"),
    ("wavedec", (np.array([1, 2j, 3, 4], object), "db1"), {}, "x must hold numbers, got dtype object"),
    (
        "waverec",
        ([np.ones(4), np.ones((1, 4))], "db2"),
        {},
        r"one shape but for axis 0, got \(4,\) and \(1, 4\)",
    ),
    ("waverec", ([np.ones((3, 4)), np.ones((2, 4))], "db2"), {}, "coeffs must have one shape but for axis 1"),
    ("waverec", ([np.ones((3, 5)), np.ones((2, 4))], "db2"), {}, "coeffs must have one shape but for axis 1"),
    ("waverec", ([np.ones((3, 1)), np.ones((3, 1))], "db2"), {}, r"coeffs\[1\] is too short"),
    ("waverec", ([np.array(["a"] * 4), np.ones(4)], "db2"), {}, r"coeffs\[0\] must hold numbers"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "message"), REFUSED_HERE, ids=range(len(REFUSED_HERE)))
def test_refused_here(name, args, kwargs, message):
    with pytest.raises(rpsd.InputError, match=message):
        getattr(rpsd, name)(*args, **kwargs)


def test_axis_error_is_numpys_too():
    with pytest.raises(np.exceptions.AxisError) as caught:
        rpsd.wavedec(X, "db2", axis=1)
    for install in (lambda _: None, tblib.pickling_support.install):  # the latter is Dask's way
        install(caught.value)
        copy = pickle.loads(pickle.dumps(caught.value))
        assert isinstance(copy, rpsd.InputError)
        assert str(copy) == str(caught.value)
