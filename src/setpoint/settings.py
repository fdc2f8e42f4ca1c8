"""Every environment variable Setpoint reads about itself, as one frozen value.

Hyperparameters are not settings: they are read by ``resolve`` from a snapshot. A test holds that no
other module reads ``SETPOINT_*`` and that every variable here is documented.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setpoint.declare.number_text import read_float
from setpoint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


_NUMBERS = {
    "linger_s",
    "best_iteration_floor",
    "plane_timeout_s",
    "last_known_good_age_s",
    "anchor_every_s",
    "rate_per_credential_s",
    "rate_per_address_s",
    "retention_days",
}


def _default_home(environ: Mapping[str, str]) -> Path:
    data_home = environ.get("XDG_DATA_HOME") or str(
        Path(environ.get("HOME", "~")).expanduser() / ".local/share"
    )
    return Path(data_home) / "setpoint"


def _setting(variable: str, default: object, doc: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"variable": variable, "doc": doc})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The values of the ``SETPOINT_*`` variables, read once per process or given by a test."""

    # ruff: noqa: RUF009 - _setting is dataclasses.field with our metadata, not a shared mutable default
    home: Path = _setting("SETPOINT_HOME", None, "Folder that holds all state: database, runs, snapshots.")
    database_url: str = _setting(
        "SETPOINT_DATABASE_URL", "", "URL of a PostgreSQL 15 or newer; empty means the embedded server."
    )
    migrate_url: str = _setting(
        "SETPOINT_MIGRATE_URL", "", "URL of the role that owns the tables; empty means SETPOINT_DATABASE_URL."
    )
    direct_url: str = _setting(
        "SETPOINT_DIRECT_URL",
        "",
        "URL of that database past a pooler, on which planes hear of changes; empty: they look each second.",
    )
    postgres_bin: str = _setting(
        "SETPOINT_POSTGRES_BIN", "", "Folder with other PostgreSQL binaries for the embedded server."
    )
    linger_s: float = _setting(
        "SETPOINT_LINGER_S", 5.0, "Seconds the embedded server stays up after its last user, in seconds."
    )
    catalogues: str = _setting(
        "SETPOINT_CATALOGUES",
        "cvntrade,cvntrade-training",
        "Catalogues of this system: bundled names or paths of TOML files, separated by commas.",
    )
    seeds: str = _setting(
        "SETPOINT_SEEDS", "", "Folder of seed files; empty means the ones bundled with the catalogues."
    )
    market_data: str = _setting(
        "SETPOINT_MARKET_DATA",
        "",
        "Folder of candles, <SYMBOL>-<TIMEFRAME>.parquet, .feather or .csv; empty: what a pull left in home.",
    )
    snapshot: str = _setting("SETPOINT_SNAPSHOT", "", "Path of the snapshot file this process is pinned to.")
    snapshot_hash: str = _setting("SETPOINT_SNAPSHOT_HASH", "", "Hash that the snapshot file must have.")
    snapshot_set: str = _setting(
        "SETPOINT_SNAPSHOT_SET",
        "",
        "Path of the snapshot set this process is pinned to, with several contexts.",
    )
    snapshot_set_hash: str = _setting(
        "SETPOINT_SNAPSHOT_SET_HASH", "", "Hash that the file of the snapshot set must have."
    )
    rate_per_credential_s: float = _setting(
        "SETPOINT_RATE_PER_CREDENTIAL_S",
        1000.0,
        "Requests a second that a plane answers to one credential, ten seconds' worth at once; 0: no limit.",
    )
    rate_per_address_s: float = _setting(
        "SETPOINT_RATE_PER_ADDRESS_S",
        100.0,
        "The same for all requests of one address that no known credential vouches for.",
    )
    public_url: str = _setting(
        "SETPOINT_PUBLIC_URL",
        "",
        "Where the plane is reached from outside, path included; rules every address that the plane gives.",
    )
    trusted_proxy: str = _setting(
        "SETPOINT_TRUSTED_PROXY",
        "",
        "Addresses or networks of the proxies in front, by commas: whose Forwarded and X-Forwarded-* count.",
    )
    cors_origins: str = _setting(
        "SETPOINT_CORS_ORIGINS",
        "",
        "Origins whose pages may ask the plane, with a token and never a cookie, separated by commas.",
    )
    best_iteration_floor: float = _setting(
        "SETPOINT_BEST_ITERATION_FLOOR",
        50.0,
        "Below which the best iteration of a unit is an alarm, as the readiness document says; 0: never.",
    )
    metrics_listen: str = _setting(
        "SETPOINT_METRICS_LISTEN",
        "",
        "Address and port on which a serving plane answers GET /metrics; empty: it does not.",
    )
    metrics_token_file: str = _setting(
        "SETPOINT_METRICS_TOKEN_FILE",
        "",
        "File with the token that GET /metrics asks for, read for each request; needed beyond loopback.",
    )
    otlp_url: str = _setting(
        "SETPOINT_OTLP_URL",
        "",
        "Where a serving plane sends its metrics each minute, in OTLP over HTTP; empty means nowhere.",
    )
    notify: str = _setting(
        "SETPOINT_NOTIFY",
        "",
        "TOML file with the targets to which a serving plane sends notifications; empty: it sends none.",
    )
    anchor_file: str = _setting(
        "SETPOINT_ANCHOR_FILE",
        "",
        "File in which a serving plane keeps the chain's head; in a git repository each head is committed.",
    )
    anchor_every_s: float = _setting(
        "SETPOINT_ANCHOR_EVERY_S", 600.0, "How often the plane keeps the chain's head, when it has moved."
    )
    retention_days: float = _setting(
        "SETPOINT_RETENTION_DAYS",
        0.0,
        "Days that months of events and trials stay for `setpoint db prune`, 14 at least; 0: none declared.",
    )
    oidc_issuer: str = _setting(
        "SETPOINT_OIDC_ISSUER", "", "Identity provider that people log in with; empty means none."
    )
    oidc_client_id: str = _setting("SETPOINT_OIDC_CLIENT_ID", "", "Name of this plane at the provider.")
    oidc_client_secret_file: str = _setting(
        "SETPOINT_OIDC_CLIENT_SECRET_FILE", "", "File with the client's secret; empty for a public client."
    )
    oidc_roles: str = _setting(
        "SETPOINT_OIDC_ROLES", "", "Roles by the provider's groups: group:role pairs, separated by commas."
    )
    checkpoints: str = _setting(
        "SETPOINT_CHECKPOINTS", "", "Calendar of dated checkpoints, a TOML file; empty: the shipped one."
    )
    readiness: str = _setting(
        "SETPOINT_READINESS",
        "",
        "Readiness file, or folder of them, that the Console shows as they stand; empty: none.",
    )
    github_token_file: str = _setting(
        "SETPOINT_GITHUB_TOKEN_FILE",
        "",
        "File with the token for the calendar's GitHub; with it the gate-failure issue is opened, too.",
    )
    openproject_token_file: str = _setting(
        "SETPOINT_OPENPROJECT_TOKEN_FILE",
        "",
        "File with the API key for the calendar's OpenProject; with it decisions are posted, too.",
    )
    build: str = _setting(
        "SETPOINT_BUILD",
        "",
        "Name of this build, a commit as a rule, as its image is tagged; a plane's banner says it.",
    )
    events: str = _setting("SETPOINT_EVENTS", "", "File that receives event lines; empty means stderr.")
    run: str = _setting(
        "SETPOINT_RUN",
        "",
        "Name under which this program's events are counted; `setpoint run` sets it for what it starts.",
    )
    url: str = _setting(
        "SETPOINT_URL", "", "Address of the plane to pin from over HTTP; SETPOINT_SNAPSHOT wins over it."
    )
    token: str = _setting("SETPOINT_TOKEN", "", "API token for the plane.", secret=True)
    token_file: str = _setting(
        "SETPOINT_TOKEN_FILE",
        "",
        "File that holds the API token, read again for each request; give this or SETPOINT_TOKEN, not both.",
    )
    plain_http_host: str = _setting(
        "SETPOINT_PLAIN_HTTP_HOST",
        "",
        "The one host, besides this machine, to which the token may travel over unencrypted http.",
    )
    plane_timeout_s: float = _setting(
        "SETPOINT_PLANE_TIMEOUT_S", 30.0, "Seconds one request to the plane may take, its retries included."
    )
    last_known_good_age_s: float = _setting(
        "SETPOINT_LAST_KNOWN_GOOD_AGE_S",
        604_800.0,
        "Seconds since a plane confirmed values after which they stand in for it no more; 0: never at all.",
    )

    @property
    def postgres_folder(self) -> Path:
        """Where the embedded server of this home keeps everything."""
        return self.home / "postgres"

    @property
    def has_database(self) -> bool:
        """Whether a database was named, or this home holds one; it need not answer."""
        return bool(self.database_url) or (self.postgres_folder / "data").exists()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from ``environ`` (default: the process's).

        Raises:
            UsageError: a number does not parse.
        """
        environ = os.environ if environ is None else environ
        given: dict[str, Any] = {"home": _default_home(environ)}
        for setting in fields(cls):
            text = environ.get(setting.metadata["variable"], "")
            if text:
                given[setting.name] = _parse(setting.metadata["variable"], setting.name, text)
        return cls(**given)

    def to_environ(self) -> dict[str, str]:
        """Return the variables from which another process reads these settings, secrets among them."""
        return {one.metadata["variable"]: str(getattr(self, one.name)) for one in fields(self)}


def _parse(variable: str, name: str, text: str) -> object:
    if name == "home":
        return Path(text).expanduser().absolute()
    if name not in _NUMBERS:
        return text
    try:
        return read_float(text)
    except ValueError:
        raise UsageError(f"{variable}={text!r} is not a number.", hint=f"unset {variable}") from None


def install_command(*extras: str) -> str:
    """Return the command that adds extras to this installation: of pipx's environments pip knows nothing."""
    wanted = f"'setpoint[{','.join(extras)}]'"
    return (
        f"pipx runpip setpoint install {wanted}"
        if "pipx" in Path(sys.prefix).parts
        else f"pip install {wanted}"
    )
