"""SERVE: passwords: Argon2id with the profile that argon2-cffi recommends (RFC 9106, low memory).

The key that Argon2id makes of a password is handed to the database, which keeps only its SHA-256: so the
server reads nothing that a password could be guessed from, and opens no session without the password.
Guarantees: a password has 12 to 1024 characters and may be made of any; composition rules make worse
passwords (NIST SP 800-63B).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from base64 import b64decode, b64encode
from typing import NamedTuple

from argon2 import Type
from argon2.low_level import ARGON2_VERSION, hash_secret_raw
from argon2.profiles import RFC_9106_LOW_MEMORY as PROFILE

from setpoint.errors import InvalidError, SetpointError

SHORTEST = 12
LONGEST = 1024
_COSTS = f"m={PROFILE.memory_cost},t={PROFILE.time_cost},p={PROFILE.parallelism}"
_TEXT = re.compile(r"\$argon2id\$v=([0-9]+)\$m=([0-9]+),t=([0-9]+),p=([0-9]+)\$([A-Za-z0-9+/=]+)")


class Kept(NamedTuple):
    """What the database keeps of a password."""

    parameters: str
    verifier: bytes


def keep(password: str) -> Kept:
    """Return what to keep of a new password.

    Raises:
        InvalidError: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidError(
            f"a password has {SHORTEST} to {LONGEST} characters.", hint="a few words are easier than signs"
        )
    parameters = fresh_parameters()
    return Kept(parameters, hashlib.sha256(key_of(password, parameters)).digest())


def fresh_parameters() -> str:
    """Return today's costs with a salt of their own, in Argon2's text form without its hash."""
    salt = b64encode(secrets.token_bytes(PROFILE.salt_len)).decode()
    return f"$argon2id$v={ARGON2_VERSION}${_COSTS}${salt}"


def are_current(parameters: str) -> bool:
    """False when the profile has moved on since a password was kept."""
    return parameters.startswith(f"$argon2id$v={ARGON2_VERSION}${_COSTS}$")


def key_of(password: str, parameters: str) -> bytes:
    """Return what Argon2id makes of a password: some 50 ms and 64 MiB.

    Raises:
        SetpointError: the parameters cannot be read.
    """
    found = _TEXT.fullmatch(parameters)
    if not found:
        raise SetpointError("the parameters of a password cannot be read.", hint="set the password again")
    version, memory_kib, passes, lanes = map(int, found.groups()[:4])
    return hash_secret_raw(
        # The same password typed on another keyboard may arrive composed differently.
        unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass"),
        b64decode(found[5]),
        time_cost=passes,
        memory_cost=memory_kib,
        parallelism=lanes,
        hash_len=PROFILE.hash_len,
        type=Type.ID,
        version=version,
    )
