# SPDX-License-Identifier: MIT
"""An issuer of tokens: keys of each kind, tokens right and wrong, and an https server of its keys."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

import jwt
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER, AUDIENCE = "https://issuer.example", "rpsd"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Issuer:
    """Keys named rs, es and ed; `jwks` is what it publishes."""

    def __init__(self):
        self.keys = {
            "rs": rsa.generate_private_key(65537, 2048),
            "es": ec.generate_private_key(ec.SECP256R1()),
            "ed": ed25519.Ed25519PrivateKey.generate(),
        }
        self.algorithms = {"rs": "RS256", "es": "ES256", "ed": "EdDSA"}

    def jwk(self, kid, **more):
        algorithm = jwt.get_algorithm_by_name(self.algorithms[kid])
        return {**json.loads(algorithm.to_jwk(self.keys[kid].public_key())), "kid": kid, **more}

    @property
    def jwks(self):
        return {"keys": [self.jwk(kid, use="sig", alg=self.algorithms[kid]) for kid in self.keys]}

    def claims(self, **changed):
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "alice",
            "exp": now + 300,
            "roles": ["user"],
            **changed,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, kid="rs", headers=None, **changed):
        given = {"kid": kid, **(headers or {})}
        return jwt.encode(self.claims(**changed), self.keys[kid], self.algorithms[kid], headers=given)

    def public_pem(self, kid="rs"):
        form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.keys[kid].public_key().public_bytes(*form)

    def forged(self, header, secret=None, **changed):
        """Return a token made by hand, as no library would; HMAC where there is a secret."""
        text = b".".join(b64(json.dumps(part).encode()) for part in (header, self.claims(**changed)))
        signature = b"" if secret is None else hmac.digest(secret, text, hashlib.sha256)
        return (text + b"." + b64(signature)).decode()


class KeyServer:
    """An https server of keys; `answer` is what it says, `asked` how often it was."""

    def __init__(self):
        self.ca = trustme.CA()
        self.asked = 0
        self.answer = b""
        self.status = 200
        self.headers = {}
        self.delay = 0.0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                time.sleep(outer.delay)
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(outer.answer)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert("127.0.0.1").configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}/keys"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
