# SPDX-License-Identifier: MIT
"""What runbooks tell people to type, ask and look at is there."""

import json
import re
import shlex

import click
import pytest
from promql import ROOT, scraped
from serving import server

from rpsd._config import SECTIONS
from rpsd._schema import fields
from rpsd.cli._app import _cli

__all__ = ["server"]
PAGES = sorted((ROOT / "docs" / "operations").glob("*.md"))
TEXT = "\n".join(page.read_text("utf-8") for page in PAGES)
#: What is a link is a file or a test, and leads there (test_house, test_coverage_page).
CODE = re.findall(r"(?<![`\[])`([^`\n]+)`(?!`)", TEXT) + [
    line.removeprefix("$ ")
    for block in re.findall(r"```(?:bash|console)\n(.*?)```", TEXT, re.S)
    for line in block.splitlines()
]
#: Words that are neither settings nor metrics: of the log, of Prometheus, of other programs.
OTHERS = {"user_id", "data_size", "processing_time", "request_id", "pg_isready", "s_client", "noise_sd"}


def commands():
    found = [re.sub(r"^(?:[A-Z_]+=\S+ )+", "", text).split(" # ")[0].rstrip(" &") for text in CODE]
    return [shlex.split(text) for text in sorted(set(found)) if re.match(r"rpsd( |$)", text)]


def test_there_are_commands():
    names = {" ".join(words[1:2]) for words in commands()}
    assert names >= {
        "smoke",
        "doctor",
        "keys",
        "audit-log",
        "backup",
        "restore",
        "config",
        "state",
        "verify",
        "compare",
    }


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_and_their_options_are_those_of_rpsd(words):
    group, rest = _cli, words[1:]
    context = click.Context(group)
    while isinstance(group, click.Group) and rest and not rest[0].startswith("-"):
        group = group.get_command(context, rest[0])
        assert group is not None, words
        rest = rest[1:]
    options = {name for parameter in group.params for name in parameter.opts} | {"--version", "--help"}
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= options, words


def test_addresses_are_those_of_the_service():
    document = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    asked = {path for text in CODE for path in re.findall(r"(?:\$RPSD|localhost:8000)(/[\w/-]+)", text)}
    assert len(asked) > 3
    assert asked <= document["paths"].keys()


def test_words_with_underscores_are_settings_or_metrics(server):
    known = (
        {key for settings in SECTIONS.values() for key in fields(settings)} | scraped(server).keys() | OTHERS
    )
    words = {
        word for text in CODE for word in re.findall(r"(?<![\w./:$-])[a-z]+(?:_[a-z]+)+\b(?![/(])", text)
    }
    assert len(words) > 30
    assert words <= known
