# SPDX-License-Identifier: MIT
"""Revisions of the schema, for alembic.

A new one is a file in ``versions`` whose ``down_revision`` is the last; what has been released never changes.
"""
