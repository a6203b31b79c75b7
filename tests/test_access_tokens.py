# SPDX-License-Identifier: MIT
"""Tokens: the attacks of RFC 8725, and an issuer that is slow, large, lying or away."""

import base64
import json
import random
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from issuers import AUDIENCE, ISSUER, KeyServer
from issuers import Issuer as Maker

from rpsd import ConfigError, StateError
from rpsd._sections import Security
from rpsd.service.access._issuer import Issuer, parse
from rpsd.service.access._tokens import Tokens

KEEP = object()


@pytest.fixture(scope="module")
def maker():
    return Maker()


@pytest.fixture
def tokens(maker, tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps(maker.jwks))
    return Tokens.of(security(tmp_path / "keys.json"))


def security(keys, **more):
    given = {"token_issuer": ISSUER, "token_audience": AUDIENCE, "token_keys": str(keys), **more}
    return Security(**given)


@pytest.mark.parametrize("kid", ["rs", "es", "ed"])
def test_a_good_token_is_its_subject(tokens, maker, kid):
    principal = tokens.find(maker.token(kid, roles=["user", "auditor", "boss", 7, None]))
    assert (principal.name, principal.tenant) == ("token:alice", "alice")
    assert principal.roles == {"user", "auditor"}
    assert tokens.find(maker.token(kid, tenant="desk", roles="viewer  operator")).tenant == "desk"
    assert tokens.find(maker.token(kid, roles="viewer operator")).roles == {"viewer", "operator"}
    assert tokens.find(maker.token(kid, roles=None)).roles == frozenset()
    assert tokens.find(maker.token(kid, roles={"admin": True})).roles == frozenset()
    assert tokens.find(maker.token(kid, aud=["other", AUDIENCE])) is not None


NOW = int(time.time())
CLAIMS = {
    "expired": {"exp": NOW - 120},
    "no end": {"exp": None},
    "an end that is none": {"exp": "tomorrow"},
    "not yet": {"nbf": NOW + 3600},
    "made later": {"iat": NOW + 3600},
    "another audience": {"aud": "other"},
    "no audience": {"aud": None},
    "an audience that is part of ours": {"aud": "rps"},
    "another issuer": {"iss": "https://issuer.example.evil"},
    "no issuer": {"iss": None},
    "no subject": {"sub": None},
    "a subject that is none": {"sub": 7},
    "a subject with a line end": {"sub": "alice\nadmin"},
    "a long subject": {"sub": "a" * 129},
    "a tenant that is none": {"tenant": ["desk"]},
    "an empty tenant": {"tenant": ""},
}


@pytest.mark.parametrize("what", CLAIMS)
def test_claims_that_prove_nobody(tokens, maker, what):
    claims = maker.claims(**CLAIMS[what])
    header = {"kid": "rs"}
    try:
        token = jwt.encode(claims, maker.keys["rs"], "RS256", headers=header)
    except TypeError:  # what the library does not write, an issuer may: signed as bytes
        token = jwt.api_jws.encode(json.dumps(claims).encode(), maker.keys["rs"], "RS256", headers=header)
    assert tokens.find(token) is None


def test_clocks_may_differ_by_a_minute(tokens, maker):
    now = int(time.time())
    assert tokens.find(maker.token(exp=now - 30)) is not None
    assert tokens.find(maker.token(nbf=now + 30)) is not None


def attacks(maker):
    pem = maker.public_pem()

    def signed(key, algorithm, **header):
        return jwt.encode(maker.claims(), key, algorithm, headers=header)

    yield "no algorithm", maker.forged({"alg": "none", "typ": "JWT", "kid": "rs"})
    yield "No algorithm", maker.forged({"alg": "nOnE", "kid": "rs"})
    yield "HMAC under the public key", maker.forged({"alg": "HS256", "kid": "rs"}, pem)
    yield "HMAC under the key, said to be RSA", maker.forged({"alg": "RS256", "kid": "rs"}, pem)
    yield "HMAC under nothing", maker.forged({"alg": "HS256", "kid": "rs"}, b"")
    yield (
        "RSA under a key of its own",
        signed(rsa.generate_private_key(65537, 2048), "RS256", kid="rs"),
    )
    own = rsa.generate_private_key(65537, 2048)
    jwk = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(own.public_key()))
    for name, value in (
        ("jwk", jwk),
        ("jku", "https://evil.example/keys"),
        ("x5u", "https://evil.example/x"),
    ):
        yield (
            f"a key of its own in {name}",
            signed(own, "RS256", kid="rs", **{name: value}),
        )
    yield "another's key", jwt.encode(maker.claims(), maker.keys["es"], "ES256", headers={"kid": "rs"})
    yield (
        "RSA-PSS under a good key",
        jwt.encode(maker.claims(), maker.keys["rs"], "PS256", headers={"kid": "rs"}),
    )
    yield (
        "RS512 under a good key",
        jwt.encode(maker.claims(), maker.keys["rs"], "RS512", headers={"kid": "rs"}),
    )
    for kid in ("../../etc/passwd", "' OR '1'='1", "/dev/null", "rs\x00", "", "x" * 5000, "RS"):
        yield f"kid {kid[:20]!r}", jwt.encode(maker.claims(), maker.keys["rs"], "RS256", headers={"kid": kid})
    yield "no kid of several", jwt.encode(maker.claims(), maker.keys["rs"], "RS256")
    good = maker.token()
    yield "extensions that must be known", maker.token(headers={"crit": ["exp"]})
    yield "another type", maker.token(headers={"typ": "dpop+jwt"})
    yield "kid of another kind", maker.forged({"alg": "RS256", "kid": ["rs"]})
    yield "no object", "WyJhIl0." + good.split(".", 1)[1]
    head, body, signature = good.split(".")
    yield "no signature", f"{head}.{body}."
    yield "two parts", f"{head}.{body}"
    yield "five parts", f"{good}.a.b"
    yield "nothing", ".."
    yield "no base64", "a.b.c"
    deep = base64.urlsafe_b64encode(b'{"a":' * 3000 + b"1" + b"}" * 3000).rstrip(b"=").decode()
    yield "deep", f"{deep}.{body}.{signature}"


def test_attacks_prove_nobody(tokens, maker):
    assert tokens.find(maker.token()) is not None
    for what, token in attacks(maker):
        assert tokens.find(token) is None, what


def test_every_other_bit_of_a_token_proves_nobody(tokens, maker):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    head, body, signature = maker.token("es").split(".")
    parts = [bytearray(base64.urlsafe_b64decode(part + "==")) for part in (head, body, signature)]
    for _ in range(200):
        which = rng.randrange(3)
        changed = [bytearray(part) for part in parts]
        changed[which][rng.randrange(len(changed[which]))] ^= 1 << rng.randrange(8)
        text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in changed)
        assert tokens.find(text) is None


def test_keys_that_are_left_out(maker):
    small = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(
        rsa.generate_private_key(65537, 1024).public_key()))  # fmt: skip
    other = json.loads(jwt.get_algorithm_by_name("ES384").to_jwk(
        ec.generate_private_key(ec.SECP384R1()).public_key()))  # fmt: skip
    left_out = [
        {**small, "kid": "small"},
        {**other, "kid": "curve"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "hmac", "alg": "HS256"},
        {**maker.jwk("rs"), "kid": "encrypts", "use": "enc"},
        {**maker.jwk("rs"), "kid": "another algorithm", "alg": "HS256"},
        {**maker.jwk("rs"), "kid": 7},
        {"kty": "RSA", "n": "AQAB", "kid": "broken"},
        {"kty": 5},
        {},
    ]
    assert set(parse(json.dumps({"keys": [*left_out, maker.jwk("ed")]}).encode())) == {"ed", None}
    with pytest.raises(ValueError, match="no key for"):
        parse(json.dumps({"keys": left_out}).encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [5]}', b"\xff", b"[" * 60_000, b" " * 65_537,
     json.dumps({"keys": [{"kty": "oct"}] * 17}).encode()],
)  # fmt: skip
def test_what_is_no_set_of_keys(data, tmp_path):
    with pytest.raises(ValueError, match=r"."):
        parse(data)
    (tmp_path / "keys.json").write_bytes(data)
    with pytest.raises(ConfigError, match=r"^token_keys: the file "):
        Issuer(str(tmp_path / "keys.json"))


@pytest.mark.parametrize(
    "place", ["http://issuer.example/keys", "ftp://issuer.example/keys", "file:///etc/passwd"]
)
def test_keys_come_by_https_alone(place):
    with pytest.raises(ConfigError, match="token_keys must be a file or an https address"):
        Issuer(place)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def key_server(monkeypatch, tmp_path, maker):
    running = KeyServer()
    running.answer = json.dumps(maker.jwks).encode()
    running.ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    yield running
    running.close()


def test_keys_are_asked_for_seldom_and_used_while_the_issuer_is_away(key_server):
    clock = Clock()
    issuer = Issuer(key_server.url, clock)
    assert issuer.find("rs").algorithm == "RS256"
    for _ in range(100):
        assert issuer.find("rs") is not None
    assert key_server.asked == 1
    for number in range(100):  # unknown names ask once a minute, whatever they are
        assert issuer.find(f"unknown-{number}") is None
    clock.now += 59
    assert issuer.find("unknown") is None
    assert key_server.asked == 1
    clock.now += 2
    for number in range(100):
        assert issuer.find(f"unknown-{number}") is None
    assert key_server.asked == 2
    key_server.status = 503
    clock.now += 601
    for _ in range(10):
        assert issuer.find("rs") is not None
    assert key_server.asked == 3
    clock.now += 11
    assert issuer.find("rs") is not None
    assert key_server.asked == 4
    key_server.status = 200
    key_server.answer = json.dumps({"keys": json.loads(key_server.answer)["keys"][1:]}).encode()
    clock.now += 601
    assert issuer.find("rs") is None  # taken back by its issuer
    assert issuer.find("es") is not None


def test_an_issuer_that_never_told_is_no_proof(key_server):
    key_server.status = 500
    issuer = Issuer(key_server.url, Clock())
    for _ in range(3):
        with pytest.raises(StateError, match=r"^the issuer of tokens does not tell its keys$"):
            issuer.find("rs")
    assert key_server.asked == 1


def test_answers_that_are_too_large_wrong_or_elsewhere_are_none(key_server, monkeypatch):
    good = key_server.answer
    for answer, status, headers in (
        (good + b" " * 70_000, 200, {}),
        (b"<html>", 200, {}),
        (good, 302, {"Location": key_server.url + "2"}),
        (good, 404, {}),
    ):
        key_server.answer, key_server.status, key_server.headers = answer, status, headers
        with pytest.raises(StateError):
            Issuer(key_server.url, Clock()).find("rs")
    assert key_server.asked == 4  # the one that led elsewhere was not followed


def test_an_issuer_that_nobody_vouches_for_is_none(key_server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(StateError):
        Issuer(key_server.url, Clock()).find("rs")
    assert key_server.asked == 0


@pytest.mark.parametrize("left_out", ["token_issuer", "token_audience", "token_keys"])
def test_settings_go_together(left_out, tmp_path):
    with pytest.raises(ConfigError, match=f"go together; {left_out} is not given"):
        Tokens.of(security(tmp_path, **{left_out: None}))
    assert Tokens.of(Security()) is None
