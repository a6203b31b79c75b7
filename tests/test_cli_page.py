# SPDX-License-Identifier: MIT
"""What the pages say to type exists, and what exists is on the pages."""

import re
from pathlib import Path

import click
import pytest
from scripts import loaded

from rpsd.cli import _app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OPTIONS = loaded(DOCS / "cli_options.py")
COMMANDS = dict(OPTIONS.commands(_app._cli))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def typed(text):
    """Return each command of rpsd in the code of a page, as words."""
    fence = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
    blocks = "\n".join(body for kind, body in fence.findall(text) if kind in ("", "sh", "bash", "text"))
    lines = re.findall(r"(?:^|[\s|&])(rpsd .+)", blocks.replace("\\\n", " "))
    for line in fence.sub("", text).splitlines():
        lines += [code for code in line.split("`")[1::2] if code.startswith("rpsd ")]
    for line in lines:
        words = re.split(r"[|&;>]| < |  #|\.\.\.", line)[0]
        yield re.sub(r"[][()\"']", " ", words).split()


def command_of(words):
    for length in (3, 2):
        if (name := " ".join(words[:length])) in COMMANDS:
            return COMMANDS[name]
    return None


def options_of(command):
    named = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return named | {"--help", "-h"}


def test_the_page_of_options_is_what_the_commands_have():
    assert OPTIONS.page() == (DOCS / "cli-options.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", COMMANDS)
def test_the_page_of_options_is_the_help(words):
    """By the help as it is printed: another way to the same."""
    context = click.Context(COMMANDS[words], info_name=words, max_content_width=9999, terminal_width=9999)
    option = re.compile(r"^(?:  |\| `)(?:-\w, )?(--[\w-]+)", re.M)
    printed = set(option.findall(COMMANDS[words].get_help(context))) - {"--help"}
    page = (DOCS / "cli-options.md").read_text("utf-8")
    part = page.partition(f"## {words}\n")[2].partition("\n## ")[0]
    told = set(option.findall(part))
    for section, named in re.findall(r"^- Settings of \[`(\w+)`\]\S+ (.*)\.$", part, re.M):
        keys = OPTIONS.fields(OPTIONS.SECTIONS[section])
        names = {f"--{key.replace('_', '-')}" for key in keys}
        told |= {name for name in names if named == "all" or f"`{name}`" in named}
    assert printed == told


def test_the_page_has_every_command_and_no_other():
    table = (DOCS / "cli.md").read_text("utf-8").partition("| command | does |")[2].partition("\n\n")[0]
    listed = set()
    for cell in re.findall(r"^\| (`rpsd .*?) \|", table, re.M):
        first, *others = re.findall(r"`([^`]+)`", cell)
        words = first.split()
        group = words[:2] if " ".join(words[:2]) not in COMMANDS and words[1] != "--version" else words[:1]
        listed.add(" ".join([*group, words[len(group)]]))
        listed |= {" ".join([*group, other.split()[0]]) for other in others}
    assert listed - {"rpsd --version"} == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_on_the_pages_exist(page):
    for words in typed(page.read_text(encoding="utf-8")):
        if not re.fullmatch(r"[a-z][a-z-]*", words[1]):
            continue  # COMMAND, a version, another sentence about it
        group = {" ".join(name.split()[:2]) for name in COMMANDS}
        assert " ".join(words[:2]) in group, words
        command = command_of(words)
        assert command or len(words) == 2, words  # a group by itself is no command
        if command:
            given = {word.partition("=")[0].rstrip(",.") for word in words if re.match(r"--?[a-z]", word)}
            assert given <= options_of(command), words


def test_every_option_of_a_command_is_told_of_in_words():
    """On the pages that are written by hand; settings are on that of the configuration."""
    text = "\n".join(page.read_text("utf-8") for page in PAGES if page.name != "cli-options.md")
    for words, command in COMMANDS.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and "__" not in parameter.name:
                assert any(re.search(rf"{name}\b", text) for name in parameter.opts), (words, parameter.opts)
