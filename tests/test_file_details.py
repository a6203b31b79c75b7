# SPDX-License-Identifier: MIT
"""Thousands separators, columns of one name, places that cannot be written: beside the plain cases."""

import os
from pathlib import Path

import numpy as np
import pytest
from command import own_home, run_command
from hypothesis import given
from hypothesis import strategies as st

import rpsd
from rpsd import InputError
from rpsd.batch.files import check_writable, choose_columns, read_numbers
from rpsd.batch.files._csv import CsvTable
from rpsd.cli import main

__all__ = ["own_home"]  # a fixture that guards every test here


def numbers(text, value="price"):
    table = CsvTable(text.encode(), "in.csv")
    return read_numbers(table, choose_columns(table, None, [value])[1][0])


def refusal(text, value="price"):
    with pytest.raises(InputError) as caught:
        numbers(text, value)
    return str(caught.value)


# Thousands separators ------------------------------------------------------------------------------

PLACE = 'in.csv: line 3, column "price": '
THOUSANDS = "has thousands separators; allowed: digits with one decimal point"


@given(
    st.integers(-(10**15), 10**15).filter(lambda number: abs(number) >= 1000),
    st.sampled_from([",", "'", "_", " ", "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"]),
    st.sampled_from(["", ".", ".5", ".25", ".125"]),
    st.sampled_from([",", "\t", "|"]),
)
def test_grouped_digits_are_refused_as_thousands_and_never_read(number, separator, decimals, delimiter):
    plain, grouped = f"{number}{decimals}", f"{number:,}{decimals}".replace(",", separator)
    rows = f'note{delimiter}price\na{delimiter}"7"\nb{delimiter}"{{}}"\n'
    assert numbers(rows.format(plain)).tolist() == [7.0, float(plain)]
    # Messages show what does not print by its escape.
    shown = grouped.encode("unicode_escape").decode()
    assert refusal(rows.format(grouped)) == f"{PLACE}'{shown}' {THOUSANDS}"


@given(st.integers(1_000_000, 10**15), st.sampled_from(["", ",", ",50"]))
def test_points_between_thousands_are_refused_too(number, decimals):
    grouped = f"{number:,}".replace(",", ".") + decimals
    assert refusal(f'price,note\n7,a\n"{grouped}",b\n') == f"{PLACE}'{grouped}' {THOUSANDS}"


@pytest.mark.parametrize(
    "cell", ["+1,234", " 1,234.5 ", "-1,234", "12,345", "123,456", "1,234,567", "1.234,5"]
)
def test_signs_and_white_space_do_not_hide_thousands(cell):
    assert refusal(f'price,note\n7,a\n"{cell}",b\n') == f"{PLACE}'{cell.strip()}' {THOUSANDS}"


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("1234,5", "has a decimal comma, which is read only where the delimiter is a semicolon"),
        ("1,23", "has a decimal comma, which is read only where the delimiter is a semicolon"),
        ("1,2345", "has a decimal comma, which is read only where the delimiter is a semicolon"),
        (",5", "has a decimal comma, which is read only where the delimiter is a semicolon"),
        ("1 23", "is not a number; allowed: a number, or an empty cell, NA, NaN or null for missing"),
        ("1 2345", "is not a number; allowed: a number, or an empty cell, NA, NaN or null for missing"),
        ("1234 567", "is not a number; allowed: a number, or an empty cell, NA, NaN or null for missing"),
        ("1,234x", "is not a number; allowed: a number, or an empty cell, NA, NaN or null for missing"),
        ("x1,234", "is not a number; allowed: a number, or an empty cell, NA, NaN or null for missing"),
        ("1;234", "is not a number; allowed: a number, or an empty cell, NA, NaN or null for missing"),
    ],
)
def test_what_is_not_grouped_by_three_is_not_called_thousands(cell, what):
    assert refusal(f'price,note\n7,a\n"{cell}",b\n') == f"{PLACE}'{cell}' {what}"


def test_beside_a_semicolon_a_comma_before_three_digits_is_the_decimal_comma():
    text = 'note;price\na;"1,234"\nb;-12,5\nc;7\n'
    assert numbers(text).tolist() == [1.234, -12.5, 7.0]
    table = CsvTable(text.encode(), "in.csv")
    halved = b"".join(bytes(piece) for piece in table.replaced({1: table.numbers(1) / 2}))
    assert halved.decode() == 'note;price\na;"0,617"\nb;-6,25\nc;3,5\n'
    for cell in ("1,234,567", "1 234,5"):
        assert refusal(f'note;price\na;7\nb;"{cell}"\n') == f"{PLACE}'{cell}' {THOUSANDS}"


@pytest.mark.parametrize("cells", [("1,5", "1.234.567"), ("1.5", "1,234"), ("7", "1,234.5")])
def test_beside_a_semicolon_comma_and_point_do_not_mix(cells):
    first, second = cells
    message = refusal(f"note;price\na;{first}\nb;{second}\n")
    other = second if first == "7" else first
    assert message.startswith(f"{PLACE}'{second}' beside '{other}' mixes decimal comma and decimal point")
    assert message.endswith("and no thousands separators")


def test_thousands_without_quotes_are_more_cells_and_nothing_is_written(tmp_path, capsys):
    assert refusal("price,note\n1,234,a\n") == "in.csv: line 2: 3 cell(s) where the header has 2"
    Path("in.csv").write_text('price,note\n7,a\n"1,234",b\n')
    assert main(["denoise", "in.csv", "-o", "out.csv"]) == 1
    assert capsys.readouterr() == ("", f"rpsd: error: {PLACE}'1,234' {THOUSANDS}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "in.csv"]


# Columns of one name -------------------------------------------------------------------------------


def csv_table(names, columns):
    lines = [names, *(map(str, row) for row in zip(*columns, strict=True))]
    return CsvTable("".join(",".join(line) + "\n" for line in lines).encode(), "in.csv")


def test_a_name_that_stands_twice_cannot_be_chosen():
    names = ["t", "px", "t", "px", "px", "bid"]
    twice = csv_table(names, [[1, 2], [3, 4], [5, 6], [7, 8], [9, 8], [7, 6]])
    for time, values, message in (
        (None, ["px"], '3 columns are named "px" (--value); rename them'),
        (None, ["bid", "px"], '3 columns are named "px" (--value); rename them'),
        ("t", ["bid"], '2 columns are named "t" (--time); rename them'),
        (None, [], 'several columns may hold the prices: "px", "px", "px"; choose with --value NAME'),
    ):
        with pytest.raises(InputError) as caught:
            choose_columns(twice, time, values)
        assert str(caught.value).startswith(f"in.csv: {message}")
    # Two names elsewhere do no harm.
    assert choose_columns(twice, None, ["bid"])[1] == [5]


def test_names_are_one_by_their_text_without_quotes_and_white_space():
    for header in ('px,"px"', "px, px", '"px"," px "'):
        assert '2 columns are named "px" (--value)' in refusal(f"{header}\n1,2\n", "px")
    assert '2 columns are named "p"x" (--value)' in refusal('"p""x"," p""x"\n1,2\n', 'p"x')
    # The case tells them apart where the user names one, and not where rpsd looks.
    assert numbers("px,PX\n1,2\n", "px").tolist() == [1]
    assert numbers("px,PX\n1,2\n", "PX").tolist() == [2]
    with pytest.raises(InputError, match='several columns may hold the prices: "px", "PX"'):
        choose_columns(CsvTable(b"px,PX\n1,2\n", "in.csv"), None, [])


def test_a_column_chosen_twice_is_one_column():
    table = csv_table(["bid", "ask"], [[1, 2], [3, 4]])
    assert choose_columns(table, None, ["ask", "bid", "ask"])[1] == [1, 0]


def test_the_columns_beside_the_price_keep_their_text_though_they_share_a_name(tmp_path):
    prices = 100 + np.random.default_rng(4).standard_normal(50).cumsum()
    lines = [f"{i},{price!r},{-i},{price!r}" for i, price in enumerate(prices.tolist())]
    Path("in.csv").write_text("note,px,note,copy\n" + "\n".join(lines) + "\n")
    assert main(["denoise", "in.csv", "-o", "out.csv", "--value", "px", "--no-time"]) == 0
    rows = [line.split(",") for line in Path("out.csv").read_text().splitlines()]
    assert rows[0] == ["note", "px", "note", "copy"]
    assert [[a, b, c] for a, _, b, c in rows[1:]] == [
        [str(i), str(-i), repr(price)] for i, price in enumerate(prices.tolist())
    ]
    np.testing.assert_array_equal([float(row[1]) for row in rows[1:]], rpsd.denoise(prices))


# Places that cannot be written ---------------------------------------------------------------------


def no_permission(monkeypatch, directory, denied):
    """Answer for one directory that these modes are denied: the tests may run as a user who may do all."""
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != directory or not mode & denied)


@pytest.mark.parametrize("denied", [os.W_OK, os.X_OK], ids=["write", "search"])
@pytest.mark.parametrize("option", ["-o", "--plot"])
def test_a_place_without_permission_is_refused_before_the_input_is_read(
    tmp_path, monkeypatch, capsys, denied, option
):
    place = tmp_path / "there"
    place.mkdir()
    output = os.path.join("there", "out.png")
    no_permission(monkeypatch, place, denied)
    # The input does not exist: its error would come first if it were read first.
    assert main(["denoise", "none.csv", option, output]) == 1
    assert (
        capsys.readouterr().err == f"rpsd: error: cannot write {output}: no permission to write in {place}\n"
    )
    # Elsewhere it goes on, up to the input.
    assert main(["denoise", "none.csv", option, "out.png"]) == 1
    assert "cannot read none.csv" in capsys.readouterr().err


def test_the_demo_checks_its_place_before_it_computes(tmp_path, monkeypatch, capsys):
    computed = []
    monkeypatch.setattr("rpsd.cli._demo.simulate", lambda *args, **more: computed.append(args))
    no_permission(monkeypatch, tmp_path, os.W_OK)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err.endswith(f"demo.png: no permission to write in {tmp_path}\n")
    assert computed == []


def test_nothing_is_read_from_standard_input_where_the_result_has_no_place(tmp_path):
    with (tmp_path / "in.csv").open("w+b") as stdin:
        stdin.write(b"price\n1\n2\n")
        stdin.seek(0)
        done = run_command("denoise", "-", "-o", os.path.join("no", "out.csv"), stdin=stdin)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"there is no directory {tmp_path / 'no'}" in done.stderr
        assert os.lseek(stdin.fileno(), 0, os.SEEK_CUR) == 0


def test_a_name_that_ends_in_a_separator_is_a_directory_though_there_is_none(tmp_path, capsys):
    output = f"out.csv{os.sep}"
    assert main(["denoise", "none.csv", "-o", output]) == 1
    assert capsys.readouterr().err == f"rpsd: error: cannot write {output}: it is a directory; name a file\n"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_the_check_accepts_new_and_old_files_and_leaves_no_trace(tmp_path):
    old = tmp_path / "old.csv"
    old.write_text("kept")
    for path in ("new.csv", "old.csv", str(tmp_path / "new.csv"), os.devnull):
        check_writable(path)
    assert old.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "old.csv"]


if os.name == "posix":

    def test_a_link_is_judged_by_what_it_points_to(tmp_path, monkeypatch, capsys):
        there = tmp_path / "there"
        there.mkdir()
        for name, target in (("to_dir", there), ("to_nowhere", "no/out.csv"), ("to_new", there / "new.csv")):
            (tmp_path / name).symlink_to(target)
        check_writable("to_new")
        no_permission(monkeypatch, there, os.W_OK)
        for name, message in (
            ("to_dir", "it is a directory; name a file"),
            ("to_nowhere", f"there is no directory {tmp_path / 'no'}"),
            ("to_new", f"no permission to write in {there}"),
        ):
            assert main(["denoise", "none.csv", "-o", name]) == 1
            assert capsys.readouterr().err == f"rpsd: error: cannot write {name}: {message}\n"
