# SPDX-License-Identifier: MIT
"""What contributors are told: commands and places that exist, forms of issues, hooks without a network."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FORMS = [
    path for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.stem != "config"
]


def sessions():
    """Return the names of nox's sessions."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}


def test_the_sessions_of_nox_are_those_that_are_told():
    assert set(re.findall(r"nox -s (\w+)", PAGE)) == sessions()
    told = re.search(r"nox -s (.*)\.\"", (ROOT / "noxfile.py").read_text("utf-8"))[1]
    assert set(told.split(" | ")) == sessions()


def test_places_that_are_told_exist():
    table = PAGE.partition("| to add | touch |")[2].partition("\n\n")[0]
    text = table + PAGE.partition("```sh")[2].partition("```")[0]
    places = set(re.findall(r"[\w.-]+(?:/[\w.-]+)+|\b[A-Z]+\.md|\b\w+\.toml", text))
    places = {place.rstrip(".") for place in places if not place.startswith((".venv", "build"))}
    assert len(places) > 20
    for place in places:
        assert (ROOT / place).exists(), place


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms_of_issues(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form.keys() == {"name", "description", "labels", "body"}
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    ids = [part["id"] for part in asked]
    assert len(ids) == len(set(ids))
    assert any(part.get("validations", {}).get("required") for part in asked)
    for part in form["body"]:
        needed = {"markdown": {"value"}, "textarea": {"label"}, "dropdown": {"label", "options"}}
        assert needed[part["type"]] <= part["attributes"].keys()


def test_the_template_of_pull_requests_names_sessions_that_exist():
    text = (ROOT / ".github" / "pull_request_template.md").read_text(encoding="utf-8")
    named = {name for names in re.findall(r"nox -s ([\w ]+)", text) for name in names.split()}
    assert named
    assert named <= sessions()


def test_hooks_fetch_nothing():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lint = {re.match(r"[\w-]+", requirement)[0] for requirement in project["optional-dependencies"]["lint"]}
    programs = lint | {"bash", "git"}
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].split()[0] in programs
