# SPDX-License-Identifier: MIT
"""Files in and out: CSV, Parquet and Arrow, whole or piece by piece, written all or none."""

from rpsd.batch.files._choose import TIME_NAMES, VALUE_NAMES, choose_columns, find_column, listed, passed_over
from rpsd.batch.files._formats import ARROW_SUFFIXES, PARQUET_SUFFIXES, Format, format_of
from rpsd.batch.files._numbers import MISSING, why_infinite, why_mixed, why_no_number, write_numbers
from rpsd.batch.files._sink import open_sink, written
from rpsd.batch.files._source import LEAST_ROWS, MOST_HELD, Source, open_source, read_table, read_whole
from rpsd.batch.files._split import check_is_header, check_is_no_other_format, column_name, find_delimiter
from rpsd.batch.files._table import Table, read_numbers, read_times
from rpsd.batch.files._times import Times
from rpsd.batch.files._write import Outputs, check_writable, temporaries, temporary_name

__all__ = [
    "ARROW_SUFFIXES",
    "LEAST_ROWS",
    "MISSING",
    "MOST_HELD",
    "PARQUET_SUFFIXES",
    "TIME_NAMES",
    "VALUE_NAMES",
    "Format",
    "Outputs",
    "Source",
    "Table",
    "Times",
    "check_is_header",
    "check_is_no_other_format",
    "check_writable",
    "choose_columns",
    "column_name",
    "find_column",
    "find_delimiter",
    "format_of",
    "listed",
    "open_sink",
    "open_source",
    "passed_over",
    "read_numbers",
    "read_table",
    "read_times",
    "read_whole",
    "temporaries",
    "temporary_name",
    "why_infinite",
    "why_mixed",
    "why_no_number",
    "write_numbers",
    "written",
]
