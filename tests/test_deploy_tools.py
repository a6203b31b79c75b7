# SPDX-License-Identifier: MIT
"""The files of deploy/ before the programs that they are for; .ci/run --full has these."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from serving import Server, free_port, wait_until

pytestmark = pytest.mark.slow
DEPLOY = Path(__file__).parents[1] / "deploy"
MAIN = "import sys, rpsd.cli; sys.exit(rpsd.cli.main())"


def run(*command, **more):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **more)


def ok(*command, **more):
    done = run(*command, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


UNITS = ("rpsd@.service", "rpsd-backup.service")


@pytest.mark.parametrize("unit", UNITS)
def test_units_are_hardened(unit, tmp_path):
    """Exposure of at most 1.5 of 10, where a unit without such lines has 9.6."""
    security = ("systemd-analyze", "security", "--offline=yes", "--threshold=15")
    ok(*security, DEPLOY / "systemd" / unit)
    text = (DEPLOY / "systemd" / unit).read_text()
    (tmp_path / unit).write_text(
        re.sub("^(SystemCallFilter|CapabilityBoundingSet).*\n", "", text, flags=re.M)
    )
    assert run(*security, tmp_path / unit).returncode == 1


def test_units_are_read_without_a_word(tmp_path):
    units = tmp_path / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    for path in (DEPLOY / "systemd").iterdir():
        shutil.copy(path, units / path.name.replace("@", "@8000"))
    for program in ("opt/rpsd/venv/bin/rpsd", "opt/rpsd/bin/backup.sh", "bin/kill"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / program).touch(0o755)
    shutil.copytree("/lib/systemd/system", tmp_path / "lib/systemd/system", symlinks=True)
    verify = ("systemd-analyze", "verify", f"--root={tmp_path}")
    names = ("rpsd@8000.service", "rpsd@8000.socket", "rpsd-backup.service", "rpsd-backup.timer")
    said = [line for line in ok(*verify, *names).splitlines() if "rpsd" in line]
    assert said == []
    with (units / "rpsd@8000.service").open("a") as unit:
        unit.write("[Service]\nWatchdogSecs=1\n")
    assert "WatchdogSecs" in ok(*verify, *names)


def test_systemd_hands_over_a_socket(tmp_path):
    port = free_port()
    command = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", f"--setenv=HOME={tmp_path}"]
    command += [
        f"--setenv={name}={os.environ[name]}" for name in ("PYTHONPATH", "PATH") if name in os.environ
    ]
    command += [sys.executable, "-c", MAIN, "serve", "--metrics-port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{port}"
        # What comes while it starts waits in the socket, and is answered.
        wait_until(
            lambda: (
                run(sys.executable, "-m", "rpsd.cli", "healthcheck", url, "--timeout", "45").returncode == 0
            )
        )
    finally:
        process.terminate()
        log = process.communicate(timeout=45)[1].decode()
    assert f"listens on 127.0.0.1:{port}" in log
    assert process.returncode == 0


#: Asked for and done without: SQLite's, of root alone; memory near a processor. Refused in the test too.
REFUSED = {"fchown", "mbind"}


def test_the_service_makes_only_calls_that_its_unit_allows(tmp_path):
    """strace tells what it calls, through a start, `rpsd smoke` and the end."""
    port, trace = free_port(), tmp_path / "trace"
    environ = {
        **os.environ,
        "HOME": str(tmp_path),
        "RPSD_STATE_DIR": str(tmp_path / "s"),
        "RPSD_DRAIN_DELAY": "0",
    }
    key = subprocess.run(
        [sys.executable, "-c", MAIN, "keys", "create", "a", "--role", "user"],
        env=environ, cwd=tmp_path, capture_output=True, check=True,
    ).stdout  # fmt: skip
    (tmp_path / "key").write_bytes(key)
    (tmp_path / "key").chmod(0o600)
    command = [
        "strace",
        "-f",
        "-qq",
        "-o",
        str(trace),
        sys.executable,
        "-c",
        MAIN,
        "serve",
        "--metrics-port",
        str(port),
    ]
    process = subprocess.Popen(
        command, env={**environ, "RPSD_AUTH": "on"}, cwd=tmp_path, stderr=subprocess.PIPE
    )
    try:
        url = f"http://127.0.0.1:{port}"
        rpsd = (sys.executable, "-m", "rpsd.cli")
        wait_until(lambda: run(*rpsd, "healthcheck", url).returncode == 0)
        ok(*rpsd, "smoke", url, env={**os.environ, "RPSD_API_KEY_FILE": str(tmp_path / "key")})
    finally:
        # Not strace: it would leave without the rest.
        os.kill(int(trace.read_text().split(maxsplit=1)[0]), signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    text = trace.read_text()
    # Not that by which strace's child becomes the service: systemd has done its own before the filter.
    called = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", text, re.M))
    allowed = names("@system-service") - names("@privileged") - names("@resources")
    assert {"bind", "epoll_create1", "openat"} < called
    assert called - allowed <= REFUSED
    assert re.search(r"PROT_WRITE\|PROT_EXEC", text) is None  # MemoryDenyWriteExecute


def names(group):
    """Return the calls of a group of systemd's, and of those in it."""
    lines = [
        line.strip() for line in ok("systemd-analyze", "syscall-filter", "--no-pager", group).splitlines()[1:]
    ]
    found = set()
    for line in lines:
        if line.startswith("@"):
            found |= names(line)
        elif line and not line.startswith("#"):
            found.add(line)
    return found


def test_scripts_pass_shellcheck(tmp_path):
    scripts = [DEPLOY / "install.sh", *(DEPLOY / "backup").glob("*.sh")]
    assert all(os.access(path, os.X_OK) for path in scripts)
    ok("shellcheck", *scripts)
    (tmp_path / "wrong.sh").write_text("#!/bin/sh\nrm $1\n")
    assert run("shellcheck", tmp_path / "wrong.sh").returncode == 1


def test_the_dockerfile_passes_hadolint(tmp_path):
    ok("hadolint", DEPLOY / "container" / "Dockerfile")
    text = (DEPLOY / "container" / "Dockerfile").read_text()
    (tmp_path / "Dockerfile").write_text(text.replace("# hadolint ignore=DL3008\n", ""))
    assert "DL3008" in run("hadolint", tmp_path / "Dockerfile").stdout
    assert re.search(r'^CMD \["rpsd", "serve"\]\n\Z', text, re.M)
    assert re.search(r"^USER \d+:\d+$", text, re.M)


def test_compose_is_read(tmp_path):
    file = DEPLOY / "compose" / "compose.yaml"
    ok("docker-compose", "-f", file, "config", "-q")
    ok("check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)
    wrong = yaml.safe_load(file.read_text())
    wrong["services"]["nginx"]["port"] = "443"
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(wrong))
    assert run("docker-compose", "-f", tmp_path / "compose.yaml", "config", "-q").returncode != 0


def test_dependabot_takes_its_file(tmp_path):
    file = DEPLOY.parent / ".github" / "dependabot.yml"
    schema = ("check-jsonschema", "--builtin-schema", "vendor.dependabot")
    ok(*schema, file)
    (tmp_path / "wrong.yml").write_text(file.read_text().replace("weekly", "hourly"))
    assert run(*schema, tmp_path / "wrong.yml").returncode == 1
    updates = yaml.safe_load(file.read_text())["updates"]
    places = [place for one in updates for place in one.get("directories", [one.get("directory", "/")])]
    assert all((DEPLOY.parent / place.lstrip("/")).is_dir() for place in places)


MATRIX = [
    {},
    {"canary": {"enabled": True, "tag": "0.2.0"}, "autoscaling": {"enabled": False}},
    {"tlsSecretName": "", "autoscaling": {"queueDepth": 5}, "networkPolicy": {"enabled": False}},
    {"image": {"digest": f"sha256:{'0' * 64}"}, "serviceMonitor": {"enabled": False},
     "prometheusRule": {"enabled": False}, "nodeSelector": {"disk": "ssd"}},
]  # fmt: skip


def rendered(values):
    from helm_python import Chart

    found = Chart.load(DEPLOY / "helm" / "rpsd").render(values=values, name="rpsd", namespace="prices")
    return [one for text in found.values() for one in yaml.safe_load_all(text) if one]


@pytest.mark.parametrize("values", MATRIX)
def test_the_chart_gives_what_kubernetes_takes(values, tmp_path):
    kinds = rendered(values)
    core = [one for one in kinds if not one["apiVersion"].startswith("monitoring.coreos.com")]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(core))
    for version in ("1.30", "1.37"):
        ok("kubernetes-validate", "--strict", "-k", version, tmp_path / "all.yaml")
    core[0].setdefault("spec", {})["replicas"] = "2"
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(core))
    assert run("kubernetes-validate", "--strict", tmp_path / "all.yaml").returncode != 0
    for one in (one for one in kinds if one["kind"] == "Deployment"):
        pod = one["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["containers"][0]["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["terminationGracePeriodSeconds"] == 40


def test_the_chart_refuses_values_that_it_does_not_know():
    from helm_python import Chart, lint
    from helm_python.errors import HelmError

    chart = Chart.load(DEPLOY / "helm" / "rpsd")
    for wrong in ({"replicas": "2"}, {"replica": 2}, {"stateUrl": "postgresql://rpsd:secret@postgres/rpsd"}):
        with pytest.raises(HelmError):
            chart.validate_schema(wrong)
    assert lint(DEPLOY / "helm" / "rpsd")["errors"] == []


def test_a_backup_is_restored_beside_the_service(tmp_path):
    """The whole round: a service with a stream, a backup, the drill."""
    (tmp_path / "home").mkdir()
    (tmp_path / "b").mkdir()
    program = tmp_path / "rpsd"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rpsd.cli "$@"\n')
    program.chmod(0o755)
    running = Server(tmp_path / "home", state_dir=tmp_path / "state").wait()
    try:
        assert running.post({"lookahead": 2}, path="/v1/streams").status == 201
        environ = {**os.environ, "RPSD": str(program), "HOME": str(tmp_path / "home")}
        ok(
            DEPLOY / "backup" / "backup.sh",
            tmp_path / "b",
            env={**environ, "RPSD_STATE_DIR": str(tmp_path / "state")},
        )
        drill = {**environ, "RPSD_STATE_KEY_FILE": str(tmp_path / "state" / "state.key")}
        said = ok(DEPLOY / "backup" / "restore-drill.sh", tmp_path / "b", free_port(), env=drill)
        assert re.search(
            r"restored rpsd-\w+\.backup: \d+ bytes, made \d+ s before, serving after \d+ s", said
        )
        file = next((tmp_path / "b").glob("*.backup"))
        data = bytearray(file.read_bytes())
        data[-20] ^= 1
        file.write_bytes(data)
        assert (
            run(DEPLOY / "backup" / "restore-drill.sh", tmp_path / "b", free_port(), env=drill).returncode
            != 0
        )
    finally:
        assert running.stop() == 0
