# SPDX-License-Identifier: MIT
"""What the service keeps: a database, sealed where it must not be read, and its backups."""
