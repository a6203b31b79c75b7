# SPDX-License-Identifier: MIT
"""The pages of docs/: their examples run, their links lead somewhere, and what they name exists."""

import http.client
import importlib
import re
import warnings
from pathlib import Path

import pytest
from command import own_home
from serving import server

import rpsd
from rpsd import _config
from rpsd._config import SECTIONS
from rpsd._schema import fields

__all__ = ["own_home", "server"]
ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
ROOT_PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ".github/pull_request_template.md"]

#: Pages with examples, and the file of tests that runs them.
RUN_BY = {
    "batch.md": "test_docs_examples",
    "causality.md": "test_causality_page",
    "cells.md": "test_docs_examples",
    "config.md": "test_config",
    "cookbook.md": "test_cookbook",
    "guardrails.md": "test_docs_examples",
    "integrations.md": "test_sklearn",
    "method.md": "test_docs_examples",
    "plots.md": "test_docs_examples",
    "quickstart.md": "test_house",
    "quickstart-batch.md": "test_quickstarts",
    "service.md": "test_docs_examples",
    "tuning.md": "test_tuning_page",
}


def text_of(page):
    return (DOCS / page).read_text(encoding="utf-8")


def examples(page):
    return re.findall(r"^```python\n(.*?)^```", text_of(page), re.M | re.S)


def test_every_example_is_run_by_a_test():
    assert {page for page in PAGES if examples(page)} == set(RUN_BY)
    for page, name in RUN_BY.items():
        tests = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
        assert page in tests or f'"{page.removesuffix(".md")}"' in tests, page


@pytest.mark.parametrize("page", ["cells.md", "guardrails.md", "method.md", "plots.md"])
def test_examples_run_and_print_what_the_page_shows(page, capsys):
    names = {}
    for code in examples(page):
        exec(compile(code, page, "exec"), names)
    shown = re.findall(r"^```python\n.*?^```\n\n```text\n(.*?)^```", text_of(page), re.M | re.S)
    assert capsys.readouterr().out == "".join(shown)


@pytest.mark.parametrize("number", range(3))
def test_examples_of_the_service_run(server, number, capsys):
    code = examples("service.md")[number]
    places = re.findall(r'"localhost", 8000|localhost:8000', code)
    assert len(places) == 1
    ours = places[0].replace("localhost", "127.0.0.1").replace("8000", str(server.port))
    names = {}
    exec(compile(code.replace(places[0], ours), "service.md", "exec"), names)
    for connection in names.values():
        if isinstance(connection, http.client.HTTPConnection) or hasattr(connection, "infer"):
            connection.close()
    assert "100.1" in capsys.readouterr().out


def test_the_example_of_dask_runs(tmp_path):
    import distributed

    (tmp_path / "bars").mkdir()
    prices = rpsd.simulate("a", 100, seed=1, nsr=1.0).noisy.tolist()
    (tmp_path / "bars" / "day.csv").write_text("symbol,px\n" + "".join(f"A,{price!r}\n" for price in prices))
    (code,) = examples("batch.md")
    for place, ours in {'"10.0.0.5:8786"': "cluster", "/data/": f"{tmp_path.as_posix()}/"}.items():
        assert place in code
        code = code.replace(place, ours)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ports and of the machine's memory
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster:
            names = {"cluster": cluster}
            exec(compile(code, "batch.md", "exec"), names)
            names["client"].close()
    assert (tmp_path / "smooth" / "day.csv").exists()
    assert (tmp_path / "smooth" / "_rpsd" / "manifest.parquet").exists()


def anchors(path):
    """Return the anchors of a page, as GitHub and mkdocs.yml make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    found = set()
    for title in re.findall(r"^#+ (.+)$", text, re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        found.add(next(one for one in (name, *(f"{name}-{k}" for k in range(1, 99))) if one not in found))
    return found


@pytest.mark.parametrize("page", [f"docs/{page}" for page in PAGES] + ROOT_PAGES)
def test_links_lead_to_pages_and_anchors_that_exist(page):
    path = ROOT / page
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", text):
        target = path.parent / link if link else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), f"{link}#{anchor}"


def test_every_page_is_in_the_index():
    linked = set(re.findall(r"\]\(([\w/.-]+\.md)\)", text_of("index.md")))
    for folder in ("operations", "decisions"):
        linked |= {
            f"{folder}/{name}" for name in re.findall(r"\]\((\w[\w.-]*\.md)\)", text_of(f"{folder}/index.md"))
        }
    assert set(PAGES) - linked == {"index.md"}


def test_tests_that_pages_name_exist():
    named = 0
    for page in PAGES:
        for name, link in re.findall(r"\[`(test_\w+)`\]\(([^)]+\.py)\)", text_of(page)):
            path = (DOCS / page).parent / link
            if name != path.stem:
                assert re.search(rf"^def {name}\(", path.read_text(encoding="utf-8"), re.M), name
                named += 1
    assert named > 15


def known(path):
    """Tell whether a dotted name of rpsd exists; annotated fields count."""
    at = rpsd
    for part in path.split(".")[1:]:
        if not hasattr(at, part) and isinstance(at, type(rpsd)):
            try:
                importlib.import_module(f"{at.__name__}.{part}")
            except ImportError:
                return False
        if hasattr(at, part):
            at = getattr(at, part)
        else:
            return part in getattr(at, "__annotations__", {})
    return True


def test_the_pages_name_the_variables_that_there_are():
    schema = {field.variable for settings in SECTIONS.values() for field in fields(settings).values()}
    every = schema | set(_config._OTHER_VARIABLES)
    for page in PAGES:
        for name in re.findall(r"\bRPSD_[A-Z0-9_]*[A-Z0-9]\b", text_of(page)):
            assert name in every or _config._is_service_link(name, ""), f"{page}: {name}"
    environment = text_of("config.md").partition("## The environment")[2].partition("\n## ")[0]
    assert set(_config._OTHER_VARIABLES) <= set(re.findall(r"`(RPSD_\w+)`", environment))


@pytest.mark.parametrize("page", PAGES)
def test_names_of_the_interface_exist(page):
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S)
    classes = "Denoiser|Result|Report|Check|Stream|Health|LeakReport|Vintages|NoiseModel|Tuned|Verification"
    for code in (code for line in text.splitlines() for code in line.split("`")[1::2]):
        for name in re.findall(rf"^(?:rpsd\.(?!example)[A-Za-z_.]+|(?:{classes})\.[a-z_]+)", code):
            path = (name if name.startswith("rpsd.") else f"rpsd.{name}").rstrip(".")
            if not re.search(r"\.(key|crt|whl|example|state|json|yaml|yml|conf|service|slice)$", path):
                assert known(path), name
