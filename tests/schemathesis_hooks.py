# SPDX-License-Identifier: MIT
"""What Schemathesis is told of the service that OpenAPI cannot say; test_service_properties.py loads it."""

import uuid

import numpy as np
import pyarrow as pa
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation

JSON, BINARY, ARROW = (
    "application/json",
    "application/octet-stream",
    "application/vnd.apache.arrow.stream",
)
LOG_LEVEL = "/admin/log-level"
numbers = st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), max_size=40)


def stream(columns):
    length = min(map(len, columns.values()), default=0)
    table = pa.table({name: values[:length] for name, values in columns.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


named = st.dictionaries(st.text(max_size=5), numbers, max_size=4).map(stream)
pair = st.fixed_dictionaries({"x": numbers, "y": numbers}).map(stream)
schemathesis.openapi.media_type(BINARY, numbers.map(lambda values: np.array(values * 2).tobytes()))
schemathesis.openapi.media_type(ARROW, named | pair)


@schemathesis.check
def log_level_is_what_was_set(ctx, response, case):
    """Hold PUT against GET, and set the level back: of what is asked next, the log must have all."""
    if case.path != LOG_LEVEL or case.method.upper() != "PUT":
        return
    address = case.operation.base_url.rstrip("/") + LOG_LEVEL
    level = requests.get(address, timeout=30).json()["level"]
    put = requests.put(address, json={"level": "DEBUG"}, timeout=30)
    assert (put.status_code, put.json()) == (200, {"level": "DEBUG"})
    if response.status_code == 200:
        assert response.json() == {"level": level} == case.body
    else:
        assert level == "DEBUG"  # as before


@schemathesis.hook
def filter_case(context, case):
    """Leave out headers that nobody knows, which HTTP passes over (RFC 9110, 5.1)."""
    return "x-schemathesis-unknown-property" not in (case.headers or {})


@schemathesis.hook
def before_call(context, case, kwargs):
    """Take away what is no part of the case and gets a refusal for every one of them."""
    components = case.meta.components if case.meta else {}

    def is_valid(location):
        return location not in components or components[location].mode == GenerationMode.POSITIVE

    if is_valid(ParameterLocation.HEADER) and case.headers:
        case.headers.pop("Request-Timeout", None)  # 504 is right where nobody waits
        if "Idempotency-Key" in case.headers:  # one that came before gets that answer, of what may be gone
            case.headers["Idempotency-Key"] = uuid.uuid4().hex
    if is_valid(ParameterLocation.QUERY) and case.query:
        if case.media_type == JSON:
            case.query = {}  # options of JSON are in its body
        elif "series" in case.query:
            case.query["series"] = 2  # of one length, as the bytes have
