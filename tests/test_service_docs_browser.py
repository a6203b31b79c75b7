# SPDX-License-Identifier: MIT
"""/docs of a real server in a real browser. Run by `pytest -m browser`."""

import numpy as np
import pytest
from browser import chromium, contrast, luminance, probed
from PIL import Image
from serving import server

__all__ = ["server"]
pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 400)])
def test_the_page_fits_and_can_be_read(server, tmp_path, dark, width):
    page = server.ask("GET", "/docs").body.decode()
    seen = probed(page.replace("<details>", "<details open>"), tmp_path, dark, width)
    assert (seen["dark"], seen["inner"], seen["scroll"]) == (dark, width, width)
    assert len(seen["pairs"]) >= 4
    for pair in seen["pairs"]:
        assert contrast(*pair.split(" on ")) >= 4.5, pair
    assert (luminance(seen["page"]) < 0.05) == dark


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_drawn_under_its_own_policy(server, tmp_path, dark):
    shot = tmp_path / "shot.png"
    address = f"http://127.0.0.1:{server.port}/docs"
    console = chromium(tmp_path, dark, 1280, f"--screenshot={shot}", address)[1]
    assert console == []  # nothing that the policy refused, nothing that was not found
    pixels = np.asarray(Image.open(shot).convert("L"), dtype=int)
    background = np.bincount(pixels.ravel()).argmax()
    assert (background < 40) if dark else (background > 240)
    assert np.mean(np.abs(pixels - background) > 100) > 0.005
