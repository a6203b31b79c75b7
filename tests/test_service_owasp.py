# SPDX-License-Identifier: MIT
"""The ten risks of the OWASP API Security Top 10 (2023), each as a test against a service that asks for keys.

API1 (objects of others) and API3 (properties) of streams and jobs are in their tests; here is what is of all.
"""

import base64
import json
import secrets
import socket
import time

import pytest
from guarded import X, guarded
from serving import free_port, wait_until

from rpsd.cli import main
from rpsd.service import _openapi
from rpsd.service.access._keys import Keys, KeyText
from rpsd.service.access._roles import ROUTES
from rpsd.service.store._seal import StateKey

CANARY = "canary" + secrets.token_hex(8)


@pytest.fixture(scope="module")
def state_key():
    return StateKey.new().reveal().decode()


@pytest.fixture(scope="module")
def service(tmp_path_factory, state_key):
    home = tmp_path_factory.mktemp("home")
    (home / "state.secret").write_text(state_key)
    (home / "state.secret").chmod(0o600)
    with guarded(home, state_key_file=home / "state.secret", rate_limit=1e6) as running:
        running.start(log_level="DEBUG")
        yield running
        assert running.server.stop() == 0
        assert running.verify().fault is None


def test_api1_an_object_of_nobody_is_not_found_whatever_it_is_called(service):
    for name in ("1", "x" * 500, "..", "%2e%2e", "%00", "%2f%2e%2e%2fmetrics"):
        assert service.ask("user", "GET", f"/v1/none/{name}").status == 404


def test_api2_a_key_in_an_address_is_refused_and_guessing_is_slowed(service):
    assert service.ask(None, "GET", f"/metrics?access_token={service.keys['admin']}").status == 400
    guess = [service.ask(KeyText("A" * 12, "B" * 43).text(), "GET", "/metrics").status for _ in range(12)]
    assert guess == [401] * 10 + [429] * 2


def test_api2_a_wrong_key_takes_as_long_as_one_that_is_not_there(service):
    """Medians of many in turn, by the function itself: the network would hide a hundred microseconds."""
    keys = Keys(service.db)
    texts = {
        "wrong": KeyText(service.ids["user"], KeyText.make().secret).text(),
        "none": KeyText.make().text(),
    }
    times = {name: [] for name in texts}
    for _ in range(150):
        for name, text in texts.items():
            begin = time.perf_counter()
            assert keys.find(text) is None
            times[name].append(time.perf_counter() - begin)
    medians = {name: sorted(found)[75] for name, found in times.items()}
    assert abs(medians["wrong"] - medians["none"]) < 0.5 * min(medians.values()), medians


@pytest.mark.parametrize("field", ["role", "roles", "tenant", "principal", "user_id", "__class__", "limits"])
def test_api3_nothing_is_assigned_that_was_not_asked_for(service, field):
    answer = service.post("user", {"values": X, field: ["admin"]})
    assert answer.status == 422
    answer = service.ask(
        "operator", "PUT", "/admin/log-level", json.dumps({"level": "DEBUG", field: 1}).encode()
    )
    assert answer.status in (400, 422)


def test_api4_what_is_too_large_is_refused_before_it_is_read_and_without_a_key_unread(service):
    """Of a body that is said to be of a gibibyte, nobody without a key gets a byte read."""
    head = f"POST /v1/denoise HTTP/1.1\r\nHost: x\r\nContent-Length: {2**30}\r\n"
    head += "Content-Type: application/json\r\n"
    for line, status in (("", 401), (f"Authorization: Bearer {service.keys['user']}\r\n", 413)):
        with socket.create_connection(("127.0.0.1", service.server.port), timeout=45) as raw:
            raw.sendall(f"{head}{line}\r\n".encode() + b"[" * 1000)
            assert raw.recv(65536).startswith(f"HTTP/1.1 {status} ".encode())


def test_api5_functions_are_by_role_whatever_the_method_is_said_to_be(service):
    for header in ("x_http_method_override", "x_method_override", "x_original_url", "x_rewrite_url"):
        answer = service.ask("viewer", "GET", "/metrics", **{header: "/admin/log-level"})
        assert answer.headers["content-type"].startswith("text/plain")
        assert service.post("viewer", **{header: "GET"}).status == 403
    for path in ("/ADMIN/log-level", "/admin//log-level", "/admin/log-level/", "/admin/./log-level"):
        assert service.ask("user", "PUT", path, b'{"level": "DEBUG"}').status == 404
    for spoofed in ("x_forwarded_for", "x_real_ip", "forwarded", "x_forwarded_host"):
        assert service.ask("user", "PUT", "/admin/log-level", b"{}", **{spoofed: "127.0.0.1"}).status == 404


def test_api6_keys_are_made_at_the_machine_alone(service):
    for path in ("/admin/keys", "/v1/keys", "/keys", "/admin/audit-log", "/admin/config", "/admin/state"):
        for method in ("GET", "POST", "PUT", "DELETE"):
            assert service.ask("admin", method, path).status in (404, 405)


def test_api7_no_address_and_no_file_that_a_request_names_is_opened(service):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.5)
        place = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        for content in (
            {"values": place},
            {"values": X, "wavelet": place},
            {"series": {place: X}},
            {"values": X, "wavelet": "file:///etc/passwd"},
            {"values": X, "fir_window": place},
        ):
            answer = service.post("user", content)
            assert answer.status == (200 if "series" in content else 422)
            assert b"root:" not in answer.body
        service.post("user", {"values": X}, x_forwarded_host=place, referer=place)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_api8_defaults_are_safe(service, capsys, tmp_path):
    answer = service.post("user", {"values": X}, origin="https://evil.example")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "server" not in answer.headers
    assert service.ask(None, "OPTIONS", "/v1/denoise", origin="https://evil.example").status == 401
    broken = service.post("user", {"values": [1, "x"]})
    said = broken.body.decode() + str(broken.headers)
    for word in ("Traceback", ".py", "litestar", "uvicorn", "sqlite", "rpsd.db", str(service.home)):
        assert word not in said
    assert (
        main(["serve", "--host", "0.0.0.0", "--metrics-port", str(free_port()), "--state-dir", str(tmp_path)])
        == 2
    )
    assert "needs tls_certificate" in capsys.readouterr().err


def test_api9_what_is_documented_is_what_is_there(service):
    document = json.loads(service.ask("viewer", "GET", "/openapi.json").body)
    assert document["security"] == [{"bearer": []}, {"certificate": []}]
    assert {(m.upper(), p) for p, methods in document["paths"].items() for m in methods} == {
        (method, path) for method, path in ROUTES if method not in ("HEAD", "WEBSOCKET")
    }
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            status = service.ask(None, method.upper(), path).status
            assert (status == 401) == (operation.get("security") != [])
            assert str(status) in operation["responses"]
    assert {} in _openapi.document()["security"]  # of a service that asks for none


def canaries(service, state_key):
    """Return what must be nowhere: secrets of keys, the state key, values of series, names of series."""
    found = {f"secret of {name}": KeyText.parse(text).secret for name, text in service.keys.items()}
    raw = base64.b64decode(state_key)
    found |= {
        "state key": state_key,
        "state key in hex": raw.hex(),
        "a name": CANARY,
        "a value": "987654.321987",
    }
    return found


def test_secrets_and_data_are_nowhere_to_be_read(service, state_key, monkeypatch, capsys):
    """Every kind of request with canaries in it; then all that the service ever wrote, told or answered."""
    said = []
    wrong = KeyText(service.ids["user"], "C" * 43).text()
    for name, content in (
        ("user", {"values": [987654.321987, *X], "report": CANARY}),
        ("user", {"series": {CANARY: [987654.321987]}, "level": CANARY}),
        ("user", {"values": [987654.321987] * 3, CANARY: 1}),
        ("viewer", {"values": [987654.321987]}),
        (wrong, {"values": [987654.321987]}),
    ):
        answer = service.post(name, content, cookie=CANARY, x_api_key=service.keys["user"], user_agent=CANARY)
        said.append(answer.body)
        service.server.logged(request_id=answer.headers["x-request-id"])
    asked = [("user", f"/{CANARY}"), ("user", f"/v1/denoise?{CANARY}=1"), ("user", f"/metrics?key={CANARY}")]
    asked += [("admin", path) for path in ("/metrics", "/health/detailed", "/openapi.json", "/docs")]
    said += [service.ask(name, "GET", path).body for name, path in (*asked, (f"rpsd_{CANARY}", "/metrics"))]
    environ = {f"RPSD_{name.upper()}": str(value) for name, value in service.variables.items()}
    for name, value in {**environ, "RPSD_STATE_KEY": state_key, "RPSD_API_KEY": service.keys["user"]}.items():
        monkeypatch.setenv(name, value)
    assert main(["config", "show", "--origin"]) == 0
    assert main(["keys", "list", "--json"]) == 0
    assert main(["audit-log", "show"]) == 0
    out, err = capsys.readouterr()
    said += [out.encode(), err.encode(), *list(service.server.lines)]
    text = b"\n".join(said)
    for what, canary in canaries(service, state_key).items():
        # What a client got wrong may come back to it, and to nobody else.
        where = (
            text
            if what != "a name"
            else b"\n".join([out.encode(), err.encode(), *list(service.server.lines)])
        )
        assert canary.encode() not in where, what
    database = (service.home / "state" / "rpsd.db").read_bytes()
    database += (service.home / "state" / "rpsd.db-wal").read_bytes()
    for what, canary in canaries(service, state_key).items():
        assert canary.encode() not in database, what
    wait_until(lambda: service.records(reason="credentials-in-address"))
