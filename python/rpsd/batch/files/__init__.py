# SPDX-License-Identifier: MIT
"""Files in and out: CSV and Parquet read whole, written all or none."""

from rpsd.batch.files._choose import TIME_NAMES, VALUE_NAMES, choose_columns, find_column, listed
from rpsd.batch.files._numbers import MISSING, why_infinite, why_mixed, why_no_number, write_numbers
from rpsd.batch.files._split import check_is_header, check_is_no_other_format, column_name, find_delimiter
from rpsd.batch.files._table import Table, read_numbers, read_table, read_times, same_format
from rpsd.batch.files._times import Times
from rpsd.batch.files._write import Outputs, check_writable

__all__ = [
    "MISSING",
    "TIME_NAMES",
    "VALUE_NAMES",
    "Outputs",
    "Table",
    "Times",
    "check_is_header",
    "check_is_no_other_format",
    "check_writable",
    "choose_columns",
    "column_name",
    "find_column",
    "find_delimiter",
    "listed",
    "read_numbers",
    "read_table",
    "read_times",
    "same_format",
    "why_infinite",
    "why_mixed",
    "why_no_number",
    "write_numbers",
]
