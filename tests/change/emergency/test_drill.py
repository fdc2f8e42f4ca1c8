"""Drills: each scenario is rehearsed on a copy, what is live stays as it is, and a failure says so."""

import re
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import get_args

import psycopg
import pytest

from setpoint.change.emergency.drill import PROMISE_S, SCENARIOS, Drill, list_drills, record, rehearse
from setpoint.change.emergency.drill_stage import Step
from setpoint.change.emergency.incident_markdown import drill_sheet
from setpoint.change.emergency.mechanisms import (
    MECHANISMS,
    REHEARSED_FOR,
    MechanismName,
    Rehearsal,
    list_mechanisms,
    standing_of,
)
from setpoint.change.seeding import apply_seed
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import Seed, Sourced
from setpoint.errors import InvalidCatalogue, UnknownScope
from setpoint.observe.build import running_build
from setpoint.settings import Settings
from setpoint.store.database import Database
from support.sweep_home import ADA

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
SMALL = {GAMMA: 0.0, f"{GAMMA}_RANGE_MIN": 0.0, f"{GAMMA}_RANGE_MAX": 5.0, f"{GAMMA}_RANGE_SCALE": "linear"}
_numbers = count(1)


def bundled():
    return load_catalogues(Settings.catalogues)


def seed_small(settings):
    seed = Seed("global", {key: Sourced(value, "test") for key, value in SMALL.items()})
    with Database.open(settings) as database:
        apply_seed(database, bundled(), [seed], ADA, overwrite=False)


def contents(url):
    """Every row of every table, as text, without the recorded drills."""
    with psycopg.connect(url) as session:
        tables = session.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind = 'r' ORDER BY 1"
        ).fetchall()
        return {
            name: session.execute(
                psycopg.sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(psycopg.sql.SQL(name))
            ).fetchall()
            for (name,) in tables
            if name != "drills"
        }


@pytest.fixture(scope="module")
def live(server, tmp_path_factory):
    """Settings of a small seeded database on a real server."""
    name = f"drilled_{next(_numbers)}"
    server.administer(f"CREATE DATABASE {name} TEMPLATE template_setpoint STRATEGY file_copy")
    settings = Settings(
        home=tmp_path_factory.mktemp("live"),
        database_url=server.url(name),
        migrate_url=server.url(name, owner=True),
    )
    seed_small(settings)
    yield settings
    server.administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def rehearsed(live, tmp_path_factory):
    """All scenarios, played once: drills, progress, what was live before and after, and what is left over."""
    folder = tmp_path_factory.mktemp("throw-away")
    lines = []
    before = contents(live.migrate_url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        drills = rehearse(live, tuple(SCENARIOS), bundled, lines.append)
    with Database.open(live) as database:
        for drill in drills:
            record(database, ADA, drill)
    return drills, lines, (before, contents(live.migrate_url)), list(folder.iterdir())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_scenario_is_restored(rehearsed, scenario):
    """The document is back byte for byte, every step is timed, and the outcome is printed."""
    drill = next(drill for drill in rehearsed[0] if drill.scenario == scenario)

    assert (drill.outcome, drill.problem) == ("restored", "")
    assert len(drill.steps) >= 3
    assert drill.steps[-1].name == "prove it"
    assert "as before, chain whole" in drill.steps[-1].note
    assert any(line.startswith(f"{scenario}: ") for line in rehearsed[1])


def test_what_is_live_is_untouched(rehearsed):
    """Documents, history, head and every other table hold the same rows as before, the drills aside."""
    before, after = rehearsed[2]

    assert before["ftf_config"]
    assert before == after


def test_the_copy_is_thrown_away(rehearsed):
    """Neither a folder nor a server of the copy is left."""
    assert rehearsed[3] == []
    assert rehearsed[1][-1] == "the copy is removed"


def test_damage_is_found_by_name(rehearsed):
    """The anchor sees the cut-off row, and verify names the altered one."""
    said = [step.note for step in rehearsed[0][3].steps]

    assert any("history was cut off: it ends at revision 1, but 2 was anchored" in text for text in said)
    assert any("revision 1 of global: a recorded column was altered" in text for text in said)


def test_outcomes_are_recorded_and_written_up(rehearsed, live):
    """The live database keeps who rehearsed what and how long it took, and the sheet shows it."""
    with Database.open(live) as database:
        rows = list_drills(database)
        sheet = drill_sheet(database, "2026-Q4")

    assert [(row.scenario, row.outcome, row.person) for row in rows] == [
        (scenario, "restored", "ada") for scenario in SCENARIOS
    ]
    assert [len(row.steps) for row in rows] == [len(drill.steps) for drill in rehearsed[0]]
    assert sheet.startswith("# Break-glass drill 2026-Q4\n")
    assert sheet.count("| restored |") == 4


def test_late_is_not_restored():
    """A rehearsal that took longer than promised is late, and one with a problem failed."""
    slow = Drill("A", datetime.now(UTC), (Step("wait", PROMISE_S, ""),), "")

    assert slow.outcome == "late"
    assert replace(slow, problem="gone").outcome == "failed"
    assert replace(slow, steps=()).outcome == "restored"


def test_drill_that_cannot_restore_says_so(settings, database, owner_url):
    """When the good revision was altered and the catalogue is broken, each scenario names its reason."""

    def broken_catalogues():
        raise InvalidCatalogue("the catalogue does not parse.")

    seed_small(settings)
    with psycopg.connect(owner_url) as session:
        session.execute("ALTER TABLE ftf_config_history DISABLE TRIGGER append_only")
        session.execute("UPDATE ftf_config_history SET updated_by = 'mallory'")
        session.execute("ALTER TABLE ftf_config_history ENABLE ALWAYS TRIGGER append_only")
    lines = []
    drills = rehearse(settings, ("A", "B", "C", "D"), broken_catalogues, lines.append)
    for drill in drills:
        record(database, ADA, drill)

    assert [drill.outcome for drill in drills] == ["failed"] * 4
    assert "revision 1 was altered" in drills[0].problem
    assert "revision 1 was altered" in drills[1].problem
    assert "does not parse" in drills[2].problem
    assert "a recorded column was altered" in drills[3].problem
    assert drills[0].steps[-1].note.startswith("failed: ")
    assert "B could not be restored" in " ".join(lines)
    assert {row.outcome for row in list_drills(database)} == {"failed"}


def test_policy_is_waived_aloud_on_the_copy_alone(settings, database, owner_url):
    """A policy that asks for approvals does not stop the rehearsal, is said, and stands where it is live."""
    seed_small(settings)
    with psycopg.connect(owner_url) as session:
        session.execute("UPDATE policies SET approvals = 1, solo = false")
    lines = []
    (drill,) = rehearse(settings, ("C",), bundled, lines.append)

    assert drill.outcome == "restored"
    assert any("1 policies ask for approvals: waived on the copy" in line for line in lines)
    assert database.fetch_all("list_policies")[0]["approvals"] == 1


def test_nothing_to_rehearse_with_is_an_error(settings, database):
    """An empty database says what to do first."""
    with pytest.raises(UnknownScope, match="no global document") as caught:
        rehearse(settings, ("A",), bundled, lambda _line: None)
    assert "seed" in caught.value.hint


def test_mechanisms_stand_by_their_drills(rehearsed, live):
    """Each way back tells who rehearsed it, when, how long it took and which build; what was not is named."""
    with Database.open(live) as database:
        found = {one.mechanism: one for one in list_mechanisms(database)}

    assert list(found) == list(get_args(MechanismName))
    assert {name: one.state for name, one in found.items()} == {
        "image_pin": "never", "restore": "rehearsed", "break_glass": "rehearsed", "revert": "never",
    }  # fmt: skip
    assert found["image_pin"].missing == ("image-pin",)
    assert {one.scenario for one in found["break_glass"].rehearsals} == {"A", "B", "D"}
    (typo,) = found["restore"].rehearsals
    assert (typo.person, typo.build) == ("ada", str(running_build(live)))
    assert typo.took_s == next(one.took_s for one in rehearsed[0] if one.scenario == "C")
    assert found["restore"].due_at - typo.rehearsed_at == REHEARSED_FOR


@pytest.mark.parametrize(
    ("outcome", "is_stale", "state"),
    [
        ("restored", False, "rehearsed"),
        ("restored", True, "stale"),
        ("late", False, "failed"),
        ("failed", True, "failed"),
    ],
)
def test_a_mechanism_stands_by_its_worst_scenario(outcome, is_stale, state):
    """One scenario that is old, late or failed decides, however good the others are."""
    now = datetime.now(UTC)
    good = Rehearsal("A", "ada", now, 1.0, "restored", "1", now + REHEARSED_FOR, False)
    last = Rehearsal("D", "bo", now, 1.0, outcome, "1", now, is_stale)
    glass = next(one for one in MECHANISMS if one.name == "break_glass")
    newest = {"A": good, "B": replace(good, scenario="B"), "D": last}

    assert standing_of(glass, newest).state == state
    assert standing_of(glass, newest).due_at == (None if state == "failed" else now), "failed: due at once"
    assert standing_of(glass, {"A": good}).state == "never"


def test_the_database_takes_the_declared_mechanisms_and_scenarios_alone(owner_url):
    """What is declared once in Python is what the two tables take."""
    with psycopg.connect(owner_url) as session:
        taken = " ".join(
            text
            for (text,) in session.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE conname IN ('rollbacks_mechanism_check', 'drills_scenario_check') ORDER BY conname"
            )
        )
    declared = {name for one in MECHANISMS for name in (one.name, *one.scenarios)}

    assert set(re.findall(r"'([\w-]+)'::text", taken)) == declared
