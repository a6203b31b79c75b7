# SPDX-License-Identifier: MIT
"""Quickstarts of data engineers and platform teams: what they say to type is typed, and does as they say."""

import re
import shlex
from pathlib import Path

import pytest
from batches import in_process
from command import own_home
from serving import server, start

from rpsd.cli import main

__all__ = ["in_process", "own_home", "server", "start"]
DOCS = Path(__file__).parent.parent / "docs"


def blocks(page):
    """Return kind and text of each block of a page."""
    return re.findall(r"^```(\w+)\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.M | re.S)


def commands(text):
    """Return the words of each command of rpsd, with the exit code that the page tells."""
    for line in text.splitlines():
        code = re.search(r"# .*?exits with (\d+)", line)
        words = shlex.split(line, comments=True)
        if words and words[0] == "rpsd":
            yield words[1:], int(code[1]) if code else 0


@pytest.mark.usefixtures("in_process")
def test_data_engineers(capsys):
    names = {}
    for kind, text in blocks("quickstart-batch.md"):
        if kind == "python":
            capsys.readouterr()
            exec(compile(text, "quickstart-batch.md", "exec"), names)
        elif kind == "text":
            assert [row.rstrip() for row in capsys.readouterr().out.splitlines()] == text.splitlines()
        else:
            for words, code in commands(text):
                assert main(words) == code, words
    assert "option lookahead: None (default) | 0 (command line --lookahead)" in capsys.readouterr().out


def asked(line, server):
    """Return the answer to a curl of the page."""
    words = shlex.split(line)[1:]
    path = words[0].removeprefix("http://localhost:8000")
    assert path != words[0]
    if len(words) == 1:
        return server.ask("GET", path)
    header, body = (words[words.index(option) + 1] for option in ("-H", "-d"))
    name, _, media = header.partition(": ")
    assert name == "Content-Type"
    return server.post(body.encode(), path, content_type=media)


def test_platform_teams(server, start, capsys):
    (config,) = (text for kind, text in blocks("quickstart-service.md") if kind == "yaml")
    Path("config.yaml").write_text(config, encoding="utf-8")
    shell = "".join(text for kind, text in blocks("quickstart-service.md") if kind == "sh")
    statuses = [asked(line, server).status for line in shell.splitlines() if line.startswith("curl ")]
    assert statuses == [200, 200, 200, 200, 422]
    assert shell.count("\nrpsd serve\n") == 1  # the server of this test
    here = shell.replace("localhost:8000", f"127.0.0.1:{server.port}").replace(" > desk.key", "")
    for words, code in commands(here.replace("\nrpsd serve\n", "\n")):
        if words[:2] == ["serve", "--config"]:
            answer = start(*words[1:]).post({"values": [1.0, 2.0]})
            assert (answer.status, answer.json["lookahead"]) == (200, 0)
        else:
            assert main(words) == code, words
    assert re.search(r"^rpsd_\w+$", capsys.readouterr().out, re.M)  # the key
