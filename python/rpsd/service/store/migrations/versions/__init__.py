# SPDX-License-Identifier: MIT
"""The revisions, oldest first by name."""
