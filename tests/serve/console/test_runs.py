"""Runs on pages: a run under way and at its end, its verdict with its rule, its report, and two of them."""

import base64
import hashlib
import re

import pytest

from setpoint.change.identity import Author
from support.invented_runs import record_scores
from support.lived_in import TRAINED, train
from support.run_reports import entry_of, failed_entry, plan_a_run
from support.sweep_home import seed_tiny


@pytest.fixture
def run(database, http_as):
    """A run of which one unit trained and one failed, still under way; returns its id."""
    start = plan_a_run(database)
    start["plan"]["trigger"] = {"person": "mae", "asserted_by": "airflow", "reference": "ftf/1"}
    name = start["plan"]["run"]
    robot = http_as("robot")
    assert robot.put(f"/v1/runs/{name}", json=start).status_code == 200
    for body in (entry_of(start), failed_entry(start)):
        answer = robot.post(f"/v1/runs/{name}/units", json=body)
        assert answer.status_code == 200, answer.text
    return name


def test_a_run_is_listed_and_shown_with_what_it_rests_on(person, run):
    """How far it is, its verdict and rule, scores beside always saying BUY, failures, what it pinned."""
    cy = person("cy")
    assert run in cy.read("/runs")
    assert run in cy.read("/runs", state="running")
    assert "No run is like that" in cy.read("/runs", state="complete")
    page = cy.read(f"/runs/{run}")
    for shown in (
        "running",
        "Synthetic data",
        "always saying BUY",
        "it broke",
        "profile=tiny",
        "to go",
        "data-refresh",
        "a minute, about",
        "triggered by mae, as airflow says",
    ):
        assert shown in page
    assert "1 worker, 10 worker-seconds so far" in page
    [worker] = cy.get(f"/runs/{run}?table=workers&format=json").json()["items"]
    del worker["heard_at"]
    assert worker == {"worker": "host-a:7", "units": 2, "failed": 1, "worker_time_sec": 10.0}
    set_hash = re.search(r'href="/runs\?snapshot=([0-9a-f]{64})"', page)[1]
    assert run in cy.read("/runs", snapshot=set_hash)
    cy.read("/runs/none", 404)


def test_a_unit_tells_every_parameter_as_requested_and_as_its_model_holds_it(person, run, http_as):
    """All that were asked and all that the model reports, in three groups, with why they differ."""
    cy = person("cy")
    result = http_as("cy").get(f"/v1/runs/{run}/results").json()["items"][0]
    page = cy.read(f"/runs/{run}/units/{TRAINED}")
    assert f'href="/runs/{run}/units/{TRAINED}"' in cy.read(f"/runs/{run}")
    groups = dict(re.findall(r'rowgroup" colspan="4">([\w ]+): (\d+)', page))
    asked, held = result["model_hyperparams"], result["effective_params"]
    found = {one["param"]: one for one in result["findings"]}
    assert "Not as requested" not in groups
    assert int(groups["As requested"]) == len(asked.keys() - found.keys()) > 5
    assert int(groups["Not requested"]) == len(held.keys() - asked.keys() - found.keys()) > 5
    assert page.count("the library's default, or the harness's") in range(90, int(groups["Not requested"]))
    assert 'href="/keys/CVN_HPO_LGB_5M_SUBSAMPLE"><code>bagging_fraction</code>' in page
    rows = cy.get(f"/runs/{run}/units/{TRAINED}?table=parameters&format=json").json()["items"]
    assert {one["param"] for one in rows} == asked.keys() | held.keys() | found.keys()
    assert "it broke" in cy.read(f"/runs/{run}/units/29")
    assert "This unit has not ended" in cy.read(f"/runs/{run}/units/2")
    cy.read(f"/runs/{run}/units/30", 404)


def test_the_report_of_a_run_is_shown_under_a_policy_that_names_its_style(person, run):
    """The one style of the report is allowed by its hash; nothing inline is allowed as such."""
    answer = person("cy").get(f"/runs/{run}/report")
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_runs_are_compared_by_what_differs(person, run, database, http_as):
    """A run beside itself differs in nothing; of three each has a column, the earliest first, and marks."""
    cy, eve = person("cy"), http_as("eve")
    page = cy.read("/runs/compare", run=[run, run])
    for said in (
        "1 of 1 shared unit have identical",
        "All pinned the same values",
        "The same data, build and",
    ):
        assert said in page
    later = []
    for rate in (0.12, 0.13):
        tag = eve.get("/v1/config/global").headers["etag"]
        body = {"set": {"CVN_HPO_LGB_5M_LEARNING_RATE": rate}, "reason": "faster"}
        assert eve.patch("/v1/config/global", json=body, headers={"If-Match": tag}).status_code == 200
        later.append(train(database, http_as("robot")))
    asked = {"run": [*reversed(later), run]}
    page = cy.read("/runs/compare", **asked)
    heads = re.findall(r'<th scope="col"><a href="/runs/([^"]+)">', page)
    assert heads[:3] == [run, *later]
    row = re.search(r'title="CVN_HPO_LGB_5M_LEARNING_RATE">.*?</tr>', page)[0]
    assert re.findall(r'<td(?: class="(new)")?><code>([\d.]+)<', row) == [
        ("", "0.1"),
        ("new", "0.12"),
        ("new", "0.13"),
    ]
    assert f"setpoint compare {later[1]} {later[0]} {run}" in page
    rows = cy.get(f"/runs/compare?run={later[0]}&run={run}&table=values&format=json").json()["items"]
    assert rows == [{"where": "", "what": "CVN_HPO_LGB_5M_LEARNING_RATE", run: 0.1, later[0]: 0.12}]
    assert cy.read("/runs").count('type="checkbox" name="run"') == 3
    cy.read("/runs/compare", 404, run=[run, "none"])
    assert "Tick runs" in cy.read("/runs/compare", 422)
    cy.read("/runs/compare", 422, run=[run] * 9)


def test_runs_are_found_by_the_value_that_they_used(person, run, database, http_as, setpoint_command):
    """Pages of a key and a revision lead to runs that took it; no later value, and no overlay's."""
    cy, key = person("cy"), "CVN_HPO_LGB_5M_LEARNING_RATE"
    seeded = http_as("cy").get("/v1/history", params={"key": key}).json()["items"][-1]["revision"]
    eve = http_as("eve")
    tag = eve.get("/v1/config/global").headers["etag"]
    body = {"set": {key: 0.12}, "reason": "faster"}
    assert eve.patch("/v1/config/global", json=body, headers={"If-Match": tag}).status_code == 200
    changed = http_as("cy").get("/v1/history", params={"key": key}).json()["items"][0]["revision"]
    page = cy.read(f"/keys/{key}")
    for revision, found in ((seeded, True), (changed, False)):
        assert f'href="/runs?revision={revision}&key={key}"' in page
        query = {"revision": str(revision), "key": key}
        assert (f"/runs/{run}" in cy.read("/runs", **query)) == found
        listed = http_as("cy").get("/v1/runs", params=query).json()["items"]
        assert [one["id"] for one in listed] == [run] * found
        done = setpoint_command("runs", "--revision", str(revision), "--key", key, "--json")
        assert [one["id"] for one in done.json] == [run] * found
    rounds = "CVN_HPO_LGB_5M_N_ESTIMATORS"  # which the run's own overlay sets
    assert run not in cy.read("/runs", revision=str(seeded), key=rounds)
    assert run in cy.read("/runs", revision=str(seeded))
    assert f'href="/runs?revision={changed}"' in cy.read(f"/history/{changed}")


def test_who_used_what_a_revision_set_is_told_of_it_and_of_its_change(person, database, http_as):
    """A run counts that pinned it later; once another value stands, the change that replaced it says so."""
    cy, eve, changes = person("cy"), http_as("eve"), []

    def write(key, value):
        tag = eve.get("/v1/config/global").headers["etag"]
        body = {"set": {key: value}, "reason": f"{value}"}
        answer = eve.patch("/v1/config/global", json=body, headers={"If-Match": tag})
        changes.append(answer.json()["change"])
        return answer.json()["revision"]

    faster = write("CVN_HPO_LGB_5M_LEARNING_RATE", 0.12)
    write("CVN_HPO_XGB_5M_GAMMA", 0.3)
    start = plan_a_run(database)
    run, robot = start["plan"]["run"], http_as("robot")
    assert robot.put(f"/v1/runs/{run}", json=start).status_code == 200
    write("CVN_HPO_LGB_5M_LEARNING_RATE", 0.13)
    page = cy.read(f"/history/{faster}")
    assert f'<a href="/runs?set_by={faster}">1 run used a value that it set</a>' in page
    assert run in cy.read("/runs", set_by=str(faster))
    assert run not in cy.read("/runs", revision=str(faster))
    first, _, last = (cy.read(f"/changes/{one}") for one in changes)
    assert f'<a href="/runs?set_by={faster}">1 run used a value that it set</a>' in first
    assert "0 runs used a value that it set</a>; 1 run had used a value that it replaced;" in last
    assert "every context that no overlay decides got another value." in last
    assert "handed out lately for" in last
    touches = last.index("What it touches")
    assert touches < last.index("Which contexts and runs") < last.index('id="discussion"')

    listed = cy.read("/runs")
    assert re.search(r">([4-9]|\d\d) contexts</td>", listed), "more than three are counted"
    assert "never" in listed, "nothing was heard of it yet"
    assert robot.post(f"/v1/runs/{run}/units", json=entry_of(start)).status_code == 200
    assert "never" not in cy.read("/runs")
    (row,) = [one for one in cy.get("/runs?table=runs&format=json").json()["items"] if one["id"] == run]
    assert row["contexts"].count(";") == len(re.findall("symbol=", row["contexts"])) >= 4
    assert row["last_heard"] > row["started_at"]
    assert '"contexts","last_heard"' in cy.get("/runs?table=runs&format=csv").text
    assert f'href="/runs/{run}#pinned"' in listed
    pinned = re.search(r'id="pinned".*?href="(/snapshots/[0-9a-f]{64})"', cy.read(f"/runs/{run}"), re.DOTALL)
    cy.read(pinned[1])


def test_an_interval_is_drawn_beside_the_rule(person, database, catalogues):
    """Worse is left of the middle; the table says the same in numbers, and the rule stands beside it."""
    seed_tiny(database)
    author = Author("robot", "database-login")
    runs = [
        record_scores(database, catalogues, author, {"xgb": 0.5 + by, "lgb": 0.5 - by, "cb": 0.5})
        for by in (0.0, 0.04)
    ]
    page = person("cy").read("/runs/compare", run=runs)

    drawn = re.findall(r'class="span ?(\w*)" d="M([\d.]+) 7H([\d.]+)".*?cx="([\d.]+)"', page)
    assert {(kind, float(low) <= float(mean) <= float(high)) for kind, low, high, mean in drawn} == {
        ("under", True),
        ("above", True),
        ("", True),
    }
    assert {float(mean) for *_, mean in drawn} == {6.0, 64.0, 122.0}
    assert "the rule decides" in page
