# SPDX-License-Identifier: MIT
"""Numbers of JSON, both ways: bits of Python's own reader, however they are cut into pieces."""

import json
import math
import time

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpsd.service import _codec_json, _numbers
from rpsd.service._names import repeated_name
from rpsd.service._request import Limits

PIECES = [1, 7, 100]


def read(text):
    return _numbers.read_numbers(msgspec.Raw(text.encode()))


@pytest.fixture(params=PIECES)
def pieces(request, monkeypatch):
    """Cut into pieces of few bytes and samples."""
    monkeypatch.setattr(_numbers, "_BYTES", request.param)
    monkeypatch.setattr(_numbers, "_SAMPLES", request.param)


@given(st.lists(st.floats(allow_infinity=False)), st.sampled_from(["", " ", "\r\n\t "]))
def test_there_and_back(values, space):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_numbers, "_BYTES", 40)
        patch.setattr(_numbers, "_SAMPLES", 3)
        x = np.array(values, dtype=np.float64)
        text = _numbers.write_numbers(x)
        plain = [None if math.isnan(value) else value for value in values]
        assert json.loads(text, parse_constant=pytest.fail) == plain
        assert math.copysign(1, json.loads(b"[-0.0]")[0]) == -1
        spaced = (
            f"{space}[{space}" + f"{space},{space}".join(json.dumps(v) for v in plain) + f"{space}]{space}"
        )
        for sent in (text.decode(), spaced):
            np.testing.assert_array_equal(
                read(sent).view(np.int64)[~np.isnan(x)], x.view(np.int64)[~np.isnan(x)]
            )
            assert np.isnan(read(sent)).tolist() == np.isnan(x).tolist()


@pytest.mark.parametrize(
    "text",
    ["[1,,2]", "[1,2,]", "[,1]", "[,]", "[1 2]", "[1,2", "[1,23", "1,2]", "[1,[2],3]", '[1,"2,3",4]',
     '["a,b"]', "{}", '{"a":1,"b":2}', "1", "null", "[NaN]", "[1,Infinity]", "[01]", "[1,true]", "[1e999]",
     "[1,2]]", "[[1]"],
)  # fmt: skip
def test_what_is_no_array_of_numbers(text, pieces):
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(text, type=list[float | None])
    with pytest.raises(msgspec.DecodeError):
        read(text)


@pytest.mark.parametrize("n", [0, 1, 2, 6, 7, 8, 1000])
def test_any_number_of_them(n, pieces):
    x = np.arange(n) + 0.5
    x[n // 2 : n // 2 + 1] = np.nan
    text = _numbers.write_numbers(x)
    assert text == msgspec.json.encode(x.tolist())
    np.testing.assert_array_equal(read(text.decode()), x)


def test_commas():
    assert _numbers.count_commas(b"") == 0
    assert _numbers.count_commas(b"[1,2,3]") == 2


def test_quotes_in_names_have_no_numbers_read_again(monkeypatch):
    read, longest = json.loads, [0]

    def loads(text, **more):
        longest.append(len(text))
        return read(text, **more)

    monkeypatch.setattr(json, "loads", loads)
    name = json.dumps('a"b\\').encode()
    body = b'{"series":{' + name + b":[" + b"1.5," * 100_000 + b"2.5]}}"
    assert _codec_json.decode(body, b"", Limits(10**6, 10, 10**7)).names == ('a"b\\',)
    assert max(longest) < 100


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (rb'{"a": 1, "b": {"a": 2}, "c": [{"a": 1}, {"a": 2}]}', None),
        (rb'{"a": "b", "b": "a", "c": ["a", "a"]}', None),
        (rb'{"a": 1, "\u0061": 2}', "a"),
        (rb'{"x": {"\"": 1, "\\": 2, "\\\"": 3}, "y": "{\"x\":", "x" : 1}', "x"),
        (rb'{"s": {"a": [1, 2], "b\"": [3], "a" \n : []}}'.replace(rb"\n", b"\n"), "a"),
        (b'{"a":' + b" " * 2**19 + b'1,"b":"}","a":2}', "a"),
        (rb"[]", None),
    ],
)
def test_names_given_twice_are_found_wherever_they_are(text, name):
    json.loads(text)
    assert repeated_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "[1,true]",
        '["a"]',
        "[null,[1]]",
        "[1,{}]",
        "[1,2,1e400]",
        "[1.7976931348623159e308]",
        "{}",
        "3",
        "null",
    ],
)
def test_refusals_in_the_words_of_the_decoder(text):
    with pytest.raises(msgspec.ValidationError) as expected:
        msgspec.json.decode(text, type=list[float | None])
    with pytest.raises(msgspec.ValidationError) as found:
        read(text)
    assert str(found.value) == str(expected.value)


NUMBERS = [
    "-0", "-0.0", "18446744073709551616", "9007199254740993", "-9223372036854775809", "1e-400", "5e-324",
    "1.7976931348623158e308", "2.2250738585072011e-308", "9007199254740993.00000000000000000000000001",
    "1e23", "0." + "1234567890" * 40, "1" + "0" * 300, "1E+5",
]  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_have_the_bits_of_the_decoder(text):
    expected = msgspec.json.decode(f"[{text}]", type=list[float])
    assert read(f"[{text}]").tobytes() == np.array(expected).tobytes()


def test_numbers_at_the_ends_of_the_range_take_no_longer():
    """Of processor time, with a wide margin: they took two hundred times as long as others."""

    def spent(number):
        text = f"[{','.join([number] * 9000)}]"
        spans = []
        for _ in range(5):
            begin = time.thread_time()
            read(text)
            spans.append(time.thread_time() - begin)
        return min(spans)

    assert max(spent("1e-320"), spent("1e300")) < 20 * spent("1.0000")
