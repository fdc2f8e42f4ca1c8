"""SERVE: logging in with an identity provider: OpenID Connect, authorization code with PKCE.

Guarantees: state, nonce and code verifier are kept in the browser that began the login, for ten minutes,
so that any server of the plane can finish it; an id token counts only with a signature of the provider's
published keys by a public-key algorithm, this issuer, this audience, this nonce, and a time within 30
seconds of this machine's; what it leaves out of the person is asked of the provider, about the same subject.
Refuses plain http to anything but this machine. Who comes in, and with which
roles at most, the database decides.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from setpoint.client.plane.openings import ask
from setpoint.client.secret_files import read_secret
from setpoint.declare.foreign_text import read_json
from setpoint.errors import (
    ForbiddenError,
    IntegrityError,
    MissingError,
    UnauthenticatedError,
    UnavailableError,
    UsageError,
)
from setpoint.serve.access.rules import ROLES
from setpoint.serve.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.settings import Settings

LEEWAY_S = 30
LOGIN_LIVES_S = 600
_TIMEOUT_S = 5.0
#: Keys and tokens are a few KiB; a megabyte is none of them.
_LARGEST_BYTES = 2**20
#: A login asks up to four times: for the provider's addresses, the token, the keys and the person.
_LOGIN_WITHIN_S = 25.0
#: Whoever waits for a provider that hangs holds a thread.
_ASKED_AT_A_TIME = 2
_SCOPE = "openid profile email"
#: What asks a provider to see the person itself, not the session that they have there.
_ANEW = {"prompt": "login", "max_age": "0"}
_BELIEVED_S = 3600.0
_SIGNED_BY = ["RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "ES512", "EdDSA"]
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Begun(NamedTuple):
    """A login under way; its browser keeps it."""

    state: str
    nonce: str
    verifier: str
    #: Somebody who is logged in proves again who they are, rather than logging in.
    is_proof: bool = False

    def sealed(self) -> str:
        """Return it as the value of a cookie."""
        return base64.urlsafe_b64encode(json.dumps(self).encode()).decode().rstrip("=")

    @classmethod
    def opened(cls, cookie: str) -> Begun:
        """Read a cookie's value.

        Raises:
            UsageError: it is none; the login was begun elsewhere, or too long ago.
        """
        try:
            parts = read_json(base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)))
            state, nonce, verifier, is_proof = parts
        except (ValueError, TypeError):
            raise _not_begun() from None
        return cls(str(state), str(nonce), str(verifier), is_proof is True)


class Person(NamedTuple):
    """Whom the provider vouched for."""

    issuer: str
    subject: str
    name: str
    roles: tuple[str, ...]
    #: When they last gave a proof there, in seconds since 1970; None where the provider does not say.
    authenticated_at: float | None = None


class Provider:
    """The identity provider of these settings; those who wait for it hold up nothing else."""

    def __init__(self, settings: Settings) -> None:
        """Read what the settings say.

        Raises:
            UsageError: they make no sense.
            UnavailableError: the client's secret cannot be read.
        """
        self.issuer = _require_private(settings.oidc_issuer) if settings.oidc_issuer else ""
        self._client_id = settings.oidc_client_id
        self._secret_file = settings.oidc_client_secret_file
        self._roles = roles_by_group(settings.oidc_roles)
        self._found: tuple[float, dict[str, Any]] | None = None
        self._keys: KeySet | None = None
        self.turns = Turns("the identity provider", _ASKED_AT_A_TIME, _LOGIN_WITHIN_S)
        if self.issuer and not self._client_id:
            raise UsageError(
                "SETPOINT_OIDC_ISSUER needs SETPOINT_OIDC_CLIENT_ID.", hint="the provider gave you one"
            )
        self._authentication()

    @property
    def is_set(self) -> bool:
        """True when these settings name a provider."""
        return bool(self.issuer)

    async def begin(self, redirect_uri: str, *, is_proof: bool = False) -> tuple[str, Begun]:
        """Return the provider's address to send the browser to, and what the browser keeps.

        Args:
            redirect_uri: where the provider sends it back to.
            is_proof: the provider is to ask for the person's proof anew, whatever session they have there.

        Raises:
            UnavailableError: the provider cannot be reached.
        """
        return await self.turns.run(self._begin, redirect_uri, is_proof)

    async def finish(self, redirect_uri: str, begun: Begun, query: Mapping[str, str]) -> Person:
        """Return the person whom the provider sent back.

        Raises:
            UsageError: the state is not the one that this browser began with.
            ForbiddenError: the provider said no.
            UnauthenticatedError: the provider refuses the code, or its id token does not hold.
            UnavailableError: the provider cannot be reached.
        """
        return await self.turns.run(self._finish, redirect_uri, begun, query)

    def _begin(self, redirect_uri: str, is_proof: bool) -> tuple[str, Begun]:
        state, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 32, 48))
        begun = Begun(state, nonce, verifier, is_proof)
        address = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            client_id=self._client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope=_SCOPE,
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
            **(_ANEW if is_proof else {}),
        )
        return str(address), begun

    def _finish(self, redirect_uri: str, begun: Begun, query: Mapping[str, str]) -> Person:
        if not hmac.compare_digest(query.get("state", "").encode(), begun.state.encode()):
            raise _not_begun()
        # RFC 9207: who answers says so, where it can.
        if query.get("iss", self.issuer) != self.issuer:
            raise UnauthenticatedError("another identity provider answers.", hint="log in again")
        if "code" not in query:
            raise ForbiddenError("the identity provider let nobody in.", hint="log in there, then try again")
        given = self._exchange(redirect_uri, begun, query["code"])
        claims = self._claims(given["id_token"], begun.nonce)
        if begun.is_proof:
            _require_anew(claims)
        return self._person({**self._told(claims, str(given.get("access_token", ""))), **claims})

    def _told(self, claims: Mapping[str, Any], access_token: str) -> dict[str, Any]:
        """Return what the provider tells of the person apart, if its id token leaves the name or groups out.

        OpenID Connect Core 5.4: with a code, what `profile` and `email` ask for need not be in the token.
        """
        is_whole = "groups" in claims and ("preferred_username" in claims or "email" in claims)
        if is_whole or not access_token or not self._document().get("userinfo_endpoint"):
            return {}
        told = self._read(self._endpoint("userinfo_endpoint"), {"Authorization": f"Bearer {access_token}"})
        if told.get("sub") != claims["sub"]:
            raise UnauthenticatedError("the provider tells of somebody else.", hint="log in again")
        return told

    def _exchange(self, redirect_uri: str, begun: Begun, code: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self._client_id,
            "code_verifier": begun.verifier,
        }
        address, headers = self._endpoint("token_endpoint"), self._authentication()
        try:
            answer = ask(address, _TIMEOUT_S, form=form, headers=headers, largest_bytes=_LARGEST_BYTES)
            given = read_json(answer.body)
        except (OSError, IntegrityError, ValueError) as error:
            raise _unreachable(self.issuer) from error
        if answer.status >= 300 or not isinstance(given, dict) or not isinstance(given.get("id_token"), str):
            raise UnauthenticatedError("the identity provider refused the code.", hint="log in again")
        return given

    def _authentication(self) -> dict[str, str]:
        """Return the header of this client's name and secret, as RFC 6749 section 2.3.1 has it, or none."""
        if not self._secret_file:
            return {}
        try:
            secret = read_secret(self._secret_file, "SETPOINT_OIDC_CLIENT_SECRET_FILE")
        except UsageError as error:
            raise UnavailableError(error.message, hint="mend the file") from error
        pair = f"{quote(self._client_id, safe='')}:{quote(secret, safe='')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self._client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = self._verified(id_token)
            registry.validate(claims)
        except (JoseError, ValueError) as error:
            raise UnauthenticatedError(
                f"the id token does not hold: {_said(error)}.",
                hint="log in again; if it stays, compare clocks",
            ) from error
        # A token for several audiences names the one it was given to.
        if claims.get("azp", self._client_id) != self._client_id:
            raise UnauthenticatedError("the id token was given to another client.", hint="log in again")
        return claims

    def _verified(self, id_token: str) -> dict[str, Any]:
        if self._keys is not None:
            try:
                return jwt.decode(id_token, self._keys, algorithms=_SIGNED_BY).claims
            except (JoseError, ValueError):
                pass  # the provider may have changed its keys
        self._keys = KeySet.import_key_set(self._read(self._endpoint("jwks_uri")))  # type: ignore[arg-type]
        return jwt.decode(id_token, self._keys, algorithms=_SIGNED_BY).claims

    def _person(self, claims: Mapping[str, Any]) -> Person:
        subject = str(claims["sub"])
        said = str(claims.get("preferred_username") or claims.get("email") or "").lower()
        digest = hashlib.sha256(subject.encode()).hexdigest()[:12]
        groups = claims.get("groups") or []
        roles = {self._roles[group] for group in map(str, groups) if group in self._roles}
        name = said if _NAME.fullmatch(said) else f"oidc-{digest}"
        return Person(self.issuer, subject, name, tuple(sorted(roles)), _authenticated_at(claims))

    def _endpoint(self, name: str) -> str:
        return _require_private(str(self._document().get(name, "")))

    def _document(self) -> dict[str, Any]:
        """Return what the provider says of itself, and believe it for an hour."""
        if not self.is_set:
            raise MissingError("this plane has no identity provider.", hint="set SETPOINT_OIDC_ISSUER")
        if self._found is None or time.monotonic() - self._found[0] > _BELIEVED_S:
            document = self._read(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
            if document.get("issuer") != self.issuer:
                raise UnavailableError(
                    f"the provider calls itself {document.get('issuer')!r}, not {self.issuer!r}.",
                    hint="set SETPOINT_OIDC_ISSUER to exactly what it says",
                )
            self._found = (time.monotonic(), document)
        return self._found[1]

    def _read(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            answer = ask(address, _TIMEOUT_S, headers=headers or {}, largest_bytes=_LARGEST_BYTES)
            document = read_json(answer.body)
        except (OSError, IntegrityError, ValueError) as error:
            raise _unreachable(self.issuer) from error
        if answer.status >= 300 or not isinstance(document, dict):
            raise _unreachable(self.issuer)
        return document


def roles_by_group(text: str) -> dict[str, str]:
    """Read ``group:role,...``; a group's own name may hold colons.

    Raises:
        UsageError: a pair is none, or names no role that people have.
    """
    found = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        group, _, role = pair.rpartition(":")
        if not group or role not in ROLES or role == "robot":
            raise UsageError(
                f"SETPOINT_OIDC_ROLES: {pair!r} is not <group>:<role>.",
                hint="for example trainers:config_write",
            )
        found[group] = role
    return found


def _require_private(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise UsageError(f"{address!r} is no https address of an identity provider.", hint="use https")
    return address


def _authenticated_at(claims: Mapping[str, Any]) -> float | None:
    told = claims.get("auth_time")
    return told if type(told) in {int, float} and math.isfinite(told) else None  # type: ignore[arg-type]


def _require_anew(claims: Mapping[str, Any]) -> None:
    """Hold that the person gave a proof during this login, by the provider's own clock.

    Raises:
        UnauthenticatedError: they did so earlier, or the provider does not say when.
    """
    at = _authenticated_at(claims)
    if at is None or not claims["iat"] - LOGIN_LIVES_S <= at <= claims["iat"] + LEEWAY_S:
        raise UnauthenticatedError(
            "the identity provider did not ask for you anew, or does not say when it did.",
            hint="its id token needs `auth_time` of this login (OpenID Connect Core, 3.1.2.1)",
        )


def _said(error: Exception) -> str:
    # The name of the error and of the claim, never a value of the token.
    claim = getattr(error, "claim", "") or ""
    return f"{type(error).__name__} {claim}".strip()


def _not_begun() -> UsageError:
    return UsageError(
        "this login was not begun in this browser, or took too long.", hint="begin again at /login"
    )


def _unreachable(issuer: str) -> UnavailableError:
    return UnavailableError(
        f"the identity provider {issuer} cannot be reached.", hint="log in with a password, or try again"
    )
