"""Real PostgreSQL for every test: one server, one migrated template, a clone of it for each test.

database     a Database on a fresh clone, acting as setpoint_app
settings     Settings that point at this clone; app_url and owner_url are its two URLs
as_          a Database on the same clone with the login of one of PEOPLE
setpoint_command  runs `setpoint` on this clone, in this process
archive      a local server with the public archive's layout
evidence     local servers that give what checkpoints are judged by, as on the first day
plane        the URL of a real HTTP plane on this clone; http_as("ada") is a client with Ada's session
seeded       the same database with the bundled seeds applied
market_data  the folder of real candles, or a skip
tiny         a document with which a unit trains in a tenth of a second; swept, a home where it was swept
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import hypothesis
import psycopg
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG

from setpoint.change.identity import author_of
from setpoint.change.seeding import apply_seed
from setpoint.cli import __main__ as command_line
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.settings import Settings
from setpoint.store.connections import embedded_conninfo
from setpoint.store.database import Database
from setpoint.store.schema import migrate
from setpoint.store.server import embedded
from setpoint.store.server.supervisor import OWNER
from support.checkpoint_sources import evidence, served_evidence  # noqa: F401 - fixtures
from support.left_behind import end_with_this_process
from support.market_server import Archive, serving
from support.memory_folder import memory_folder
from support.planes import clients, serving_plane
from support.secret_scan import SCAN
from support.skips import pytest_collectreport, pytest_runtest_logreport, pytest_sessionfinish  # noqa: F401 - hooks
from support.stopped_postgres import stopped
from support.sweep_home import TINY_SWEEP, Done, Home, seed_tiny, tiny_document
from support.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import httpx

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.server.layout import Listening

TEMPLATE = "template_setpoint"
SEEDED_TEMPLATE = "template_seeded"
#: Real logins of the test server, and what each is a member of.
PEOPLE = {
    "ada": ("setpoint_app",),
    "bo": ("setpoint_app", "setpoint_approver"),
    "eve": ("setpoint_app", "setpoint_approver"),
    "cy": ("setpoint_app",),
    "robot": ("setpoint_app", "setpoint_approver", "setpoint_robot"),
    "plane": ("setpoint_server",),
    "stranger": (),
}
#: Read before any test starts, because the variables are removed from every test.
#: Absolute, as processes in other folders need it; empty where there is none.
MARKET_DATA = Settings.from_environ().market_data
#: Tests of the room `store` also run on the oldest supported release; see tests/store/conftest.py.
DEBIAN_15 = "/usr/lib/postgresql/15/bin"

#: A slow example on a busy machine is no failure: no test asserts a time, and hypothesis shall not either.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


@dataclass(frozen=True, eq=False)
class TestServer:
    """The session's server; its databases are thrown away."""

    __test__ = False

    settings: Settings
    listening: Listening

    def url(self, database: str, *, owner: bool = False, login: str = "setpoint_app") -> str:
        role = "setpoint_owner" if owner else login
        return (
            f"postgresql://{role}@/{database}?host={self.listening.socket_folder}&port={self.listening.port}"
        )

    def administer(self, statement: str) -> None:
        """Run a statement that needs no transaction, as the owner."""
        self._owner.execute(statement)

    @cached_property
    def _owner(self) -> psycopg.Connection:
        """One session for all statements: every test makes a database and drops it."""
        conninfo = embedded_conninfo(self.listening, login=OWNER, database="postgres")
        return psycopg.connect(conninfo, autocommit=True)

    def close(self) -> None:
        self._owner.close()


_numbers = count(1)


def pytest_configure() -> None:
    """Let nothing outlive this process, and make tables 300 columns wide and HTTP patient.

    So it is for every worker and in every order of tests. The command line measures its screen once, when it
    is imported; a worker's environment says 80.
    """
    end_with_this_process()
    os.environ["COLUMNS"] = "300"
    # Of its own accord httpx waits 5 s for an answer; all its calls share the one object that says so.
    for wait in ("connect", "read", "write", "pool"):
        setattr(DEFAULT_TIMEOUT_CONFIG, wait, 60.0)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse to run what keeps the whole machine busy beside another worker."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1 and item.get_closest_marker("whole_machine"):
        pytest.fail("it keeps two cores busy by itself: run it with -m whole_machine and without -n")


@pytest.fixture(scope="session", autouse=True)
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whoever speaks HTTP trusts one authority: reading all of them takes each client 30 ms of a core."""
    first, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----\n")
    file = tmp_path_factory.mktemp("authority") / "first.pem"
    file.write_text(first + end, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.fixture(autouse=True)
def clean_environment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No test sees the user's settings or hyperparameters, and none writes to the user's home."""
    for name in list(os.environ):
        if name.startswith(("SETPOINT_", "CVN_")):
            monkeypatch.delenv(name)
    if "tmp_path" in request.fixturenames:
        home = request.getfixturevalue("tmp_path") / "home"
    else:  # most tests ask for no folder: none is made for them
        home = tmp_path_factory.getbasetemp() / f"unused-home{next(_numbers)}"
    monkeypatch.setenv("SETPOINT_HOME", str(home))


@pytest.fixture(scope="session", autouse=True)
def nothing_leaks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No plane of the whole run answers or logs a secret, except the one answer that hands it over."""
    SCAN.listen()
    with pytest.MonkeyPatch.context() as patched:
        SCAN.watch_clients(patched)
        yield
    SCAN.look_below(tmp_path_factory.getbasetemp())
    assert not SCAN.findings, f"secrets were told: {SCAN.findings[:20]}"


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """A running server with a migrated template database; it lies in memory, and no disk is waited for."""
    programs = getattr(request, "param", "")
    if programs and not Path(programs, "postgres").exists():
        pytest.skip(f"PostgreSQL 15 is not installed in {programs}")
    with memory_folder(tmp_path_factory.mktemp("home")) as home:
        settings = Settings(home=home, postgres_bin=programs, linger_s=2.0)
        with embedded.attach(settings, options=("fsync=off", "full_page_writes=off")) as attachment:
            running = TestServer(settings, attachment.listening)
            running.administer(f"CREATE DATABASE {TEMPLATE}")
            migrate(running.url(TEMPLATE, owner=True))
            yield running
            running.close()
        embedded.stop(settings, force=True)


@pytest.fixture(scope="session")
def seeded_template(server: TestServer) -> str:
    """A second template that holds the bundled seeds: seeding once is cheaper than for each test."""
    server.administer(f"CREATE DATABASE {SEEDED_TEMPLATE} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    system = load_catalogues(Settings.catalogues)
    with Database.open(Settings(database_url=server.url(SEEDED_TEMPLATE))) as database:
        apply_seed(database, system, load_seeds("", system), author_of(database), overwrite=False)
    return SEEDED_TEMPLATE


@pytest.fixture
def bundled_seeds(seeded_template: str) -> None:
    """Asked for by a fixture whose database is to hold the bundled seeds from the start; see ``clone``."""


@pytest.fixture
def clone(request: pytest.FixtureRequest, server: TestServer) -> Iterator[str]:
    """The name of a database of this test's own."""
    name = f"test_{next(_numbers)}"
    seeded = "bundled_seeds" in request.fixturenames
    template = request.getfixturevalue("seeded_template") if seeded else TEMPLATE
    server.administer(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
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
def stop(server: TestServer) -> Callable[[], AbstractContextManager[None]]:
    """Stop this process's PostgreSQL as a whole, for the length of a block."""
    return lambda: stopped(server.listening.postmaster_pid)


@pytest.fixture(scope="session")
def people(server: TestServer) -> Iterator[None]:
    """The logins of PEOPLE; roles belong to the whole server, so they are made once."""
    for person, roles in PEOPLE.items():
        server.administer(f"CREATE ROLE {person} LOGIN")
        for role in roles:
            server.administer(f"GRANT {role} TO {person}")
    yield
    server.administer(f"DROP ROLE {', '.join(PEOPLE)}")


@pytest.fixture
def as_(server: TestServer, clone: str, people: None, tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """``as_("bo")`` is the clone, open with Bo's login."""
    opened: dict[str, Database] = {}

    def database_of(person: str) -> Database:
        if person not in opened:
            url = server.url(clone, login=person)
            opened[person] = Database.open(Settings(home=tmp_path / "home", database_url=url))
        return opened[person]

    yield database_of
    for database in opened.values():
        database.close()


@pytest.fixture(scope="session")
def catalogues() -> Catalogues:
    """The bundled catalogues."""
    return load_catalogues(Settings.catalogues)


@pytest.fixture
def seeded(bundled_seeds: None, database: Database) -> Database:
    """The clone with the bundled seeds."""
    return database


@pytest.fixture
def served(server: TestServer, clone: str, settings: Settings) -> Settings:
    """What a plane would read that serves this test's own database."""
    return replace(settings, database_url=server.url(clone, login="setpoint_server"))


@pytest.fixture
def plane(served: Settings, catalogues: Catalogues) -> Iterator[str]:
    """The URL of a plane that serves this test's own database."""
    with serving_plane(served, catalogues) as url:
        yield url


@pytest.fixture
def http_as(plane: str, owner_url: str) -> Iterator[Callable[[str], httpx.Client]]:
    """``http_as("bo")`` is an HTTP client of the plane with a session of Bo's."""
    with clients(plane, owner_url) as client_of:
        yield client_of


@pytest.fixture
def setpoint_command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run ``setpoint`` in this process on this test's own database."""
    monkeypatch.setenv("SETPOINT_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SETPOINT_MIGRATE_URL", settings.migrate_url)

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        code = command_line.run(list(arguments))
        written = capfd.readouterr()
        return Done(code, written.out, written.err)

    return run


@pytest.fixture
def turnstile(tmp_path: Path) -> Turnstile:
    """Where units of a test's sweep wait until it lets them pass."""
    (tmp_path / "turnstile").mkdir()
    return Turnstile(tmp_path / "turnstile")


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


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """The seeded document with a budget so small that a unit trains in a tenth of a second."""
    return tiny_document()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with an embedded server of its own, which tests may kill, seeded with the profile tiny."""
    made = Home(Settings(home=tmp_path_factory.mktemp("sweeping"), linger_s=2.0))
    with made.open() as database:
        seed_tiny(database)
    yield made
    embedded.stop(made.settings, force=True)


@pytest.fixture(scope="session")
def swept(home: Home) -> str:
    """The id of a run of 30 units that nothing disturbed, in ``home``."""
    done = home.run("sweep", "--json", *TINY_SWEEP)
    assert done.code == 0, done.err
    assert done.json["done"] == 30
    return str(done.json["run"])


@pytest.fixture
def ran(seeded, catalogues, monkeypatch):
    """Record a run of two units without training them."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "bench")
    from recording import Recording

    recording = Recording(seeded, catalogues)

    def run(name):
        plan = recording.start(name, 2)
        for one in plan.units:
            recording.deliver(plan, one, trials=1)
        recording.finish(plan)
        return plan

    return run
