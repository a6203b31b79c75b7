# SPDX-License-Identifier: MIT
"""Jobs of the service: series that take longer than a client waits, computed by whichever replica is free."""
