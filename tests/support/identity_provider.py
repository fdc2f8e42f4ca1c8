"""An OpenID Connect provider on a loopback port, which can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

if TYPE_CHECKING:
    from collections.abc import Iterator

from support.secret_scan import SCAN

CLIENT_ID = "setpoint-plane"
CLIENT_SECRET = "a client's secret: with / and %"


def asking(settings, issuer, folder, roles):
    """Return settings of a plane that asks this provider, and gives its groups these roles."""
    secret = folder / "secret"
    secret.write_text(SCAN.password(CLIENT_SECRET) + "\n")
    return replace(
        settings,
        oidc_issuer=issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret_file=str(secret),
        oidc_roles=roles,
    )


class IdentityProvider:
    """Vouches for whoever comes as the person of ``claims``; ``spoil`` changes what it signs."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
        self.url = ""
        # Not the name of a persona, who may have a login of the database: that is nobody's to take.
        self.claims = {"sub": "248289761001", "preferred_username": "olga", "groups": ["trainers"]}
        self.spoil: dict[str, object] = {}
        #: What it tells of the person apart from the id token; None for nothing.
        self.userinfo: dict[str, object] | None = None
        self.sign_none = False
        self.sign_with: RSAKey | None = None
        self.broken = False
        #: What it was asked for last.
        self.asked: dict[str, str] = {}
        self._codes: dict[str, dict[str, str]] = {}

    def authorize(self, query: dict[str, str]) -> str:
        """Return the address to send the browser back to."""
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(24)
        self._codes[code] = query
        self.asked = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, str]]:
        asked = self._codes.pop(form.get("code", ""), None)  # a code is good once
        expected = base64.b64encode(
            f"{CLIENT_ID}:a%20client%27s%20secret%3A%20with%20%2F%20and%20%25".encode()
        ).decode()
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or authorization != f"Basic {expected}"
            or form["redirect_uri"] != asked["redirect_uri"]
            or base64.urlsafe_b64encode(challenge).decode().rstrip("=") != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        return 200, {"token_type": "Bearer", "access_token": "unused", "id_token": self._id_token(asked)}

    def _id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        # Required where a proof was asked for (OpenID Connect Core, section 2).
        claims |= {"auth_time": now} if "max_age" in asked else {}
        claims |= self.claims | self.spoil
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.sign_none:
            parts = [{"alg": "none", "kid": "one"}, claims]
            sealed = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
            return ".".join((*sealed, ""))
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.sign_with or self.key)

    def discovery(self) -> dict[str, str]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        } | ({} if self.userinfo is None else {"userinfo_endpoint": f"{self.url}/userinfo"})


class _Handler(BaseHTTPRequestHandler):
    provider: IdentityProvider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if self.provider.broken:
            self._send(502, b"<html>bad gateway</html>")
        elif parts.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.provider.authorize(query))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif parts.path == "/keys":
            self._send(200, {"keys": [self.provider.key.as_dict(private=False)]})
        elif parts.path == "/userinfo":
            known = self.headers.get("Authorization") == "Bearer unused"
            self._send(200 if known else 401, self.provider.userinfo)
        else:
            self._send(200, self.provider.discovery())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._send(*self.provider.token(form, self.headers.get("Authorization", "")))

    def _send(self, status: int, body: object) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving_identities() -> Iterator[IdentityProvider]:
    """Serve a provider from a thread of this process."""
    provider = IdentityProvider()
    handler = type("Handler", (_Handler,), {"provider": provider})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        provider.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join(timeout=60)
