"""A device that holds passkeys, in software: what a browser would send, and what a dishonest one would."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text_of(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """One passkey on one device; ``counts`` is False for a device that does not count."""

    def __init__(self, origin: str, *, counts: bool = True) -> None:
        self.origin, self.counts = origin, counts
        self.key_id = secrets.token_bytes(16)
        self.count = 0
        self._key = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: dict[str, Any], **lies: Any) -> str:
        """Return what makes its passkey known."""
        numbers = self._key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(self.key_id).to_bytes(2) + self.key_id + cbor2.dumps(public)
        data = self._data(options["rp"]["id"], ATTESTED, lies) + attested
        answer = {
            "clientDataJSON": text_of(self._client_data("webauthn.create", options, lies)),
            "attestationObject": text_of(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
        }
        return self._json(answer)

    def get(self, options: dict[str, Any], **lies: Any) -> str:
        """Return its signature of what it was asked to sign."""
        client = self._client_data("webauthn.get", options, lies)
        data = self._data(options["rpId"], 0, lies)
        signed = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        if lies.get("spoil"):
            signed = Authenticator(self.origin)._key.sign(data, ec.ECDSA(hashes.SHA256()))
        parts = {"clientDataJSON": client, "authenticatorData": data, "signature": signed}
        return self._json({name: text_of(part) for name, part in parts.items()})

    def _data(self, host: str, flags: int, lies: dict[str, Any]) -> bytes:
        self.count = lies.get("count", self.count + 1 if self.counts else 0)
        flags |= PRESENT | (0 if lies.get("unverified") else VERIFIED)
        named = hashlib.sha256(lies.get("host", host).encode()).digest()
        return named + bytes([flags]) + self.count.to_bytes(4)

    def _client_data(self, kind: str, options: dict[str, Any], lies: dict[str, Any]) -> bytes:
        challenge = lies.get("challenge", options["challenge"])
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": lies.get("origin", self.origin)}
        ).encode()

    def _json(self, answer: dict[str, str]) -> str:
        name = text_of(self.key_id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": answer})
