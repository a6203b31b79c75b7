# SPDX-License-Identifier: MIT
"""`rpsd smoke` and `rpsd compare`: what they say of good services, and of each way to be bad."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from command import own_home
from serving import Server, free_port, server, start

import rpsd
from rpsd.cli import main
from rpsd.service._compare import ratio_of

__all__ = ["own_home", "server", "start"]
PATIENCE = "100"  # seconds, on a machine that has other things to do
#: Wrong, slow or failing, as a file in its directory says.
WORSE = """
import pathlib, time
from rpsd.service import _compute
run, mode = _compute.denoise_rows, pathlib.Path("mode")
def worse(denoiser, rows, *more):
    how = mode.read_text() if mode.exists() else ""
    if how == "slow":
        time.sleep(0.1)
    if how == "failing" and rows.shape[1] == 256:
        raise RuntimeError
    outcomes = run(denoiser, rows, *more)
    if how == "wrong" and rows.shape[1] > 100:
        for outcome in outcomes:
            outcome.values[50] += 1e-9
    return outcomes
_compute.denoise_rows = worse
"""


def url(running):
    return f"http://127.0.0.1:{running.port}"


def as_json(capsys, *arguments):
    code = main([*arguments, "--json", "--timeout", PATIENCE])
    return code, json.loads(capsys.readouterr().out)


def test_a_good_service_passes(server, capsys):
    code, content = as_json(capsys, "smoke", url(server))
    assert (code, content["passed"]) == (0, True), content
    verdicts = {check["check"]: check["verdict"] for check in content["checks"]}
    assert {name for name, verdict in verdicts.items() if verdict != "ok"} <= {"denoise arrow"}
    assert {"health/ready", "metrics", "denoise json", "denoise float64", "refusal"} <= verdicts.keys()
    assert main(["smoke", url(server), "--timeout", PATIENCE]) == 0
    shown = capsys.readouterr().out
    assert "64 values as expected" in shown
    assert rpsd.__version__ in shown


def test_the_configuration_of_the_service_does_not_matter(start, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(
        "denoiser: {method: kalman, space: log, min_gain_db: 3}\n"
        "guardrails: {policy: passthrough, policies: {rmse: raise}, rmse_threshold: 0}\n"
    )
    running = start("--config", "c.yaml", "--port", str(port := free_port()))
    code, content = as_json(capsys, "smoke", f"http://127.0.0.1:{port}", "--metrics-url", url(running))
    assert code == 0, content


@pytest.mark.parametrize(
    ("prelude", "check", "text"),
    [
        (
            "import rpsd.service._codec_binary as b\n"
            "encode = b.encode\n"
            "b.encode = lambda answer: (encode(answer)[0][:-8], encode(answer)[1])",
            "denoise float64",
            "63 values, expected 64",
        ),
        (
            "import rpsd.service._metrics as m\nm.Metrics.text = lambda self: b'rpsd_up 1\\n'",
            "metrics",
            "rpsd_build_info",
        ),
        (
            "import rpsd.service._selfcheck as s\ns.check = lambda: 'the self-check failed: on purpose'",
            "health/ready",
            "on purpose",
        ),
    ],
    ids=["numbers", "metrics", "not ready"],
)
def test_a_bad_service_fails_where_it_is_bad(start, capsys, prelude, check, text):
    running = start(prelude=prelude, wait=False)
    running.logged(operation="start")
    code, content = as_json(capsys, "smoke", url(running))
    assert (code, content["passed"]) == (1, False)
    found = {one["check"]: one for one in content["checks"]}
    assert found[check]["verdict"] == "fail"
    assert text in found[check]["text"]


def test_nobody_there(capsys):
    code, content = as_json(capsys, "smoke", f"http://127.0.0.1:{free_port()}")
    assert code == 1
    assert all("no answer" in check["text"] for check in content["checks"])
    assert main(["smoke", "localhost:8000"]) == 1
    assert "URL must be as http://127.0.0.1:8000" in capsys.readouterr().err


def test_something_else_there(capsys):
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"[1, 2]")

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        code, content = as_json(capsys, "smoke", f"http://127.0.0.1:{other.server_port}")
        other.shutdown()
        thread.join()
    assert code == 1
    assert all(check["verdict"] != "ok" for check in content["checks"])


def test_the_other_end_needs_none_of_the_extra(server):
    code = (
        "import sys\n"
        "for name in ('litestar', 'uvicorn', 'prometheus_client', 'structlog', 'psutil', 'httptools'):\n"
        "    sys.modules[name] = None\n"
        "from rpsd.cli import main\n"
        f"late = ['--timeout', '{PATIENCE}']\n"
        f"sys.exit(main(['smoke', '{url(server)}', *late]) or "
        f"main(['compare', *['{url(server)}'] * 2, '--requests', '20', '--max-ratio', '1e9', *late]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()


@pytest.fixture(scope="module")
def worse(tmp_path_factory):
    home = tmp_path_factory.mktemp("worse")
    running = Server(home, prelude=WORSE)
    running.mode = home / "mode"
    try:
        yield running.wait()
        assert running.stop() == 0
    finally:
        running.process.kill()


def compared(capsys, server, worse, mode, *arguments):
    worse.mode.write_text(mode)
    given = ("--requests", "24", "--warmup", "3", "--max-ratio", "100", *arguments)
    return as_json(capsys, "compare", url(server), url(worse), *given)


def test_the_same_is_no_worse(server, worse, capsys):
    code, content = compared(capsys, server, worse, "")
    assert (code, content["no_worse"]) == (0, True)
    assert content["verdicts"] == dict.fromkeys(("outputs", "errors", "time"), "no worse")
    assert (content["requests"], content["outputs"]["compared"]) == (24, 24)
    assert 0 < content["seconds"]["a"]["p50"] <= content["seconds"]["a"]["p99"]


def test_an_output_that_differs_is_told(server, worse, capsys):
    code, content = compared(capsys, server, worse, "wrong")
    assert (code, content["verdicts"]["outputs"]) == (1, "worse")
    assert content["outputs"]["different"] == 24
    assert 1e-12 < content["outputs"]["worst"][0]["difference"] < 1e-10
    code, content = compared(capsys, server, worse, "wrong", "--tolerance", "1e-9")
    assert (code, content["outputs"]["different"]) == (0, 0)


def test_errors_are_told(server, worse, capsys):
    code, content = compared(capsys, server, worse, "failing")
    assert (code, content["verdicts"]["errors"]) == (1, "worse")
    assert content["errors"]["b"] == {"count": 8, "statuses": {"200": 16, "500": 8}}
    assert content["errors"]["a"]["count"] == 0
    assert content["outputs"]["compared"] == 16


def test_a_slower_one_is_told(server, worse, capsys):
    code, content = compared(capsys, server, worse, "slow", "--max-ratio", "1.5")
    assert (code, content["verdicts"]["time"]) == (1, "worse")
    assert content["seconds"]["ratio"]["median"] > 1.5


def test_too_few_requests_decide_nothing_of_time(server, worse, capsys):
    code, content = compared(capsys, server, worse, "", "--requests", "3")
    assert (code, content["verdicts"]["time"]) == (1, "undecided")


def test_recorded_requests_are_sent_again(server, worse, capsys, tmp_path):
    file = tmp_path / "bodies.jsonl"
    bodies = [{"values": list(range(k, k + 30)), "report": "none"} for k in range(8)]
    file.write_text("\n".join(map(json.dumps, [*bodies, {"values": "no"}])) + "\n")
    code, content = compared(capsys, server, worse, "", "--replay", str(file), "--warmup", "0")
    assert (code, content["requests"]) == (0, 9)
    assert content["errors"]["a"] == content["errors"]["b"] == {"count": 1, "statuses": {"200": 8, "422": 1}}
    assert main(["compare", url(server), url(worse), "--replay", str(file), "--warmup", "9"]) == 2


def test_the_table_names_the_verdicts(server, capsys):
    assert main(["compare", url(server), url(server), "--requests", "10", "--max-ratio", "1e9"]) == 0
    assert "median ratio of times" in capsys.readouterr().out


def test_the_interval_covers_the_median_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered, trials, n = 0, 2000, 51
    for _ in range(trials):
        b = np.exp(rng.standard_t(2, n)) * 1.3
        low, high = ratio_of(np.ones(n), b)[1:]
        covered += low <= 1.3 <= high
    assert 0.95 <= covered / trials < 0.99
    assert ratio_of(np.ones(3), np.ones(3)).high == np.inf
    assert np.isnan(ratio_of(np.ones(0), np.ones(0)).median)
