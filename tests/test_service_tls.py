# SPDX-License-Identifier: MIT
"""TLS by certificates that the tests sign: versions, clients' certificates, and one that is replaced."""

import http.client
import json
import signal
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from guarded import X, guarded
from serving import free_port, wait_until

from rpsd.cli import main
from rpsd.service.access._certificates import Identities

LEAF = {"common_name": "plain.name"}


class Files:
    """A certificate authority, a server's certificate in files, and clients'."""

    def __init__(self, directory):
        self.directory = directory
        self.ca = trustme.CA()
        self.clients = trustme.CA()
        self.ca_path = directory / "clients.pem"
        self.clients.cert_pem.write_to_path(str(self.ca_path))
        self.certificate, self.key = directory / "server.pem", directory / "server.key"
        self.renew()

    def renew(self, days=90):
        end = datetime.now(UTC) + timedelta(days=days)
        leaf = self.ca.issue_cert("127.0.0.1", "localhost", not_after=end)
        leaf.private_key_pem.write_to_path(str(self.key))
        self.certificate.write_bytes(b"".join(one.bytes() for one in leaf.cert_chain_pems))
        self.serial = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number

    @property
    def settings(self):
        return {
            "tls_certificate": self.certificate,
            "tls_key": self.key,
            "tls_client_ca": self.ca_path,
            "certificate_roles": "loader.example=user, plain.name=viewer+auditor",
        }

    def context(self, client=None):
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        if client is not None:
            client.configure_cert(context)
        return context


def is_ready(service, files):
    try:
        return ask(service, files.context(), "GET", "/health/ready").status == 200
    except OSError:
        return False


def connect(service, context):
    return http.client.HTTPSConnection("127.0.0.1", service.server.port, timeout=45, context=context)


def ask(service, context, method, path, body=None, headers=None):
    connection = connect(service, context)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.text = answer.read()
        return answer
    finally:
        connection.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def service(tmp_path_factory, files):
    with guarded(tmp_path_factory.mktemp("home"), auth="auto", **files.settings) as running:
        running.start("--host", "0.0.0.0", wait=False)
        wait_until(lambda: running.server.process.poll() is not None or is_ready(running, files))
        assert running.server.process.poll() is None, running.server.lines
        yield running
        assert running.server.stop() == 0
        assert running.verify().fault is None


def bearer(service, name):
    return {"authorization": f"Bearer {service.keys[name]}", "content-type": "application/json"}


def test_keys_work_through_tls_and_not_without(service, files):
    body = json.dumps({"values": X})
    context = files.context()
    assert ask(service, context, "POST", "/v1/denoise", body, bearer(service, "user")).status == 200
    assert ask(service, context, "POST", "/v1/denoise", body, bearer(service, "viewer")).status == 403
    assert ask(service, context, "GET", "/metrics").status == 401
    with socket.create_connection(("127.0.0.1", service.server.port), timeout=45) as raw:
        raw.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1 200" not in raw.recv(4096)


def test_old_versions_are_refused(service, files):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = files.context()
        context.minimum_version = context.maximum_version = version
        assert ask(service, context, "GET", "/health").status == 200
    context = files.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(service, context, "GET", "/health")


def test_a_certificate_is_who_asks(service, files):
    body, kind = json.dumps({"values": X}), {"content-type": "application/json"}
    loader = files.context(files.clients.issue_cert("loader.example"))
    assert ask(service, loader, "POST", "/v1/denoise", body, {**kind, "x-request-id": "mtls"}).status == 200
    (record,) = service.records(request_id="mtls")
    assert record["who"] == "certificate:loader.example"
    named = files.context(files.clients.issue_cert(**LEAF))
    assert ask(service, named, "GET", "/metrics").status == 200
    assert ask(service, named, "POST", "/v1/denoise", body, kind).status == 403
    # What is shown in the header is who asks, and a certificate does not make up for what is wrong there.
    assert ask(service, loader, "POST", "/v1/denoise", body, bearer(service, "viewer")).status == 403
    wrong = {"authorization": "Bearer rpsd_nothing"}
    assert ask(service, loader, "GET", "/metrics", headers=wrong).status == 401


def test_a_certificate_ends_for_connections_that_are_open_too(files):
    """The handshake is over then: what is looked at again with each message is this."""
    identities, now = Identities("loader.example=user"), datetime.now(UTC)
    for days, good in ((1, True), (-1, False)):
        leaf = files.clients.issue_cert("loader.example", not_after=now + timedelta(days=days))
        pem = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
        assert (identities.find(pem.public_bytes(Encoding.DER)) is not None) == good


def test_certificates_of_others_and_those_without_a_role_are_nobody(service, files):
    unnamed = files.context(files.clients.issue_cert("stranger.example"))
    assert ask(service, unnamed, "GET", "/metrics").status == 401
    # The alternative name goes before the common name: it is not chosen from what fits.
    both = files.context(files.clients.issue_cert("stranger.example", common_name="loader.example"))
    assert ask(service, both, "GET", "/metrics").status == 401
    for other in (trustme.CA(), files.ca):
        context = files.context(other.issue_cert("loader.example"))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(service, context, "GET", "/health")
    ended = datetime.now(UTC) - timedelta(days=1)
    old = files.clients.issue_cert("loader.example", not_before=ended - timedelta(days=9), not_after=ended)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(service, files.context(old), "GET", "/health")


def test_smoke_takes_a_key_from_a_file_and_never_in_plain_sight(
    service, files, tmp_path, monkeypatch, capsys
):
    files.ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    (tmp_path / "key").write_text(service.keys["user"] + "\n")
    (tmp_path / "key").chmod(0o600)
    url = f"https://127.0.0.1:{service.server.port}"
    assert main(["smoke", url]) == 1
    monkeypatch.setenv("RPSD_API_KEY_FILE", str(tmp_path / "key"))
    capsys.readouterr()
    assert main(["smoke", url, "--json", "--timeout", "45"]) == 0, capsys.readouterr()
    out, err = capsys.readouterr()
    assert service.keys["user"] not in out + err
    assert main(["smoke", "http://192.0.2.1:8000"]) == 1
    assert "a key is sent over https" in capsys.readouterr().err
    (tmp_path / "key").chmod(0o644)
    assert main(["smoke", url]) == 2
    assert "must not be open to everybody" in capsys.readouterr().err


def serial_of(service, files):
    with (
        socket.create_connection(("127.0.0.1", service.server.port), timeout=45) as raw,
        files.context().wrap_socket(raw, server_hostname="127.0.0.1") as encrypted,
    ):
        return x509.load_der_x509_certificate(encrypted.getpeercert(binary_form=True)).serial_number


def not_after(service, files):
    text = ask(service, files.context(), "GET", "/metrics", headers=bearer(service, "viewer")).text.decode()
    name = "rpsd_tls_certificate_not_after_timestamp_seconds "
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))


def test_a_new_certificate_drops_no_connection(service, files):
    """Connections go on while the certificate is replaced five times, and none of their requests fails."""
    assert serial_of(service, files) == files.serial
    stop, failures, counts = threading.Event(), [], [0, 0]

    def keep(which):
        kept = connect(service, files.context())
        while not stop.is_set():
            try:
                kept.request("GET", "/health")
                if kept.getresponse().read() == b"":
                    failures.append("empty")
                counts[which] += 1
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
                return
            time.sleep(0.005)
        kept.close()

    threads = [threading.Thread(target=keep, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for days in range(20, 25):
        files.renew(days)
        service.server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: serial_of(service, files) == files.serial)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert min(counts) > 5
    assert abs(not_after(service, files) - (datetime.now(UTC) + timedelta(days=24)).timestamp()) < 3600


def test_a_certificate_that_is_none_keeps_the_old_one(service, files):
    before, key = files.serial, files.key.read_bytes()
    seen = len(service.server.log)
    files.key.write_bytes(trustme.CA().issue_cert("127.0.0.1").private_key_pem.bytes())
    service.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any(one["level"] == "ERROR" for one in service.server.log[seen:]))
    (line,) = [one for one in service.server.log[seen:] if one["level"] == "ERROR"]
    assert "tls_certificate and tls_key: they are no pair of PEM files" in line["message"]
    assert serial_of(service, files) == before
    files.key.write_bytes(key)


def test_the_authority_of_clients_is_read_anew(service, files):
    other = trustme.CA()
    newcomer = files.context(other.issue_cert("loader.example"))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(service, newcomer, "GET", "/metrics")
    before = files.ca_path.read_bytes()
    files.ca_path.write_bytes(other.cert_pem.bytes())
    seen = len(service.server.log)
    service.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any("is in effect" in one["message"] for one in service.server.log[seen:]))
    assert ask(service, newcomer, "GET", "/metrics").status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(service, files.context(files.clients.issue_cert("loader.example")), "GET", "/metrics")
    files.ca_path.write_bytes(before)
    service.server.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("text", ["a", "a=boss", "=user", "a=user,a=admin", "a=", "a=local"])
def test_roles_of_certificates_that_are_none(text):
    with pytest.raises(Exception, match="certificate_roles must be NAME=ROLE"):
        Identities(text)


REFUSED = [
    (("--auth", "off"), 'auth must be on or auto where others can reach host "0.0.0.0", got "off"'),
    ((), 'host "0.0.0.0" needs tls_certificate and tls_key, as keys would travel in plain sight'),
    (("--plain-http",), 'host "0.0.0.0" asks for credentials, and nobody has any: make a key'),
    (("--tls-certificate", "x"), "tls_certificate and tls_key go together"),
    (("--tls-client-ca", "x"), "tls_client_ca needs tls_certificate and tls_key"),
    (("--tls-certificate", "/no", "--tls-key", "/no"), "tls_certificate and tls_key: No such file"),
    (("--plain-http", "--token-issuer", "x"), "token_issuer, token_audience, token_keys go together"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_what_others_could_reach_without_proof_does_not_start(tmp_path, capsys, given, reason):
    arguments = ["--host", "0.0.0.0", "--metrics-port", str(free_port()), "--state-dir", str(tmp_path)]
    assert main(["serve", *arguments, *given]) == 2
    assert reason in capsys.readouterr().err
