# SPDX-License-Identifier: MIT
"""What the event loop does itself has a bound for any samples; nothing is learned from those that came."""

import msgspec
import numpy as np
import pytest

import rpsd
from rpsd.service import _codec_arrow, _codec_binary, _codec_json, _compute
from rpsd.service._admission import Stop
from rpsd.service._snapshot import Snapshot
from rpsd.service._work import Work

CLOSED = b"method=wavelet&noise=mad"
OPEN = {
    "default": b"",
    "price noise": b"method=wavelet&noise=price&lookahead=0&window=32",
    "auto noise": b"method=wavelet",
    "causal": CLOSED + b"&lookahead=0",
    "local noise": b"method=wavelet&noise=local",
    "ebayes": CLOSED + b"&threshold_mode=ebayes",
    "sure": CLOSED + b"&threshold_mode=sure",
    "modwt": CLOSED + b"&transform=modwt",
    "long wavelet": CLOSED + b"&wavelet=db38",
    "deep": CLOSED + b"&level=12",
    "filter": CLOSED + b"&use_fir_filter=true&fir_taps=16384",
    "outliers": CLOSED + b"&outliers=spike",
    "log": CLOSED + b"&space=log",
    "full report": CLOSED + b"&report=full",
    "guardrails": CLOSED + b"&guardrails.policy=relax",
    "fir": b"method=fir&fir_taps=16384",
    "kalman": b"method=kalman",
}


@pytest.fixture(scope="module")
def snapshot():
    return Snapshot(rpsd.load_config())


def light(snapshot, query, values, encode=_codec_binary.encode, times=1):
    """Whether work is light, when it was done some times before."""
    for _ in range(times + 1):
        work = Work(snapshot, _compute.denoise, _codec_binary.decode, encode, values.tobytes(), query)
        work.read()
        if times:
            Work.together([work], [Stop()])
        times -= 1
    return work.light


@pytest.mark.parametrize("query", OPEN.values(), ids=OPEN)
def test_samples_that_take_no_time_make_no_options_light(snapshot, query):
    values = np.full(200, np.inf)  # refused at once
    assert not light(snapshot, query, values, times=3)


@pytest.mark.parametrize(
    ("more", "most"),
    [(b"", 4096), (b"&report=metrics", 2048), (b"&noise=0.5", 4096), (b"&threshold_mode=universal", 4096)],
)
def test_short_work_in_closed_form_is_light_from_the_first(snapshot, more, most):
    query = b"method=wavelet" + more if b"noise" in more else CLOSED + more
    assert light(snapshot, query, np.ones(most), times=0)
    assert not light(snapshot, query, np.ones(most + 1), times=0)


def test_what_imports_to_write_an_answer_is_not_light(snapshot):
    assert not light(snapshot, CLOSED, np.ones(9), _codec_arrow.encode, times=0)
    assert light(snapshot, CLOSED, np.ones(9), _codec_json.encode, times=0)


def test_the_configuration_counts(snapshot):
    def of(text):
        return Snapshot(msgspec.yaml.decode(text, type=type(snapshot.config)))

    assert not light(of("guardrails: {policy: relax}"), CLOSED, np.ones(9), times=0)
    assert light(of("denoiser: {method: wavelet, noise: mad}"), b"", np.ones(9), times=0)
    assert not light(of("denoiser: {method: wavelet, outliers: spike}"), b"noise=mad", np.ones(9), times=0)
