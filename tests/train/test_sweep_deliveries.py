"""One run: a full disk, a changed market, no database until after its end, and a CatBoost that fails.

Its values are the global document's own, without an overlay, so that psql can name them by their hash.
"""

import shutil
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg import sql

from setpoint.change.seeding import apply_seed
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced
from setpoint.settings import Settings
from setpoint.train.plan import make_plan
from setpoint.train.sweep import begin
from support.candle_folder import write_candles
from support.hints import printed_command
from support.misspelt import misspelt_catalogue
from support.sweep_home import ADA, Home, finish, pinned_units
from support.turnstile import Turnstile
from support.waiting import wait_for

#: Sweeps train in as many processes as there are cores.
pytestmark = pytest.mark.whole_machine

#: UNIUSDC is not traded here: another dollar quote stands in.
SYMBOLS = ("BTCUSDC", "ETHUSDC", "SOLUSDC", "AAVEUSDC", "UNIUSDT")
UNITS, FAILING = 15, 5
#: Room in the journal for about two units.
ROOM_BYTES = 20_000


@dataclass
class Site:
    """A home on a database of its own, which an administrator can close."""

    home: Home
    server: object
    database: str
    run: str = ""
    legs: dict = field(default_factory=dict)
    ended_on_full_disk: list = field(default_factory=list)
    ended_on_changed_data: list = field(default_factory=list)

    def administer(self, statement):
        self.server.administer(sql.SQL(statement).format(database=sql.Identifier(self.database)))

    def close_database(self):
        self.administer("ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        with psycopg.connect(self.server.url("postgres", owner=True), autocommit=True) as psql:
            psql.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.database]
            )

    def open_database(self):
        self.administer("ALTER DATABASE {database} ALLOW_CONNECTIONS true")


@pytest.fixture(scope="module")
def site(server, tiny, tmp_path_factory):
    """The whole story, lived once: plan, change the data, close the database, open it again."""
    folder = tmp_path_factory.mktemp("site")
    settings = Settings(home=folder, database_url=server.url("site"), catalogues=misspelt_catalogue(folder))
    made = Site(Home(settings), server, "site")
    made.administer("CREATE DATABASE {database} TEMPLATE template_setpoint STRATEGY file_copy")
    document = tiny | {"CVN_FTF_FOLD_COUNT": 1}
    seed = Seed("global", {key: Sourced(value, "test") for key, value in document.items()})
    with made.home.open() as database:
        apply_seed(database, load_catalogues(settings.catalogues), (seed,), ADA, overwrite=False)
    live_through(
        made, write_candles(folder / "market", SYMBOLS), Turnstile(tmp_path_factory.mktemp("turnstile"))
    )
    yield made
    made.administer("DROP DATABASE {database} WITH (FORCE)")


def live_through(site, market, turnstile):
    site.run = begin_run(site.home, market)
    site.legs["full disk"] = finish(site.home.start("sweep", "--resume", site.run, largest_file=ROOM_BYTES))
    site.ended_on_full_disk = site.home.units(site.run)
    candles, kept = market / "ETHUSDC-5m.csv", market.with_name("kept.csv")
    shutil.copy(candles, kept)
    candles.write_text("".join(kept.read_text().splitlines(keepends=True)[:-1]))
    resume = printed_command("setpoint sweep --resume {run}", site.legs["full disk"].err).split()[1:]
    site.legs["changed data"] = site.home.run(*resume)
    site.ended_on_changed_data = site.home.units(site.run)
    kept.replace(candles)
    turnstile.let(1)
    sweep = site.home.start("sweep", "--json", "--resume", site.run, turnstile=turnstile)
    wait_for(lambda: len(site.home.units(site.run)) > len(site.ended_on_changed_data), "one more unit", sweep)
    site.close_database()
    turnstile.open()
    site.legs["away"] = finish(sweep)
    deliver = printed_command("setpoint sweep --resume {end.run}", site.legs["away"].err).split()[1:]
    site.legs["still away"] = site.home.run(*deliver)
    site.open_database()
    site.legs["back"] = site.home.run(*deliver, "--json")


def begin_run(home, market):
    """Plan a run of this home without training anything yet."""
    catalogues = load_catalogues(home.settings.catalogues)
    with home.open() as database:
        snapshots = pinned_units(database, catalogues, {})
    plan = make_plan(HyperparamsSet(snapshots, catalogues), str(market), None)
    begin(plan, snapshots, home.settings.home)
    return plan.run


def test_a_full_disk_stops_the_run_and_keeps_what_was_done(site):
    """No room for the next outcome is exit code 7; the finished units are kept, and it can be resumed."""
    done = site.legs["full disk"]

    assert done.code == 7
    assert "results.jsonl cannot be written: File too large" in done.err
    assert f"resume with: setpoint sweep --resume {site.run}" in done.err
    assert "Traceback" not in done.err
    assert 1 <= len(site.ended_on_full_disk) < UNITS
    assert site.home.units(site.run)[: len(site.ended_on_full_disk)] == site.ended_on_full_disk


def test_changed_candles_stop_the_run_and_fail_no_unit(site):
    """Other data than planned is exit code 8; no unit fails, so the old data can still complete the run."""
    done = site.legs["changed data"]

    assert done.code == 8
    assert f"the candles of ETHUSDC changed since run {site.run} was planned" in done.err
    assert f"resume with: setpoint sweep --resume {site.run}" in done.err
    before = len(site.ended_on_full_disk)
    assert "ETHUSDC" not in {unit.symbol for unit in site.ended_on_changed_data[before:]}


def test_a_run_ends_without_its_database(site):
    """With the database gone every unit still ends; exit code 7 says what waits and how to deliver it."""
    done = site.legs["away"]

    assert done.code == 7
    assert done.json["done"] == UNITS
    assert done.json["recorded"] is False
    assert done.json["undelivered"] > 0
    assert f"run {site.run} is trained, but the database is out of reach" in done.err
    assert f"deliver them: setpoint sweep --resume {site.run}" in done.err
    assert "Traceback" not in done.err


def test_resuming_while_the_database_is_away_loses_nothing(site):
    """Trying too early is exit code 7 again, and nothing else."""
    done = site.legs["still away"]

    assert done.code == 7
    assert "Traceback" not in done.err
    assert "0/15" not in done.err


def test_resuming_delivers_what_waited(site):
    """When the database is back a resume trains nothing and records everything."""
    done = site.legs["back"]
    with site.home.open() as database:
        failures = database.fetch_all("list_failures", run_id=site.run, first=0, limit=None)

    assert (done.json["undelivered"], done.json["recorded"]) == (0, True)
    assert site.home.row(site.run)["state"] == "complete"
    assert (len(site.home.results(site.run)), len(failures)) == (UNITS - FAILING, FAILING)
    assert len(site.home.units(site.run)) == UNITS


def test_a_misspelt_library_name_is_a_failure_that_names_it(site):
    """A user's catalogue misspells a parameter: its units fail, no others do, and exit code 9 says so."""
    done = site.legs["back"]

    assert done.code == 9
    assert done.json["failed"] == FAILING
    assert f"{FAILING} of {UNITS} units of run {site.run} could not be trained. The first, " in done.err
    assert "CatBoost: rms is no parameter of CatBoost" in done.err
    shown = site.home.run(*printed_command("setpoint show {end.run}", done.err).split()[1:])
    assert (shown.code, shown.err.count("rms is no parameter of CatBoost")) == (0, FAILING)


def test_failed_units_are_listed_and_make_the_data_insufficient(site):
    """A failed unit is a row with its reason; a model without results cannot pass; a stand-in is said."""
    shown, judged = site.home.run("show", site.run), site.home.run("verdict", site.run)

    assert shown.err.count("failed: ") == FAILING
    assert "training_error" in shown.err
    assert judged.code == 1
    assert "proxy data: another dollar quote stands in" in judged.out
    assert "verdict: insufficient_data" in judged.out
    assert "cb has 0 of 5 assets with every fold done" in judged.out


def test_psql_names_the_run_by_the_hash_of_its_document(site):
    """Without overlays the hash of base_env::text in psql is the run's snapshot and every result's."""
    with psycopg.connect(site.server.url("site", owner=True)) as psql:
        (named,) = psql.execute(
            "SELECT encode(sha256(convert_to(base_env::text, 'UTF8')), 'hex')"
            " FROM ftf_config WHERE scope = 'global'"
        ).fetchone()
        carried = psql.execute(
            "SELECT DISTINCT r.snapshot_hash, f.snapshot_hash FROM finetune_runs r"
            " JOIN finetune_results f ON f.run_id = r.id WHERE r.id = %s",
            [site.run],
        ).fetchall()

    assert carried == [(named, named)]
