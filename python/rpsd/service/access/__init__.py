# SPDX-License-Identifier: MIT
"""Who may do what: credentials, roles, limits, and the log of every decision."""
