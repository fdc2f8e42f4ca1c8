"""Documents over HTTP: read, and edited over the revision that was read."""

import json
import threading

import psycopg
import pytest

from support.waiting import wait_for

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
GAMMA = "CVN_HPO_XGB_5M_GAMMA"
DEPTH = "CVN_HPO_XGB_5M_MAX_DEPTH"
BTC = "symbol=BTCUSDC"


@pytest.fixture
def edit(seeded, http_as):
    """``edit({KEY: 0.07})`` patches a scope as Ada, over what stands."""

    def patch(values, scope="global", account="ada", headers=(), **more):
        revision = http_as(account).get(f"/v1/config/{scope}").headers.get("ETag", '"1"')
        return http_as(account).patch(
            f"/v1/config/{scope}",
            json={"set": values, "reason": "a test", **more},
            headers={"If-Match": revision, **dict(headers)},
        )

    return patch


def test_an_edit_over_the_revision_that_was_read_makes_the_next(seeded, http_as):
    """Ada reads a document, edits one value over its ETag, and reads it back with a new one."""
    read = http_as("cy").get("/v1/config/global")
    made = http_as("ada").patch(
        "/v1/config/global",
        json={"set": {KEY: 0.07}, "reason": "slower"},
        headers={"If-Match": read.headers["ETag"]},
    )

    assert made.status_code == 200, made.text
    again = http_as("cy").get("/v1/config/global")
    assert again.headers["ETag"] == made.headers["ETag"] == f'"{made.json()["revision"]}"'
    assert again.json()["values"][KEY] == 0.07
    history = seeded.fetch_one("read_revision", id=made.json()["revision"])
    assert (history["updated_by"], history["proof"]) == ("ada", "account-session")


def test_a_document_that_is_known_is_not_sent_again(edit, http_as):
    """If-None-Match answers 304 while the revision stands, weak, in a list or as *, and 200 afterwards."""
    tag = http_as("cy").get("/v1/config/global").headers["ETag"]

    for known in (tag, f'"0", W/{tag}', "*"):
        same = http_as("cy").get("/v1/config/global", headers={"If-None-Match": known})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    for unknown in ('"0"', "", ",", '""', "garbage"):
        assert http_as("cy").get("/v1/config/global", headers={"If-None-Match": unknown}).status_code == 200
    edit({KEY: 0.07})
    assert http_as("cy").get("/v1/config/global", headers={"If-None-Match": tag}).status_code == 200


def test_a_write_needs_the_revision_it_was_made_over(seeded, http_as):
    """Without If-Match nothing is written (428); over an older or no revision neither (412)."""
    edits = {"json": {"set": {KEY: 0.07}, "reason": "slower"}}
    head = seeded.fetch_one("read_chain_head")

    assert http_as("ada").patch("/v1/config/global", **edits).status_code == 428
    assert http_as("ada").delete("/v1/config/profile=demo?reason=x").status_code == 428
    answer = http_as("ada").patch("/v1/config/global", headers={"If-Match": "*"}, **edits)
    assert (answer.status_code, answer.json()["code"]) == (428, "precondition_required")
    for stale in (
        '"0"',
        '"2"',
        '"01"',
        'W/"1"',
        ",",
        "newest",
        f'"{2**64}"',
        '"-1"',
        "1",
        '"1" "2"',
    ):
        answer = http_as("ada").patch("/v1/config/global", headers={"If-Match": stale}, **edits)
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed"), stale
        assert answer.headers["ETag"] == '"1"', stale
    assert seeded.fetch_one("read_chain_head") == head


def test_an_if_match_is_a_set_of_revisions(seeded, edit, http_as):
    """A list passes when one of its tags names what stands, and never for what its digits spell together."""
    while (
        revision := edit({KEY: 0.07 + seeded.fetch_one("read_chain_head")["id"] / 1e4}).json()["revision"]
    ) < 12:
        pass
    write = {"json": {"set": {KEY: 0.09}, "reason": "a set"}}
    tens, ones = divmod(revision, 10)
    for stale in (f'"{tens}", "{ones}"', f'W/"{tens}",W/"{ones}"', f'"{revision},"', f'"{revision}'):
        refused = http_as("ada").patch("/v1/config/global", headers={"If-Match": stale}, **write)
        assert refused.status_code == 412, stale

    given = {"If-Match": f', "{revision - 1}" ,,"{revision}"'}
    assert http_as("ada").patch("/v1/config/global", headers=given, **write).status_code == 200


def test_only_writers_write(seeded, http_as, plane):
    """Cy, Bo, the robot and a stranger change nothing."""
    head = seeded.fetch_one("read_chain_head")
    request = {"json": {"set": {KEY: 0.07}, "reason": "no"}, "headers": {"If-Match": f'"{head["id"]}"'}}

    for account in ("cy", "bo", "robot", "stranger"):
        assert http_as(account).patch("/v1/config/global", **request).status_code == 403
    assert seeded.fetch_one("read_chain_head") == head


def test_json_has_one_kind_of_number(edit, http_as):
    """An integer is taken for a float where that loses nothing; a float stays one in document and answer."""
    for sent, stands in ((1, 1.0), (1.0, 1.0), (0.1, 0.1), (1e-05, 1e-05)):
        made = edit({GAMMA: sent})
        assert made.status_code == 200, made.text
        answer = http_as("cy").get("/v1/config/global").text
        assert f'"{GAMMA}":{stands!r}' in answer
        assert type(json.loads(answer)["values"][GAMMA]) is float


WRONG = [
    ({DEPTH: True}, "expected an int, got bool"),
    ({DEPTH: 6.0}, "expected an int, got float"),
    ({DEPTH: "6"}, "expected an int, got str"),
    ({KEY: "0.1"}, "expected a float, got str"),
    ({KEY: 2**53 + 1}, "no float holds this integer"),
    ({KEY: 10**400}, "no float holds this integer"),
    ({GAMMA: -0.0}, "sign of zero"),
    ({KEY: 9.5}, "above the hard bound"),
    ({KEY: {"low": 1}}, "min: Field required"),
    ({KEY: [0.1]}, "Input should be"),
    ({f"{KEY}_RANGE": {"min": 0.3, "max": 0.01}}, "range_is_ordered"),
    ({f"{KEY}_RANGE": {"max": 0.01}}, "Field required"),
    ({f"{KEY}_RANGE": {"min": 0.01, "max": 0.3, "scale": "cubic"}}, "not one of linear, log"),
    ({f"{DEPTH}_RANGE": {"min": 2, "max": 4.5}}, "expected an int, got float"),
    ({"CVN_HPO_XGB_5M_GAMA": 0.1}, "CVN_HPO_XGB_5M_GAMMA"),
    ({GAMMA: 0.1, "xgb/5m/gamma": 0.2}, "given twice"),
    ({}, "nothing to set"),
]


def test_a_value_that_is_wrong_is_refused_and_named(edit, seeded):
    """What the declaration refuses is 422 with the reason, and nothing is written."""
    head = seeded.fetch_one("read_chain_head")

    for values, said in WRONG:
        refused = edit(values)
        assert refused.status_code == 422, refused.text
        assert said in refused.json()["detail"]
    assert seeded.fetch_one("read_chain_head") == head


def test_every_problem_of_an_edit_is_told_at_once(edit):
    """Two wrong values are two problems of one answer."""
    problems = edit({KEY: True, DEPTH: 0.5, GAMMA: 0.1}).json()["where"]["problems"]

    assert len(problems) == 2
    assert KEY in problems[0]
    assert DEPTH in problems[1]


def test_a_range_is_edited_as_one_thing(edit, http_as):
    """Min, max and scale are set together under the range's name, and removed together."""
    made = edit({f"{KEY}_RANGE": {"min": 0.02, "max": 0.2, "scale": "log"}, "xgb/5m/gamma": 1})
    gone = edit({}, remove=[f"{GAMMA}_RANGE"])

    assert {item["key"]: item["new"] for item in made.json()["edits"]} == {
        f"{KEY}_RANGE_MIN": 0.02,
        f"{KEY}_RANGE_MAX": 0.2,
        GAMMA: 1.0,
    }
    assert [item["key"] for item in gone.json()["edits"]] == [
        f"{GAMMA}_RANGE_{part}" for part in ("MAX", "MIN", "SCALE")
    ]


def test_a_scheduled_or_drafted_edit_waits(edit, seeded):
    """With `apply_at` or `draft` the answer is 202 with the change, and nothing is written yet."""
    head = seeded.fetch_one("read_chain_head")
    later = edit({KEY: 0.07}, apply_at="2099-01-01T00:00:00+02:00")
    draft = edit({KEY: 0.06}, draft=True)
    past = edit({KEY: 0.08}, apply_at="2001-01-01T00:00:00Z")
    naive = edit({KEY: 0.08}, apply_at="2099-01-01T00:00:00")
    seconds = edit({KEY: 0.08}, apply_at=4070908800)

    assert (later.status_code, later.json()["state"]) == (202, "proposed")
    assert (draft.status_code, draft.json()["state"]) == (202, "draft")
    assert later.headers["Location"] == f"/v1/changes/{later.json()['change']}"
    assert [past.status_code, naive.status_code, seconds.status_code] == [422, 422, 422]
    assert seeded.fetch_one("read_chain_head") == head


def test_whoever_loses_a_race_is_told_what_stands_now(seeded, http_as, owner_url):
    """Its base stood when the edit began, and another was committed first: 412, with what stands now."""
    answers = []

    def patch():
        body = {"set": {KEY: 0.07}, "reason": "slower"}
        answers.append(http_as("ada").patch("/v1/config/global", json=body, headers={"If-Match": '"1"'}))

    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with psycopg.connect(owner_url) as psql, psycopg.connect(owner_url, autocommit=True) as watching:
        psql.execute("UPDATE ftf_config SET base_env = base_env || jsonb_build_object(%s::text, 0.09)", [KEY])
        writer = threading.Thread(target=patch)
        writer.start()
        wait_for(lambda: watching.execute(waits).fetchone()[0], "a writer that waits")
        psql.commit()
        writer.join()
    (answer,) = answers
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed"), answer.text
    stands = http_as("ada").get("/v1/config/global").headers["ETag"]
    assert answer.headers["ETag"] == answer.json()["where"]["etag"] == stands != '"1"'


def test_what_stands_already_is_answered_and_not_written(edit, seeded):
    """An edit of nothing is 200 `unchanged` with the revision that says so, and makes no change."""
    head = seeded.fetch_one("read_chain_head")
    same = edit({KEY: 0.08})

    assert (same.status_code, same.json()["state"], same.json()["change"]) == (200, "unchanged", None)
    assert same.headers["ETag"] == f'"{same.json()["revision"]}"'
    assert seeded.fetch_one("read_chain_head") == head


def test_an_overlay_is_made_retired_and_made_again(seeded, http_as):
    """POST makes it (201), a second time it is there (409), DELETE empties it, POST fills it again."""
    ada, body = http_as("ada"), {"scope": BTC, "set": {GAMMA: 0.5}, "reason": "BTC overfits"}
    made = ada.post("/v1/scopes", json=body)
    assert (made.status_code, made.headers["Location"]) == (201, f"/v1/config/{BTC}")
    assert ada.post("/v1/scopes", json=body).status_code == 409

    tag = ada.get(f"/v1/config/{BTC}").headers["ETag"]
    stale = ada.delete(f"/v1/config/{BTC}?reason=x", headers={"If-Match": '"1"'})
    retired = ada.delete(f"/v1/config/{BTC}?reason=not+traded", headers={"If-Match": tag})
    assert (stale.status_code, retired.status_code) == (412, 200)
    listed = {item["scope"]: item for item in ada.get("/v1/scopes").json()["items"]}
    assert (listed[BTC]["retired"], listed["global"]["retired"]) == (True, False)
    again = ada.delete(f"/v1/config/{BTC}?reason=x", headers={"If-Match": retired.headers["ETag"]})
    assert again.status_code == 409
    assert ada.post("/v1/scopes", json=body).status_code == 201


SCOPES = [
    ("symbol=BTC/USDC", 422),
    ("symbol=", 422),
    ("symbol=a\nb", 422),
    ("symbol=" + 150 * "x", 422),
    ("nothing=1", 422),
    ("global", 409),
    ("symbol=Ünïcödé", 422),
    ("symbol=a,b", 422),
    ("symbol=1000PEPE-2.x", 201),
]


def test_a_scope_is_a_name_that_an_address_can_hold(seeded, http_as):
    """What could not be read back under its own address is not made."""
    for scope, status in SCOPES:
        made = http_as("ada").post("/v1/scopes", json={"scope": scope, "set": {GAMMA: 0.5}, "reason": "x"})
        assert made.status_code == status, made.text
    assert http_as("cy").get(made.headers["Location"]).json()["scope"] == SCOPES[-1][0]


def test_global_is_never_retired_and_what_is_missing_is_named(seeded, http_as):
    """Retiring global is refused; a scope without a document is 404 for readers and writers alike."""
    ada, given = http_as("ada"), {"If-Match": '"1"'}

    assert ada.delete("/v1/config/global?reason=x", headers=given).status_code == 422
    edits = {"set": {KEY: 0.1}, "reason": "x"}
    for answer in (
        ada.get("/v1/config/symbol=NONE"),
        ada.patch("/v1/config/symbol=NONE", json=edits, headers=given),
        ada.delete("/v1/config/symbol=NONE?reason=x", headers=given),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_scope")


def test_a_policy_is_changed_under_the_policy_that_stands(seeded, http_as):
    """Dan asks for one approval; a second policy change then waits for it, and so does an edit."""
    dan, ada = http_as("dan"), http_as("ada")
    body = {"approvals": 1, "reason": "four eyes"}
    assert ada.put("/v1/policies/*/*", json=body).status_code == 403
    first = dan.put("/v1/policies/*/*", json=body)
    assert (first.status_code, first.json()["state"], first.json()["revision"]) == (200, "applied", None)

    sooner = dan.put("/v1/policies/global/range", json={**body, "cooling_off_s": 60})
    assert sooner.status_code == 422, "a wait that could be taken away at once"
    second = dan.put("/v1/policies/global/*", json={**body, "cooling_off_s": 60})
    assert (second.status_code, second.json()["state"]) == (202, "proposed")
    listed = ada.get("/v1/policies").json()
    stands = {"scope": "*", "kind": "*", "approvals": 1, "solo": False, "cooling_off_s": 0, "checks": []}
    stands |= {"smoke_s": 120}
    assert listed["items"] == [stands]
    assert {"bo", "eve"} <= set(listed["approvers"])
    assert listed["leaves_without_approval"] == []
    most = len(listed["approvers"])
    asked = ada.get("/v1/policies", params={"kind": "value", "approvals": most}).json()
    left = asked["leaves_without_approval"]
    assert "eve" in left, "who approves and writes has one approver less"
    assert "ada" not in left
    tag = ada.get("/v1/config/global").headers["ETag"]
    waits = ada.patch(
        "/v1/config/global", json={"set": {KEY: 0.07}, "reason": "x"}, headers={"If-Match": tag}
    )
    assert (waits.status_code, waits.json()["requirement"]["approvals"]) == (202, 1)
    assert dan.put("/v1/policies/*/*", json={**body, "approvals": 99}).status_code == 422
    assert dan.put("/v1/policies/nothing=1/*", json=body).status_code == 422
    assert dan.put("/v1/policies/*/nothing", json=body).status_code == 422
