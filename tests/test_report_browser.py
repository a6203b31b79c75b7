# SPDX-License-Identifier: MIT
"""The page of --report in a real browser: Debian's chromium, headless. Run by `pytest -m browser`."""

import numpy as np
import pytest
from browser import chromium, contrast, luminance, probed
from PIL import Image

import rpsd
from rpsd.report import to_html

pytestmark = pytest.mark.browser

LONG = "a very_long_column_name_without_spaces_" * 4


@pytest.fixture(scope="module")
def page():
    x = 100 + rpsd.simulate("a", 500, seed=1).noisy
    x[40], x[300], x[200:210] = 1e6, -1e4, np.nan
    results = {
        LONG: rpsd.Denoiser(outliers="spike").run(x),
        "ask": rpsd.Denoiser(wavelet="db4", level=3).run(100 + rpsd.simulate("a", 300, seed=2).noisy),
    }
    return to_html(results, title="Prices of " + LONG, notes=["a note on " + LONG])


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 400)])
def test_the_page_fits_and_can_be_read(page, tmp_path, dark, width):
    seen = probed(page, tmp_path, dark, width)
    assert (seen["dark"], seen["inner"], seen["scroll"]) == (dark, width, width)
    assert seen["pictures"] == 16
    assert seen["overlaps"] == []
    assert len(seen["pairs"]) >= 4
    for pair in seen["pairs"]:
        assert contrast(*pair.split(" on ")) >= 4.5, pair
    for line in seen["lines"]:
        assert contrast(line, seen["page"]) >= 3, line
    assert (luminance(seen["page"]) < 0.05) == dark


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_drawn_in_both_themes_and_complains_of_nothing(page, tmp_path, dark):
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    shot = tmp_path / "shot.png"
    console = chromium(tmp_path, dark, 1280, f"--screenshot={shot}", f"file://{tmp_path}/page.html")[1]
    assert console == []
    pixels = np.asarray(Image.open(shot).convert("L"), dtype=int)
    background = np.bincount(pixels.ravel()).argmax()
    assert (background < 40) if dark else (background > 240)
    # Text and lines stand out from it.
    assert np.mean(np.abs(pixels - background) > 100) > 0.005
