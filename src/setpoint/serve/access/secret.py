"""SERVE: secrets: how they are made, and the hash under which the database knows them.

Guarantees: 256 random bits behind a prefix that scanners for leaked secrets can look for.
"""

from __future__ import annotations

import hashlib
import secrets

TOKEN = "spt_"  # noqa: S105 - the prefix of one
SESSION = "sps_"
ONCE = "spo_"


def new_secret(prefix: str) -> str:
    """Return a fresh secret: a prefix and 43 characters that are safe in a header, a cookie and a URL."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """Return the SHA-256 of a secret; slower hashing would add nothing to 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
