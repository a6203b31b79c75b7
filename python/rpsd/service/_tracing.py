# SPDX-License-Identifier: MIT
"""Traces by OpenTelemetry: off, and not imported, unless an address is configured."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any, Final

import rpsd
from rpsd import RpsdError
from rpsd.service._stages import Stage

#: Seconds that the end waits for spans that are not sent yet.
_PATIENCE: Final = 2.0


class Tracer:
    """Sends spans to a collector, by a thread of OpenTelemetry's; what it cannot send is dropped.

    Parameters
    ----------
    endpoint : str
        Of OTLP over HTTP, such as ``http://127.0.0.1:4318/v1/traces``.
    ratio : float
        Share of the requests that are traced where no caller has decided.

    Raises
    ------
    RpsdError
        Where the extra is missing.
    """

    def __init__(self, endpoint: str, ratio: float) -> None:
        try:
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("opentelemetry"):
                raise
            raise RpsdError('tracing needs the "otel" extra: pip install "rpsd[otel]"') from None
        resource = Resource.create({"service.name": "rpsd", "service.version": rpsd.__version__})
        self._provider: Any = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)), resource=resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
        self._tracer: Any = self._provider.get_tracer("rpsd.service")
        self._propagator = TraceContextTextMapPropagator()
        self._in_context: Any = trace.set_span_in_context
        self._server: Any = trace.SpanKind.SERVER

    def begin(self, headers: Iterable[tuple[bytes, bytes]]) -> Any:
        """Begin the span of a request, within the trace that its headers name (W3C traceparent)."""
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers
            if name in (b"traceparent", b"tracestate")
        }
        context = self._propagator.extract(carrier)
        return self._tracer.start_span("request", context, kind=self._server)

    def end(self, span: Any, attributes: dict[str, Any], stages: Iterable[Stage]) -> str | None:
        """End a request's span with those of its stages; return the trace's id, or None if it is not sent."""
        if not span.is_recording():
            return None
        since = time.time() - time.perf_counter()
        context = self._in_context(span)
        for stage in stages:
            begin, end = (int((since + moment) * 1e9) for moment in (stage.begin, stage.end))
            self._tracer.start_span(stage.name, context, start_time=begin).end(end)
        span.set_attributes(attributes)
        span.end()
        return f"{span.get_span_context().trace_id:032x}"

    def close(self) -> None:
        """Send what waits, for a moment at most: a collector that is gone must not delay the end."""
        closing = threading.Thread(target=self._provider.shutdown, name="rpsd-traces", daemon=True)
        closing.start()
        closing.join(_PATIENCE)
