# SPDX-License-Identifier: MIT
"""Streams of the service: kept so that nothing is lost that was acknowledged, and handed over by replicas."""
