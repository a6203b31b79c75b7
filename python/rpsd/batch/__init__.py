# SPDX-License-Identifier: MIT
"""Many series: files in, files out, resumable."""
