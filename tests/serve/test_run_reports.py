"""Runs over HTTP: reported once however often they are sent, by who started them, and read back."""

import pytest

from setpoint.change.seeding import apply_seed
from setpoint.client.results import Unit
from setpoint.declare.seeds import Seed, Sourced, load_seeds
from support.run_reports import entry_of, failed_entry, plan_a_run
from support.sweep_home import ADA

ZERO = "0" * 64


@pytest.fixture
def start(database):
    """The body that starts a run, planned from this test's own database."""
    return plan_a_run(database)


@pytest.fixture
def run(start):
    return start["plan"]["run"]


@pytest.fixture
def robot(http_as):
    return http_as("robot")


@pytest.fixture
def started(robot, start, run):
    """The run, started by the robot."""
    answer = robot.put(f"/v1/runs/{run}", json=start)
    assert answer.status_code == 200, answer.text
    return run


def rows(client, path, **query):
    """Read a list to its end, two at a time."""
    found, after = [], {}
    while True:
        answer = client.get(path, params={"limit": 2, **query, **after})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            return found
        after = {"after": answer.json()["next"]}


def test_a_run_is_reported_and_read_back(robot, http_as, start, run):
    """Start, a result, a failure and the outcome, each sent twice, are one run that everybody reads."""
    entry, broken = entry_of(start), failed_entry(start)
    outcome = {"state": "complete", "read_keys": ["CVN_FTF_SEED"], "fallbacks": {"CVN_HPO_XGB_5M_GAMMA": 2}}
    for state in ("recorded", "known"):
        assert robot.put(f"/v1/runs/{run}", json=start).status_code == 200
        for body in (entry, broken):
            answer = robot.post(f"/v1/runs/{run}/units", json=body)
            assert answer.status_code == 200, answer.text
            assert [one["state"] for one in answer.json()["units"]] == [state]
        assert robot.put(f"/v1/runs/{run}/outcome", json=outcome).status_code == 200
    cy = http_as("cy")
    row = cy.get(f"/v1/runs/{run}").json()
    (result,), trials = rows(cy, f"/v1/runs/{run}/results"), rows(cy, f"/v1/runs/{run}/trials")
    (failure,) = rows(cy, f"/v1/runs/{run}/failures")

    assert (row["state"], row["started_by"], row["data_label"]) == ("complete", "robot", "synthetic")
    assert row["read_keys"] == ["CVN_FTF_SEED"]
    assert row["fallbacks"] == {"CVN_HPO_XGB_5M_GAMMA": 2}
    units = rows(cy, f"/v1/runs/{run}/units")
    names = ("symbol", "model", "timeframe", "variant", "fold")
    assert [[unit[name] for name in names] for unit in units] == start["plan"]["units"]
    assert {unit["context"]["symbol"] for unit in units} == set(start["plan"]["data"])
    trained = {name: value for name, value in entry["entry"]["result"].items() if name != "trials"}
    assert {name: result[name] for name in trained} == trained
    assert [trial["trial"] for trial in trials] == [0, 1]
    assert failure["message"] == "it broke"
    assert cy.get("/v1/runs/latest").json()["id"] == run
    assert cy.get(f"/v1/runs/{run}/verdict").json()["outcome"] == "insufficient_data"
    beside = cy.get(f"/v1/runs/{run}/paired", params={"against": run}).json()
    assert (beside["verdict"]["outcome"], beside["against"]) == ("insufficient_data", run)
    assert {one["mean"] for one in beside["paired"]["intervals"]} == {0.0}
    assert cy.get(f"/v1/runs/{run}/paired", params={"against": "none"}).status_code == 404


def test_results_are_found_by_the_snapshot_that_made_them(started, robot, start, http_as):
    """The hash of a snapshot leads to its results; another hash to none."""
    robot.post(f"/v1/runs/{started}/units", json=entry_of(start))
    found = (
        http_as("cy").get("/v1/results", params={"snapshot": start["plan"]["snapshot_hash"]}).json()["items"]
    )

    assert [(row["run_id"], row["model"]) for row in found] == [(started, "lgb")]
    assert not http_as("cy").get("/v1/results", params={"snapshot": "0" * 64}).json()["items"]


def test_a_unit_is_held_to_its_own_snapshot(database, robot, http_as, catalogues):
    """A result made with the base, or with another unit's values, is no result of a unit with an overlay."""
    overlay = Seed("symbol=BTCUSDC", {"CVN_HPO_LGB_5M_NUM_LEAVES": Sourced(21, "test")})
    apply_seed(database, catalogues, (*load_seeds("", catalogues), overlay), ADA, overwrite=False)
    start = plan_a_run(database)
    run, entry = start["plan"]["run"], entry_of(start)
    lacking = {**start["snapshots"], "members": start["snapshots"]["members"][:-1]}
    refused = robot.put(f"/v1/runs/{run}", json={**start, "snapshots": lacking})
    started = robot.put(f"/v1/runs/{run}", json=start)
    own = {unit["symbol"]: unit["snapshot_hash"] for unit in rows(robot, f"/v1/runs/{run}/units")}
    answers = []
    for symbol in ("ETHUSDC", "BTCUSDC"):
        entry["entry"]["result"]["snapshot_hash"] = own[symbol]
        answers.append(robot.post(f"/v1/runs/{run}/units", json=entry).json().get("code", "taken"))

    assert (refused.json()["code"], started.status_code) == ("hash_mismatch", 200)
    assert len(set(own.values())) == 2
    assert own["ETHUSDC"] == start["plan"]["snapshot_hash"]
    assert answers == ["hash_mismatch", "taken"]
    for name in (start["plan"]["set_hash"], *own.values()):
        found = http_as("cy").get("/v1/runs", params={"snapshot": name}).json()["items"]
        assert [row["id"] for row in found] == [run]


def test_the_plane_judges_trials_itself(started, robot, start, http_as):
    """A suggestion that breaks an invariant is recorded with it, whatever its reporter thinks of it."""
    entry = entry_of(start)
    for trial in entry["entry"]["result"]["trials"]:
        trial["params"] |= {"num_leaves": 63, "max_depth": 4}
    robot.post(f"/v1/runs/{started}/units", json=entry)
    trials = rows(http_as("cy"), f"/v1/runs/{started}/trials")

    assert [[v["invariant"] for v in trial["violations"]] for trial in trials] == [
        ["leaves_fit_the_depth"]
    ] * 2


def test_runs_are_listed_newest_first_in_pages(robot, http_as, database, start):
    """Pages of two, put together, are all runs once; filters leave out the others."""
    made = []
    for number in range(5):
        name = f"{start['plan']['run']}-{number}"
        body = {**start, "plan": {**start["plan"], "run": name}}
        reporter = http_as("dan") if number == 4 else robot
        assert reporter.put(f"/v1/runs/{name}", json=body).status_code == 200
        made.append(name)
    outcome = {"state": "failed", "read_keys": [], "fallbacks": {}}
    robot.put(f"/v1/runs/{made[0]}/outcome", json=outcome)
    cy = http_as("cy")

    assert [row["id"] for row in rows(cy, "/v1/runs")] == made[::-1]
    assert [row["id"] for row in rows(cy, "/v1/runs", state="failed")] == made[:1]
    assert [row["id"] for row in rows(cy, "/v1/runs", started_by="dan")] == made[4:]
    assert rows(cy, "/v1/runs", snapshot="0" * 64) == []
    assert cy.get("/v1/runs", params={"state": "sleeping"}).status_code == 422
    assert cy.get("/v1/runs", params={"after": "nonsense"}).status_code == 422


def test_a_run_belongs_to_who_started_it(started, http_as, start):
    """Another account adds nothing to it, be it a writer; an admin may."""
    outcome = {"state": "failed", "read_keys": [], "fallbacks": {}}
    broken = failed_entry(start)
    ada, dan = http_as("ada"), http_as("dan")

    for answer in (
        ada.put(f"/v1/runs/{started}", json=start),
        ada.post(f"/v1/runs/{started}/units", json=broken),
        ada.put(f"/v1/runs/{started}/outcome", json=outcome),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert "was started by robot" in answer.json()["detail"]
    assert dan.get(f"/v1/runs/{started}").json()["state"] == "running"
    assert rows(dan, f"/v1/runs/{started}/failures") == []
    assert dan.post(f"/v1/runs/{started}/units", json=broken).status_code == 200
    assert dan.put(f"/v1/runs/{started}/outcome", json=outcome).status_code == 200


@pytest.mark.parametrize("account", ["cy", "bo", "stranger"])
def test_only_reporters_report(http_as, start, run, account):
    """Who only reads or approves starts no run, records no unit and ends nothing."""
    client = http_as(account)

    assert client.put(f"/v1/runs/{run}", json=start).status_code == 403
    assert client.post(f"/v1/runs/{run}/units", json=failed_entry(start)).status_code == 403
    assert client.get("/v1/runs").status_code == (403 if account == "stranger" else 200)


def test_an_unknown_run_is_missing(robot, http_as, start):
    """No unit, outcome, result or verdict of a run that nobody started."""
    outcome = {"state": "complete", "read_keys": [], "fallbacks": {}}

    assert robot.post("/v1/runs/nope/units", json=failed_entry(start)).json()["code"] == "unknown_run"
    assert robot.put("/v1/runs/nope/outcome", json=outcome).status_code == 404
    for part in ("", "/results", "/trials", "/failures", "/verdict"):
        assert http_as("cy").get(f"/v1/runs/nope{part}").status_code == 404


def test_a_snapshot_that_is_not_what_it_says_is_refused(robot, http_as, start, run):
    """A text or a set with another hash, or others than the plan's, is a conflict and starts nothing."""
    texts = {digest: text.replace("2", "3", 1) for digest, text in start["snapshots"]["texts"].items()}
    forged = [
        {**start, "snapshots": {**start["snapshots"], **part}} for part in ({"texts": texts}, {"hash": ZERO})
    ]
    others = [{**start, "plan": {**start["plan"], name: ZERO}} for name in ("snapshot_hash", "set_hash")]

    for body in (*forged, *others):
        answer = robot.put(f"/v1/runs/{run}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "hash_mismatch")
    assert http_as("cy").get(f"/v1/runs/{run}").status_code == 404


def test_a_run_keeps_its_plan(started, robot, start):
    """The same id with another seed, or fewer units, is a conflict."""
    for changed in ({"seed": 1}, {"units": start["plan"]["units"][:1]}):
        body = {**start, "plan": {**start["plan"], **changed}}
        assert robot.put(f"/v1/runs/{started}", json=body).json()["code"] == "conflict"


def broken_entries():
    """Yield what is wrong with an entry, and how to break one so."""
    yield "another unit", lambda e: e["unit"].__setitem__(0, "DOGEUSDC")
    yield "result of another unit", lambda e: e["result"].update(fold=1)
    yield "no result and no failure", lambda e: e.pop("result")
    yield "both", lambda e: e.update(failure={"code": "x", "message": "y"})
    yield "a score over one", lambda e: e["result"].update(f1_buy_val=1.5)
    yield "a text for a number", lambda e: e["result"].update(threshold="0.5")
    yield "no area under the curve", lambda e: e["result"]["metrics"]["val"].pop("auc")
    yield "an unknown column", lambda e: e["result"].update(extra=1)
    yield "a trial without a number", lambda e: e["result"]["trials"][0].pop("trial")
    yield "a number beyond its column", lambda e: e["result"].update(n_train=2**40)
    yield "a text for a parameter", lambda e: e["result"]["trials"][0]["params"].update(num_leaves="many")


@pytest.mark.parametrize(("break_it"), [pytest.param(b, id=name) for name, b in broken_entries()])
def test_garbage_is_refused_whole(started, robot, start, http_as, break_it):
    """An entry that is no outcome of a declared unit is 422, and nothing of it is recorded."""
    body = entry_of(start)
    break_it(body["entry"])
    answer = robot.post(f"/v1/runs/{started}/units", json=body)

    assert answer.status_code == 422, answer.text
    for part in ("results", "trials", "failures"):
        assert rows(http_as("cy"), f"/v1/runs/{started}/{part}") == []


def test_a_result_of_another_snapshot_is_refused(started, robot, start):
    """A result tells the snapshot that made it; it must be the one its run pins."""
    body = entry_of(start)
    body["entry"]["result"]["snapshot_hash"] = "0" * 64

    assert robot.post(f"/v1/runs/{started}/units", json=body).json()["code"] == "hash_mismatch"


@pytest.mark.parametrize(
    "change",
    [{"threads": 0}, {"units": []}, {"rule": {}}, {"seed": 1.5}, {"data": {}}, {"run": "other"}],
    ids=str,
)
def test_a_plan_that_is_none_is_refused(robot, start, run, http_as, change):
    """A malformed plan is 422 and starts nothing."""
    answer = robot.put(f"/v1/runs/{run}", json={**start, "plan": {**start["plan"], **change}})

    assert answer.status_code == 422, answer.text
    assert http_as("cy").get("/v1/runs").json()["items"] == []


def test_no_run_is_called_latest(robot, start):
    """The name of the newest run is nobody's own."""
    body = {**start, "plan": {**start["plan"], "run": "latest"}}

    assert robot.put("/v1/runs/latest", json=body).status_code == 422


def test_a_batch_says_of_each_unit_what_became_of_it(started, robot, start, http_as):
    """What is wrong with a unit is told in its place, by code; the others and the lines are recorded once."""
    good, failed = entry_of(start)["entry"], failed_entry(start)["entry"]
    foreign = good | {"result": good["result"] | {"snapshot_hash": ZERO}, "unit": good["unit"]}
    unknown = failed | {"unit": ["DOGEUSDC", *failed["unit"][1:]]}
    trial = good["result"]["trials"][0] | {"params": {"num_leaves": "many"}}
    worthless = good | {"result": good["result"] | {"trials": [trial]}}
    events = {"source": "a-spool-of-the-run", "events": [{"sequence": 0, "line": f"event=x run={started}"}]}
    batch = {"entries": [worthless, foreign, unknown, good, failed, good], "events": events}
    refused = [("refused", code) for code in ("invalid_value", "hash_mismatch", "invalid_value")]

    for state, accepted in (("recorded", 1), ("known", 0)):
        answer = robot.post(f"/v1/runs/{started}/units", json=batch)
        assert answer.status_code == 200, answer.text
        told = [(one["state"], one["code"]) for one in answer.json()["units"]]
        assert told == [*refused, (state, None), (state, None), ("known", None)]
        assert answer.json()["events"]["accepted"] == accepted
    cy = http_as("cy")
    assert [one["snapshot_hash"] for one in rows(cy, f"/v1/runs/{started}/results")] == [
        good["result"]["snapshot_hash"]
    ]
    assert len(rows(cy, f"/v1/runs/{started}/trials")) == len(good["result"]["trials"])
    assert len(rows(cy, f"/v1/runs/{started}/failures")) == 1
    assert [one["name"] for one in rows(cy, "/v1/events", run=started)] == ["x"]


def test_a_batch_is_units_or_one_unit(started, robot, start):
    """Both, neither, none at all and more than a batch holds are no report, and name what is wrong."""
    one = failed_entry(start)["entry"]

    for body in ({}, {"entry": one, "entries": [one]}, {"entries": []}, {"entries": [one] * 501}):
        assert robot.post(f"/v1/runs/{started}/units", json=body).status_code == 422


def test_units_are_declared_in_pages(robot, http_as, start, run):
    """The start lists the first and counts all; pages may be repeated and cut anew, and nothing else fits."""
    units = start["plan"]["units"]
    first = {**start, "plan": {**start["plan"], "units": units[:4]}, "n_units": len(units)}
    outcome = {"state": "complete", "read_keys": [], "fallbacks": {}}
    page = {"first": 4, "units": units[4:10]}
    swapped = {"first": 4, "units": [units[5], units[4]]}

    assert robot.put(f"/v1/runs/{run}", json=first).status_code == 200
    assert http_as("ada").put(f"/v1/runs/{run}/units", json=page).status_code == 403
    assert robot.put("/v1/runs/nope/units", json=page).json()["code"] == "unknown_run"
    for body in (page, page, {"first": 3, "units": units[3:]}):
        assert robot.put(f"/v1/runs/{run}/units", json=body).status_code == 200
        answer = robot.put(f"/v1/runs/{run}/outcome", json=outcome)
        assert answer.status_code == (200 if body["first"] == 3 else 409), answer.text
    assert robot.put(f"/v1/runs/{run}/units", json=swapped).json()["code"] == "conflict"
    beyond = {"first": len(units), "units": units[:1]}
    assert robot.put(f"/v1/runs/{run}/units", json=beyond).json()["code"] == "invalid_value"
    elsewhere = {"first": 0, "units": [["DOGEUSDC", *units[0][1:]]]}
    assert robot.put(f"/v1/runs/{run}/units", json=elsewhere).json()["code"] == "invalid_context"
    found = rows(http_as("cy"), f"/v1/runs/{run}/units")
    assert [[row[name] for name in Unit._fields] for row in found] == units
    assert robot.put(f"/v1/runs/{run}", json=first).status_code == 200
    assert robot.put(f"/v1/runs/{run}", json={**first, "n_units": 5}).json()["code"] == "conflict"


def test_coverage_is_the_audit_of_the_command(database, http_as, start):
    """Declared, seeded and read, over HTTP as on the command line."""
    found = http_as("cy").get("/v1/coverage").json()

    assert found["coverage_pct"] == found["lowest_pct"] == 100.0
    assert found["coverage_of"] == "cvntrade"
    assert [member["name"] for member in found["catalogues"]] == ["cvntrade", "cvntrade-training"]
