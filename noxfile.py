# SPDX-License-Identifier: MIT
"""The developer's verbs: nox -s tests | lint | docs | cpp | bench | quality."""

import nox

nox.options.sessions = ["lint", "tests", "cpp"]
nox.options.default_venv_backend = "venv"


@nox.session
def tests(session: nox.Session) -> None:
    """Run the Python suite against an installed build."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types, and that the stub of the compiled module tells the truth."""
    session.install(".[cli,lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("stubtest", "--allowlist", ".ci/stubtest-allowlist", "rpsd._core")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into build/site; a link that leads nowhere fails."""
    extras = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    session.install(*extras["docs"])
    session.run("mkdocs", "build", "--strict", *session.posargs)


@nox.session
@nox.parametrize("preset", ["dev", "threads", "asan", "tsan"])
def cpp(session: nox.Session, preset: str) -> None:
    """Build and run the C++ tests under a CMake preset."""
    session.install("cmake>=3.25")
    session.run("cmake", "--workflow", "--preset", preset)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure beside PyWavelets, SciPy and scikit-image, and write bench/RESULTS.md."""
    session.install(".[bench]")
    session.run("python", "bench/run.py", *session.posargs)


@nox.session
def quality(session: nox.Session) -> None:
    """Measure the gain on simulated prices beside the peers, and write bench/quality/RESULTS.md."""
    session.install(".[bench]")
    session.run("python", "bench/quality/run.py", *session.posargs)
