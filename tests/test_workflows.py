# SPDX-License-Identifier: MIT
"""The workflows and the configuration of wheels, as far as can be told without a runner (decisions/0018)."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WHEELS = PROJECT["tool"]["cibuildwheel"]
PYTHONS = ("cp311", "cp312", "cp313", "cp314", "cp314t")
PLATFORMS = {
    ("linux", "x86_64"): ("manylinux_x86_64", "musllinux_x86_64"),
    ("linux", "aarch64"): ("manylinux_aarch64", "musllinux_aarch64"),
    ("macos", "arm64"): ("macosx_arm64",),
    ("macos", "x86_64"): ("macosx_x86_64",),
    ("windows", "AMD64"): ("win_amd64",),
}


def test_there_are_workflows():
    names = {path.stem for path in WORKFLOWS}
    assert names == {"ci", "wheels", "nightly", "codeql", "scorecard"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_hash_beside_their_version(path):
    uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_a_hash_has_one_version():
    pins = set()
    for path in WORKFLOWS:
        pins |= set(re.findall(r"uses: ([\w-]+/[\w-]+)\S*@(\w+) # (\S+)", path.read_text(encoding="utf-8")))
    assert len({name for name, *_ in pins}) == len(pins)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_ask_for_what_they_need_and_end(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 350, name
        assert job["permissions"]["contents"] == "read", name
        writes = {key for key, value in job["permissions"].items() if value == "write"}
        expected = {"publish": {"attestations", "id-token"}}.get(name, writes & {"security-events"})
        assert writes == expected, name
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name


def test_only_a_tag_is_published_and_by_no_token():
    text = (ROOT / ".github" / "workflows" / "wheels.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)["jobs"]["publish"]
    assert job["if"] == "github.event_name == 'push' && github.ref_type == 'tag'"
    assert job["environment"]["name"] == "pypi"
    assert "secrets." not in text


def test_scripts_of_the_workflows_are_there():
    for path in WORKFLOWS:
        for script in re.findall(r"(?:bash |run: )(\.ci/\w+)", path.read_text(encoding="utf-8")):
            assert (ROOT / script).is_file(), f"{path.name}: {script}"


def test_floors_of_systems():
    assert {WHEELS["linux"][f"manylinux-{arch}-image"] for arch in ("x86_64", "aarch64")} == {
        "manylinux_2_28"
    }
    assert WHEELS["macos"]["environment"]["MACOSX_DEPLOYMENT_TARGET"] == "12.0"
    assert "FLOOR=2.28" in (ROOT / ".ci" / "wheel").read_text(encoding="utf-8")


def test_what_is_tested_in_a_wheel_is_there():
    for line in (ROOT / "tests" / "wheel.txt").read_text(encoding="utf-8").splitlines():
        file, _, function = line.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not function or f"\ndef {function}(" in text, line


def ok(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_zizmor_finds_nothing():
    assert "No findings" in ok("zizmor", "--offline", "--no-progress", ".github")


@pytest.mark.slow
def test_schemas_of_workflows_and_of_dependabot():
    check = ("check-jsonschema", "--builtin-schema")
    ok(*check, "vendor.github-workflows", *map(str, WORKFLOWS))
    ok(*check, "vendor.dependabot", ".github/dependabot.yml")


@pytest.mark.slow
def test_what_cibuildwheel_would_build():
    for (platform, arch), tags in PLATFORMS.items():
        selected = ("--platform", platform, "--archs", arch)
        said = ok("cibuildwheel", "--print-build-identifiers", *selected)
        found = set(re.findall(r"^cp\S+$", said, re.M))
        assert found == {f"{python}-{tag}" for python in PYTHONS for tag in tags}
