# SPDX-License-Identifier: MIT
"""OpenTelemetry: off and not imported by default; else a span a stage, and no harm where nobody listens."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from serving import free_port, start, wait_until

import rpsd

__all__ = ["start"]
X = 100 + rpsd.simulate("a", 300, seed=1).noisy
#: Tells, at the end, what was imported.
IMPORTS = """
import atexit, json, pathlib, sys
atexit.register(lambda: pathlib.Path("modules").write_text(json.dumps(sorted(sys.modules))))
"""


@pytest.fixture
def collector():
    """Return a collector of OTLP over HTTP: its address and the spans that came."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            request = ExportTraceServiceRequest()
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            request.ParseFromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", spans
        server.shutdown()
        thread.join()


def ask(running, **headers):
    return running.post(X.tobytes(), content_type="application/octet-stream", **headers)


def test_it_is_off_and_not_imported(start, tmp_path):
    running = start(prelude=IMPORTS)
    assert ask(running, traceparent=f"00-{'1' * 32}-{'2' * 16}-01").status == 200
    assert running.stop() == 0
    modules = json.loads((tmp_path / "modules").read_text())
    assert "rpsd.service._tracing" in modules
    # Litestar itself looks for the names of attributes, opentelemetry.semconv.
    loud = ("opentelemetry.sdk", "opentelemetry.trace", "opentelemetry.exporter", "google.protobuf")
    assert not [name for name in modules if name.startswith(loud)]


def test_a_request_is_a_span_with_its_stages(start, collector):
    endpoint, spans = collector
    running = start(trace_endpoint=endpoint, trace_ratio=0, cache_size=0)
    ask(running, x_request_id="untraced")
    ask(running, x_request_id="traced", traceparent=f"00-{'1' * 32}-{'2' * 16}-01")
    assert running.logged(request_id="traced")["trace_id"] == "1" * 32
    assert "trace_id" not in running.logged(request_id="untraced")
    assert running.stop() == 0  # what waits is sent at the end
    by_name = {span.name: span for span in spans}
    assert len(spans) == len(by_name) == 5
    root = by_name.pop("request")
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == ("1" * 32, "2" * 16)
    attributes = {one.key: one.value for one in root.attributes}
    assert attributes["http.route"].string_value == "/v1/denoise"
    assert attributes["http.response.status_code"].int_value == 200
    assert attributes["rpsd.samples"].int_value == len(X)
    assert list(by_name) == ["parse", "queue", "kernel", "serialise"]
    ends = [root.start_time_unix_nano]
    for span in by_name.values():
        assert (span.trace_id, span.parent_span_id) == (root.trace_id, root.span_id)
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        ends.append(span.end_time_unix_nano)
    assert ends == sorted(ends)
    assert not any(str(X[0]).encode() in span.SerializeToString() for span in spans)


@pytest.mark.slow
def test_every_request_where_the_ratio_is_one(start, collector):
    endpoint, spans = collector
    running = start(trace_endpoint=endpoint, trace_ratio=1, cache_size=0)
    for _ in range(3):
        ask(running)
    assert running.stop() == 0
    assert sum(span.name == "kernel" for span in spans) == 3


def test_a_collector_that_is_not_there_costs_no_request(start):
    running = start(trace_endpoint=f"http://127.0.0.1:{free_port()}/v1/traces", trace_ratio=1)
    for _ in range(20):
        answer = ask(running)
        np.testing.assert_array_equal(np.frombuffer(answer.body), rpsd.denoise(X))
    running.logged(operation="denoise")
    assert running.stop() == 0


def test_the_extra_is_named_where_it_is_missing(start):
    running = start(
        prelude="import sys; sys.modules['opentelemetry'] = None",
        trace_endpoint="http://127.0.0.1:1",
        wait=False,
    )
    assert running.finished() == 1
    wait_until(lambda: running.lines)
    assert b'pip install "rpsd[otel]"' in running.lines[0]
