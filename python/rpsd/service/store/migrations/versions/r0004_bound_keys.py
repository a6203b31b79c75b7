# SPDX-License-Identifier: MIT
"""API keys are bound, row by row, and data keys sealed anew: they tell that rows are bound.

Who writes the database could else say that it has the schema before, and have what he wrote bound.
"""

import sqlalchemy as sa
from alembic import context, op

from rpsd import StateError
from rpsd.service.store._bound import Binding
from rpsd.service.store._seal import Seal

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BOUND = (
    "id", "name", "tenant", "roles", "limits", "digest", "digest_before", "before_until", "created",
    "expires", "revoked",
)  # fmt: skip


def upgrade() -> None:
    """Add the column, seal the data keys anew, and bind the keys that there are."""
    op.add_column("api_keys", sa.Column("mac", sa.LargeBinary))
    connection, state_key = op.get_bind(), context.config.attributes["state_key"]
    data_keys = sa.table("data_keys", sa.column("number"), sa.column("wrapped", sa.LargeBinary))
    opened = {}
    for number, wrapped in connection.execute(sa.select(data_keys)).all():
        opened[number] = state_key.unwrap_unbound(wrapped, number)
        connection.execute(
            data_keys.update()
            .where(data_keys.c.number == number)
            .values(wrapped=state_key.wrap(opened[number], number))
        )
    digests = {"digest", "digest_before", "mac"}
    columns = [sa.column(name, sa.LargeBinary if name in digests else None) for name in (*_BOUND, "mac")]
    api_keys = sa.table("api_keys", *columns)
    rows = connection.execute(sa.select(*columns[:-1])).all()
    if rows and not opened:
        raise StateError("the database has lost its data keys; restore a backup into an empty one")
    for row in rows:
        binding = Binding(Seal(opened), "api_keys")
        connection.execute(api_keys.update().where(api_keys.c.id == row.id).values(mac=binding.mac(row)))
