"""`setpoint db prune`: old months go when somebody says so, and not those that somebody rests on."""

from io import StringIO

import psycopg
import pytest

from setpoint.change.verification import verify
from setpoint.errors import EXIT_INTERRUPTED
from setpoint.record.dropped import told_of_dropped
from support.hints import printed_command
from support.past_months import move_to
from support.searched_runs import record_a_search

GAMMA = "CVN_HPO_XGB_5M_GAMMA"


@pytest.fixture
def owner(owner_url):
    with psycopg.connect(owner_url, autocommit=True) as session:
        yield session


@pytest.fixture
def runs(database, catalogues, owner, setpoint_command):
    """Three runs, of January, February and March of a year ago, and one of now."""
    made = [record_a_search(database, catalogues, [[0.05, 0.1]]) for _ in range(4)]
    for run, day in zip(made, ("2025-01-05", "2025-02-05", "2025-03-05"), strict=False):
        move_to(owner, database, run, day)
    return made


def places(months):
    return [(one["of_table"], one["month"][:7]) for one in months]


def test_old_months_go_and_what_is_cited_stays(runs, owner, database, setpoint_command, monkeypatch):
    """A dry run removes nothing; months of a baseline's run and of one that an open change names are kept."""
    first, second, third, _ = runs
    assert setpoint_command("baseline", "set", first, "--reason", "before").code == 0
    drafted = setpoint_command(
        "set", f"{GAMMA}=0.5", "-r", "it shows", "--evidence", second, "--yes", "--draft", "--json"
    ).json
    shown = setpoint_command("db", "prune", "--keep", "90", "--dry-run", "--json").json

    assert shown["dropped"] == []
    march = [("event_log", "2025-03"), ("finetune_trials", "2025-03")]
    assert places(shown["going"]) == march
    assert places(shown["kept"]) == [
        (table, month) for month in ("2025-01", "2025-02") for table in ("event_log", "finetune_trials")
    ]
    assert {tuple(one["kept_for"]) for one in shown["kept"]} == {
        (f"run {first}, cited by a baseline",),
        (f"run {second}, cited by change {drafted['change']}",),
    }
    events, trials = shown["going"]
    assert (events["rows"], trials["rows"]) == (3, 2)
    assert min(events["bytes"], trials["bytes"]) > 0
    assert events["first_at"].startswith("2025-03-05")
    with pytest.raises(psycopg.DatabaseError, match=f"run {first}, cited by a baseline"):
        owner.execute("SELECT drop_month('finetune_trials', '2025-01-01')")

    said = setpoint_command("db", "prune", "--keep", "90", "--dry-run")
    assert f"kept: event_log 2025-02, run {second}, cited by change" in said.err
    assert "2025-03" in said.out
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    asked = setpoint_command("db", "prune", "--before", "2025-04")
    assert "Drop these months for good?" in asked.err
    assert asked.code == EXIT_INTERRUPTED
    assert owner.execute("SELECT count(*) FROM dropped_months").fetchone() == (0,)
    assert told_of_dropped(database, third) == []
    done = setpoint_command("db", "prune", "--before", "2025-04", "--yes", "--json").json
    assert done == {"dropped": shown["going"], "going": [], "kept": shown["kept"]}
    kept = owner.execute("SELECT of_table, rows, hash FROM dropped_months ORDER BY id").fetchall()
    assert kept == [(one["of_table"], one["rows"], one["hash"]) for one in shown["going"]]
    assert verify(database).whole

    seen = setpoint_command("show", third)
    assert "Tuning trials of units that ended in 2025-03 were dropped" in seen.out
    assert "Events that came in 2025-03 were dropped" in seen.out
    assert "dropped" not in setpoint_command("show", second).out
    assert setpoint_command("change", "withdraw", str(drafted["change"])).code == 0
    again = setpoint_command("db", "prune", "--before", "2025-04", "--yes").out
    assert "dropped 2 months, 5 rows" in again
    assert "Tuning trials of units that ended in 2025-02" in setpoint_command("show", second).out
    assert (
        "no month is that old and free to go" in setpoint_command("db", "prune", "--keep", "90", "--yes").out
    )


def test_what_is_old_is_said_and_at_least_a_fortnight(runs, setpoint_command, monkeypatch):
    """Without a declaration nothing is old; a younger month never goes, however it is asked for."""
    asked = setpoint_command("db", "prune", "--yes")
    assert asked.code == 2
    hinted = printed_command("setpoint db prune --dry-run --keep 90", asked.err).split()
    assert setpoint_command(*hinted[1:]).code == 0
    for wrong in (
        ("--keep", "13"),
        ("--keep", "nan"),
        ("--keep", "1e9"),
        ("--before", "March"),
        ("--before", "2025-13"),
        ("--keep", "90", "--before", "2025-04"),
    ):
        assert setpoint_command("db", "prune", *wrong, "--yes").code == 2, wrong
    shown = setpoint_command("db", "prune", "--before", "2999-01", "--dry-run", "--json").json
    assert {month for _, month in places(shown["going"])} == {"2025-01", "2025-02", "2025-03"}
    monkeypatch.setenv("SETPOINT_RETENTION_DAYS", "30")
    assert setpoint_command("db", "prune", "--dry-run", "--json").json == shown
    monkeypatch.setenv("SETPOINT_RETENTION_DAYS", "7")
    assert setpoint_command("db", "prune", "--yes").code == 2
