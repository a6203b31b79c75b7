# SPDX-License-Identifier: MIT
"""KServe's V2 protocol: what is refused, by which status, in the form that the protocol has for it."""

import asyncio
import contextlib
import json
import random
import struct
from unittest.mock import MagicMock

import pytest
from serving import server
from tensors import infer

from rpsd.service._observe import Seen
from rpsd.service._shed import Shed
from rpsd.service._versions import INFER

__all__ = ["server"]
ONE = {"name": "values", "datatype": "FP64", "shape": [3], "data": [1, 2, 3]}
BEHIND = {
    **{name: ONE[name] for name in ("name", "datatype", "shape")},
    "parameters": {"binary_data_size": 24},
}
REFUSED = {
    "no object": (b"[]", None, 422, "Expected `object`"),
    "no JSON": (b"{", None, 400, "not valid JSON"),
    "nothing": (b"", None, 400, "not valid JSON"),
    "NaN": (
        b'{"inputs":[{"name":"values","datatype":"FP64","shape":[1],"data":[NaN]}]}',
        None,
        400,
        "not valid",
    ),
    "no input": ({"inputs": []}, None, 422, 'inputs must be one, "values", got 0'),
    "two inputs": ({"inputs": [ONE, ONE]}, None, 422, "got 2"),
    "another field": ({"inputs": [ONE], "x": 1}, None, 422, "unknown field `x`"),
    "a name twice": (b'{"id":"a","id":"b","inputs":[]}', None, 422, 'gives "id" twice'),
    "another name": ({"inputs": [{**ONE, "name": "x"}]}, None, 422, 'the input must be "values", got "x"'),
    "another type": ({"inputs": [{**ONE, "datatype": "FP32"}]}, None, 422, 'must be FP64, got "FP32"'),
    "words": ({"inputs": [{**ONE, "data": ["1", "2", "3"]}]}, None, 422, "$.inputs[0].data"),
    "too few": ({"inputs": [{**ONE, "shape": [4]}]}, None, 422, "shape is of 4 samples, and data has 3"),
    "a wide row": (
        {"inputs": [{**ONE, "shape": [2, 2], "data": [[1, 2, 3], [4]]}]},
        None,
        422,
        "2 rows of 2",
    ),
    "three rows": ({"inputs": [{**ONE, "shape": [2, 2], "data": [[1, 2]] * 3}]}, None, 422, "2 rows of 2"),
    "deeper": ({"inputs": [{**ONE, "shape": [1, 1], "data": [[[1]]]}]}, None, 422, "$.inputs[0].data[0]"),
    "no shape": (
        {"inputs": [{**ONE, "shape": []}]},
        None,
        422,
        "shape must be [samples] or [series, samples]",
    ),
    "three axes": ({"inputs": [{**ONE, "shape": [1, 1, 3]}]}, None, 422, "the shape must be"),
    "less than nothing": ({"inputs": [{**ONE, "shape": [-1, -3]}]}, None, 422, "the shape must be"),
    "no series": ({"inputs": [{**ONE, "shape": [0, 3]}]}, None, 422, "the shape must be"),
    "half a sample": ({"inputs": [{**ONE, "shape": [1.5]}]}, None, 422, "Expected `int`"),
    "a shape without end": ({"inputs": [{**ONE, "shape": [1] * 99}]}, None, 422, "the shape must be"),
    "many samples": ({"inputs": [{**ONE, "shape": [2**70]}]}, None, 413, "at most"),
    "many series": ({"inputs": [{**ONE, "shape": [10**9, 1]}]}, None, 413, "series"),
    "many arrays": (b'{"inputs":' + b"[" * 9_999_999, None, 413, "a request has at most"),
    "many objects": (b'{"outputs":[' + b'{"name":"values"},' * 999, None, 422, "at most 64 objects"),
    "data and bytes": ({"inputs": [{**ONE, **BEHIND}]}, bytes(24), 422, "one of data and binary_data_size"),
    "neither": (
        {"inputs": [{**BEHIND, "parameters": {}}]},
        bytes(24),
        422,
        "one of data and binary_data_size",
    ),
    "bytes beside data": ({"inputs": [ONE]}, b"x", 400, "1 bytes are behind the JSON"),
    "a byte too few": ({"inputs": [BEHIND]}, bytes(23), 400, "binary_data_size is 24, and 23 came"),
    "a byte too many": ({"inputs": [BEHIND]}, bytes(25), 400, "and 25 came"),
    "no bytes": ({"inputs": [BEHIND]}, None, 400, "and 0 came"),
    "another size": (
        {"inputs": [{**BEHIND, "parameters": {"binary_data_size": 16}}]},
        bytes(16),
        400,
        "shape is of 24 bytes",
    ),
    "a size of words": (
        {"inputs": [{**BEHIND, "parameters": {"binary_data_size": "24"}}]},
        bytes(24),
        422,
        "number",
    ),
    "a size of yes": (
        {"inputs": [{**BEHIND, "parameters": {"binary_data_size": True}}]},
        bytes(24),
        422,
        "number",
    ),
    "another parameter": ({"inputs": [{**ONE, "parameters": {"x": 1}}]}, None, 422, "one parameter"),
    "another output": (
        {"inputs": [ONE], "outputs": [{"name": "x"}]},
        None,
        422,
        'values, details, each once, got "x"',
    ),
    "an output twice": ({"inputs": [ONE], "outputs": [{"name": "values"}] * 2}, None, 422, "each once"),
    "classes": (
        {"inputs": [ONE], "outputs": [{"name": "values", "parameters": {"classification": 3}}]},
        None,
        422,
        "binary_data",
    ),
    "binary maybe": (
        {"inputs": [ONE], "parameters": {"binary_data_output": 1}},
        None,
        422,
        "must be true or false",
    ),
    "a report of sorts": ({"inputs": [ONE], "parameters": {"report": "long"}}, None, 422, "report must be"),
    "a sequence": (
        {"inputs": [ONE], "parameters": {"sequence_id": 1}},
        None,
        422,
        'unknown parameter "sequence_id"',
    ),
    "a long id": ({"inputs": [ONE], "id": "x" * 1025}, None, 422, "id has at most 1024"),
    "depths": (
        {"inputs": [ONE], "parameters": {"breaks": json.loads("[" * 50 + "]" * 50)}},
        None,
        400,
        "nested",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(server, what):
    content, behind, status, message = REFUSED[what]
    answer = infer(server, content, behind)
    assert answer.status == status, answer.body
    assert message in answer.json["error"]
    assert answer.json["error"] == answer.json["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"inference_header_content_length": "-1"}, INFER, 422),
        ({"inference_header_content_length": "x"}, INFER, 422),
        ({"inference_header_content_length": "9" * 30}, INFER, 422),
        ({"inference_header_content_length": "99999"}, INFER, 400),
        ({"content_type": "text/csv"}, INFER, 415),
        ({"request_timeout": "-1"}, INFER, 422),
        ({}, f"{INFER}?level=3", 422),
        ({}, "/v2/models/other/infer", 404),
        ({}, "/v2/nothing", 404),
        ({}, "/v2", 405),
    ],
)
def test_every_refusal_has_the_form_of_the_protocol(server, headers, path, status):
    body = json.dumps({"inputs": [ONE]}).encode()
    answer = server.ask("POST", path, body, **headers)
    assert answer.status == status
    assert answer.json["error"]
    assert "error" not in server.ask("POST", "/v1/nothing", body).json


def test_a_full_queue_turns_it_away_as_it_does_v1():
    async def answered(path):
        sent, passed = [], []

        async def app(scope, receive, send):
            passed.append(scope["path"])

        async def send(message):
            sent.append(message)

        shed = Shed(app, MagicMock(**{"admission.full": True}))
        await shed({"type": "http", "path": path, "rpsd.seen": Seen("an-id", None)}, None, send)
        return passed, sent

    passed, sent = asyncio.run(answered(INFER))
    assert (passed, sent[0]["status"]) == ([], 503)
    assert json.loads(sent[1]["body"])["error"]
    assert asyncio.run(answered("/v2/models/rpsd/ready")) == (["/v2/models/rpsd/ready"], [])


def test_what_is_no_request_is_never_an_error_of_ours(server):
    """A request by chance, cut, changed and pieced together."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    head = json.dumps(
        {"inputs": [BEHIND], "parameters": {"level": 2}, "outputs": [{"name": "values"}]}
    ).encode()
    whole = head + struct.pack("<3d", 1, 2, 3)
    with contextlib.closing(server.connect()) as connection:
        for _ in range(300):
            body = bytearray(whole)
            for _ in range(chance.choice([1, 1, 2, 5])):
                place = chance.randrange(len(body))
                body[place : place + chance.choice([0, 1, 1, 4])] = chance.choice(
                    [b"", b'"', b"[", b"9", b"\0", b"-1"]
                )
            length = chance.choice([len(head), len(head), chance.randrange(300)])
            headers = {} if chance.random() < 0.1 else {"Inference-Header-Content-Length": str(length)}
            connection.request("POST", INFER, bytes(body), headers)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status in (200, 400, 413, 422), (bytes(body), content)
            assert answer.status == 200 or json.loads(content)["error"]
