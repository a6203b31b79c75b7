# SPDX-License-Identifier: MIT
"""KServe's V2 protocol, asked by Triton's own client and by bytes: the numbers of /v1/denoise, to the bit."""

import json
import struct
import threading

import numpy as np
import pytest
from guarded import guarded
from serving import server, start
from tensors import connected, given, infer, tensor
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

import rpsd
from rpsd.service._versions import INFER

__all__ = ["server", "start"]
X = 100 + rpsd.simulate("a", 700, seed=4, nsr=1.0).noisy
ROWS = np.stack([X[:200], X[200:400], X[400:600]])
GAPS = np.where(np.arange(200) % 17 == 3, np.nan, X[:200])
LEVEL = {"level": 3, "noise": "mad", "transform": "modwt"}


@pytest.fixture(scope="module")
def client(server):
    with connected(server) as found:
        yield found


def wanted(*, binary, names=("values", "details")):
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def by_v1(server, x, **options):
    """Return what /v1/denoise answers, values as bytes."""
    query = "&".join(f"{name}={value}" for name, value in options.items())
    rows = x.reshape(1, -1) if x.ndim == 1 else x
    answer = server.post(
        rows.tobytes(),
        f"/v1/denoise?series={len(rows)}&{query}".rstrip("&"),
        content_type="application/octet-stream",
    )
    assert answer.status == 200, answer.body
    return answer.body


def test_what_it_says_of_itself(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("rpsd")
    assert not client.is_model_ready("other")
    said = client.get_server_metadata()
    assert said == {"name": "rpsd", "version": rpsd.__version__, "extensions": ["binary_tensor_data"]}
    model = client.get_model_metadata("rpsd")
    assert model["inputs"] == [{"name": "values", "datatype": "FP64", "shape": [-1, -1]}]
    assert [(one["name"], one["datatype"]) for one in model["outputs"]] == [
        ("values", "FP64"),
        ("details", "BYTES"),
    ]


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("options", [{}, LEVEL])
@pytest.mark.parametrize("x", [X, ROWS, ROWS[:1], GAPS], ids=["one", "rows", "row", "gaps"])
def test_the_bits_are_those_of_v1(client, server, x, options, sent, answered):
    if np.isnan(x).any() and not sent:
        x = X[:150]  # the client writes NaN, which is no JSON; null is tested by itself
    result = client.infer(
        "rpsd", [tensor(x, binary=sent)], outputs=wanted(binary=answered), parameters=options
    )
    y = result.as_numpy("values")
    assert y.shape == x.shape
    assert y.tobytes() == by_v1(server, x, **options) == rpsd.denoise(x, axis=-1, **options).tobytes()
    details = [json.loads(one) for one in result.as_numpy("details")]
    assert len(details) == (1 if x.ndim == 1 else len(x))
    assert [one["degraded"] for one in details] == [None] * len(details)


def test_details_are_all_that_v1_answers_beside_values(client, server):
    for x in (X, ROWS):
        result = client.infer(
            "rpsd", [tensor(x)], parameters={"report": "full", "guardrails.policy": "relax"}
        )
        content = {"report": "full", "guardrails": {"policy": "relax"}}
        content |= (
            {"values": x.tolist()}
            if x.ndim == 1
            else {"series": {f"{k}": x[k].tolist() for k in range(len(x))}}
        )
        answer = server.post(content).json
        expected = [answer] if x.ndim == 1 else list(answer["series"].values())
        for one in expected:
            del one["values"]
        assert [json.loads(one) for one in result.as_numpy("details")] == expected
        assert "checks" in expected[0]["report"]


def test_what_is_not_asked_for_is_not_there(client):
    result = client.infer(
        "rpsd", [tensor(X)], outputs=wanted(binary=True, names=["values"]), request_id="a-7"
    )
    assert [one["name"] for one in result.get_response()["outputs"]] == ["values"]
    assert result.get_response()["id"] == "a-7"
    assert result.as_numpy("details") is None
    result = client.infer("rpsd", [tensor(X)])
    assert "id" not in result.get_response()
    assert json.loads(result.as_numpy("details")[0])["report"] is None


def test_json_alone_as_the_protocol_has_it(server):
    """Without the client: null is a missing sample, rows may be nested, outputs are JSON."""
    data = [None if np.isnan(one) else one for one in GAPS]
    answer = infer(server, given(data, id="x"))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert "inference-header-content-length" not in answer.headers
    assert answer.json["model_name"] == "rpsd"
    assert answer.json["id"] == "x"
    values, details = answer.json["outputs"]
    assert (values["shape"], details["shape"], details["datatype"]) == ([200], [1], "BYTES")
    y = np.array([np.nan if one is None else one for one in values["data"]])
    assert y.tobytes() == rpsd.denoise(GAPS).tobytes()
    kept = infer(server, given([None, *data[:50]], parameters={"lookahead": 0}))
    assert kept.json["outputs"][0]["data"][0] is None
    flat, nested = (infer(server, given(one, [3, 200])) for one in (ROWS.ravel().tolist(), ROWS.tolist()))
    assert flat.json == nested.json
    assert flat.json["outputs"][0]["shape"] == [3, 200]
    assert np.array(flat.json["outputs"][0]["data"]).tobytes() == rpsd.denoise(ROWS, axis=1).tobytes()


def test_bytes_as_the_binary_extension_has_them(server):
    """Without the client: little-endian, lengths before texts, one after the other behind the JSON."""
    head = given([], [3, 200], outputs=[
        {"name": "details", "parameters": {"binary_data": True}},
        {"name": "values", "parameters": {"binary_data": True}},
    ])  # fmt: skip
    del head["inputs"][0]["data"]
    head["inputs"][0]["parameters"] = {"binary_data_size": ROWS.nbytes}
    answer = infer(server, head, struct.pack("<600d", *ROWS.ravel()))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    size = int(answer.headers["inference-header-content-length"])
    said, rest = json.loads(answer.body[:size]), answer.body[size:]
    sizes = [one["parameters"]["binary_data_size"] for one in said["outputs"]]
    assert [one["name"] for one in said["outputs"]] == ["details", "values"]
    assert sum(sizes) == len(rest)
    for _ in range(3):
        length = int.from_bytes(rest[:4], "little")
        assert json.loads(rest[4 : 4 + length])["action"] == "denoised"
        rest = rest[4 + length :]
    assert rest == rpsd.denoise(ROWS, axis=1).tobytes()
    for odd in range(1, 9):  # wherever the bytes begin
        padded = json.dumps(head).encode() + b" " * odd
        again = infer(server, padded, ROWS.tobytes())
        assert again.body == answer.body


def test_it_may_be_packed(client):
    plain = client.infer("rpsd", [tensor(X)]).as_numpy("values")
    packed = client.infer("rpsd", [tensor(X)], request_compression_algorithm="gzip").as_numpy("values")
    assert packed.tobytes() == plain.tobytes()
    with pytest.raises(InferenceServerException, match=r"\[415\] Content-Encoding must be gzip or identity"):
        client.infer("rpsd", [tensor(X)], request_compression_algorithm="deflate")


def test_the_client_is_told_why(client):
    for parameters, message in (
        ({"level": 99}, "level must be"),
        ({"levle": 3}, 'unknown parameter "levle"'),
        ({"guardrails.policy": "raise", "guardrails.correlation_threshold": 1.0}, "guardrail"),
    ):
        with pytest.raises(InferenceServerException, match=message) as caught:
            client.infer("rpsd", [tensor(X)], parameters=parameters)
        assert caught.value.status() == "422"
    with pytest.raises(InferenceServerException, match="there is no such address") as caught:
        client.infer("other", [tensor(X)])
    assert caught.value.status() == "404"
    with pytest.raises(InferenceServerException, match="there is no such address"):
        client.get_inference_statistics("rpsd")


def test_answers_come_again_and_are_counted(start):
    server = start()
    with connected(server) as client:
        first = client.infer("rpsd", [tensor(X)], request_id="one")
        again = client.infer("rpsd", [tensor(X)], request_id="one")
        assert first.get_response() == again.get_response()
        assert first.as_numpy("values").tobytes() == again.as_numpy("values").tobytes()
        other = client.infer("rpsd", [tensor(X)], outputs=wanted(binary=False), request_id="one")
        assert other.as_numpy("values").tobytes() == first.as_numpy("values").tobytes()
    text = server.ask("GET", "/metrics").body.decode()
    assert f'rpsd_http_requests_total{{code="200",method="POST",route="{INFER}"}} 3.0' in text
    assert "\nrpsd_cache_hits_total 1.0" in text
    assert f"\nrpsd_points_processed_total {3.0 * len(X)}" in text
    assert server.ask("GET", "/health/detailed").json["denoiser"]["requests_per_minute"] == 3
    line = server.logged(operation="infer", status=200)
    assert (line["data_size"], line["action"]) == (len(X), "denoised")


def test_the_same_bytes_may_be_two_requests(server):
    """What is kept of the one does not answer the other."""
    head = {"name": "values", "datatype": "FP64", "shape": [3], "parameters": {"binary_data_size": 24}}
    assert infer(server, {"inputs": [head]}, b" " * 24).status == 200
    assert infer(server, json.dumps({"inputs": [head]}).encode() + b" " * 24).status == 400


def test_many_at_once_have_each_their_own(server):
    """Short ones of both protocols, which workers compute together."""
    expected = {k: rpsd.denoise(X[k : k + 100]).tobytes() for k in range(0, 320, 10)}
    wrong = []

    def ask(k):
        with connected(server) as client:
            for _ in range(3):
                x = X[k : k + 100].copy()
                answers = client.infer("rpsd", [tensor(x)]).as_numpy("values").tobytes(), by_v1(server, x)
                wrong.extend(k for one in answers if one != expected[k])

    threads = [threading.Thread(target=ask, args=(k,)) for k in expected]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong


def test_with_credentials(tmp_path):
    with guarded(tmp_path) as service:
        service.start()
        with connected(service.server) as client:
            assert client.is_model_ready("rpsd")
            shown = {name: {"Authorization": f"Bearer {service.keys[name]}"} for name in ("user", "viewer")}
            with pytest.raises(InferenceServerException, match=r"\[401\] "):
                client.infer("rpsd", [tensor(X)])
            with pytest.raises(InferenceServerException, match=r"\[403\] the roles of these credentials"):
                client.infer("rpsd", [tensor(X)], headers=shown["viewer"])
            assert client.get_model_metadata("rpsd", headers=shown["viewer"])["name"] == "rpsd"
            y = client.infer("rpsd", [tensor(X)], headers=shown["user"]).as_numpy("values")
            assert y.tobytes() == rpsd.denoise(X).tobytes()
        recorded = [one["outcome"] for one in service.records(action=f"POST {INFER}")]
        assert recorded == ["denied", "denied", "allowed"]
