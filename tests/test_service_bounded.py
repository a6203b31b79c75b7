# SPDX-License-Identifier: MIT
"""What the event loop does itself has a bound for any samples; nothing is learned from those that came."""

import asyncio
import dataclasses
import json
import threading
from unittest.mock import MagicMock

import msgspec
import numpy as np
import pyarrow as pa
import pytest

import rpsd
from rpsd._schema import fields
from rpsd.service import _codec_arrow, _codec_binary, _codec_json, _compute, _series
from rpsd.service._admission import Admission, Stop
from rpsd.service._bounded import _CLOSED as TABLE
from rpsd.service._observe import Seen
from rpsd.service._problems import Problem
from rpsd.service._snapshot import Snapshot
from rpsd.service._work import Work
from rpsd.service._workers import Workers

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
    "predicted gain": CLOSED + b"&min_gain_db=0.001",
    "full report": CLOSED + b"&report=full",
    "guardrails": CLOSED + b"&guardrails.policy=relax",
    "fir": b"method=fir&fir_taps=16384",
    "kalman": b"method=kalman",
}


def test_every_option_has_been_thought_of():
    """The others belong to methods that are not light, or change no more than a factor or the ends."""
    others = "noise threshold_scale prior boundary fir_cutoff fir_taps fir_window window min_periods missing"
    assert set(fields(rpsd.Options)) - set(TABLE) == {*others.split()}


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


def reader_of(snapshot, media, body, query=b"", seen=()):
    """Return the name of the thread that reads a body."""
    seen = [] if seen == () else seen
    threads = []
    endpoint = _series.ENDPOINTS[0]

    def decode(*arguments):
        threads.append(threading.current_thread() is threading.main_thread())
        return endpoint.decoders[media](*arguments)

    async def ask():
        workers = Workers(1)
        state = MagicMock(admission=Admission(workers, 100, 10**8))
        state.phase.refusal = None
        headers = [(b"content-type", media.encode()), (b"cache-control", b"no-store")]
        headers += [(b"accept", b"application/json"), (b"content-length", b"%d" % len(body))]
        scope = {"headers": headers, "query_string": query}
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive():
            return messages.pop() if messages else await asyncio.Event().wait()

        here = Seen("an-id", snapshot)
        seen.append(here)
        try:
            await _series._answer(
                state, dataclasses.replace(endpoint, decoders={media: decode}), scope, receive, here
            )
        finally:
            workers.close()

    asyncio.run(ask())
    return "loop" if threads == [True] else "worker"


JSON, BINARY, ARROW = "application/json", "application/octet-stream", "application/vnd.apache.arrow.stream"


def test_few_series_of_a_small_body_are_read_by_the_loop(snapshot):
    one = {"values": [1.0] * 100, "method": "wavelet", "noise": "mad", "report": "none"}
    assert reader_of(snapshot, JSON, json.dumps(one).encode()) == "loop"
    assert reader_of(snapshot, BINARY, np.ones(100).tobytes(), CLOSED) == "loop"
    assert reader_of(snapshot, BINARY, np.ones(100).tobytes(), CLOSED + b"&series=4") == "loop"


def test_many_series_in_a_small_body_are_read_by_a_worker(snapshot):
    beside = {"method": "wavelet", "noise": "mad", "report": "none"}
    many = {"series": {str(k): [1.0] for k in range(500)}, **beside}
    assert reader_of(snapshot, JSON, json.dumps(many).encode()) == "worker"
    assert reader_of(snapshot, BINARY, np.ones(500).tobytes(), CLOSED + b"&s%65ries=500") == "worker"


SLOW = {
    "exponents": b'{"values": [%b]}' % b",".join([b"1e-320"] * 200),
    "large exponents": b'{"values": [%b]}' % b",".join([b"1E308"] * 200),
    "a mask": b'{"values": [1, 2], "breaks": [%b]}' % b",".join([b"1"] * 9000),
    "an option": b'{"method": [%b], "series": {}}' % b",".join([b"1"] * 9000),
    "a name in a name": b'{"method": [%b], "level": {"values": 1}, "s\\u0065ries": {}}'
    % b",".join([b"1"] * 9000),
}


@pytest.mark.parametrize("body", SLOW.values(), ids=SLOW)
def test_what_takes_more_than_its_length_is_read_by_a_worker(body):
    assert len(body) < 65_536
    assert not _codec_json.is_quick(body, b"")


def test_prices_of_a_usual_request_are_read_by_the_loop():
    values = (100 + np.random.default_rng(0).standard_normal(3000)).tolist()
    body = json.dumps({"values": values, "report": "none", "level": {}, "guardrails": {"policy": "raise"}})
    assert _codec_json.is_quick(body.encode(), b"")


def test_no_denoiser_is_kept_with_a_mask_of_breaks(snapshot):
    mask = [True] * 5000
    before = len(snapshot._denoisers)
    snapshot.denoiser({"breaks": mask}, None)
    assert len(snapshot._denoisers) == before
    assert snapshot.denoiser({"level": 3}, None)[0] is snapshot.denoiser({"level": 3}, None)[0]


def test_few_bytes_of_arrow_may_be_many_samples(snapshot):
    table = pa.table({"a": np.zeros(100_000)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as out:
        out.write_table(table)
    body = sink.getvalue().to_pybytes()
    assert len(body) < 65_536
    assert reader_of(snapshot, ARROW, body, CLOSED) == "worker"


def test_the_log_tells_the_samples_of_what_failed(snapshot):
    seen = []
    with pytest.raises(Problem):
        reader_of(snapshot, BINARY, np.full(100, np.inf).tobytes(), CLOSED, seen)
    assert [here.data_size for here in seen] == [100]
