# SPDX-License-Identifier: MIT
"""Write docs/cli-options.md from the commands themselves: python docs/cli_options.py."""

from pathlib import Path

import click

from rpsd._config import SECTIONS
from rpsd._schema import fields
from rpsd.cli._app import _cli

HEAD = """\
# Every option of every command

Written by `python docs/cli_options.py` from what `rpsd COMMAND --help` prints; a test holds it against that.
What commands do is on the page of the [command line](cli.md). Options that are settings under their own
names (`--fir-cutoff` is `fir_cutoff`) are described in [configuration](config.md), and only named here.
"""


def commands(command: click.Command, words: str = "rpsd") -> list[tuple[str, click.Command]]:
    """Return each command that does something with the words that call it, in the order of the help."""
    if not isinstance(command, click.Group):
        return [(words, command)]
    context = click.Context(command)
    below = ((name, command.get_command(context, name)) for name in command.list_commands(context))
    return [found for name, one in below if one for found in commands(one, f"{words} {name}")]


def described(words: str, command: click.Command) -> list[str]:
    """Return the part of the page on one command."""
    context = click.Context(command, info_name=words)
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    rows, settings = [], {}
    for parameter in command.params:
        section, separated, key = parameter.name.partition("__")
        if separated:
            settings.setdefault(section, []).append(key)
        elif isinstance(parameter, click.Option):
            name, told = (text.replace("|", ", ") for text in parameter.get_help_record(context))
            rows.append(f"| `{name}` | {' '.join(told.split())} |")
    lines = [f"## {words}", "", f"`{usage}`", "", command.get_short_help_str(1000), ""]
    if rows:
        lines += ["| option | is |", "| --- | --- |", *rows, ""]
    for section, keys in settings.items():
        every = keys == list(fields(SECTIONS[section]))
        named = "all" if every else ", ".join(f"`--{key.replace('_', '-')}`" for key in keys)
        lines.append(f"- Settings of [`{section}`](config.md#{section}): {named}.")
    return [*lines, ""] if settings else lines


def page() -> str:
    """Return the page."""
    parts = [described(words, command) for words, command in commands(_cli)]
    return "\n".join([HEAD, *(line for part in parts for line in part)]).rstrip() + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "cli-options.md").write_text(page(), encoding="utf-8")
