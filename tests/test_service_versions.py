# SPDX-License-Identifier: MIT
"""Deprecation of versions; methods and addresses that are not there."""

import json
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import pytest
from serving import server

from rpsd.service import _versions
from rpsd.service._observe import Observe, Seen
from rpsd.service._versions import Version

__all__ = ["server"]


def test_a_deprecated_version_says_so():
    """RFC 9745 has a date of structured fields, RFC 8594 one of HTTP."""
    berlin = timezone(timedelta(hours=1))
    since, until = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, 1, tzinfo=berlin)
    found = dict(Version(since, until, "https://example.org/v2").headers())
    assert found[b"deprecation"] == b"@1798761600"
    assert found[b"sunset"] == b"Sat, 01 Jan 2028 00:00:00 GMT"
    assert parsedate_to_datetime(found[b"sunset"].decode()) == until
    assert found[b"link"] == b'<https://example.org/v2>; rel="deprecation"; type="text/html"'
    assert Version().headers() == []


def test_addresses_have_their_version(monkeypatch):
    old = Version(deprecated=datetime(2027, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(_versions, "VERSIONS", {"v1": old})
    for path in ("/v1/denoise", "/v1", "/v1/nothing"):
        assert _versions.headers_of(path) == [(b"deprecation", b"@1798761600")]
    for path in ("/v2/denoise", "/v10/denoise", "/health", "/", ""):
        assert _versions.headers_of(path) == []


def test_no_version_goes_before_it_is_deprecated():
    for version in _versions.VERSIONS.values():
        assert version.sunset is None or version.sunset - version.deprecated >= timedelta(days=365)


def test_every_answer_of_a_deprecated_version_says_so(monkeypatch):
    monkeypatch.setitem(_versions.VERSIONS, "v1", Version(deprecated=datetime(2027, 1, 1, tzinfo=UTC)))
    observe = Observe(None, SimpleNamespace(phase=SimpleNamespace(name="serving")))
    here = Seen("id", SimpleNamespace(digest="d"))
    assert (b"deprecation", b"@1798761600") in observe._headers(here, "/v1/denoise")
    assert b"deprecation" not in dict(observe._headers(here, "/health"))


@pytest.mark.parametrize("path", ["/v1/denoise", "/health", "/openapi.json", "/docs", "/metrics"])
def test_options_tell_what_an_address_takes(server, path):
    answer = server.ask("OPTIONS", path)
    assert (answer.status, answer.body) == (204, b"")
    methods = {"OPTIONS", "POST"} if path == "/v1/denoise" else {"GET", "HEAD", "OPTIONS"}
    assert set(answer.headers["allow"].split(", ")) == methods


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/v1/denoise", "/health", "/docs"])
def test_other_methods_are_refused_with_those_that_are_not(server, method, path):
    answer = server.ask(method, path)
    assert (answer.status, answer.headers["content-type"]) == (405, "application/problem+json")
    assert answer.json["type"] == "urn:rpsd:problem:method-not-allowed"
    assert answer.headers["allow"] == ("OPTIONS, POST" if path == "/v1/denoise" else "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/health", 200), ("/docs", 200), ("/openapi.json", 200), ("/none", 404), ("/v1/denoise", 405)],
)
def test_head_has_the_headers_of_get(server, path, status):
    head, get = server.ask("HEAD", path), server.ask("GET", path)
    assert (head.status, get.status, head.body) == (status, status, b"")
    assert head.headers["content-length"] == str(len(get.body))
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize("path", ["/v1/denoise/", "//v1/denoise", "/v1//denoise", "/docs/", "/V1/denoise"])
def test_addresses_are_exact(server, path):
    answer = server.post({"values": [1]}, path)
    assert (answer.status, answer.json["type"]) == (404, "urn:rpsd:problem:not-found")


def test_an_unknown_method_is_no_http(server):
    received = server.send(b"FOO /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 400 ")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["status"] == 400
