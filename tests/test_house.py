# SPDX-License-Identifier: MIT
"""The architecture keeps itself: names, imports, versions and sizes."""

import ast
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import rpsd

PACKAGE = Path(rpsd.__file__).parent
ROOT = Path(__file__).parent.parent

# What each module of the package may import from the package, lowest first (docs/architecture.md).
LAYERS = [
    {"_core", "_errors", "_pandas", "_text"},
    {"_arrow_forms", "_audit", "_breaks", "_decimals", "_folds", "_prices", "_repeats", "_taps"},
    {"_schema", "_scores"},
    {"_guardrails", "_sections", "_test_signals"},
    {"_options"},
    {"_config_file", "_grid"},
    {"_config", "_mirror"},
    {"_result", "_ticks", "_unused", "_whiteness", "_windowed"},
    {"_stream", "_verify", "_vintages", "_wavelet"},
    {"_chain", "_modwt"},
    {"_judge"},
    {"_policy"},
    {"_denoiser"},
    {"_runs"},
    {"_api", "_info", "_simulate", "_tune"},
    {"__init__"},
    {"integrations", "report"},
    {"batch"},
    {"service"},
    {"cli"},
]


def test_exported_names_are_sorted_and_complete():
    assert list(rpsd.__all__) == sorted(rpsd.__all__)
    public = {name for name in dir(rpsd) if not name.startswith("_")} - {
        "batch",
        "cli",
        "integrations",
        "report",
        "service",
    }
    assert public | {"__version__"} == set(rpsd.__all__)


def test_every_exported_name_is_documented():
    for name in rpsd.__all__:
        if name != "__version__":
            assert getattr(rpsd, name).__doc__, name


def test_the_page_of_the_interface_lists_every_name_with_its_first_line():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.M))
    assert sorted(listed) == sorted(rpsd.__all__)
    for name in set(listed) - {"__version__"}:
        assert listed[name] == getattr(rpsd, name).__doc__.splitlines()[0].replace("``", "`")


def test_one_version():
    assert rpsd.__version__ == metadata.version("rpsd") == rpsd.build_info()["version"]


def test_the_build_names_its_commit():
    assert re.fullmatch("unknown|[0-9a-f]{40}(-dirty)?", rpsd.build_info()["git"])


def test_import_loads_numpy_and_nothing_heavier():
    code = (
        "import sys, json; old = set(sys.modules); import rpsd; print(json.dumps([*set(sys.modules) - old]))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in json.loads(run.stdout)}
    assert "numpy" in loaded
    assert not loaded & {
        "scipy",
        "pywt",
        "pandas",
        "matplotlib",
        "pyarrow",
        "rich",
        "click",
        "sklearn",
        "yaml",
        "asyncio",
    }


def test_modules_import_downwards_only():
    rank = {name: i for i, names in enumerate(LAYERS) for name in names}
    for path in PACKAGE.rglob("*.py"):
        here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "rpsd":
                parts = node.module.split(".")
                targets = [parts[1]] if len(parts) > 1 else ["__init__"]
                if node.module == "rpsd" and {a.name for a in node.names} <= rank.keys():
                    targets = [a.name for a in node.names]
                for target in targets:
                    lower = rank[target] < rank[here] or target == here
                    assert lower or _inside_function(path, node), f"{path.name} imports {node.module}"


def _inside_function(path, wanted):
    """An import that runs later may look sideways: a Denoiser loads the configuration at a path."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.lineno < wanted.lineno <= node.end_lineno:
            return True
    return False


@pytest.mark.parametrize("folder", ["python", "cpp", "tests", "bench"])
def test_files_stay_under_400_lines(folder):
    suffixes = {".py", ".pyi", ".cpp", ".hpp", ".inl"}
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, path
        assert "SPDX-License-Identifier: MIT" in text.splitlines()[0], path


def test_thread_memory_has_one_owner():
    """GCC for Windows breaks other thread_local objects (cpp/src/thread_memory.hpp)."""
    sources = [path for path in (ROOT / "cpp").rglob("*") if path.suffix in {".cpp", ".hpp", ".inl"}]
    owners = [path.name for path in sources if re.search(r"^\s*thread_local", path.read_text("utf-8"), re.M)]
    assert owners == ["thread_memory.hpp"]


def test_readme_example_runs(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    run = subprocess.run(
        [sys.executable, "-c", example], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    gain = float(re.search(r"gain (-?[\d.]+) dB", run.stdout).group(1))
    assert gain > 3


def test_docs_link_to_files_that_exist():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_docstring_examples_run():
    import doctest

    attempted = 0
    for path in sorted(PACKAGE.glob("_*.py")):
        name = "rpsd" if path.stem == "__init__" else f"rpsd.{path.stem}"
        result = doctest.testmod(__import__(name, fromlist=["_"]))
        assert result.failed == 0, name
        attempted += result.attempted
    assert attempted > 10


def test_quickstart_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    assert names["result"].report.passed
