# SPDX-License-Identifier: MIT
"""Malformed HTTP and JSON, of a list and by chance: no crash, no 5xx, no client left waiting."""

import contextlib
import json
import random
import re
import socket
import threading
import zlib

import pytest
from serving import Server, server

__all__ = ["server"]

_PATIENCE = 30.0
OK = b'{"values": [1.5, null, 2.5, 3], "level": 2, "report": "none", "guardrails": {"policy": "warn"}}'
HEAD = b"POST /v1/denoise HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """Return a server that waits for nobody, and must neither end nor fail meanwhile."""
    running = Server(tmp_path_factory.mktemp("home"), header_timeout=1, body_timeout=1, max_body_bytes=2**20)
    try:
        yield running.wait()
        assert running.ask("GET", "/health/ready").status == 200
        assert not [line for line in running.log if line["level"] in ("ERROR", "CRITICAL")]
        assert running.stop() == 0
    finally:
        running.process.kill()


def answers(server, data, patience=_PATIENCE):
    """Send bytes; return the status of every answer that comes until the server closes, which it must.

    With less patience it may also wait for another request, once it has answered one.
    """
    received = b""
    closed = contextlib.suppress(BrokenPipeError, ConnectionResetError)
    with socket.create_connection(("127.0.0.1", server.port), timeout=_PATIENCE) as raw, closed:
        raw.sendall(data)
        try:
            while piece := raw.recv(65536):
                received += piece
                raw.settimeout(patience)
        except TimeoutError:
            assert received
            assert patience < _PATIENCE
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", received)]


def chunked(*chunks):
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


WHOLE = b"%x\r\n%b\r\n0\r\n\r\n" % (len(OK), OK)
INNER = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-ID: smuggled\r\n\r\n"
# What proxies and servers have been told apart by: each but the last few must be refused, and none may let a
# second request through that the first one has as its body.
SMUGGLED = {
    "CL.TE": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "TE.CL": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + INNER,
    "CL.CL": HEAD + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + INNER,
    "CL list": HEAD + b"Content-Length: 0, 0\r\n\r\n" + INNER,
    "CL plus": HEAD + b"Content-Length: +0\r\n\r\n" + INNER,
    "CL hex": HEAD + b"Content-Length: 0x0\r\n\r\n" + INNER,
    "CL huge": HEAD + b"Content-Length: 18446744073709551616\r\n\r\n" + INNER,
    "CL not ASCII": HEAD + b"Content-Length: \xb2\r\n\r\n" + INNER,
    "TE other": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + INNER,
    "TE not last": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + INNER,
    "TE of two": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + WHOLE,
    "TE before chunked": HEAD + b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n" + WHOLE,
    "TE twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + INNER,
    "TE tab": HEAD + b"Transfer-Encoding:\tchunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + INNER,
    "TE space before colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + INNER,
    "TE folded": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + INNER,
    "bare newline": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n" + INNER,
    "carriage return alone": HEAD + b"A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "zero byte": HEAD + b"A: b\0c\r\nContent-Length: 0\r\n\r\n" + INNER,
    "chunk overflow": chunked(b"10000000000000000\r\n", INNER),
    "chunk negative": chunked(b"-1\r\n", INNER),
    "chunk hex": chunked(b"0x5\r\nabcde\r\n0\r\n\r\n"),
    "chunk too long": chunked(b"1\r\nabc\r\n0\r\n\r\n"),
    "chunk without size": chunked(b"\r\nabc\r\n0\r\n\r\n"),
    "chunk newline": chunked(b"1\nx\n0\n\n"),
    "chunk extension": chunked(b"1;" + b"a" * 100_000 + b"\r\nx\r\n0\r\n\r\n"),
    "trailer": chunked(WHOLE[:-2], b"Content-Length: 9\r\n\r\n"),
    "trailers": chunked(WHOLE[:-2], b"a: b\r\n" * 20_000, b"\r\n"),
    "upgrade": b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "HTTP 0.9": b"GET /health\r\n\r\n",
    "HTTP 0.9 with headers": b"GET /health\r\nHost: x\r\nConnection: close\r\n\r\n",
    "HTTP 3.7": b"GET /health HTTP/3.7\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n",
    "host that is none": b"GET /health HTTP/1.1\r\nHost: x: y\r\nConnection: close\r\n\r\n",
    "absolute": b"GET http://other/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "authority": b"CONNECT other:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "zero in address": b"GET /health%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "not UTF-8 in address": b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "raw bytes in address": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "expect": HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(OK) + OK,
    "expect nonsense": HEAD + b"Expect: tea\r\nContent-Length: %d\r\n\r\n" % len(OK) + OK,
    "many empty lines": b"\r\n" * 5000 + HEAD + b"Content-Length: 0\r\n\r\n",
}


#: What is odd and yet allowed, or refused by another status than 400.
ODD = {
    "CL list": None,
    "chunk extension": None,
    "trailer": None,
    "trailers": None,
    "upgrade": 200,
    "absolute": None,
    "authority": None,
    "zero in address": 404,
    "not UTF-8 in address": 404,
    "raw bytes in address": None,
    "expect": 200,
    "expect nonsense": None,
    "many empty lines": 400,
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_malformed_http(hasty, name):
    found = answers(hasty, SMUGGLED[name])
    assert all(100 <= status < 500 for status in found), found
    final = [status for status in found if status >= 200]
    assert len(final) <= 1, found
    if name not in ODD:
        assert final == [400], found
    elif ODD[name] is not None:
        assert final == [ODD[name]], found
    assert "smuggled" not in {line.get("request_id") for line in hasty.log}


def gzipped(data, level=9):
    packer = zlib.compressobj(level, wbits=31)
    return packer.compress(data) + packer.flush()


BODIES = {
    "deep lists": b'{"values": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep names": b'{"values": [1], "guardrails": ' + b'{"a": ' * 100_000 + b"1" + b"}" * 100_001,
    "open lists": b"[" * 500_000,
    "open names": b'{"a":' * 200_000,
    "many names": b'{"series": {' + b",".join(b'"%d": []' % k for k in range(60_000)) + b"}}",
    "one name a million times": b'{"series": {' + b",".join([b'"a": []'] * 90_000) + b"}}",
    "long name": b'{"' + b"a" * 1_000_000 + b'": 1}',
    "long number": b'{"values": [' + b"1" * 1_000_000 + b"]}",
    "long fraction": b'{"values": [0.' + b"1" * 1_000_000 + b"]}",
    "long exponent": b'{"values": [1e' + b"1" * 1_000_000 + b"]}",
    "long text": b'{"values": [1], "wavelet": "' + b"a" * 1_000_000 + b'"}',
    "escapes": b'{"values": [1], "wavelet": "' + rb"\u0000" * 100_000 + b'"}',
    "lone surrogate": rb'{"values": [1], "wavelet": "\ud800"}',
    "surrogate name": rb'{"series": {"\ud800": [1]}}',
    "overlong UTF-8": b'{"values": [1], "wavelet": "\xc0\x80"}',
    "cut UTF-8": b'{"values": [1], "wavelet": "\xe2\x82"}',
    "UTF-16": '{"values": [1]}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + OK,
    "zero bytes": bytes(1000),
    "white space": b" " * 1_000_000,
    "nulls": b'{"values": [' + b"null," * 200_000 + b"null]}",
    "comment": b'{"values": [1] /* one */}',
    "trailing comma": b'{"values": [1,]}',
    "single quotes": b"{'values': [1]}",
    "octal": b'{"values": [01]}',
    "plus": b'{"values": [+1]}',
    "hex": b'{"values": [0x1]}',
    "huge integer option": b'{"values": [1], "level": 1' + b"0" * 400 + b"}",
    "prototype": b'{"values": [1], "__proto__": {}, "__class__": {}}',
    "pickle": b'{"py/object": "os.system", "values": [1]}',
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ["/v1/denoise", "/v1/noise", "/v1/evaluate"])
def test_malformed_json(hasty, name, path):
    answer = hasty.post(BODIES[name], path)
    assert answer.status < 500, answer.body
    if name in ("long fraction", "nulls") and path != "/v1/evaluate":
        assert answer.status == 200
    else:
        assert 400 <= answer.status < 500
        assert answer.json["type"].startswith("urn:rpsd:problem:")
    assert len(answer.body) < 5_000_000


@pytest.mark.parametrize(
    "packed",
    [
        gzipped(bytes(2**30 >> 3)),
        gzipped(gzipped(bytes(2**26))),
        gzipped(OK)[:-9] + bytes(9),
        gzipped(OK) * 3,
        gzipped(b""),
        b"\x1f\x8b\x08" + b"\xff" * 1000,
        zlib.compress(OK),
    ],
    ids=["bomb", "bomb in a bomb", "checksum", "members", "nothing", "flags", "zlib"],
)
def test_malformed_gzip(hasty, packed):
    answer = hasty.post(packed, content_encoding="gzip")
    assert 400 <= answer.status < 500


def mutated(data, dice):
    """Return data with a few bytes changed, taken out, put in, or doubled."""
    found = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(found))
        kind = dice.randrange(5)
        if kind == 0:
            found[place] = dice.randrange(256)
        elif kind == 1:
            del found[place : place + dice.randint(1, 9)]
        elif kind == 2:
            found[place:place] = dice.choice(
                [b"\0", b"\xff", b"\r\n", b"\n", b'"', b"[", b"{", b"}", b",", b"1e9", b"-", b"\\", b": "]
            )
        elif kind == 3:
            found[place:place] = found[place : place + dice.randint(1, 30)]
        else:
            found[place] ^= 1 << dice.randrange(8)
        if not found:
            found = bytearray(b" ")
    return bytes(found)


def throw_json(server, count, seed):
    """Post bodies changed by chance, over connections that are kept."""
    dice = random.Random(seed)
    with contextlib.closing(server.connect()) as connection:
        for _ in range(count):
            body = mutated(OK, dice)
            connection.request("POST", "/v1/denoise", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            assert response.status in (200, 400, 413, 422), (body, content)
            json.loads(content, parse_constant=pytest.fail)


def throw_http(server, count, seed):
    """Send whole requests changed by chance; each is answered or closed."""
    dice = random.Random(seed)
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(OK) + OK
    failed = []

    def client(requests):
        for data in requests:
            try:
                found = answers(server, data, patience=2)
            except (AssertionError, OSError) as error:
                found = [error]
            if not all(isinstance(status, int) and 100 <= status < 500 for status in found):
                failed.append((found, data))

    requests = [mutated(request, dice) for _ in range(count)]
    clients = [threading.Thread(target=client, args=(requests[k::16],)) for k in range(16)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert failed == []


def test_json_by_chance(hasty):
    throw_json(hasty, 500, seed=1)


def test_http_by_chance(hasty):
    throw_http(hasty, 160, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_more_json_by_chance(hasty, seed):
    throw_json(hasty, 10_000, 100 + seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_more_http_by_chance(hasty, seed):
    throw_http(hasty, 2000, 100 + seed)


@pytest.mark.parametrize("connections", [1, 8])
def test_chunks_of_a_byte_do_not_keep_others_waiting(server, connections):
    """Each takes a call; no more of them are parsed in a turn, of all connections, than takes some ms."""
    head = HEAD.replace(b"json", b"octet-stream") + b"Transfer-Encoding: chunked\r\n\r\n"
    answers = []
    data = head + b"1\r\na\r\n" * (400_001 // connections // 2 * 2 + 1) + b"0\r\n\r\n"
    senders = [threading.Thread(target=lambda: answers.append(server.send(data))) for _ in range(connections)]
    for sender in senders:
        sender.start()
    probes = 0
    while any(sender.is_alive() for sender in senders):
        assert server.ask("GET", "/health/live").status == 200
        probes += 1
    for sender in senders:
        sender.join()
    assert all(answer.startswith(b"HTTP/1.1 400 ") for answer in answers)  # no whole number of samples
    assert len(answers) == connections
    assert probes > 60
