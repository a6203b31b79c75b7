# SPDX-License-Identifier: MIT
"""What the tests of the V2 protocol share: Triton's own client, and requests by hand."""

import contextlib
import json

from tritonclient import http as triton

from rpsd.service._versions import INFER


@contextlib.contextmanager
def connected(server):
    client = triton.InferenceServerClient(
        f"127.0.0.1:{server.port}", connection_timeout=45, network_timeout=45
    )
    try:
        yield client
    finally:
        client.close()


def tensor(x, *, binary=True):
    made = triton.InferInput("values", list(x.shape), "FP64")
    made.set_data_from_numpy(x, binary_data=binary)
    return made


def infer(server, content, behind=None, **headers):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    if behind is not None:
        headers.setdefault("inference_header_content_length", str(len(text)))
    return server.ask("POST", INFER, text + (behind or b""), **headers)


def given(data, shape=None, **more):
    shape = [len(data)] if shape is None else shape
    return {"inputs": [{"name": "values", "datatype": "FP64", "shape": shape, "data": data}], **more}
