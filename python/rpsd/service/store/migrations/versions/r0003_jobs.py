# SPDX-License-Identifier: MIT
"""Samples and bytes of jobs, and an index that finds the next one of each tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns, and replace an index."""
    for name in ("points", "bytes"):
        op.add_column("jobs", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.drop_index("jobs_by_status", "jobs")
    op.create_index("jobs_by_turn", "jobs", ["status", "tenant", "created"])
