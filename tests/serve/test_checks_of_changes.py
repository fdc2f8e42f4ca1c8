"""A change's candidate and its checks over HTTP: who reads the one, and what the others hold back."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from setpoint.change.applying import apply_due
from setpoint.client.snapshot_set import parse_snapshot_set
from support.browsers import Person
from support.candidate_runs import CONTEXTS, plan_of
from support.console_pages import READ, address_of
from support.openapi import document_of

RATE = "CVN_HPO_LGB_5M_LEARNING_RATE"
#: A value that nothing else says.
PLANTED = 0.0777123
#: Where a change and the runs of its candidate are shown to whoever may read changes.
SHOWN_AT = ("/v1/changes", "/v1/runs", "/v1/results")


def propose(client, value=PLANTED, **given):
    """Open a change of one key; returns its number and the hash that approvals name."""
    wanted = {"scope": "global", "base": 1, "set": {RATE: value}, "reason": "a try", **given}
    made = client.post("/v1/changes", json=wanted)
    assert made.status_code == 201, made.text
    return made.json()["id"], made.json()["proposal_hash"]


def train(client, change, name, *, state="complete", **given):
    """Register, pin, start and end a smoke run of a change's candidate over HTTP; returns its set."""
    registered = client.post(f"/v1/changes/{change}/runs", json={"run": name})
    assert (registered.status_code, registered.json()["within_s"]) == (200, 120), registered.text
    pinned = client.post(f"/v1/changes/{change}/candidate", json={"contexts": list(CONTEXTS), "run": name})
    return report(client, name, pinned, state, **given)


def train_pair(client, change, name, **beside):
    """Do so with a pair, of which the run beside the candidate's is otherwise; nothing of it is trained."""
    current = f"{name}-beside"
    registered = client.post(f"/v1/changes/{change}/runs", json={"run": name, "current": current})
    assert (registered.status_code, registered.json()["within_s"]) == (200, None), registered.text
    contexts = {"contexts": list(CONTEXTS)}
    report(client, name, client.post(f"/v1/changes/{change}/candidate", json=contexts | {"run": name}))
    report(client, current, client.post("/v1/snapshot-sets", json=contexts), **beside)


def report(client, name, pinned, state="complete", **given):
    """Start and end a run of a set that was pinned; returns the set."""
    assert pinned.status_code == 200, pinned.text
    snapshots = parse_snapshot_set(pinned.text, "test")
    plan = plan_of(name, snapshots, **given) | EXACT
    body = {"plan": plan, "snapshots": json.loads(snapshots.to_json())}
    started = client.put(f"/v1/runs/{name}", json=body)
    assert started.status_code == 200, started.text
    ended = {"state": state, "read_keys": [RATE], "fallbacks": {}}
    assert client.put(f"/v1/runs/{name}/outcome", json=ended).status_code == 200
    return snapshots


#: What the API asks of a plan beyond what is recorded.
EXACT = {
    "started_at": "2026-11-29T00:00:00+00:00",
    "market_folder": "",
    "read_keys": [RATE],
    "data": {
        one["symbol"]: {
            "hash": "d" * 64,
            "source": "synthetic",
            "symbol_used": one["symbol"],
            "bars": 100,
            "findings": [],
        }
        for one in CONTEXTS
    },
}


def checks(client, change, run):
    return client.post(f"/v1/changes/{change}/checks", json={"run": run})


@pytest.fixture
def ada(seeded, http_as):
    return http_as("ada")


@pytest.fixture
def robot(http_as):
    return http_as("robot")


def answers_of(client, plane, path_values):
    """Yield every answer that the API reads out, changes and their runs aside, for two contexts."""
    for path, item in document_of(plane)["paths"].items():
        if "get" in item and not path.startswith(SHOWN_AT) and "stream" not in path:
            for query in ({}, {"symbol": "BTCUSDC"}):
                yield client.get(path.format_map(path_values), params=query)


def evaluations_of(client):
    """Yield what flags and sets of snapshots say for the contexts of the candidate's units."""
    for context in CONTEXTS:
        yield client.post("/ofrep/v1/evaluate/flags", json={"context": context})
        yield client.post(f"/ofrep/v1/evaluate/flags/{RATE}", json={"context": context})
        yield client.post("/v1/snapshot-sets", json={"contexts": [context]})


def pages_of(reader):
    """Yield every page of the Console, changes and their runs aside."""
    for route in READ:
        address = address_of(route)
        if not address.startswith(("/changes", "/runs")):
            yield reader.get(address)


def test_a_candidate_is_seen_at_no_other_door(
    ada, robot, http_as, plane, owner_url, setpoint_command, tmp_path
):
    """Reviewers and the registered run read it by the change's number; nothing else has it."""
    change, _ = propose(ada)
    asked = {"contexts": list(CONTEXTS)}
    for run in ({}, {"run": "other"}):
        assert robot.post(f"/v1/changes/{change}/candidate", json=asked | run).status_code == 403
    candidate = train(robot, change, "candidate-1", state="interrupted")
    read = http_as("cy").post(f"/v1/changes/{change}/candidate", json=asked)
    assert read.headers["setpoint-snapshot-set"] == candidate.hash
    assert str(PLANTED) in read.text
    layer = candidate.base.layers[0]
    assert (layer.scope, layer.revision, layer.author) == ("global", None, "ada")

    secrets = {str(PLANTED), candidate.hash, *(one.hash for one in candidate.snapshots)}
    dan = http_as("dan")
    named = Named({"scope": "global", "key": RATE, "hash": candidate.base.hash})
    walked = list(answers_of(dan, plane, named))
    assert sum(answer.status_code == 200 for answer in walked) > 30
    evaluated = list(evaluations_of(dan))
    assert {answer.status_code for answer in evaluated} == {200}
    with closing(Person(plane, owner_url, "dan")) as reader:
        pages = list(pages_of(reader))
        hashed = [reader.get(f"/snapshots/{one.hash}") for one in candidate.snapshots]
    hashed += [dan.get(f"/v1/snapshots/{one.hash}") for one in candidate.snapshots]
    assert {answer.status_code for answer in hashed} == {404}
    folder = tmp_path / "exported"
    assert setpoint_command("export", str(folder)).code == 0
    texts = [file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file()]
    with dan.stream("GET", "/v1/stream") as answer:
        texts.append(next(answer.iter_text()))
    # An answer names what it was asked for: the hash in an address is the reader's own.
    texts += [answer.text.replace(candidate.base.hash, "") for answer in (*walked, *hashed)]
    texts += [answer.text for answer in (*evaluated, *pages)]
    assert [text[:300] for text in texts if any(one in text for one in secrets)] == []


class Named(dict):
    """Values of addresses by name; what is not named is 1."""

    def __missing__(self, name):
        return "1"


@pytest.fixture
def held(ada, http_as):
    """A change of Ada's that Bo has approved and that lacks its smoke check, with its proposal."""
    dan, bo = http_as("dan"), http_as("bo")
    asked = {"approvals": 1, "checks": ["smoke"], "reason": "evidence first"}
    assert dan.put("/v1/policies/*/policy", json=asked | {"checks": []}).status_code == 200
    waits = dan.put("/v1/policies/*/value", json=asked).json()
    its_hash = {"proposal_hash": waits["proposal_hash"]}
    assert bo.post(f"/v1/changes/{waits['change']}/approve", json=its_hash).json()["state"] == "applied"
    change, digest = propose(ada)
    approved = bo.post(f"/v1/changes/{change}/approve", json={"proposal_hash": digest}).json()
    assert (approved["state"], approved["next_step"]["waits_for"]) == ("proposed", "check")
    assert approved["next_step"]["how"].startswith(f"`setpoint sweep --change {change} --smoke`")
    return change, digest


@pytest.fixture
def reviewer(plane, owner_url, ada):
    """Eve at the pages."""
    with closing(Person(plane, owner_url, "eve")) as person:
        yield person


@pytest.fixture
def refused(ada, held, reviewer, setpoint_command, server, clone, people):
    """Try to apply it by API, command, page and SQL; returns what the API says."""
    change, digest = held

    def tried():
        answer = ada.post(f"/v1/changes/{change}/apply", json={"proposal_hash": digest})
        assert (answer.status_code, answer.json()["code"]) == (403, "check_missing"), answer.text
        done = setpoint_command("change", "apply", str(change))
        assert (done.code, "lacks the check smoke" in done.err) == (10, True), done.err
        page = reviewer.send(f"/changes/{change}/apply", {"proposal": digest, "words": ""})
        assert "lacks the check smoke" in page.text
        url = server.url(clone, login="ada")
        with psycopg.connect(url) as psql, pytest.raises(psycopg.Error, match="lacks the check smoke"):
            psql.execute("SELECT apply_change(%s, %s)", [change, digest])
        assert ada.get(f"/v1/changes/{change}").json()["state"] == "proposed"
        return answer.json()["detail"]

    return tried


def test_a_required_check_holds_back_at_every_door(
    ada, http_as, held, refused, reviewer, seeded, catalogues, setpoint_command, owner_url, tmp_path
):
    """Without a check nothing is applied: by API, command, page, SQL, folder or clock."""
    assert "No run has trained its candidate yet" in reviewer.read(f"/changes/{held[0]}")
    assert "there is none" in refused()
    folder = tmp_path / "folder"
    assert setpoint_command("export", str(folder)).code == 0
    file = folder / "documents" / "global.toml"
    file.write_text(file.read_text().replace(line_of(file, RATE), f"{RATE} = {PLANTED}"))
    assert setpoint_command("apply", str(folder), "--reason", "a folder", "--yes").code == 11
    refused()

    later = {"apply_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    timed, its_digest = propose(ada, 0.0777124, **later)
    approval = {"proposal_hash": its_digest}
    assert http_as("bo").post(f"/v1/changes/{timed}/approve", json=approval).status_code == 200
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE changes SET apply_at = now() - interval '1 s' WHERE id = %s", [timed])
    assert apply_due(seeded, catalogues, "clock") == []


def test_evidence_of_the_authors_own_side_is_shown_and_counts_for_nothing(
    ada, robot, http_as, held, refused, reviewer, setpoint_command, owner_url
):
    """The author, a robot of theirs, another change, an unknown build, a pair of two builds, a failure."""
    change, _ = held
    train(ada, change, "own-1")
    assert checks(ada, change, "own-1").status_code == 200
    assert "ada, who reported it, is no robot" in refused()
    with psycopg.connect(owner_url) as owner:
        owner.execute("INSERT INTO accounts (name, roles, created_by) VALUES ('hers', '{robot}', 'ada')")
        owner.execute("INSERT INTO appointments (account, what, hand) VALUES ('hers', 'role', 'ada')")
    hers = http_as("hers")
    train(hers, change, "hers-1")
    assert checks(hers, change, "hers-1").status_code == 200
    assert "author ada owns or made hers" in refused()
    train(robot, propose(ada, 0.0777125)[0], "elsewhere-1")
    assert checks(robot, change, "elsewhere-1").status_code == 404
    train(robot, change, "robot-1", git_commit="none")
    assert checks(robot, change, "robot-1").json()["items"][0]["why_not_counted"].startswith("its build")
    refused()
    train_pair(robot, change, "pair-1", git_commit="d" * 40)
    void = {one["kind"]: one["why_not_counted"] for one in checks(robot, change, "pair-1").json()["items"]}
    unlike = "its two runs are no pair: other commit of the source"
    assert void == {"smoke": None, "canary": None, "ranges": unlike}, (
        "of a canary it voids the interval alone"
    )
    refused()
    train(robot, change, "robot-2")
    shown = checks(robot, change, "robot-2").json()["items"]
    assert [(one["kind"], one["result"]) for one in shown] == [("smoke", "fail")], "no unit was trained"
    assert "2 of 2 units were not trained" in refused()
    page = reviewer.read(f"/changes/{change}")
    assert "the change's author ada owns or made hers, who reported it" in page
    assert "it lacks a check that policy asks for: smoke" in page
    said = setpoint_command("change", "show", str(change)).out
    assert "needs the checks smoke, of which it lacks smoke" in said
    assert "does not count: ada, who reported it, is no robot" in said


def line_of(file, key):
    return next(line for line in file.read_text().splitlines() if line.startswith(f"{key} ="))
