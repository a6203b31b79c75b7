# SPDX-License-Identifier: MIT
"""Bytes as CSV: rpsd's own error, or a table whose plain numbers are those that csv and float read."""

import csv
import os
import re
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["rpsd.batch.files"]):
    import rpsd
    from rpsd.batch.files._numbers import BadCell
    from rpsd.batch.files._source import read_table

from target import fuzz

#: What needs no guess: names, then numbers, as many in each row.
_PLAIN = re.compile(rb"a,b\n(?:-?[0-9]{1,9}\.[0-9]{1,9},-?[0-9]{1,9}\.[0-9]{1,9}\n)+")
_PLACE = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None), "c.csv")


def one(data):
    _PLACE.write_bytes(data)
    try:
        table = read_table(str(_PLACE))
    except rpsd.RpsdError:
        return
    plain = list(csv.reader(data.decode().splitlines())) if _PLAIN.fullmatch(data) else None
    for column in range(len(table.columns)):
        table.looks_like_time(column)
        try:
            read = table.numbers(column)
        except (rpsd.RpsdError, BadCell):  # of which callers tell the row
            continue
        assert len(read) == table.rows
        if plain is not None:
            assert read.tolist() == [float(row[column]) for row in plain[1:]]


fuzz(one)
