# SPDX-License-Identifier: MIT
"""What a breach does: report, warn, raise, relax, passthrough, for all guardrails or for single ones."""

import numpy as np
import pandas as pd
import pytest

import rpsd
from rpsd._options import make_guardrails

TEXTBOOK = {"threshold_mode": "universal", "noise": "mad"}


def near_clean(seed=1, n=800):
    """Prices that textbook thresholds make worse, by several dB."""
    return 100 + rpsd.simulate("a", n, seed, nsr=0.3).noisy


def run(x, policy, *, policies=None, **options):
    rails = {"policy": policy, "policies": policies}
    chain = {} if options.get("method") == "fir" else TEXTBOOK
    return rpsd.Denoiser(guardrails=rails, **chain, **options).run(x)


def test_report_changes_nothing_and_says_nothing():
    x = near_clean()
    result = run(x, "report")
    np.testing.assert_array_equal(result.values, rpsd.denoise(x, **TEXTBOOK))
    assert not result.report.passed
    assert (result.action, result.strength, result.binding) == ("denoised", 1.0, "")


def test_warn_names_what_is_breached():
    x = near_clean()
    with pytest.warns(rpsd.RpsdWarning, match=r"guardrails breached: gain -\d"):
        result = run(x, "warn")
    np.testing.assert_array_equal(result.values, rpsd.denoise(x, **TEXTBOOK))


def test_raise_carries_the_report():
    with pytest.raises(rpsd.GuardrailError, match="guardrails breached: gain") as caught:
        run(near_clean(), "raise")
    assert not caught.value.report.passed
    with pytest.raises(rpsd.GuardrailError):
        rpsd.denoise(near_clean(), guardrails={"policy": "raise"}, **TEXTBOOK)


def test_passthrough_returns_the_input():
    x = near_clean()
    result = run(x, "passthrough")
    np.testing.assert_array_equal(result.values, x)
    assert result.report.passed
    assert (result.action, result.strength) == ("passthrough", 0.0)
    assert "gain" in result.binding.split(",")


@pytest.mark.parametrize(
    "options",
    [{}, {"use_fir_filter": True, "fir_cutoff": 0.2}, {"method": "fir"}],
)
def test_relax_finds_the_strongest_that_passes(options):
    x = near_clean()
    result = run(x, "relax", **options)
    assert result.report.passed, result.report.failures()
    assert result.action == "relaxed"
    assert 0 < result.strength < 1
    assert "gain" in result.binding.split(",")
    np.testing.assert_array_equal(np.isnan(result.values), np.isnan(run(x, "report", **options).values))
    if not options:  # the strength is that of the thresholds, and a little more does not pass
        for factor, passes in ((result.strength, True), (result.strength + 0.01, False)):
            y = rpsd.denoise(x, threshold_scale=factor, **TEXTBOOK)
            assert rpsd.evaluate(x, y).passed is passes
        np.testing.assert_array_equal(
            result.values, rpsd.denoise(x, threshold_scale=result.strength, **TEXTBOOK)
        )


def test_what_passes_is_left_alone():
    x = 100 + rpsd.simulate("a", 800, 1, nsr=1.0).noisy
    for policy in ("warn", "raise", "relax", "passthrough"):
        result = rpsd.Denoiser(guardrails={"policy": policy}).run(x)
        np.testing.assert_array_equal(result.values, rpsd.denoise(x))
        assert (result.action, result.strength, result.binding) == ("denoised", 1.0, "")


def test_policies_of_single_guardrails_go_before_the_policy_of_all():
    x = near_clean()
    assert run(x, "raise", policies="gain=report,variance=report,edges=report,roughness=report").strength == 1
    with pytest.raises(rpsd.GuardrailError):
        run(x, "report", policies={"gain": "raise"})
    assert run(x, "report", policies={"gain": "relax"}).action == "relaxed"
    assert run(x, "relax", policies={"gain": "passthrough"}).action == "passthrough"


def test_what_is_only_reported_does_not_bind_relax():
    x = near_clean()
    alone = run(x, "report", policies={"gain": "relax"})
    rails = {"policies": {"gain": "relax"}, "rmse_threshold": 1e-6}
    beside = rpsd.Denoiser(guardrails=rails, **TEXTBOOK).run(x)
    assert (beside.strength, beside.binding) == (alone.strength, alone.binding) == (alone.strength, "gain")


@pytest.mark.parametrize("policy", ["relax", "passthrough"])
def test_each_series_of_a_frame_by_itself(policy):
    calm = 100 + rpsd.simulate("a", 800, 2, nsr=1.0).noisy
    frame = pd.DataFrame({"bad": near_clean(), "calm": calm, "worse": near_clean(3).astype(np.float32)})
    options = {"threshold_mode": "bayes", "noise": "mad"}
    result = rpsd.Denoiser(guardrails={"policy": policy}, **options).run(frame)
    plain = rpsd.denoise(frame, **options)
    action = "relaxed" if policy == "relax" else "passthrough"
    assert result.action.tolist() == [action, "denoised", action]
    assert result.strength[1] == 1
    assert (result.strength[[0, 2]] < 1).all()
    assert result.report.passed.all()
    assert result.values.dtypes.tolist() == frame.dtypes.tolist()
    pd.testing.assert_series_equal(result.values["calm"], plain["calm"])
    for name in ("bad", "worse"):
        single = rpsd.Denoiser(guardrails={"policy": policy}, **options).run(frame[name])
        pd.testing.assert_series_equal(result.values[name], single.values)


@pytest.mark.parametrize("guardrails", [{"policy": "relax"}, {"policies": "lag=passthrough"}])
def test_with_a_lookahead_no_policy_may_look_at_the_whole_series(guardrails):
    with pytest.raises(rpsd.CausalityError, match=r"looks at the whole series, and lookahead=0 may not"):
        rpsd.Denoiser(lookahead=0, guardrails=guardrails)
    for policy in ("report", "warn", "raise"):
        rpsd.Denoiser(lookahead=0, guardrails={"policy": policy})


@pytest.mark.parametrize("given", ["lag=raise, trend = warn", {"trend": "warn", "lag": "raise"}])
def test_policies_are_text_or_a_mapping(given):
    assert make_guardrails(policies=given).policies == "trend=warn,lag=raise"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("lag", "policies must be None"),
        ("lag=raise,lag=warn", "a guardrail is named twice"),
        ("lags=raise", 'no guardrail is called "lags"'),
        ({"lag": "ignore"}, 'no policy is called "ignore"'),
        ({}, "policies must be None"),
        (7, "policies must be None"),
    ],
)
def test_policies_that_are_none(given, message):
    with pytest.raises(rpsd.ConfigError, match=message):
        make_guardrails(policies=given)


def test_verify_passes_what_holds_and_names_what_does_not():
    x = 100 + rpsd.simulate("c", 300, 1, nsr=1.0).noisy
    for options in (
        {},
        {"lookahead": 0},
        {"method": "wavelet", "noise": "mad", "lookahead": 2, "window": 64},
        {"space": "log"},
    ):
        found = rpsd.Denoiser(**options).verify(x)
        assert found.passed, found.checks
        assert (found.leaks is None) == (options.get("lookahead") is None)
    prefix, equivariance = rpsd.Denoiser(noise=1.0).verify(x).checks
    assert np.isnan(prefix.value)
    assert np.isnan(equivariance.value)
    with pytest.raises(rpsd.InputError, match=r"x must be one series, got shape \(2, 100\)"):
        rpsd.Denoiser().verify(np.zeros((2, 100)))


class Broken:
    """What `verify` asks of a denoiser, wrongly done."""

    def __init__(self, fn, lookahead):
        self.options = rpsd.Denoiser(lookahead=lookahead).options
        self.denoise = fn


@pytest.mark.parametrize(
    ("fn", "lookahead", "culprit"),
    [
        (lambda x: x + 0.5 * np.sign(x - 100), None, "equivariance"),
        (lambda x: np.concatenate([x[1:], x[-1:]]), 0, "prefix"),
        (lambda x: x - x.mean(), 5, "prefix"),
    ],
)
def test_verify_catches_what_is_broken(fn, lookahead, culprit):
    from rpsd._verify import verify

    found = verify(Broken(fn, lookahead), 100 + rpsd.simulate("a", 200, 1, nsr=1.0).noisy, 0)
    assert not found.passed
    assert culprit in [check.name for check in found.checks if not check.passed]
