# SPDX-License-Identifier: MIT
"""docs/cookbook.md: each of its twelve recipes runs as it stands, and what it asserts holds."""

import re
from pathlib import Path

import pytest
from command import own_home
from serving import server

__all__ = ["own_home", "server"]
PAGE = (Path(__file__).parent.parent / "docs" / "cookbook.md").read_text(encoding="utf-8")
RECIPES = {
    int(number): (title, re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    for number, title, text in re.findall(r"^## (\d+)\. (.+)\n((?:(?!^## ).*\n?)*)", PAGE, re.MULTILINE)
}
SERVICE = 12


def run(number, code):
    exec(compile(code, f"cookbook.md, recipe {number}", "exec"), {"__name__": f"recipe_{number}"})


def test_there_are_twelve_of_one_block_each():
    assert list(RECIPES) == list(range(1, 13))
    for title, blocks in RECIPES.values():
        assert len(blocks) == 1, title
        assert re.search(r"^ *(assert|np\.testing\.)", blocks[0], re.MULTILINE), title


@pytest.mark.parametrize("number", sorted(RECIPES.keys() - {SERVICE}))
def test_recipe(number):
    _, (code,) = RECIPES[number]
    assert "localhost" not in code
    run(number, code)


def test_recipe_of_the_service(server):
    _, (code,) = RECIPES[SERVICE]
    assert code.count("localhost:8000") == 1
    run(SERVICE, code.replace("localhost:8000", f"127.0.0.1:{server.port}"))
