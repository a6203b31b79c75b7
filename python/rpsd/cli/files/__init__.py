# SPDX-License-Identifier: MIT
"""Files in and out of the commands: CSV and Parquet read whole, written all or none."""

from rpsd.cli.files._choose import choose_columns
from rpsd.cli.files._table import Table, read_numbers, read_table, read_times, same_format
from rpsd.cli.files._times import Times
from rpsd.cli.files._write import Outputs, check_writable

__all__ = [
    "Outputs",
    "Table",
    "Times",
    "check_writable",
    "choose_columns",
    "read_numbers",
    "read_table",
    "read_times",
    "same_format",
]
