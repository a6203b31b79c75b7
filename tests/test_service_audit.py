# SPDX-License-Identifier: MIT
"""The audit log of a running service: a full disk, a database and an issuer that go away, a kill."""

import json
import resource
import signal
import threading
import time

import pytest
from guarded import X, guarded
from issuers import AUDIENCE, ISSUER, KeyServer
from issuers import Issuer as Maker
from postgres import postgres
from serving import wait_until
from test_audit_log import head_of, turn_back

from rpsd.cli._app import run
from rpsd.service.store._seal import StateKey

__all__ = ["postgres"]
POLICIES = {"closed": 503, "open": 200}


def limit_files(service, most):
    """Let no file of the service grow beyond some bytes: as a full disk, but for this process alone."""
    number = service.server.process.pid
    _, hard = resource.prlimit(number, resource.RLIMIT_FSIZE)
    resource.prlimit(number, resource.RLIMIT_FSIZE, (hard if most is None else most, hard))


def goes_on(service):
    """See that it works again by itself, and that the chain tells that there was a gap."""
    wait_until(lambda: service.ask(None, "GET", "/health/ready").status == 200)
    wait_until(lambda: service.post("user").status == 200)
    wait_until(lambda: service.records(action="audit-log", outcome="failed"))
    assert service.post("user", x_request_id="afterwards").status == 200
    assert len(service.records(request_id="afterwards")) == 1
    assert service.verify().fault is None


@pytest.mark.parametrize("policy", ["closed", pytest.param("open", marks=pytest.mark.slow)])
def test_a_full_disk(tmp_path, policy):
    with guarded(tmp_path, audit_on_failure=policy) as service:
        service.start()
        assert service.post("user").status == 200
        limit_files(service, 4096)
        refused = service.post("user", x_request_id="lost")
        assert refused.status == POLICIES[policy]
        if policy == "closed":
            assert refused.json["type"] == "urn:rpsd:problem:not-recorded"
            assert "values" not in refused.json
            ready = service.ask(None, "GET", "/health/ready")
            assert (ready.status, ready.json["detail"]) == (503, "the audit log cannot be written")
        else:
            assert service.ask(None, "GET", "/health/ready").status == 200
        line = service.server.logged(operation="audit-log", level="CRITICAL")
        assert "requests" in line["message"]
        assert service.metric("rpsd_audit_write_errors_total") >= 1
        assert service.ask("viewer", "GET", "/health/live").status == 200
        assert service.ask(None, "GET", "/metrics").status == (503 if policy == "closed" else 401)
        limit_files(service, None)
        goes_on(service)
        assert service.server.stop() == 0


def test_a_log_that_is_turned_back_under_a_service(tmp_path):
    with guarded(tmp_path) as service:
        service.start()
        assert service.post("user").status == 200
        place = f"sqlite:///{tmp_path / 'state' / 'rpsd.db'}"
        before = head_of(place)
        assert service.post("user").status == 200
        turn_back(place, before)
        refused = service.post("user")
        assert (refused.status, refused.json["type"]) == (503, "urn:rpsd:problem:not-recorded")
        assert service.ask(None, "GET", "/health/ready").status == 503
        line = service.server.logged(operation="audit-log", level="CRITICAL")
        assert line["message"].startswith("the audit log was turned back: it had ")
        service.server.stop()
        assert service.verify().head.number == before["number"]  # nothing was built on it


def test_the_metrics_tell_when_the_log_was_last_found_whole(tmp_path, monkeypatch, capsys):
    name = "rpsd_audit_last_verified_timestamp_seconds"
    with guarded(tmp_path) as service:
        monkeypatch.setenv("RPSD_STATE_DIR", str(tmp_path / "state"))
        service.start()
        assert service.post("user").status == 200
        assert service.metric(name) == 0  # without a value
        begun = time.time()
        assert run(["audit-log", "verify"]) == 0
        found = service.metric(name)
        assert begun - 1 <= found <= time.time() + 1
        assert run(["audit-log", "verify", "--head", "1:" + "0" * 64]) == 1
        assert service.metric(name) == found
        mark = tmp_path / "state" / "last-audit-verify"
        mark.unlink()
        mark.symlink_to("none/none")  # nothing can be written there
        capsys.readouterr()
        assert run(["audit-log", "verify"]) == 0
        out, err = capsys.readouterr()
        assert "records hold" in out
        assert "the metrics will not have the time of it: " in err


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
def test_postgresql_that_goes_away_and_comes_back(tmp_path, postgres, policy):
    (tmp_path / "key").write_bytes(StateKey.new().reveal())
    (tmp_path / "key").chmod(0o600)
    settings = {"state_url": postgres.url(), "state_key_file": tmp_path / "key"}
    with guarded(tmp_path, audit_on_failure=policy, **settings) as service:
        service.start()
        assert service.post("user").status == 200
        assert service.ask("viewer", "GET", "/metrics").status == 200
        postgres.stop()
        try:
            # Those who were known a moment ago still are; whether they are answered is the policy's.
            answers = [service.post("user") for _ in range(5)]
            assert {one.status for one in answers} == {POLICIES[policy]}
            unknown = service.ask("auditor", "GET", "/metrics")
            assert (unknown.status, unknown.json["type"]) == (503, "urn:rpsd:problem:not-checked")
            assert str(postgres.directory) not in unknown.body.decode()
            assert service.metric("rpsd_audit_write_errors_total") >= 1
        finally:
            postgres.start()
        goes_on(service)
        assert service.server.stop() == 0


@pytest.mark.slow
def test_two_replicas_share_keys_and_one_chain(tmp_path, postgres):
    (tmp_path / "key").write_bytes(StateKey.new().reveal())
    (tmp_path / "key").chmod(0o600)
    settings = {"state_url": postgres.url(), "state_key_file": tmp_path / "key"}
    with guarded(tmp_path, **settings) as service:
        one, other = service.start().server, service.start().server
        try:

            def ask(server):
                for _ in range(10):
                    assert (
                        server.post({"values": X}, authorization=f"Bearer {service.keys['user']}").status
                        == 200
                    )

            threads = [threading.Thread(target=ask, args=(server,)) for server in (one, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert one.stop() == 0
            assert len(service.records(action="POST /v1/denoise", outcome="allowed")) == 20
            verdict = service.verify()
            assert (verdict.fault, verdict.records) == (None, 22)  # and what each is configured as
        finally:
            one.process.kill()
            one.finished()


def test_tokens_while_their_issuer_is_away(tmp_path, monkeypatch):
    maker, issuer = Maker(), KeyServer()
    issuer.answer = json.dumps(maker.jwks).encode()
    issuer.ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    settings = {"token_issuer": ISSUER, "token_audience": AUDIENCE, "token_keys": issuer.url}
    with guarded(tmp_path, **settings) as service:
        service.start()
        try:
            assert service.post(maker.token("es"), x_request_id="by-token").status == 200
            (record,) = service.records(request_id="by-token")
            assert record["who"] == "token:alice"
        finally:
            issuer.close()
        assert service.post(maker.token("ed", sub="bob")).status == 200
        assert service.post(maker.token("rs", roles=["viewer"])).status == 403
        assert service.post(maker.token("rs", exp=1)).status == 401
        assert service.post(maker.forged({"alg": "none", "kid": "rs"})).status == 401
        service.server.process.send_signal(signal.SIGHUP)  # what is known of the issuer stays known
        service.server.logged(operation="reload", level="INFO")
        assert service.post(maker.token("es", sub="carol")).status == 200
        assert service.server.stop() == 0


def test_a_process_that_is_killed_loses_no_record_of_what_it_answered(tmp_path):
    with guarded(tmp_path) as service:
        service.start()
        answered, stop = [], threading.Event()

        def ask(which):
            number = 0
            while not stop.is_set():
                name, number = f"killed-{which}-{number}", number + 1
                try:
                    if service.post("user", x_request_id=name).status == 200:
                        answered.append(name)
                except OSError:
                    return

        threads = [threading.Thread(target=ask, args=(which,)) for which in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) > 20)
        service.server.process.send_signal(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
        assert service.verify().fault is None
        assert set(answered) <= {record.get("request_id") for record in service.records()}


def test_the_head_is_told_and_what_waits_is_written_at_the_end(tmp_path):
    with guarded(tmp_path) as service:
        service.start()
        assert service.post("user").status == 200
        assert service.server.stop() == 0
        line = service.server.logged(operation="audit-log")
        assert line["head"] == service.verify().head.text()
