# SPDX-License-Identifier: MIT
"""The image of the Dockerfile, built by buildah on a base of Debian's own packages, and run.

No registry is asked: debootstrap makes the base. buildah's chroot isolation has neither read-only roots nor
health checks, so that the service is run in the image's files by bubblewrap, as the image says.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from serving import free_port, wait_until

import rpsd

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
CONTAINER = ROOT / "deploy" / "container"
#: What python:3.13-slim has of what the build needs, by Debian's names.
PACKAGES = "ca-certificates,python3-dev,python3-pip,python3-venv,python-is-python3"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def ok(*command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


class Image:
    """The image in a store of its own: what it says of itself, and its files."""

    def __init__(self, work):
        self._work = work
        self._buildah = [
            "buildah",
            "--root",
            work / "store",
            "--runroot",
            work / "run",
            "--storage-driver",
            "vfs",
        ]
        base = work / "base"
        ok("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", base)
        # What this machine trusts, as the base of a company would have it.
        shutil.copy(Path("/") / CERTIFICATES, base / CERTIFICATES)
        container = self.buildah("from", "scratch").strip()
        self.buildah("copy", "-q", container, base, "/")
        self.buildah("commit", "-q", container, "rpsd-base")
        self.buildah("rm", container)
        shutil.rmtree(base)
        self.buildah(
            "bud", "-q", "--isolation", "chroot", "--format", "docker", "-t", "rpsd", "--build-arg",
            "BASE=localhost/rpsd-base", "--build-arg", "REVISION=tested", "-f", CONTAINER / "Dockerfile",
            "--ignorefile", CONTAINER / "Dockerfile.dockerignore", ROOT,
        )  # fmt: skip
        self.container = self.buildah("from", "rpsd").strip()
        self.config = json.loads(self.buildah("inspect", "--type", "image", "rpsd"))["Docker"]["config"]
        self.files = Path(self.buildah("mount", self.container).strip())

    def buildah(self, *command):
        return ok(*self._buildah, *command)

    def run(self, *command):
        """Run a command in the image, by buildah."""
        return self.buildah("run", "--isolation", "chroot", self.container, "--", *command)

    def sandboxed(self, state, *command, **variables):
        """Return a command over a read-only root, by the user and with the environment of the image."""
        user, group = self.config["User"].split(":")
        environ = dict(one.split("=", 1) for one in self.config["Env"]) | variables
        return [
            "bwrap", "--ro-bind", self.files, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
            "--bind", state, "/var/lib/rpsd", "--tmpfs", "/var/cache/rpsd", "--unshare-user", "--uid", user,
            "--gid", group, "--die-with-parent", "--clearenv",
            *(word for name, value in environ.items() for word in ("--setenv", name, value)),
            "--chdir", self.config["WorkingDir"], *command,
        ]  # fmt: skip

    def remove(self):
        self.buildah("umount", self.container)
        self.buildah("rm", "--all")
        self.buildah("rmi", "--all", "--force")
        shutil.rmtree(self._work)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    made = Image(tmp_path_factory.mktemp("image"))
    yield made
    made.remove()


def test_the_image_runs(image):
    assert image.run("rpsd", "--version").split()[-1] == rpsd.__version__
    assert image.run("id", "-u").strip() == "10001"
    assert "ok" in image.run("rpsd", "doctor")


def test_the_image_says_what_it_is(image):
    config = image.config
    assert config["User"] == "10001:10001"
    assert config["Cmd"] == ["rpsd", "serve"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", "rpsd", "healthcheck"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config["Labels"].items()}
    assert (labels["version"], labels["revision"]) == (rpsd.__version__, "tested")


def test_nothing_is_in_it_that_built_it_or_raises_rights(image):
    assert list((image.files / "opt/rpsd").rglob("pip")) == []
    assert not (image.files / "usr/bin/g++").exists()
    assert not (image.files / "src").exists()
    for path in (image.files / "opt").rglob("*"):
        assert not path.lstat().st_mode & 0o6022 or path.is_symlink(), path
    for place in ("var/lib/rpsd", "var/cache/rpsd"):
        found = (image.files / place).stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (10001, 10001, 0o700)


def test_the_service_answers_over_a_read_only_root(image, tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    state, port = tmp_path / "state", free_port()
    variables = {"RPSD_PLAIN_HTTP": "true", "RPSD_METRICS_PORT": str(port), "RPSD_DRAIN_DELAY": "0"}
    done = subprocess.run(
        image.sandboxed(state, "touch", "/opt/x", "/etc/x"), capture_output=True, check=False
    )
    assert done.stderr.count(b"Read-only file system") == 2
    # Others may reach it: without anybody who can prove who he is it does not start.
    refused = subprocess.run(
        image.sandboxed(state, *image.config["Cmd"], **variables), capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2, refused.stderr
    assert "credentials" in refused.stderr
    key = ok(*image.sandboxed(state, "rpsd", "keys", "create", "a", "--role", "user")).strip()
    process = subprocess.Popen(
        image.sandboxed(state, *image.config["Cmd"], **variables), stderr=subprocess.PIPE
    )
    try:
        wait_until(lambda: process.poll() is not None or listens(port), patience=300)
        check = [*image.config["Healthcheck"]["Test"][1:], f"http://127.0.0.1:{port}"]
        ok(*image.sandboxed(state, *check))
        assert ask(port, "GET", "/health/live") == (200, {"status": "alive"})
        assert ask(port, "POST", "/v1/denoise")[0] == 401
        status, content = ask(port, "POST", "/v1/denoise", key)
        assert (status, len(content["values"])) == (200, 3)
        (child,) = map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
        os.kill(child, signal.SIGTERM)
        assert process.wait(45) == 0
    finally:
        process.kill()
        process.communicate()


def listens(port):
    with contextlib.suppress(OSError):
        return ask(port, "GET", "/health/ready")[0] == 200
    return False


def ask(port, method, path, key=None):
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=45)) as connection:
        body = json.dumps({"values": [100.1, 100.3, 100.2]}) if method == "POST" else None
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
