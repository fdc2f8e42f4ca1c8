"""Real PostgreSQL for every test: one server, one migrated template, a clone of it for each test.

database     a Database on a fresh clone, acting as setpoint_app
settings     Settings that point at this clone; app_url and owner_url are its two URLs
setpoint_command  runs `setpoint` on this clone, in this process
archive      a local server with the public archive's layout
market_data  the folder of real candles, or a skip
tiny         a document with which a unit trains in a tenth of a second; swept, a home where it was swept
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from market_server import Archive, serving
from setpoint.change.identity import Author
from setpoint.change.seeding import apply_seed
from setpoint.cli import __main__ as command_line
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced, load_seeds
from setpoint.settings import Settings
from setpoint.store import embedded
from setpoint.store.connect import embedded_conninfo
from setpoint.store.database import Database
from setpoint.store.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.layout import Listening

TEMPLATE = "template_setpoint"
#: Read before any test starts, because the variables are removed from every test.
MARKET_DATA = os.environ.get("SETPOINT_MARKET_DATA", "")
#: Tests of the room `store` also run on the oldest supported release; see tests/store/conftest.py.
DEBIAN_15 = "/usr/lib/postgresql/15/bin"


@dataclass(frozen=True)
class TestServer:
    """The session's server; its databases are thrown away."""

    __test__ = False

    settings: Settings
    listening: Listening

    def url(self, database: str, *, owner: bool = False) -> str:
        role = "setpoint_owner" if owner else "setpoint_app"
        return (
            f"postgresql://{role}@/{database}?host={self.listening.socket_folder}&port={self.listening.port}"
        )

    def administer(self, statement: str) -> None:
        """Run a statement that needs no transaction, as the owner."""
        conninfo = embedded_conninfo(self.listening, owner=True, database="postgres")
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the user's settings or hyperparameters, and none writes to the user's home."""
    for name in list(os.environ):
        if name.startswith(("SETPOINT_", "CVN_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SETPOINT_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """A running server with a migrated template database; its disk is not waited for."""
    programs = getattr(request, "param", "")
    if programs and not Path(programs, "postgres").exists():
        pytest.skip(f"PostgreSQL 15 is not installed in {programs}")
    settings = Settings(home=tmp_path_factory.mktemp("home"), postgres_bin=programs, linger_s=2.0)
    with embedded.attach(settings, options=("fsync=off", "full_page_writes=off")) as attachment:
        running = TestServer(settings, attachment.listening)
        running.administer(f"CREATE DATABASE {TEMPLATE}")
        migrate(running.url(TEMPLATE, owner=True))
        yield running
    embedded.stop(settings, force=True)


_numbers = count(1)


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def clone(server: TestServer) -> Iterator[str]:
    """The name of a database of this test's own."""
    name = f"test_{next(_numbers)}"
    server.administer(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    yield name
    server.administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def app_url(server: TestServer, clone: str) -> str:
    """The clone, as the role of the application."""
    return server.url(clone)


@pytest.fixture
def owner_url(server: TestServer, clone: str) -> str:
    """The clone, as the role that owns its tables."""
    return server.url(clone, owner=True)


@pytest.fixture
def settings(tmp_path: Path, app_url: str, owner_url: str) -> Settings:
    """What a process would read that works on the clone."""
    return Settings(home=tmp_path / "home", database_url=app_url, migrate_url=owner_url)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The clone, open."""
    with Database.open(settings) as opened:
        yield opened


@pytest.fixture
def catalogues() -> Catalogues:
    """The bundled catalogues."""
    return load_catalogues(Settings.catalogues)


@pytest.fixture
def setpoint_command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run ``setpoint`` in this process on this test's own database."""
    monkeypatch.setenv("SETPOINT_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SETPOINT_MIGRATE_URL", settings.migrate_url)
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        code = command_line.run(list(arguments))
        written = capfd.readouterr()
        return Done(code, written.out, written.err)

    return run


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of real candles named by SETPOINT_MARKET_DATA when the tests were started."""
    if not MARKET_DATA:
        pytest.skip("SETPOINT_MARKET_DATA names no folder of candles")
    return Path(MARKET_DATA)


@pytest.fixture
def archive() -> Iterator[Archive]:
    """A local server that holds three hourly months of two symbols, as the public archive would."""
    with serving() as served:
        yield served


# --- sweeps: 30 units in some seconds

TINY_SCOPE = "profile=tiny"
TINY = {
    "CVN_FTF_TUNING_TRIALS": 2,
    "CVN_FTF_LAST_BARS": 3000,
    "CVN_FTF_FOLD_COUNT": 2,
    "CVN_FTF_FOLD_TRAIN_SHARE": 0.4,
    "CVN_FTF_FOLD_VAL_SHARE": 0.2,
    "CVN_FTF_FOLD_TEST_SHARE": 0.15,
} | {
    f"CVN_HPO_{model}_5M_{name}": value
    for model, rounds in (("XGB", "N_ESTIMATORS"), ("LGB", "N_ESTIMATORS"), ("CB", "ITERATIONS"))
    for name, value in {
        rounds: 15,
        f"{rounds}_RANGE_MIN": 10,
        f"{rounds}_RANGE_MAX": 20,
        "EARLY_STOPPING_ROUNDS": 5,
    }.items()
}


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """The seeded document with a budget so small that a unit trains in a tenth of a second."""
    seeds = load_seeds("", load_catalogues(Settings.catalogues))
    return {key: sourced.value for key, sourced in seeds[0].values.items()} | TINY


@dataclass(frozen=True)
class Home:
    """A home of its own with an embedded server, seeded, in which sweeps run as processes."""

    settings: Settings

    @property
    def folder(self) -> Path:
        return self.settings.home

    def environ(self) -> dict[str, str]:
        """What a process of this home sees; its package is the one under test."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("SETPOINT_", "CVN_"))
        }
        source = str(Path(command_line.__file__).parents[2])
        return kept | {"SETPOINT_HOME": str(self.folder), "PYTHONPATH": source, "COLUMNS": "300"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``setpoint`` as a process that leads its own group, as a terminal would."""
        return subprocess.Popen(
            [sys.executable, "-m", "setpoint.cli", *arguments],
            env=self.environ(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> Done:
        """Run ``setpoint`` to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=240)
        return Done(process.returncode, out, err)

    def sweep(self, *arguments: str) -> Done:
        """Sweep the tiny profile on the invented market."""
        return self.run("sweep", "--json", "--context", TINY_SCOPE, "--data", "synthetic", *arguments)

    def open(self) -> Database:
        return Database.open(self.settings)


def seed_tiny(database: Database, **values: Any) -> None:
    """Seed what is bundled and the tiny profile, with other values where given."""
    catalogues = load_catalogues(Settings.catalogues)
    overlay = {key: Sourced(value, "test") for key, value in (TINY | values).items()}
    seeds = (*load_seeds("", catalogues), Seed(TINY_SCOPE, overlay))
    apply_seed(database, catalogues, seeds, Author("ada", "os-account"), overwrite=False)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A seeded home with its own server, which tests may kill."""
    made = Home(Settings(home=tmp_path_factory.mktemp("sweeping"), linger_s=2.0))
    with made.open() as database:
        seed_tiny(database)
    yield made
    embedded.stop(made.settings, force=True)


@pytest.fixture(scope="session")
def swept(home: Home) -> str:
    """The id of a run of 30 units that nothing disturbed, in ``home``."""
    done = home.sweep()
    assert done.code == 0, done.err
    assert done.json["done"] == 30
    return str(done.json["run"])
