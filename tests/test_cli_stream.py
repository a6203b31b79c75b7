# SPDX-License-Identifier: MIT
"""`rpsd stream`: the bytes of `rpsd denoise`, whatever the lines hold; what is refused, and where."""

import re
from pathlib import Path

import numpy as np
import pytest
from command import denoised, own_home, plain, prices, stream

import rpsd

__all__ = ["own_home", "stream"]  # fixtures; the first guards every test here


def dirty(x):
    """Return the prices with blank lines, missing samples, odd spellings and quotes."""
    cells = [repr(v) for v in x.tolist()]
    cells[5], cells[30], cells[31], cells[90] = "", "NA", '""', " nan "
    cells[40], cells[41], cells[42] = "1e2", " +99.50 ", '"101"'
    rows = [f'"a, ""b""",{cell},ä{i}\r\n' for i, cell in enumerate(cells)]
    rows[50] += "\r\n\r\n"
    rows[-1] = rows[-1].removesuffix("\r\n")
    return "\r\nnote,Price,other\r\n" + "".join(rows)


def german(x):
    rows = (f"{i};{v!r}".replace(".", ",") for i, v in enumerate(x.tolist()))
    return "t;price\n" + "\n".join(rows) + "\n\n"


@pytest.mark.parametrize("text", [plain, dirty, german])
@pytest.mark.parametrize(
    "options", [["--lookahead", "0"], ["--lookahead", "3"], ["--lookahead", "1", "--method", "kalman"]]
)
def test_the_output_is_that_of_denoise_byte_for_byte(stream, tmp_path, text, options):
    whole = text(prices(300))
    expected = denoised(tmp_path, whole, *options)
    assert expected != whole.encode()
    assert stream(whole, *options) == (0, expected)


def test_the_example_in_the_documentation(stream):
    page = (Path(__file__).parent.parent / "docs" / "cli.md").read_text(encoding="utf-8")
    text, out = re.search(
        r"\$ printf '(.*?)' \| rpsd stream --method kalman\n(.*?)rpsd:", page, re.S
    ).groups()
    assert stream(text.replace("\\n", "\n"), "--method", "kalman") == (0, out.encode())


def test_numbers_alone_and_a_lookahead_of_0_where_none_is_given(stream):
    x = prices(200)
    code, out = stream("".join(f"{v!r}\n" for v in x.tolist()))
    assert code == 0
    np.testing.assert_array_equal([float(line) for line in out.split()], rpsd.denoise(x, lookahead=0))


def test_numbers_too_small_for_decimals_are_written_as_by_denoise(stream, tmp_path):
    whole = plain(prices(200) * 1e-9)
    assert stream(whole) == (0, denoised(tmp_path, whole, "--lookahead", "0"))


def test_series_are_streams_of_their_own(stream):
    series = {key: prices(150, seed) for seed, key in enumerate(["A", '"B,C"', "D"], 3)}
    rng = np.random.default_rng(1)
    keys = [list(series)[i] for i in rng.permutation(np.repeat(np.arange(3), 150))]
    left = {key: iter(x.tolist()) for key, x in series.items()}
    text = "symbol,px\n" + "".join(f"{key},{next(left[key])!r}\n" for key in keys)
    for k in (0, 2):
        code, out = stream(text, "--series", "symbol", "--lookahead", str(k))
        header, *rows = out.decode().splitlines()
        assert (code, header, len(rows)) == (0, "symbol,px", 450)
        for key, x in series.items():
            y = [float(row.rpartition(",")[2]) for row in rows if row.startswith(f"{key},")]
            np.testing.assert_array_equal(y, rpsd.denoise(x, lookahead=k))
    order = [row.rpartition(",")[0] for row in stream(text, "--series", "symbol")[1].decode().splitlines()]
    assert order[1:] == keys


def test_several_price_columns(stream, tmp_path):
    bid, ask = prices(150, 5), prices(150, 6)
    pairs = zip(bid.tolist(), ask.tolist(), strict=True)
    whole = "bid,ask\n" + "".join(f"{b!r},{a!r}\n" for b, a in pairs)
    options = ["--value", "ask", "--value", "bid", "--lookahead", "2"]
    assert stream(whole, *options) == (0, denoised(tmp_path, whole, *options))


def test_columns_of_an_input_without_a_header(stream):
    header, _, rows = plain(prices(100)).partition("\n")
    code, out = stream(rows, "--columns", header)
    assert (code, out) == (0, stream(plain(prices(100)))[1].partition(b"\n")[2])
    assert stream(rows.replace(",", ";"), "--columns", "t,px", "--value", "px")[0] == 0


def test_flush_prints_the_last_rows_with_what_is_known(stream):
    x = prices(200)
    text = "".join(f"{v!r}\n" for v in x.tolist())
    live = rpsd.Denoiser(lookahead=3).stream()
    live.push_many(x)
    code, out = stream(text, "--lookahead", "3", "--flush")
    y = [float(line) for line in out.split()]
    assert code == 0
    np.testing.assert_array_equal(y[-3:], live.flush())
    np.testing.assert_array_equal(y[:-3], rpsd.denoise(x, lookahead=3)[:-3])


def test_an_input_shorter_than_the_lookahead(stream):
    assert stream("1\n2\n", "--lookahead", "5") == (0, b"NaN\nNaN\n")
    assert stream("1\n2\n", "--lookahead", "5", "--flush") == (0, b"1\n2\n")


BAD = [
    (b"x", "line 4: column \"price\": 'x' is not a number; allowed: a number, or an empty cell"),
    (b"1_0", "'1_0' is not a number"),
    ("\u0661".encode(), "is not a number"),
    (b"inf", "'inf' is infinite; allowed: a finite number"),
    (b"-1e999", "'-1e999' is infinite"),
    (b'"1,234.50"', "'1,234.50' has thousands separators"),
    (b"1,2", "line 4: 3 cell(s) where the header has 2"),
    (b'1"2', 'line 4: a quote (") that does not enclose a whole cell'),
    (b'"1', "or is not closed in its line"),
    (b"\xe9", "line 4: byte 0xe9 is not UTF-8"),
    (b"\0", "line 4: a NUL byte"),
]


@pytest.mark.parametrize(("cell", "message"), BAD)
def test_a_bad_line_ends_it_or_is_left_out(stream, capsys, cell, message):
    text = b"t,price\n0,1\n\n0," + cell + b"\n1,2\n"
    assert stream(text) == (1, b"t,price\n0,1\n\n")
    err = capsys.readouterr().err
    assert err.startswith("rpsd: error: standard input: line 4: ")
    assert message in err
    assert err.count("\n") == 1
    assert stream(text, "--on-error", "skip") == (0, b"t,price\n0,1\n\n1,2\n")
    err = capsys.readouterr().err
    assert err.startswith("rpsd: warning: standard input: line 4: ")
    assert err.endswith("; skipped\n")


def test_decimal_comma_and_point_do_not_mix(stream, capsys):
    assert stream("t;price\n1;1,5\n2;2.5\n")[0] == 1
    assert "line 3: column \"price\": '2.5' beside '1,5' mixes decimal comma" in capsys.readouterr().err
    assert stream("t;price\n1;1.5\n2;2,5\n")[0] == 1
    assert stream("1\n2,5\n") == (1, b"1\n")
    assert "'2,5' has a decimal comma, which is read only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bad", "options", "message"),
    [
        ("NA", ["--missing", "raise"], "x has NaN; allowed: finite numbers"),
        ("-1", ["--space", "log"], "x has a value <= 0; allowed: prices > 0"),
    ],
)
def test_what_the_core_refuses_has_its_line(stream, capsys, bad, options, message):
    text = "".join(f"{v!r}\n" for v in prices(20).tolist())
    assert stream(f"{text}{bad}\n{text}", *options) == (1, stream(text, *options)[1])
    assert f"standard input: line 21: {message}" in capsys.readouterr().err
    code, out = stream(f"{text}{bad}\n{text}", *options, "--on-error", "skip")
    assert (code, out) == stream(text + text, *options)


def test_keys_of_series_are_taken_as_they_are(stream, capsys):
    text = "".join(f"{key},{v!r}\n" for v in prices(80).tolist() for key in ("A", " A", '"A "'))
    alone = "".join(f"A,{v!r}\n" for v in prices(80).tolist())
    header = "symbol,price\n"
    told = [line.rpartition(b",")[2] for line in stream(header + text, "--series", "symbol")[1].splitlines()]
    expected = stream(header + alone, "--series", "symbol")[1].splitlines()
    assert told[1::3] == told[2::3] == told[3::3] == [line.rpartition(b",")[2] for line in expected[1:]]
    stream(header + "A,1\n ,2\n", "--series", "symbol")
    assert 'line 3: column "symbol": the series is missing' in capsys.readouterr().err


def test_series_are_limited(stream, capsys):
    text = "symbol,price\nA,1\nB,2\nC,3\nA,4\n,5\n"
    options = ["--series", "symbol", "--max-series", "2"]
    assert stream(text, *options) == (1, b"symbol,price\nA,1\nB,2\n")
    message = 'rpsd: error: standard input: line 4: "C" would be series 3; allowed: 2 (--max-series)\n'
    assert capsys.readouterr().err == message
    assert stream(text, *options, "--on-error", "skip") == (0, b"symbol,price\nA,1\nB,2\nA,4\n")
    assert 'line 6: column "symbol": the series is missing; skipped' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("", [], "standard input: no data rows"),
        ("t,price\n\n", [], "standard input: no data rows"),
        ("1,2\n3,4\n", [], "line 1 holds data (1, 2) where column names are needed"),
        ("1\n", ["--value", "price"], "line 1 holds data (1) where column names are needed"),
        ("a,b\n1,2\n", [], 'which column holds the prices: "a", "b"; choose with --value NAME'),
        ("bid,close,price\n", [], 'which column holds the prices: "close", "price"; choose'),
        ("a,b\n1,2\n", ["--value", "px"], 'no column "px" (--value); the file has "a", "b"'),
        ("a,a\n1,2\n", ["--value", "a"], '2 columns are named "a" (--value)'),
        ("a,b\n1,2\n", ["--value", "b", "--time", "b"], 'column "b" is named by two of --time'),
        ("t,price\r1,2\r", [], "line ends must be LF or CR LF"),
        (b"\x1f\x8b\x08\x00\n", [], "this is a gzip file"),
        ("1" * 1_100_000, [], "standard input: line 1: longer than 1048576 bytes"),
    ],
)
def test_inputs_that_are_none(stream, capsys, text, arguments, message):
    assert stream(text, *arguments)[0] == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--skip-seen"], "--skip-seen and --save-every need --state FILE"),
        (["--save-every", "10"], "--skip-seen and --save-every need --state FILE"),
        (
            ["--state", "s", "--save-every", "0s"],
            "--save-every must be lines, as 1000, or seconds, as 10s, got",
        ),
        (["--state", "s", "--save-every", "1h"], "got 1h"),
        (["--on-error", "stop"], "'stop' is not one of 'fail', 'skip'"),
        (["--max-series", "0"], "0 is not in the range x>=1"),
        (["--breaks", "auto"], "breaks must be None in a stream"),
    ],
)
def test_usage_errors(stream, capsys, arguments, message):
    assert stream("1\n", *arguments) == (2, b"")
    assert message in capsys.readouterr().err


def test_a_column_that_may_tell_series_apart_is_told(stream, capsys):
    assert stream("symbol,price\nA,1\nB,2\n") == (0, b"symbol,price\nA,1\nB,2\n")
    assert 'column "symbol" may tell series apart' in capsys.readouterr().err


def test_a_byte_order_mark_is_removed_and_told(stream, capsys):
    assert stream("\ufefft,price\n1,2\n") == (0, b"t,price\n1,2\n")
    assert capsys.readouterr().err.count("byte-order mark") == 1
