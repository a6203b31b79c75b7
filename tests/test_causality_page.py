# SPDX-License-Identifier: MIT
"""docs/causality.md: its examples run, the leak earns a fake profit, and the honest runs earn none."""

import re
from pathlib import Path

import numpy as np
import pytest

import rpsd

PAGE = (Path(__file__).parent.parent / "docs" / "causality.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(BACKTEST,) = (block for block in BLOCKS if "def backtest" in block)
LEAKS = ("PyWavelets, whole series", "rpsd, offline", "rpsd, lookahead=5, used at once")
HONEST = ("raw", "rpsd, lookahead=5, used 5 later", "rpsd, lookahead=0")


@pytest.fixture(scope="module")
def page():
    """What the backtest on the page defines."""
    names = {}
    exec(BACKTEST, names)
    return names


def test_the_other_examples_run_and_say_what_the_page_says(capsys):
    names = {}
    for block in BLOCKS:
        if block is not BACKTEST:
            exec(block, names)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("looks ahead by ")
    assert said[1].startswith("causal: ")
    assert said[2] == "5"
    np.testing.assert_array_equal(names["live"], names["causal"])
    prices = names["prices"]
    np.testing.assert_array_equal(names["known"], [*[np.nan] * 5, *rpsd.denoise(prices, lookahead=5)[:-5]])
    assert rpsd.Denoiser(lookahead=5).run(prices).warmup == 5
    assert rpsd.Denoiser(method="wavelet", lookahead=0).run(prices).warmup == 255


def test_the_page_shows_what_the_backtest_prints(page):
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL).group(1).splitlines()
    results = page["results"]
    assert len(shown) == len(results)
    for line, (name, profit) in zip(shown, results.items(), strict=True):
        ratio, total = map(float, re.search(rf"^{name} +Sharpe ratio +(\S+), profit +(\S+)$", line).groups())
        # A sign of a tiny move may differ between machines.
        assert page["sharpe"](profit) == pytest.approx(ratio, abs=0.3)
        assert profit.sum() == pytest.approx(total, abs=2)


@pytest.mark.parametrize("seed", [2, 3])
def test_the_fake_profit_is_there_with_the_future_and_gone_without_it(page, seed):
    results = page["backtest"](seed)
    assert set(results) == {*LEAKS, *HONEST}
    for name in LEAKS:
        assert page["sharpe"](results[name]) > 50, name
    for name in HONEST:
        # The standard error of a year is 1.
        assert abs(page["sharpe"](results[name])) < 3.5, name


def test_the_strategy_holds_what_the_signal_told_before_the_move(page):
    mid, trades = page["market"](0)
    profit = page["profits"](trades, mid)
    for move in (50, -50):
        changed = trades.copy()
        changed[300:] += move
        other = page["profits"](changed, mid)
        np.testing.assert_array_equal(other[:299], profit[:299])
        assert other[299] == pytest.approx(np.sign(move) * (mid[301] - mid[300]))
