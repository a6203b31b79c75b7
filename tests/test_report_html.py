# SPDX-License-Identifier: MIT
"""The page of --report: well-formed, self-contained, and with the numbers of the result."""

import json
import re
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest
from command import goog, own_home

import rpsd
from rpsd.cli import main
from rpsd.report import to_html
from rpsd.report._canvas import to_svg
from rpsd.report._html import _picture
from rpsd.report._subject import subject_of

__all__ = ["goog", "own_home"]  # fixtures; the second guards every test here

UGLY = "US$ <script>alert('x')</script> & \"bid\" " + "very_long_column_name_" * 6
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """A page taken apart: elements balanced, ids unique, tables by caption, visible text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.elements = [], [], []
        self.tables, self.cells, self.caption = {}, None, ""
        self.text = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells = []
        elif tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "tr":
            self.tables.setdefault(self.caption, {})[self.cells[0]] = self.cells[1:]

    def handle_data(self, data):
        if self.open:
            self.text[self.open[-1]] = self.text.get(self.open[-1], "") + data
        if self.open[-1:] in (["td"], ["th"]):
            self.cells[-1] += data
        if self.open[-1:] == ["caption"]:
            self.caption = data

    def find(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def noisy(n=400, seed=1):
    return 100 + rpsd.simulate("a", n, seed=seed).noisy


@pytest.fixture(scope="module")
def result():
    x = noisy()
    x[7] = np.nan
    return rpsd.Denoiser(min_gain_db=0.2).run(x)


@pytest.fixture(scope="module")
def text(result):
    return to_html({UGLY: result}, title="a <b> & c", notes=["first <i>", "second"])


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def number(text):
    return np.nan if text == "–" else float(text.replace("−", "-").removesuffix(" dB"))


def test_the_page_is_whole_and_needs_nothing_else(page):
    assert page.find("html") == [{"lang": "en"}]
    assert page.text["title"] == "a <b> & c"
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.find("meta")
    assert len(page.ids) == len(set(page.ids))
    assert {tag for tag, _ in page.elements} & {
        "script",
        "img",
        "link",
        "iframe",
        "b",
        "i",
        "object",
    } == set()
    for _, attributes in page.elements:
        for key, value in attributes.items():
            assert not key.startswith("on")
            if key in ("href", "xlink:href", "src"):
                assert value.startswith("#")
                assert value[1:] in page.ids
            for target in re.findall(r"url\(([^)]*)\)", value or ""):
                assert target[1:] in page.ids
    assert "@import" not in page.text["style"]
    assert "prefers-color-scheme: dark" in page.text["style"]


def test_every_picture_says_what_it_shows(page):
    labels = [svg["aria-label"] for svg in page.find("svg")]
    assert [svg["role"] for svg in page.find("svg")] == ["img"] * 8
    assert len(set(labels)) == 8
    assert labels[0].startswith("Before and after: US$ <script>alert(")
    assert "400 samples from" in labels[0]
    assert "correlation passed" in labels[2]


def test_pictures_take_their_colours_from_the_theme(text):
    pictures = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    # What is not a variable stays as it is in both themes: nothing does.
    assert set(re.findall(r"(?:fill|stroke): (#\w+)", pictures)) == set()
    defined = set(re.findall(r"(--\w+):", text))
    assert set(re.findall(r"var\((--\w+)\)", text)) <= defined
    assert "<text" in pictures  # text is text: it can be searched, and read aloud


def test_the_tables_have_the_numbers_of_the_result(page, result):
    noise = page.tables["Noise model"]
    assert noise["kind"] == ["price"]
    for name in ("noise_sd", "step_sd", "nsr", "predicted_gain_db", "gain_probability"):
        shown = noise[name.removesuffix("_db").replace("_", " ")][0]
        assert number(shown) == pytest.approx(getattr(result.noise, name), rel=1e-5)
    done = page.tables["What was done"]
    assert done["action"] == ["denoised: the series was smoothed"]
    assert (done["missing"], done["warmup"], done["sessions"]) == (["1"], ["0"], ["1"])
    rails = page.tables["Guardrails"]
    for check in result.report.checks:
        value, bound, verdict = rails[check.name]
        assert number(value) == pytest.approx(check.value, rel=1e-5, nan_ok=True)
        assert bound == f"{'≥' if check.relation == '>=' else '≤'} {check.threshold:g}"
        assert verdict == check.verdict
    assert number(rails["score"][0]) == pytest.approx(result.report.score, rel=1e-5)
    options = page.tables["Options"]
    assert set(options) - {"option"} == set(msgspec.to_builtins(result.options))
    assert options["min_gain_db"][0] == "0.2"
    assert page.tables["Versions"]["version"] == [rpsd.__version__]
    assert page.tables["Versions"]["numpy"] == [np.__version__]


def test_the_same_figure_gives_the_same_element(result):
    assert to_svg(result.plot("removed"), "a-") == to_svg(result.plot("removed"), "a-")


def test_a_million_samples_make_small_pictures():
    x = 100 + 0.01 * rpsd.simulate("a", 1_000_000, seed=2).noisy
    result = rpsd.Denoiser(method="wavelet", noise="mad").run(x)
    # The two that have most lines; the other six together have fewer.
    assert sum(len(to_svg(result.plot(kind), "a-")) for kind in ("series", "multiresolution")) < 900_000


def test_what_cannot_be_drawn_is_said():
    x = noisy()
    x[200:] += 500
    subject = subject_of(rpsd.Denoiser(breaks="auto").run(x))
    said = _picture("vintages", subject, "a-", "Vintages")
    assert said.startswith('<p class="quiet">Not drawn: breaks=')


def test_the_command_writes_several_columns_in_one_page(tmp_path, capsys):
    names = ["bid <script>", "ask & " + UGLY.replace('"', "'")]
    stamps = np.datetime64("2025-08-18T13:30", "s") + np.arange(200) * np.timedelta64(60, "s")
    rows = zip(stamps.astype(str), noisy(200, 1).tolist(), noisy(200, 2).tolist(), strict=True)
    lines = [
        "timestamp," + ",".join(f'"{name}"' for name in names),
        *(f"{t}Z,{a!r},{b!r}" for t, a, b in rows),
    ]
    (tmp_path / "quotes.csv").write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode())
    values = [part for name in names for part in ("--value", name)]
    command = ["denoise", "quotes.csv", "-o", "out.csv", "--report", "r.html", "--json", *values]
    assert main([*command, "--log-level", "ERROR"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == "r.html"
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.text["title"] == "quotes.csv, denoised"
    assert len(page.find("section")) == 2
    assert len(page.ids) == len(set(page.ids))
    assert all(name[:20] in page.text["h2"] for name in names)
    assert [link["href"] for link in page.find("a")] == ["#series-1", "#series-2"]
    assert not page.find("script")
    assert "time (UTC), 2025-08-18" in text
    assert "<li>the byte-order mark at the start was removed</li>" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "out.csv", "quotes.csv", "r.html"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-o", "out.csv", "--report", "r.pdf"],
            "--report writes HTML; the name must end in .html or .htm, got r.pdf",
        ),
        (["--report", "r.html", "-o", "./r.html"], "-o and --report name the same file, r.html"),
        (
            ["-o", "out.csv", "--report", "nowhere/r.html"],
            "cannot write nowhere/r.html: there is no directory",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(goog, tmp_path, capsys, arguments, message):
    assert main(["denoise", "goog.csv", *arguments]) in (1, 2)
    assert message in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["goog.csv", "home"]


def test_nothing_is_half_written_where_the_page_fails(tmp_path, capsys):
    (tmp_path / "huge.csv").write_text("price\n1e301\n1\n2\n")
    assert main(["denoise", "huge.csv", "-o", "out.csv", "--report", "r.html"]) == 1
    assert "must lie within" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "huge.csv"]
