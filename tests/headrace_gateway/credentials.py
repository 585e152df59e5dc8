"""API keys, and an issuer of tokens, as tests have them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from headrace.kernel.clock import SystemClock
from headrace_gateway.api_keys import new_key

ISSUER, AUDIENCE = "https://issuer.example", "headrace"


def write_keys(path: Path, **scopes_of: list[str]) -> dict[str, str]:
    """Write a file of one key a caller; gives the keys."""
    keys, entries = {}, []
    for name, scopes in scopes_of.items():
        keys[name], digest = new_key(name)
        entries.append(f'[{name}]\nsha256 = ["{digest}"]\nscopes = {json.dumps(scopes)}\n')
    path.write_text("\n".join(entries))
    return keys


class Issuer:
    """Signs tokens, with a key that can be changed."""

    def __init__(self) -> None:
        self.fetched = 0
        self.rotate("first")

    def rotate(self, key_id: str) -> None:
        self.key_id = key_id
        self.key = ec.generate_private_key(ec.SECP256R1())

    def key_set(self) -> str:
        public: dict[str, Any] = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "ES256"}]})

    def token(self, **changes: Any) -> str:
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": int(SystemClock().now()) + 60, **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": self.key_id})

    @contextmanager
    def published(self) -> Iterator[str]:
        """Serve the key set; gives its URL."""
        issuer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetched += 1
                body = issuer.key_set().encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's name for it
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/jwks.json"
            finally:
                server.shutdown()
                thread.join()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
