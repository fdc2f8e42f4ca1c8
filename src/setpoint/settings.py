"""Every environment variable Setpoint reads about itself, as one frozen value.

Guarantees: a setting that is a path is absolute from its first reading, so that it names the same file to
every process that is told it, in whatever folder that one works. Hyperparameters are not settings: they are
read by ``resolve`` from a snapshot. A test holds that no other module reads ``SETPOINT_*`` and that every
variable here is documented.
"""

from __future__ import annotations

import os
import sys
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setpoint.declare.number_text import read_float
from setpoint.errors import UsageError

#: The market that `--data` and SETPOINT_MARKET_DATA name by a word: it is invented, and no folder.
SYNTHETIC = "synthetic"

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _default_home(environ: Mapping[str, str]) -> Path:
    data_home = environ.get("XDG_DATA_HOME", "")
    if Path(data_home).is_absolute():  # a relative one is to be ignored, says its specification
        return Path(data_home) / "setpoint"
    home = absolute_path(environ.get("HOME") or "~", "SETPOINT_HOME is not set, and HOME")
    return Path(home) / ".local/share/setpoint"


def absolute_path(text: str, named: str) -> str:
    """Return a path as every process understands it, in whatever folder that works; empty stays empty.

    Raises:
        UsageError: ``text``, which was given in what is ``named``, has no meaning here.
    """
    if not (given := text.strip()):
        return ""
    try:
        return str(Path(given).expanduser().absolute())
    except RuntimeError:
        problem, hint = "nobody's home folder is known by that name here", "write the whole path"
    except FileNotFoundError:
        problem, hint = "the folder that this process works in is gone", "cd to one that is there"
    raise UsageError(f"{named}={text!r}: {problem}.", hint=hint)


def _market_folder(text: str, named: str) -> str:
    return text if text == SYNTHETIC else absolute_path(text, named)


def _catalogue_names(text: str, named: str) -> str:
    return ",".join(
        absolute_path(name, named) if name.endswith(".toml") or "/" in name else name
        for name in (one.strip() for one in text.split(","))
    )


def _setting(variable: str, default: object, doc: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"variable": variable, "doc": doc})


def _path(
    variable: str, doc: str, default: str | None = "", whole: Callable[[str, str], str] = absolute_path
) -> Any:
    """Return a setting that is a path, or holds some: absolute from the first reading, by ``whole``."""
    return field(default=default, metadata={"variable": variable, "doc": doc, "whole": whole})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The values of the ``SETPOINT_*`` variables, read once per process or given by a test."""

    # ruff: noqa: RUF009 - _setting is dataclasses.field with our metadata, not a shared mutable default
    home: Path = _path("SETPOINT_HOME", "Folder that holds all state: database, runs, snapshots.", None)
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
    postgres_bin: str = _path(
        "SETPOINT_POSTGRES_BIN", "Folder with other PostgreSQL binaries for the embedded server."
    )
    linger_s: float = _setting(
        "SETPOINT_LINGER_S", 5.0, "Seconds the embedded server stays up after its last user, in seconds."
    )
    catalogues: str = _path(
        "SETPOINT_CATALOGUES",
        "Catalogues of this system: bundled names or paths of TOML files, separated by commas.",
        "cvntrade,cvntrade-training",
        _catalogue_names,
    )
    seeds: str = _path(
        "SETPOINT_SEEDS", "Folder of seed files; empty means the ones bundled with the catalogues."
    )
    market_data: str = _path(
        "SETPOINT_MARKET_DATA",
        "Folder of candles, <SYMBOL>-<TIMEFRAME>.parquet, .feather or .csv; empty: what a pull left in home.",
        whole=_market_folder,
    )
    snapshot: str = _path("SETPOINT_SNAPSHOT", "Path of the snapshot file this process is pinned to.")
    snapshot_hash: str = _setting("SETPOINT_SNAPSHOT_HASH", "", "Hash that the snapshot file must have.")
    snapshot_set: str = _path(
        "SETPOINT_SNAPSHOT_SET", "Path of the snapshot set this process is pinned to, with several contexts."
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
    metrics_token_file: str = _path(
        "SETPOINT_METRICS_TOKEN_FILE",
        "File with the token that GET /metrics asks for, read for each request; needed beyond loopback.",
    )
    otlp_url: str = _setting(
        "SETPOINT_OTLP_URL",
        "",
        "Where a serving plane sends its metrics each minute, in OTLP over HTTP; empty means nowhere.",
    )
    notify: str = _path(
        "SETPOINT_NOTIFY",
        "TOML file with the targets to which a serving plane sends notifications; empty: it sends none.",
    )
    anchor_file: str = _path(
        "SETPOINT_ANCHOR_FILE",
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
    oidc_client_secret_file: str = _path(
        "SETPOINT_OIDC_CLIENT_SECRET_FILE", "File with the client's secret; empty for a public client."
    )
    oidc_roles: str = _setting(
        "SETPOINT_OIDC_ROLES", "", "Roles by the provider's groups: group:role pairs, separated by commas."
    )
    checkpoints: str = _path(
        "SETPOINT_CHECKPOINTS", "Calendar of dated checkpoints, a TOML file; empty: the shipped one."
    )
    readiness: str = _path(
        "SETPOINT_READINESS",
        "Readiness file, or folder of them, that the Console shows as they stand; empty: none.",
    )
    github_token_file: str = _path(
        "SETPOINT_GITHUB_TOKEN_FILE",
        "File with the token for the calendar's GitHub; with it the gate-failure issue is opened, too.",
    )
    openproject_token_file: str = _path(
        "SETPOINT_OPENPROJECT_TOKEN_FILE",
        "File with the API key for the calendar's OpenProject; with it decisions are posted, too.",
    )
    build: str = _setting(
        "SETPOINT_BUILD",
        "",
        "Name of this build, a commit as a rule, as its image is tagged; a plane's banner says it.",
    )
    events: str = _path("SETPOINT_EVENTS", "File that receives event lines; empty means stderr.")
    run: str = _setting(
        "SETPOINT_RUN",
        "",
        "Name under which this program's events are counted; `setpoint run` sets it for what it starts.",
    )
    url: str = _setting(
        "SETPOINT_URL", "", "Address of the plane to pin from over HTTP; SETPOINT_SNAPSHOT wins over it."
    )
    token: str = _setting("SETPOINT_TOKEN", "", "API token for the plane.", secret=True)
    token_file: str = _path(
        "SETPOINT_TOKEN_FILE",
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

    def __post_init__(self) -> None:
        for setting in fields(self):
            if (whole := setting.metadata.get("whole")) and (given := getattr(self, setting.name)):
                path = whole(str(given), setting.metadata["variable"])
                object.__setattr__(self, setting.name, type(given)(path))

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
            UsageError: a number does not parse, or a path has no meaning.
        """
        environ = os.environ if environ is None else environ
        given: dict[str, Any] = {}
        for setting in fields(cls):
            text = environ.get(setting.metadata["variable"], "")
            if text.strip() if "whole" in setting.metadata else text:
                given[setting.name] = _parse(setting, text)
        return cls(**{"home": given.pop("home", None) or _default_home(environ), **given})

    @classmethod
    def absolute_environ(cls, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables among these that are paths, as a process in any other folder may read them."""
        return {
            variable: whole(environ[variable], variable)
            for setting in fields(cls)
            if (whole := setting.metadata.get("whole"))
            and (variable := setting.metadata["variable"]) in environ
        }

    def to_environ(self) -> dict[str, str]:
        """Return the variables from which another process reads these settings, secrets among them."""
        given = {one.metadata["variable"]: getattr(self, one.name) for one in fields(self)}
        return {variable: "" if value is None else str(value) for variable, value in given.items()}


def _parse(setting: Field[Any], text: str) -> object:
    if setting.name == "home":
        return Path(text)
    if not isinstance(setting.default, float):
        return text
    try:
        return read_float(text)
    except ValueError:
        variable = setting.metadata["variable"]
        raise UsageError(f"{variable}={text!r} is not a number.", hint=f"unset {variable}") from None


def install_command(*extras: str) -> str:
    """Return the command that adds extras to this installation: of pipx's environments pip knows nothing."""
    wanted = f"'setpoint[{','.join(extras)}]'"
    return (
        f"pipx runpip setpoint install {wanted}"
        if "pipx" in Path(sys.prefix).parts
        else f"pip install {wanted}"
    )
