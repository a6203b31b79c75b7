# SPDX-License-Identifier: MIT
"""Who may do what: every role on every route, credentials good and bad, limits, what is recorded of it."""

import itertools
import json
import random
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from guarded import X, guarded, within
from jobbing import PATH, ended
from serving import wait_until
from streaming import create, push
from websockets.exceptions import InvalidStatus

from rpsd.service import _openapi
from rpsd.service._admin import admin_routes
from rpsd.service._docs import docs_routes
from rpsd.service._health import health_routes
from rpsd.service._series import ADDRESSES
from rpsd.service._v2 import v2_routes
from rpsd.service.access._keys import Keys, KeyText
from rpsd.service.access._principal import KeyLimits
from rpsd.service.access._roles import GRANTED, OPEN, ROLES, ROUTES
from rpsd.service.jobs._routes import job_routes
from rpsd.service.streams import _socket
from rpsd.service.streams._routes import stream_routes

# The matrix once more, by hand: the table of the code must not be its own oracle.
MAY = {
    "viewer": {"observe"},
    "user": {"observe", "compute"},
    "operator": {"observe", "operate"},
    "admin": {"observe", "operate", "administer"},
    "auditor": {"observe", "audit"},
}
CHANGES = ("push", "amend", "new-session", "acknowledge", "flush", "snapshot")
NEEDS = {
    "/health": None, "/health/live": None, "/health/ready": None, "/health/startup": None,
    "/v2/health/live": None, "/v2/health/ready": None, "/v2/models/rpsd/ready": None,
    "/v2": "observe", "/v2/models/rpsd": "observe", "/v2/models/rpsd/infer": "compute",
    "/health/detailed": "observe", "/metrics": "observe", "/openapi.json": "observe", "/docs": "observe",
    "/v1/denoise": "compute", "/v1/noise": "compute", "/v1/evaluate": "compute",
    "/v1/stream": "compute", "/v1/streams": "compute", "/v1/streams/{id}": "compute",
    **{f"/v1/streams/{{id}}/{name}": "compute" for name in CHANGES},
    "/v1/jobs": "compute", "/v1/jobs/{id}": "compute",
    **{f"/v1/jobs/{{id}}/{name}": "compute" for name in ("cancel", "result")},
    "/admin/log-level": "operate",
}  # fmt: skip
UNSEEN = ("operate", "administer", "audit")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with guarded(tmp_path_factory.mktemp("home"), failed_credentials=1000, rate_burst=10000) as running:
        running.start(log_level="DEBUG")
        yield running
        assert running.server.stop() == 0
        verdict = running.verify()
        assert verdict.fault is None
        assert verdict.records > 0  # of as many tests as this process was given


def real_routes():
    handlers = [
        *health_routes(None),
        *v2_routes(None),
        *stream_routes(None, None),
        *job_routes(None, None),
        *docs_routes(),
        *admin_routes(None),
    ]
    found = {(method, path) for one in handlers for path in one.paths for method in one.http_methods}
    return {
        *((method, path.replace(":str", "")) for method, path in found),
        *(("POST", one.path) for one in ADDRESSES),
        ("WEBSOCKET", _socket.PATH),
    }


def test_every_route_has_its_row_and_every_row_its_route():
    assert set(ROUTES) == real_routes()
    paths = _openapi.document()["paths"]
    documented = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert documented == {(method, path) for method, path in ROUTES if method not in ("HEAD", "WEBSOCKET")}


def test_the_table_is_that_of_the_document():
    assert {role: set(ROLES[role]) for role in GRANTED} == MAY
    assert {path: None if what == OPEN else what for (_, path), what in ROUTES.items()} == NEEDS


def test_a_service_of_this_machine_alone_loads_nothing_of_it():
    code = "import sys, rpsd.service._server; print(*(name.partition('.')[0] for name in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {"uvicorn", "litestar"} <= set(run.stdout.split())
    assert not {"sqlalchemy", "alembic", "cryptography", "jwt", "psycopg", "websockets"} & set(
        run.stdout.split()
    )


def test_the_page_shows_both_tables():
    text = (Path(__file__).parents[1] / "docs" / "security.md").read_text(encoding="utf-8")
    columns = ("observe", "compute", "operate", "administer", "audit")
    for role, granted in MAY.items():
        cells = " | ".join("yes" if one in granted else "" for one in columns)
        assert f"| {role} | {cells} |".replace("|  |", "| |").replace("|  |", "| |") in text
    shown = re.findall(r"^\| ([A-Z, ]+) `(/\S*)` \| (\w+) \|$", text, re.M)
    rows = {(method, path): what for methods, path, what in shown for method in methods.split(", ")}
    assert rows == {
        (method, path): "nothing" if what == OPEN else what
        for (method, path), what in ROUTES.items()
        if method != "HEAD"
    }


TENSOR = {"name": "values", "datatype": "FP64", "shape": [len(X)], "data": X}
BODIES = {
    "/v2/models/rpsd/infer": {"inputs": [TENSOR]},
    "/v1/denoise": {"values": X}, "/v1/noise": {"values": X}, "/v1/evaluate": {"x": X, "y": X},
    "/v1/streams": {}, "/v1/streams/{id}/push": {"values": X}, "/v1/streams/{id}/amend": {"values": X[:1]},
    "/v1/jobs": {"values": X}, "/admin/log-level": {"level": "DEBUG"},
}  # fmt: skip
DONE = {
    ("POST", "/v1/streams"): 201, ("DELETE", "/v1/streams/{id}"): 204, ("WEBSOCKET", "/v1/stream"): 101,
    ("POST", "/v1/jobs"): 202, ("DELETE", "/v1/jobs/{id}"): 204,
    ("POST", "/v1/jobs/{id}/cancel"): 409,  # it has ended
}  # fmt: skip


def asked(service, role, method, path, ids):
    """Return the answer to a request on a route; where that is of a stream or a job, on one that is there."""
    if method == "WEBSOCKET":
        try:
            with service.socket(role, {"create": {}}) as connection:
                return connection.raw.response.status_code, connection.raw.response.headers
        except InvalidStatus as refused:
            return refused.response.status_code, refused.response.headers
    body = json.dumps(BODIES.get(path, {})) if method in ("POST", "PUT") else None
    id = ids["jobs" if path.startswith(PATH) else "streams"]
    answer = service.ask(role, method, path.replace("{id}", id), body, content_type="application/json")
    return answer.status, answer.headers


@pytest.mark.parametrize("role", [*MAY, None])
def test_every_role_on_every_route(service, role):
    user = service.as_("user")
    ids = {"streams": create(user), "jobs": user.post({"values": X}, PATH).json["id"]}
    assert push(user, ids["streams"], X[:3]).status == 200
    assert ended(user, ids["jobs"])["status"] == "done"
    for method, path in sorted(ROUTES, key=lambda row: (row[0] == "DELETE", row)):
        needs = NEEDS[path]
        if needs is None or (role is not None and needs in MAY[role]):
            expected = DONE.get((method, path), 200)
        elif role is None:
            expected = 401
        else:
            expected = 404 if needs in UNSEEN else 403
        status, headers = asked(service, role, method, path, ids)
        assert status == expected, (role, method, path)
        assert ("www-authenticate" in headers) == (expected == 401)


def test_what_is_not_there_is_told_to_nobody_without_a_credential(service):
    for path in ("/nothing", "/v1/nothing", "/v1/denoise/", "//metrics", "/admin/", "/V1/denoise"):
        assert service.ask(None, "GET", path).status == 401
        assert service.ask("admin", "GET", path).status == 404
    answer = service.ask("user", "GET", "/v1/denoise")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    for method in ("OPTIONS", "TRACE", "PATCH", "DELETE"):
        assert service.ask(None, method, "/metrics").status == 401
        assert service.ask("admin", method, "/metrics").status == 405


def test_what_is_hidden_does_not_tell_of_itself_by_its_methods(service):
    for method in ("GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "PATCH"):
        for role in ("viewer", "user", "auditor"):
            answer = service.ask(role, method, "/admin/log-level")
            assert (answer.status, answer.headers.get("allow")) == (404, None)
    assert service.ask("admin", "DELETE", "/admin/log-level").status == 405


def test_who_has_no_credential_is_told_before_a_body_is_there(service):
    for path in ("/v1/denoise", "/v1/streams", "/v2/models/rpsd/infer"):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
        with socket.create_connection(("127.0.0.1", service.server.port), 20) as waiting:
            waiting.sendall(head.encode())
            assert waiting.recv(100).startswith(b"HTTP/1.1 401 "), path


def wrong_keys(good):
    parts = KeyText.parse(good)
    other = KeyText(parts.id, KeyText.make().secret)
    yield "another secret", other.text()
    yield "no such id", KeyText.make().text()
    yield "a wrong check", good[:-1] + ("a" if good[-1] != "a" else "b")
    yield "cut", good[:-1]
    yield "longer", good + "a"
    yield "lower case", good.lower()
    yield "the id alone", f"rpsd_{parts.id}"
    yield "an injection", "rpsd_' OR 1=1 --"
    yield "not ASCII", "rpsd_é"
    yield "nothing", ""
    yield "a long one", "rpsd_" + "a" * 9000


@pytest.mark.parametrize("what", [what for what, _ in wrong_keys(KeyText.make().text())])
def test_keys_that_are_none_get_401_and_no_reason(service, what):
    text = dict(wrong_keys(service.keys["user"]))[what]
    answer = service.server.ask("GET", "/metrics", authorization=f"Bearer {text}".encode())
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="rpsd", error="invalid_token"'
    assert answer.json["detail"] == "give a good credential in the header Authorization: Bearer"


def test_every_other_text_of_a_key_proves_nobody(service):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng, good = random.Random(seed), service.keys["user"]
    for _ in range(60):
        place, letter = rng.randrange(len(good)), rng.choice("abcXYZ019_")
        text = good[:place] + letter + good[place + 1 :]
        assert service.ask(text, "GET", "/metrics").status == (200 if text == good else 401)


@pytest.mark.parametrize(
    "headers",
    [
        ["Basic dXNlcjpwYXNz"], ["{key}"], ["Token {key}"], ["Bearer"], ["Bearer {key} x"], ["Bearer  "],
        ["Bearer {key}", "Bearer {key}"], ["Bearer {key}", "Basic eDp5"], ["Bearer {key},Bearer {key}"],
    ],
)  # fmt: skip
def test_other_schemes_and_two_of_them_are_refused(service, headers):
    lines = "".join(f"Authorization: {one.format(key=service.keys['user'])}\r\n" for one in headers)
    answer = service.server.send(
        f"GET /metrics HTTP/1.1\r\nHost: x\r\n{lines}Connection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 401 "), answer


def test_the_scheme_has_any_case(service):
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert (
            service.server.ask("GET", "/metrics", authorization=f"{scheme} {service.keys['viewer']}").status
            == 200
        )


@pytest.mark.parametrize(
    "address",
    ["/metrics?key={key}", "/metrics?api_key=x", "/metrics?API-Key=x", "/metrics?access_token=x",
     "/health?token=x", "/v1/denoise?level=3&a={key}", "/metrics?%6bey=1", "/v1/{key}", "/metrics?jwt=&x=1",
     "/metrics?x={quoted}", "/metrics?x=%72{rest}", "/metrics?{quoted}", "/metrics?X-API-Key=x",
     "/metrics?credentials=x"],
)  # fmt: skip
def test_credentials_in_the_address_are_refused_and_told_to_nobody(service, address):
    key = service.keys["viewer"]
    answer = service.ask(
        "viewer", "GET", address.format(key=key, quoted=key.replace("_", "%5F"), rest=key[1:])
    )
    assert answer.status == 400
    assert answer.json["type"] == "urn:rpsd:problem:credentials-in-address"
    service.server.logged(request_id=answer.headers["x-request-id"])
    secret = KeyText.parse(key).secret.encode()
    assert secret not in answer.body
    assert not any(secret in line for line in list(service.server.lines))
    assert not any(secret.decode() in str(record) for record in service.records())


def test_revocation_acts_within_two_seconds(service):
    service.make("gone", ["user"])
    assert service.post("gone").status == 200
    Keys(service.db).revoke(service.ids["gone"])
    within(2, lambda: service.post("gone").status == 401)
    assert service.post("user").status == 200


def test_both_texts_of_a_rotated_key_work_until_the_overlap_ends(service):
    old = service.make("turned", ["user"])
    assert service.post(old).status == 200
    _, new = Keys(service.db).rotate(service.ids["turned"], 3600)
    assert [service.post(text).status for text in (old, new)] == [200, 200]
    _, newest = Keys(service.db).rotate(service.ids["turned"], 0)
    within(2, lambda: service.post(new).status == 401)
    assert [service.post(text).status for text in (old, newest)] == [401, 200]


def test_a_key_that_ends_is_none(service):
    key = service.make("short", ["user"], seconds=0.5)
    within(3, lambda: service.post(key).status == 401)


def test_rates_are_of_each_principal(service):
    slow = service.make("slow", ["user"], limits=KeyLimits(rate=0.01))
    first = service.post(slow)
    assert first.headers["ratelimit"].startswith('"requests";r=')
    # The burst is the configuration's: of another server, as this one's is large.
    assert first.headers["ratelimit-policy"].startswith('"requests";q=10001;w=')


def test_the_line_of_the_log_and_the_record_name_the_principal(service):
    answer = service.post("user", x_request_id="of-the-user")
    assert answer.status == 200
    name = f"key:{service.ids['user']}"
    assert service.server.logged(request_id="of-the-user")["user_id"] == name
    (record,) = service.records(request_id="of-the-user")
    assert record["who"] == name
    assert (record["action"], record["outcome"]) == ("POST /v1/denoise", "allowed")
    assert record["address"] == "127.0.0.1"
    denied = service.post("viewer", x_request_id="of-the-viewer")
    assert denied.status == 403
    (record,) = service.records(request_id="of-the-viewer")
    assert (record["outcome"], record["reason"], record["status"]) == ("denied", "forbidden", 403)


def test_an_answer_has_its_record_when_it_is_there(service):
    """Looked for at once, by another connection to the database, as soon as each answer is in."""
    missing = []

    def ask(number):
        name = f"durable-{number}"
        if service.post("user", x_request_id=name).status != 200 or not service.records(request_id=name):
            missing.append(name)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []


def test_probes_and_scrapes_leave_no_record(service):
    before = len(service.records())
    for path, name in itertools.product(
        ("/health", "/health/ready", "/metrics", "/docs"), ("viewer", "admin")
    ):
        assert service.ask(name, "GET", path).status == 200
    assert len(service.records()) == before


def test_metrics_count_what_was_refused(service):
    before = service.metric("rpsd_auth_failures_total"), service.metric("rpsd_audit_records_total")
    for _ in range(3):
        assert service.ask(None, "GET", "/metrics").status == 401
        assert service.post("user").status == 200
    assert service.metric("rpsd_auth_failures_total") >= before[0] + 3
    wait_until(lambda: service.metric("rpsd_audit_records_total") >= before[1] + 6)
    assert service.metric("rpsd_active_keys") >= 2
    assert service.metric("rpsd_audit_write_errors_total") == 0
