# SPDX-License-Identifier: MIT
"""Counters and histograms of one thread say what those of prometheus_client say."""

import prometheus_client
from prometheus_client import CollectorRegistry, generate_latest

from rpsd.service import _counters

BUCKETS = (0.5, 1, 2.5)
VALUES = (0.0, 0.5, 0.50001, 1, 2.5, 2.6, 7, float("inf"), -1.0)


def text(module):
    registry = CollectorRegistry()
    plain = module.Counter("rpsd_plain_total", "Without labels.", registry=registry)
    named = module.Counter("rpsd_named_total", "With labels.", ("a", "b"), registry=registry)
    sizes = module.Histogram("rpsd_sizes", "Sizes.", buckets=BUCKETS, registry=registry)
    times = module.Histogram("rpsd_times", "Times.", ("a",), buckets=BUCKETS, registry=registry)
    module.Counter("rpsd_none_total", "Never counted.", ("a",), registry=registry)
    for value in VALUES:
        sizes.observe(value)
        times.labels(3).observe(value)
    plain.inc()
    plain.inc(2.5)
    named.labels("x", 1).inc()
    named.labels("x", 1).inc(4)
    named.labels('q"', 2).inc()
    return generate_latest(registry).decode()


def test_the_same_text():
    prometheus_client.disable_created_metrics()
    assert text(_counters).splitlines() == text(prometheus_client).splitlines()
