# SPDX-License-Identifier: MIT
"""Streams of a service that asks for credentials: whose they are, who may open a socket, what is recorded."""

import json
import threading

import pytest
from guarded import guarded, within
from serving import wait_until
from streaming import PATH, create, given, push, same, samples, taken
from websockets.exceptions import ConnectionClosed, InvalidStatus

from rpsd.service.access._keys import Keys, KeyText
from rpsd.service.access._principal import KeyLimits
from rpsd.service.access._roles import ROUTES

X = samples(400, seed=9)
OF_ONE = sorted((method, path) for method, path in ROUTES if path.startswith(f"{PATH}/"))
BODIES = {"push": {"values": [1.0]}, "amend": {"values": [2.0]}}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with guarded(home, failed_credentials=1000, rate_burst=10000) as running:
        running.make("other", ["user"])
        running.make("colleague", ["user"], tenant="user")
        running.start(log_level="DEBUG")
        yield running
        assert running.server.stop() == 0
        assert running.verify().fault is None


def ask_of(service, name, id, method, path):
    """Ask with the key of a name on a route, of a stream."""
    content = BODIES.get(path.rpartition("/")[2], {})
    body = json.dumps(content) if method == "POST" else None
    return service.ask(name, method, path.replace("{id}", id), body, content_type="application/json")


def what_is(service, name, id):
    return service.ask(name, "GET", f"{PATH}/{id}/snapshot").body


def told(answer):
    """Return what is told of a problem, without what every request has of its own."""
    return {name: value for name, value in answer.json.items() if name != "request_id"}


def test_the_streams_of_another_tenant_are_not_there(service):
    """On every route with an id: as one that nobody has, and nothing of it is changed."""
    assert len(OF_ONE) == 10
    user = service.as_("user")
    id = create(user, lookahead=1)
    push(user, id, X[:20], 1)
    before = what_is(service, "user", id)
    for method, path in OF_ONE:
        theirs = ask_of(service, "other", id, method, path)
        nobodys = ask_of(service, "other", "0" * 32, method, path)
        assert (theirs.status, nobodys.status) == (404, 404), (method, path)
        if method != "HEAD":
            assert told(theirs) == told(nobodys)
    assert id not in service.ask("other", "GET", PATH).body.decode()
    assert what_is(service, "user", id) == before
    # What tells tenants apart is no matter of keys: another key of the same one may do all of it.
    assert id in service.ask("colleague", "GET", PATH).body.decode()
    for method, path in [one for one in OF_ONE if one[0] != "DELETE"] + [("DELETE", f"{PATH}/{{id}}")]:
        answer = ask_of(service, "colleague", id, method, path)
        assert answer.status < 300 or (path.endswith("/amend") and answer.status == 409), (method, path)
    assert service.ask("user", "GET", f"{PATH}/{id}").status == 404


def test_each_tenant_has_its_own_number_of_streams(tmp_path):
    with guarded(tmp_path, max_streams=1, max_sessions=1) as service:
        service.make("other", ["user"])
        service.start()
        for name in ("user", "other"):
            create(service.as_(name))
            assert service.post(name, {}, PATH).status == 409
        ids = [service.ask(name, "GET", PATH).json["streams"][0]["id"] for name in ("user", "other")]
        with service.socket("user", {"resume": ids[0]}), service.socket("other", {"resume": ids[1]}):
            assert refused(service, "user") == (503, "overloaded")


def refused(service, name, **headers):
    with pytest.raises(InvalidStatus) as error:
        service.socket(name, {}, **headers)
    response = error.value.response
    assert ("www-authenticate" in response.headers) == (response.status_code == 401)
    return response.status_code, json.loads(response.body)["type"].rpartition(":")[2]


def closing(connection):
    """Return what comes until the other side closes, and its code."""
    found = []
    while True:
        try:
            found.append(connection.receive())
        except ConnectionClosed as closed:
            return found, closed.rcvd.code


def test_the_handshake_is_for_those_who_may_compute(service):
    assert refused(service, None) == (401, "unauthenticated")
    assert refused(service, KeyText(service.ids["user"], "A" * 43).text()) == (401, "unauthenticated")
    for role in ("viewer", "operator", "admin", "auditor"):
        assert refused(service, role) == (403, "forbidden")
    with service.socket("user", {"create": {"lookahead": 1}}) as connection:
        connection.push(X[:10], 1)
        assert connection.receive()["samples"] == 10
        assert connection.raw.response.headers["ratelimit"].startswith('"requests";r=')
    line = service.server.logged(operation="stream", stream=connection.told["id"])
    assert line["user_id"] == f"key:{service.ids['user']}"


def test_another_address_is_no_socket_and_told_to_nobody_without_a_key(service):
    head = (
        "GET {} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{}"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    shown = f"Authorization: Bearer {service.keys['user']}\r\n"
    for path, line, status in (
        ("/v1/other", "", 401), ("/v1/other", shown, 404), ("/v1/denoise", shown, 404),
        ("/metrics", shown, 404),
        ("/v1/stream?key=x", shown, 400), (f"/v1/stream?a={service.keys['user']}", "", 400),
    ):  # fmt: skip
        answer = service.server.send(head.format(path, line).encode())
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (path, answer)
    assert service.ask("user", "GET", "/v1/stream").status == 404  # without an upgrade there is nothing


def test_a_socket_goes_on_with_the_streams_of_its_tenant_alone(service):
    id = create(service.as_("user"))
    for name, expected in (("other", "not-found"), ("colleague", None)):
        for asked in (id, "0" * 32):
            with service.socket(name, {"resume": asked}) as connection:
                if expected is None and asked == id:
                    assert connection.told["id"] == id
                else:
                    assert connection.told["type"] == "urn:rpsd:problem:not-found"
                    assert closing(connection) == ([], 1008)


def test_every_push_has_its_record_and_a_connection_has_one(service):
    user = service.as_("user")
    who, action = f"key:{service.ids['user']}", "POST /v1/streams/{id}/push"
    id = create(user, lookahead=1)
    for k in range(4):
        assert push(user, id, X[k * 5 : k * 5 + 5], k + 1, x_request_id=f"push-{id}-{k}").status == 200
        (record,) = service.records(request_id=f"push-{id}-{k}")  # there as soon as the answer is
        assert (record["who"], record["action"], record["outcome"]) == (who, action, "allowed")
        assert (record["id"], record["address"]) == (id, "127.0.0.1")
    assert len(service.records(id=id, action=action)) == 4
    assert service.ask("user", "DELETE", f"{PATH}/{id}").status == 204
    assert [one["who"] for one in service.records(id=id, action="DELETE /v1/streams/{id}")] == [who]
    assert push(service.as_("viewer"), id, X[:5]).status == 403
    (record,) = service.records(id=id, outcome="denied")
    assert (record["who"], record["reason"]) == (f"key:{service.ids['viewer']}", "forbidden")
    before = len(service.records(action="WEBSOCKET /v1/stream", who=who))
    with service.socket("user", {"create": {}}) as connection:
        for k in range(6):
            connection.push(X[k : k + 1])
            connection.receive()
        assert len(service.records(action="WEBSOCKET /v1/stream", who=who)) == before + 1
    assert service.ask("user", "GET", f"{PATH}/{'%7e' * 40}").status == 404
    assert "~" not in str(service.records(action="GET /v1/streams/{id}"))  # what is no id is nobody's to keep


def test_records_and_pushes_share_the_database_at_once(service):
    """Each push waits for its record, and then for its own commit: many streams, and nothing is lost."""
    ids = [create(service.as_("user"), lookahead=1) for _ in range(4)]
    found = {id: [] for id in ids}

    def run(id):
        for k in range(10):
            found[id].extend(push(service.as_("user"), id, X[k * 5 : k * 5 + 5], k + 1).json["values"])

    threads = [threading.Thread(target=run, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for id in ids:
        assert same(taken(found[id]), X[:50], 1)
        assert len(service.records(id=id, outcome="allowed")) == 10


def test_a_key_that_is_taken_back_ends_its_connection(service):
    service.make("gone", ["user"])
    with service.socket("gone", {"create": {"lookahead": 1}}) as connection:
        connection.push(X[:10], 1)
        assert connection.receive()["samples"] == 10
        Keys(service.db).revoke(service.ids["gone"])
        ended = []

        def is_over():
            connection.push(X[:1])
            answer = connection.receive()
            ended.append(answer)
            return "type" in answer

        within(2, is_over)
        assert ended[-1]["type"] == "urn:rpsd:problem:unauthenticated"
        assert closing(connection) == ([], 1008)
    made = [one["sequence"] for one in ended[:-1]]
    assert made == list(range(2, 2 + len(made)))
    who = f"key:{service.ids['gone']}"
    line = service.server.logged(operation="stream", stream=connection.told["id"])
    assert (line["user_id"], line["problem"], line["level"]) == (who, "unauthenticated", "WARNING")
    wait_until(lambda: service.records(credential=who, outcome="denied"))
    assert refused(service, "gone") == (401, "unauthenticated")


def test_the_samples_of_a_day_end_within_a_connection(service):
    service.make("small", ["user"], limits=KeyLimits(rate=1e6, points_per_day=50))
    with service.socket("small", {"create": {}}) as connection:
        for k in range(5):
            connection.send({"values": given(X[k * 10 : k * 10 + 10])})
            assert connection.receive()["samples"] == 10 * k + 10
        connection.push(X[50:51])
        assert connection.receive()["type"] == "urn:rpsd:problem:quota-used"
        assert closing(connection) == ([], 1008)
    id = connection.told["id"]
    assert push(service.as_("small"), id, X[50:51]).status == 429
    assert refused(service, "small") == (429, "quota-used")
