# SPDX-License-Identifier: MIT
"""Jobs of a service that asks for credentials: whose they are, what they count, what is recorded."""

import json

import pytest
from guarded import X, guarded
from jobbing import PATH, ended, problem, result, state, submitted

from rpsd.service.access._principal import KeyLimits
from rpsd.service.access._roles import ROUTES

OF_ONE = sorted((method, path) for method, path in ROUTES if path.startswith(f"{PATH}/"))
JSON = "application/json"
BODY = json.dumps({"values": X}).encode()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with guarded(home, failed_credentials=1000, rate_burst=10000, max_jobs=4) as running:
        running.make("other", ["user"])
        running.make("colleague", ["user"], tenant="user")
        running.make("small", ["user"], limits=KeyLimits(points_per_day=len(X)))
        running.start(log_level="DEBUG")
        yield running
        assert running.server.stop() == 0
        assert running.verify().fault is None


def told(answer):
    """Return what is told of a problem, without what every request has of its own."""
    return {name: value for name, value in answer.json.items() if name != "request_id"}


def test_the_jobs_of_another_tenant_are_not_there(service):
    """On every route with an id: as one that nobody has, and nothing of it is changed."""
    assert len(OF_ONE) == 6
    user = service.as_("user")
    id = submitted(user, BODY, content_type=JSON)
    before = ended(user, id)
    for method, path in OF_ONE:
        theirs = service.ask("other", method, path.replace("{id}", id))
        nobodys = service.ask("other", method, path.replace("{id}", "0" * 32))
        assert (theirs.status, nobodys.status) == (404, 404), (method, path)
        if method != "HEAD":
            assert told(theirs) == told(nobodys)
    assert id not in service.ask("other", "GET", PATH).body.decode()
    assert state(user, id) == before
    # What tells tenants apart is no matter of keys: another key of the same one may do all of it.
    assert id in service.ask("colleague", "GET", PATH).body.decode()
    assert result(service.as_("colleague"), id).body == result(user, id).body
    assert service.ask("colleague", "DELETE", f"{PATH}/{id}").status == 204
    assert service.ask("user", "GET", f"{PATH}/{id}").status == 404


def test_keys_of_requests_and_numbers_of_jobs_are_of_a_tenant(service):
    ids = [
        submitted(service.as_(name), BODY, content_type=JSON, idempotency_key="k")
        for name in ("user", "other")
    ]
    assert ids[0] != ids[1]
    colleague = service.as_("colleague")
    assert submitted(colleague, BODY, content_type=JSON, idempotency_key="k") == ids[0]
    more = [submitted(colleague, BODY, content_type=JSON) for _ in range(3)]
    assert problem(service.ask("user", "POST", PATH, BODY, content_type=JSON)) == (409, "conflict")
    more.append(submitted(service.as_("other"), BODY, content_type=JSON))
    for name, id in (*(("user", one) for one in (ids[0], *more[:3])), ("other", ids[1]), ("other", more[3])):
        assert service.ask(name, "DELETE", f"{PATH}/{id}").status == 204


def test_a_job_counts_when_it_is_asked_for_and_its_result_is_free(service):
    small = service.as_("small")
    id = submitted(small, BODY, content_type=JSON, idempotency_key="k")
    assert problem(service.ask("small", "POST", PATH, BODY, content_type=JSON)) == (429, "quota-used")
    assert problem(service.post("small")) == (429, "quota-used")
    ended(small, id)
    assert result(small, id).status == 200
    assert service.ask("small", "GET", PATH).json["jobs"][0]["id"] == id
    assert (
        service.ask("small", "POST", f"{PATH}/{id}/cancel").status == 409
    )  # it has ended, no more than that
    assert service.ask("small", "DELETE", f"{PATH}/{id}").status == 204


def test_each_request_has_its_record_and_the_log_says_whose_job_it_was(service):
    user, who = service.as_("user"), f"key:{service.ids['user']}"
    id = submitted(user, BODY, content_type=JSON, x_request_id="submits")
    (record,) = service.records(request_id="submits")
    assert (record["who"], record["action"], record["outcome"]) == (who, f"POST {PATH}", "allowed")
    ended(user, id)
    assert service.server.logged(operation="job", job=id)["user_id"] == who
    assert result(user, id).status == 200
    assert [one["who"] for one in service.records(id=id, action=f"GET {PATH}/{{id}}/result")] == [who]
    assert service.ask("viewer", "GET", f"{PATH}/{id}/result").status == 403
    assert [one["reason"] for one in service.records(id=id, outcome="denied")] == ["forbidden"]
    assert service.ask("user", "DELETE", f"{PATH}/{id}").status == 204
    assert len(service.records(id=id, action=f"DELETE {PATH}/{{id}}")) == 1
