# SPDX-License-Identifier: MIT
"""Every metric of the service, by its Prometheus name."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge, disable_created_metrics, generate_latest
from prometheus_client import Counter as LockedCounter
from prometheus_client import Histogram as LockedHistogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

import rpsd
from rpsd.service._counters import Counter, Histogram
from rpsd.service._stages import Stages

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_KERNEL_SECONDS: Final = (1e-5, 2.5e-5, 5e-5, 1e-4, *_SECONDS)
_POINTS: Final = (100, 1e3, 1e4, 1e5, 1e6, 1e7)
_BYTES: Final = tuple(4.0**k for k in range(4, 15))
_COMMITS: Final = tuple(2.0**k for k in range(9))
_JOB_SECONDS: Final = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
_SHARES: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)
_DAY: Final = 86_400.0
#: Samples of a request that counts as small: those that the objective of latency is about.
SMALL: Final = 10_000
_VALUED: Final = ("correlation", "rmse", "trend", "power")
AUDIT_VERIFIED: Final = "audit_last_verified_timestamp_seconds"
LAST_BACKUP: Final = "backup_last_success_timestamp_seconds"
CERTIFICATE_END: Final = "tls_certificate_not_after_timestamp_seconds"
#: Gauges of what may not be in use, or not have been yet: declared, so that rules and dashboards can be held
#: against a scrape, and without a sample, as a zero would say what nobody knows.
_LATER: Final = {
    AUDIT_VERIFIED: "When the audit log was last found whole.",
    CERTIFICATE_END: "When the certificate ends.",
    LAST_BACKUP: "When a backup last succeeded.",
}


class Metrics:
    """The metrics of one process, in a registry of their own.

    Those that are no gauges are for the event loop's thread, but stages, `checked` and `reloaded`.
    """

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
        self.small_seconds = named(
            Histogram,
            "small_request_duration_seconds",
            f"The same of requests of 1 to {SMALL:,} samples that were answered with 2xx.",
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
        self.guardrail_value = named(
            Histogram, "guardrail_value", "Value of a guardrail.", "guardrail", buckets=_SHARES
        )
        self.variance_reduction = named(
            Histogram,
            "variance_reduction_ratio",
            "Share of the variance of steps that was removed; of full reports.",
            buckets=_SHARES,
        )
        self.fallback = named(
            Counter,
            "fallback_total",
            "Series not computed, by what was answered instead.",
            "reason",
            "answer",
        )
        # From the start, so that a rate sees the first one: it is the one that matters.
        for reason in ("failure", "guardrail", "unsound-output"):
            for answer in ("error", "hold", "raw"):
                self.fallback.labels(reason, answer)
        self.request_bytes = named(
            Histogram, "request_body_bytes", "Bytes of bodies received, unpacked.", buckets=_BYTES
        )
        self.response_bytes = named(
            Histogram, "response_body_bytes", "Bytes of bodies answered.", buckets=_BYTES
        )
        self.queue_wait = named(
            LockedHistogram, "queue_wait_seconds", "Time until a worker began.", buckets=_KERNEL_SECONDS
        )
        self.kernel = named(
            LockedHistogram,
            "kernel_seconds",
            "Time of a worker for a request, or its share of one call, by stage: parse, kernel, serialise.",
            "algorithm",
            "stage",
            buckets=_KERNEL_SECONDS,
        )
        self.loop_lag = named(
            Histogram, "event_loop_lag_seconds", "How late the event loop's tick comes.", buckets=_SECONDS
        )
        self.queue_depth = named(Gauge, "queue_depth", "Requests that wait for a worker.")
        self.queue_points = named(Gauge, "queue_points", "Samples that wait for a worker.")
        self.workers_busy = named(Gauge, "kernel_threads_busy", "Workers that compute.")
        self.shed = named(Counter, "shed_total", "Requests turned away.", "reason")
        self.shed.labels("queue")
        self.expired = named(Counter, "deadline_exceeded_total", "Requests that were not answered in time.")
        self.cancelled = named(Counter, "cancelled_total", "Requests whose client left first.")
        self.abandoned = named(
            Counter, "abandoned_total", "Requests given up in the middle of their computation."
        )
        self.computing_for_nobody = named(
            Gauge, "requests_abandoned", "Requests given up whose computation has not ended yet."
        )
        self.batch_size = named(
            Histogram, "batch_size", "Requests that a worker takes at a time.", buckets=(1, 2, 4, 8, 16)
        )
        self.cache_hits = named(Counter, "cache_hits_total", "Answers that were kept from before.")
        self.cache_misses = named(
            Counter, "cache_misses_total", "Answers that were looked for and had not been kept."
        )
        self.cache_evictions = named(Counter, "cache_evictions_total", "Answers that left for others.")
        self.cache_bytes = named(Gauge, "cache_bytes", "Bytes of answers that are kept.")
        self._add_kept(named)
        self._add_process(named)
        self._add_access(named)
        self._declared = _Declared()
        registry.register(self._declared)
        self._stages: dict[tuple[str, str], Any] = {}

        # Finding a child by its labels takes longer than counting in it.
        self.requests_by = cache(self.requests.labels)
        self.seconds_by = cache(self.seconds.labels)
        self.actions_by = cache(self.actions.labels)
        self.guardrails_by = cache(self.guardrails.labels)
        self.guardrail_value_by = cache(self.guardrail_value.labels)

    def _add_kept(self, named: Callable[..., Any]) -> None:
        """Add what is of streams and jobs."""
        self.sessions_open = named(Gauge, "sessions_open", "Connections of /v1/stream.")
        self.commit_size = named(
            LockedHistogram, "stream_commit_size", "Streams whose changes one commit has.", buckets=_COMMITS
        )
        self.jobs = named(Counter, "jobs_total", "Jobs that have ended, by how.", "status")
        for status in ("done", "failed", "cancelled", "lost"):
            self.jobs.labels(status)
        self.job_seconds = named(
            Histogram, "job_seconds", "Time that a job was computed for.", buckets=_JOB_SECONDS
        )
        self.jobs_running = named(Gauge, "jobs_running", "Jobs that this process computes.")
        self.jobs_queued = named(Gauge, "jobs_queued", "Jobs that wait, for all processes together.")

    def _add_access(self, named: Callable[..., Any]) -> None:
        """Add what is of credentials, limits and the audit log."""
        self.auth_failures = named(
            Counter, "auth_failures_total", "Requests without good credentials.", "reason"
        )
        self.ratelimited = named(Counter, "ratelimited_total", "Requests over the limits of who sent them.")
        self.audit_records = named(Counter, "audit_records_total", "Records of the audit log.")
        self.audit_write_errors = named(
            Counter, "audit_write_errors_total", "Records of the audit log that could not be written."
        )
        self._active: dict[str, float] = {}
        named(Gauge, "active_keys", "Principals seen in the last 24 hours.").set_function(self._count_active)

    def saw(self, name: str) -> None:
        """Remember that a principal was here."""
        self._active[name] = time.monotonic()

    def _count_active(self) -> int:
        since = time.monotonic() - _DAY
        self._active = {name: at for name, at in self._active.items() if at > since}
        return len(self._active)

    def _add_process(self, named: Callable[..., Any]) -> None:
        """Add what is of the process and its machine, not of requests."""
        self.self_checks = named(LockedCounter, "self_checks_total", "Self-checks of the kernel.", "result")
        self.self_check_at = named(
            Gauge, "self_check_last_success_timestamp_seconds", "When the kernel last passed, in Unix time."
        )
        self.reloads = named(LockedCounter, "config_reloads_total", "Reloads of the configuration.", "result")
        self.reload_ok = named(
            Gauge,
            "config_last_reload_successful",
            "1, or 0 where the last reload kept the old configuration.",
        )
        self.reload_at = named(
            Gauge, "config_last_reload_success_timestamp_seconds", "When the configuration was read."
        )
        self.ready = named(Gauge, "ready", "1 where requests should come, as /health/ready says, or 0.")
        self.disk_free = named(Gauge, "disk_free_bytes", "Free space of a directory's disk.", "dir")
        self.log_lost = named(Gauge, "log_lines_lost", "Lines of the log that nobody took in time.")
        self.cpu = named(Gauge, "system_cpu_ratio", "Share of the processors in use.")
        self.memory = named(Gauge, "system_memory_ratio", "Share of the memory in use.")
        self.disk = named(Gauge, "system_disk_ratio", "Share of the data directory's disk in use.")
        named(Gauge, "start_time_seconds", "When the service started, in Unix time.").set(time.time())
        build = rpsd.build_info()
        named(
            Gauge,
            "build_info",
            "Version, commit where it is known, instruction set.",
            "version",
            "git",
            "isa",
        ).labels(build["version"], build["git"], build["isa"]).set(1)
        for result in ("success", "failure"):
            self.reloads.labels(result)
            self.self_checks.labels(result)
        self.reload_ok.set(1)
        self.reload_at.set(time.time())

    def count(self, what: str, number: int = 1) -> None:
        """Count requests that were shed, expired, cancelled or abandoned."""
        counter = self.shed.labels("queue") if what == "shed" else getattr(self, what)
        counter.inc(number)

    def observe_report(self, report: Mapping[str, Any]) -> None:
        """Count the checks of a report and their values."""
        for name in _VALUED:
            value = report.get(name)
            if value is not None and not math.isnan(value):
                self.guardrail_value_by(name).observe(value)
        for check in report.get("checks", ()):
            self.guardrails_by(check["name"], check["verdict"]).inc()

    def observe_stages(self, stages: Stages) -> None:
        """Count how long each stage of a request took; workers do that, also for what nobody waits for."""
        for name, seconds in stages.seconds().items():
            child = self._stages.get((stages.algorithm, name))
            if child is None:  # finding a metric by its labels takes longer than to count
                found = self.queue_wait if name == "queue" else self.kernel.labels(stages.algorithm, name)
                child = self._stages[stages.algorithm, name] = found
            child.observe(seconds)

    def checked(self, fault: str | None) -> None:
        """Count a self-check."""
        self.self_checks.labels("success" if fault is None else "failure").inc()
        if fault is None:
            self.self_check_at.set(time.time())

    def reloaded(self, good: bool) -> None:
        """Count a reload."""
        self.reloads.labels("success" if good else "failure").inc()
        self.reload_ok.set(int(good))
        if good:
            self.reload_at.set(time.time())

    def set_declared(self, name: str, value: float) -> None:
        """Give a metric that is declared its value."""
        self._declared.values[name] = value

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self.registry)


class _Declared(Collector):
    """Names and helps of metrics, and the values of those that have one."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def collect(self) -> Iterator[Metric]:
        for name, text in _LATER.items():
            metric = GaugeMetricFamily(f"rpsd_{name}", text)
            if name in self.values:
                metric.add_sample(metric.name, {}, self.values[name])
            yield metric
