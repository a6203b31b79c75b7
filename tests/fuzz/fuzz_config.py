# SPDX-License-Identifier: MIT
"""YAML as a configuration and as a grid: a ConfigError, or settings that written out are read again."""

import os
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["rpsd"]):
    import rpsd
    from rpsd._config_file import read_grid
    from rpsd._schema import fields

import contextlib

from target import fuzz

_PLACE = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None), "c.yaml")


def one(data):
    _PLACE.write_bytes(data)
    with contextlib.suppress(rpsd.ConfigError):
        read_grid(_PLACE, fields(rpsd.Options))
    try:
        config = rpsd.load_config(_PLACE, environ={})
    except (rpsd.ConfigError, rpsd.InputError):
        return
    _PLACE.write_text(config.to_yaml())
    assert rpsd.load_config(_PLACE, environ={}) == config


fuzz(one)
