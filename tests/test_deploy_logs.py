# SPDX-License-Identifier: MIT
"""Shipping of the log: every field is mapped, and rsyslog and logrotate lose and change no byte of a line."""

import ast
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from promql import ROOT
from serving import start, wait_until

import rpsd.service

__all__ = ["start"]
LOGS = ROOT / "deploy" / "logs"
FILE = "/var/log/rpsd/rpsd.log"
TEMPLATE = json.loads((LOGS / "index-template.json").read_text("utf-8"))
MAPPED = TEMPLATE["template"]["mappings"]["properties"]
FIELDS = ["timestamp", "level", "service", "operation", "user_id", "data_size", "processing_time", "message"]
WRITERS = ("log.write", "self._write")
TYPES = {"long": int, "double": (int, float), "keyword": (str, int, list), "text": str, "date": str}


def written_fields():
    """Return the names of fields that the source gives to lines of the log."""
    names = set(FIELDS)
    for path in Path(rpsd.service.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(WRITERS):
                names |= {keyword.arg for keyword in node.keywords if keyword.arg}
            if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith(".fields"):
                names |= {node.slice.value} if isinstance(node.slice, ast.Constant) else set()
    return names


def test_every_field_is_mapped_and_no_other():
    assert written_fields() == MAPPED.keys() - {"@timestamp"}
    assert TEMPLATE["index_patterns"] == ["logs-rpsd-*"]


def test_lines_of_a_service_fit_the_mapping(start):
    running = start(log_level="DEBUG")
    running.post({"values": [100.0, 100.1, 100.3] * 20})
    running.post({"values": "no"})
    running.ask("GET", "/health")
    running.process.send_signal(signal.SIGHUP)
    running.logged(operation="reload")
    assert running.stop() == 0
    assert {"series", "action", "problem", "before", "changed"} <= set().union(*running.log)
    for line in running.log:
        assert list(line)[:8] == FIELDS
        datetime.strptime(line["timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ")  # as fluent-bit.yaml reads it
        for name, value in line.items():
            if value is not None:
                assert isinstance(value, TYPES[MAPPED[name]["type"]]), (name, value)


def test_shippers_read_what_rsyslog_writes_and_say_that_they_were_not_run():
    vector = yaml.safe_load((LOGS / "vector.yaml").read_text("utf-8"))
    assert vector["sources"]["rpsd_file"]["include"] == [FILE]
    assert vector["transforms"]["rpsd_line"]["inputs"] == ["rpsd_file"]
    assert vector["sinks"]["elasticsearch"]["inputs"] == ["rpsd_line"]
    stream = vector["sinks"]["elasticsearch"]["data_stream"]
    fluent = yaml.safe_load((LOGS / "fluent-bit.yaml").read_text("utf-8"))
    tail, output = fluent["pipeline"]["inputs"][0], fluent["pipeline"]["outputs"][0]
    assert (tail["path"], tail["parser"], output["match"]) == (
        FILE,
        fluent["parsers"][0]["name"],
        tail["tag"],
    )
    assert "-".join(stream.values()) == output["index"] == "logs-rpsd-default"
    for name in ("vector.yaml", "fluent-bit.yaml"):
        assert "Not run" in (LOGS / name).read_text("utf-8")
    assert f'file="{FILE}"' in (LOGS / "rsyslog-rpsd.conf").read_text("utf-8")
    assert f"{FILE} {{" in (LOGS / "logrotate-rpsd").read_text("utf-8")


@pytest.fixture
def rsyslog(tmp_path):
    """Return the process of an rsyslog with our file of rules; it takes messages from a socket of its own."""
    program = shutil.which("rsyslogd")
    modules = next((Path(program).resolve().parents[1] / "lib").glob("*/rsyslog"))
    rules = (LOGS / "rsyslog-rpsd.conf").read_text("utf-8").replace("/var/log/rpsd", str(tmp_path / "log"))
    config = tmp_path / "rsyslog.conf"
    config.write_text(
        f'{rules}module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="{tmp_path}/in")\n'
        f'action(type="omfile" file="{tmp_path}/other.log")\n'
    )
    command = [program, "-n", "-f", str(config), "-i", str(tmp_path / "pid"), "-M", str(modules)]
    process = subprocess.Popen(command)
    try:
        wait_until((tmp_path / "in").exists)
        yield process
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_rsyslog_and_logrotate_keep_every_line(start, rsyslog, tmp_path):
    running = start(log_level="DEBUG")
    for _ in range(5):
        running.post({"values": [100.0, 100.1, 100.3] * 20})
    running.stop()
    lines = [line.rstrip(b"\n") for line in running.lines]
    long = json.dumps({**running.log[0], "message": "ü \\u0001 % $ " * 1500}, ensure_ascii=False).encode()
    assert 10_000 < len(long) < 60_000
    file = tmp_path / "log" / "rpsd.log"

    def send(tag, *messages):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.connect(str(tmp_path / "in"))
            for message in messages:
                to.send(b"<14>Nov 28 10:00:00 " + tag + b"[1]: " + message)

    def written(path, number):
        return (
            wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= number)
            and path.read_bytes()
        )

    send(b"rpsd", *lines, long)
    send(b"sshd", b"not ours")
    assert written(file, len(lines) + 1).splitlines() == [*lines, long]
    assert b"not ours" in written(tmp_path / "other.log", 1)

    rules = (LOGS / "logrotate-rpsd").read_text("utf-8")
    rules = rules.replace("/var/log/rpsd", str(tmp_path / "log"))
    rules = rules.replace("/usr/lib/rsyslog/rsyslog-rotate", f"kill -HUP {rsyslog.pid}")
    config = tmp_path / "logrotate.conf"
    config.write_text(rules)
    config.chmod(0o644)
    turn = ["logrotate", "-f", "-s", str(tmp_path / "status"), str(config)]
    subprocess.run(turn, check=True)
    wait_until(lambda: not any(_open_files(rsyslog.pid, file.with_name("rpsd.log.1"))))
    send(b"rpsd", *lines)
    assert written(file, len(lines)).splitlines() == lines
    assert file.with_name("rpsd.log.1").read_bytes().splitlines() == [*lines, long]
    subprocess.run(turn, check=True)
    assert {path.name for path in file.parent.glob("*")} >= {"rpsd.log.1", "rpsd.log.2.gz"}


def _open_files(pid, path):
    return [
        fd for fd in os.scandir(f"/proc/{pid}/fd") if re.match(re.escape(str(path)), os.readlink(fd.path))
    ]
