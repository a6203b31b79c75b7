# SPDX-License-Identifier: MIT
"""What alembic runs: the revisions, on the connection that `Database.upgrade` has."""

from alembic import context

from rpsd.service.store._schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
