# SPDX-License-Identifier: MIT
"""Every metric of the service, by its Prometheus name."""

from __future__ import annotations

import time
from functools import cache
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

import rpsd

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_POINTS: Final = (100, 1e3, 1e4, 1e5, 1e6, 1e7)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # there would be one for each series
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)

        def named(kind: Any, name: str, text: str, *labels: str, **more: Any) -> Any:
            return kind(f"rpsd_{name}", text, labels, registry=registry, **more)

        self.requests = named(Counter, "http_requests_total", "Requests answered.", "route", "method", "code")
        self.seconds = named(
            Histogram,
            "http_request_duration_seconds",
            "Time from the first byte of a request's body to its answer.",
            "route",
            buckets=_SECONDS,
        )
        self.in_flight = named(Gauge, "http_requests_in_flight", "Requests not answered yet.")
        self.request_points = named(Histogram, "request_points", "Samples of a request.", buckets=_POINTS)
        self.points = named(Counter, "points_processed_total", "Samples denoised or measured.")
        self.series = named(Counter, "series_processed_total", "Series denoised or measured.")
        self.received = named(Counter, "bytes_processed_total", "Bytes of bodies received, unpacked.")
        self.actions = named(Counter, "actions_total", "Series by what was done to them.", "action")
        self.guardrails = named(
            Counter, "guardrail_evaluations_total", "Checks of guardrails.", "guardrail", "verdict"
        )
        self.queue_depth = named(Gauge, "queue_depth", "Requests that wait for a worker.")
        self.queue_points = named(Gauge, "queue_points", "Samples that wait for a worker.")
        self.workers_busy = named(Gauge, "kernel_threads_busy", "Workers that compute.")
        self.shed = named(Counter, "shed_total", "Requests turned away.", "reason")
        self.expired = named(Counter, "deadline_exceeded_total", "Requests that were not answered in time.")
        self.cancelled = named(Counter, "cancelled_total", "Requests whose client left first.")
        self.abandoned = named(Counter, "abandoned_total", "Requests that were computed on for nobody.")
        self.computing_for_nobody = named(
            Gauge, "requests_abandoned", "Requests that are computed on for nobody."
        )
        self.batch_size = named(
            Histogram, "batch_size", "Requests that a worker takes at a time.", buckets=(1, 2, 4, 8, 16)
        )
        self.cache_hits = named(Counter, "cache_hits_total", "Answers that were kept from before.")
        self.cache_misses = named(Counter, "cache_misses_total", "Answers that were computed, and kept.")
        self.cache_bytes = named(Gauge, "cache_bytes", "Bytes of answers that are kept.")
        self.log_lost = named(Gauge, "log_lines_lost", "Lines of the log that nobody took in time.")
        self.cpu = named(Gauge, "system_cpu_ratio", "Share of the processors in use.")
        self.memory = named(Gauge, "system_memory_ratio", "Share of the memory in use.")
        self.disk = named(Gauge, "system_disk_ratio", "Share of the data directory's disk in use.")
        named(Gauge, "start_time_seconds", "When the service started, in Unix time.").set(time.time())
        build = rpsd.build_info()
        named(Gauge, "build_info", "Version and instruction set.", "version", "isa").labels(
            build["version"], build["isa"]
        ).set(1)

        # Finding a child by its labels takes longer than counting in it.
        self.requests_by = cache(self.requests.labels)
        self.seconds_by = cache(self.seconds.labels)
        self.actions_by = cache(self.actions.labels)
        self.guardrails_by = cache(self.guardrails.labels)

    def count(self, what: str) -> None:
        """Count a request that was shed, expired, cancelled or abandoned."""
        if what == "shed":
            self.shed.labels("queue").inc()
        else:
            getattr(self, what).inc()

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self.registry)
