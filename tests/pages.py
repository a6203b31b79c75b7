# SPDX-License-Identifier: MIT
"""What pages of documentation lead to: files, headings, tests."""

import ast
import re
from functools import cache


def links(page):
    """Return text and target of every link that stays in the repository."""
    found = re.findall(r"\[([^\]]+)\]\(([^)\s]+)\)", page.read_text("utf-8"))
    return [(text, target) for text, target in found if not re.match(r"\w+:", target)]


@cache
def anchors(path):
    """Return the anchors of a page's headings, as GitHub makes them."""
    made = [
        re.sub(r"[^\w\- ]", "", line).strip()
        for line in re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.M)
    ]
    return {line.lower().replace(" ", "-") for line in made}


def dead_links(page):
    """Return the targets that are not there: no file, or no heading in it."""
    dead = []
    for _, target in links(page):
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(target)
    return dead


@cache
def functions(path):
    """Return the names of a module's functions; none where there is no module."""
    if not path.exists():
        return set()
    return {
        node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)
    }


def missing_tests(page):
    """Return the tests that a page names and that are not in the file to which the name leads."""
    named = [
        (target, text.strip("`"))
        for text, target in links(page)
        if re.search(r"(?:^|/)tests/test_\w+\.py$", target)
    ]
    assert named
    return [
        f"{target}: {name}"
        for target, name in named
        if name != target.rpartition("/")[2].removesuffix(".py")
        and name not in functions((page.parent / target).resolve())
    ]
