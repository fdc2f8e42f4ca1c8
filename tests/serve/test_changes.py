"""Changes over HTTP: opened, amended, decided on by others, applied, scheduled; and whose they are."""

import psycopg
import pytest

from support.documents import EVERY_CHANGE
from support.run_reports import plan_a_run
from support.waiting import wait_for

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
GAMMA = "CVN_HPO_XGB_5M_GAMMA"
DEPTH = "CVN_HPO_XGB_5M_MAX_DEPTH"


@pytest.fixture
def opened(seeded, http_as):
    """``opened()`` opens a change of global as Ada, and returns it as JSON."""

    def open_change(account="ada", status=201, **more):
        base = http_as(account).get("/v1/config/global").json()["revision"]
        body = {"scope": "global", "base": base, "set": {KEY: 0.07}, "reason": "slower", **more}
        made = http_as(account).post("/v1/changes", json=body)
        assert made.status_code == status, made.text
        return made.json()

    return open_change


@pytest.fixture
def reviewed(seeded, http_as):
    """Every change needs one approval."""
    answer = http_as("dan").put("/v1/policies/*/*", json={"approvals": 1, "reason": "four eyes"})
    assert answer.status_code == 200, answer.text


def act(client, change, verb, **body):
    """Post one of a change's verbs about its proposal as it is read now."""
    if verb in {"approve", "reject", "apply"}:
        body.setdefault("proposal_hash", change["proposal_hash"])
    return client.post(f"/v1/changes/{change['id']}/{verb}", json=body or None)


def test_an_approved_change_is_applied_with_its_last_approval(reviewed, opened, http_as):
    """Ada opens, Bo approves what he read, and the document is the proposal's; the author stays Ada."""
    change = opened()
    assert (change["state"], change["requirement"]["approvals"]) == ("proposed", 1)
    step = change["next_step"]
    assert (step["waits_for"], step["who"]) == ("approval", ["bo", "eve"])
    path = f"/changes/{change['id']}"
    way = f"bo, eve: on the page {path} of the Console, or POST /v1{path}/approve"
    assert step["how"] == way
    early = act(http_as("ada"), change, "apply")
    assert early.json()["hint"] == way
    approved = act(http_as("bo"), change, "approve", words="fine")

    assert early.status_code == 403
    assert (approved.status_code, approved.json()["state"]) == (200, "applied"), approved.text
    assert approved.json()["decisions"][0]["person"] == "bo"
    revision = http_as("cy").get(f"/v1/revisions/{approved.json()['applied_revision']}").json()
    assert (revision["updated_by"], revision["values"][KEY]) == ("ada", 0.07)
    assert act(http_as("eve"), change, "approve").status_code == 409


def test_an_amendment_leaves_approvals_behind(reviewed, opened, http_as):
    """Over the proposal's ETag Ada amends; an approval of what stood before is refused as stale."""
    change = opened()
    address = f"/v1/changes/{change['id']}"
    edits = {"set": {GAMMA: 0.3}}
    none = http_as("ada").patch(address, json=edits)
    stale = http_as("ada").patch(address, json=edits, headers={"If-Match": f'"{"0" * 64}"'})
    tag = http_as("ada").get(address).headers["ETag"]
    amended = http_as("ada").patch(address, json=edits, headers={"If-Match": tag})

    assert [none.status_code, stale.status_code, amended.status_code] == [428, 412, 200], amended.text
    assert tag == f'"{change["proposal_hash"]}"' != amended.headers["ETag"]
    assert {edit["key"] for edit in amended.json()["edits"]} == {KEY, GAMMA}
    assert act(http_as("bo"), change, "approve").status_code == 409
    assert act(http_as("bo"), amended.json(), "approve").json()["state"] == "applied"


def test_a_draft_is_its_authors_until_it_is_proposed(reviewed, opened, http_as):
    """Nobody decides on a draft, only Ada proposes hers, and then it can be rejected."""
    draft = opened(draft=True)
    assert act(http_as("bo"), draft, "approve").status_code == 409
    assert act(http_as("eve"), draft, "propose").status_code == 403
    assert act(http_as("ada"), draft, "propose").json()["state"] == "proposed"
    assert act(http_as("ada"), draft, "propose").status_code == 409
    rejected = act(http_as("bo"), draft, "reject", words="too slow")

    assert (rejected.json()["state"], rejected.json()["state_reason"]) == ("rejected", "too slow")
    for verb in ("approve", "reject"):
        assert act(http_as("eve"), draft, verb).status_code == 409


def test_only_its_author_amends_or_withdraws_a_change(opened, http_as):
    """Whatever their role, others are refused, and the change stands as it was."""
    change = opened()
    address, tag = f"/v1/changes/{change['id']}", {"If-Match": f'"{change["proposal_hash"]}"'}

    for account in ("cy", "robot", "stranger", "dan", "eve"):
        client = http_as(account)
        assert client.patch(address, json={"set": {GAMMA: 0.3}}, headers=tag).status_code == 403
        assert act(client, change, "withdraw").status_code == 403
    assert http_as("ada").get(address).json()["proposal_hash"] == change["proposal_hash"]
    assert act(http_as("ada"), change, "withdraw").json()["state"] == "withdrawn"


def test_nobody_approves_their_own_change_nor_with_a_token(reviewed, opened, http_as, token_of):
    """Eve, who writes and approves, cannot approve hers; Bo's token cannot, Bo's session can."""
    change = opened("eve")

    assert act(http_as("eve"), change, "approve").status_code == 403
    assert act(token_of("bo"), change, "approve").status_code == 403
    for account in ("ada", "cy", "dan", "robot", "stranger"):
        assert act(http_as(account), change, "approve").status_code == 403
    assert act(http_as("bo"), change, "approve").json()["state"] == "applied"


def test_a_comment_is_kept_with_the_change(opened, http_as, token_of):
    """Cy and a robot's token may say something, a stranger may not; the order is that of saying."""
    change = opened()
    act(http_as("cy"), change, "comment", words="why so slow?")
    said = act(token_of("robot"), change, "comment", words="the last sweep was better")

    assert [one["person"] for one in said.json()["decisions"]] == ["cy", "robot"]
    assert act(http_as("stranger"), change, "comment", words="hello").status_code == 403
    for nothing in (" ", "\u200b"):
        assert act(http_as("cy"), change, "comment", words=nothing).status_code == 422


def test_a_change_whose_base_moved_is_not_applied(opened, http_as):
    """Two changes over one base: one is applied, the other is stale (409), also when it is opened."""
    first, second = opened(), opened(set={GAMMA: 0.3})
    assert act(http_as("ada"), first, "apply").json()["state"] == "applied"
    late = act(http_as("ada"), second, "apply")

    assert (late.status_code, late.json()["code"]) == (409, "stale_revision")
    assert opened(base=1, status=409)["code"] == "stale_revision"
    wrong = act(http_as("ada"), second, "apply", proposal_hash="0" * 64)
    assert wrong.status_code == 409


def test_changes_are_listed_newest_first_in_pages(opened, http_as):
    """By state, scope and author; a page's cursor leads to the next, and garbage is refused."""
    made = [opened()["id"] for _ in range(3)] + [opened("eve")["id"]]
    cy = http_as("cy")
    first = cy.get("/v1/changes?limit=2").json()
    rest = cy.get(f"/v1/changes?limit=2&after={first['next']}").json()

    assert [item["id"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None
    assert [item["id"] for item in cy.get("/v1/changes?author=eve").json()["items"]] == made[-1:]
    assert cy.get("/v1/changes?scope=symbol=NONE").json()["items"] == []
    assert len(cy.get("/v1/changes?state=applied").json()["items"]) == 2, "the seeds"
    for query in (
        "after=1",
        "after=%00",
        "limit=0",
        "limit=501",
        "limit=x",
        "state=lost",
        "limt=5",
        "limit=1&limit=2",
    ):
        assert cy.get(f"/v1/changes?{query}").status_code == 422, query


def test_the_impact_of_a_change_is_told(opened, http_as):
    """The contexts that would resolve differently are named; a missing change is 404."""
    change = opened(set={f"{KEY}_RANGE": {"min": 0.06, "max": 0.12}})
    impact = http_as("cy").get(f"/v1/changes/{change['id']}/impact").json()

    assert {f"{KEY}_RANGE_MIN", f"{KEY}_RANGE_MAX"} == set(impact["contexts"][0]["keys"])
    assert impact["ranges"][0]["key"] == KEY
    for address in ("/v1/changes/999", "/v1/changes/999/impact"):
        assert http_as("cy").get(address).json()["code"] == "unknown_change"
    for number in ("0", "-1", "x", "9223372036854775808", "1e3"):
        assert http_as("cy").get(f"/v1/changes/{number}").status_code == 422


def test_a_due_change_is_applied_by_the_plane(opened, http_as, owner_url):
    """A change whose time has come becomes a revision without anybody asking."""
    change = opened(apply_at="2999-01-01T00:00:00Z")
    listed = http_as("cy").get("/v1/changes").json()["items"][0]
    assert listed["next_step"] == change["next_step"]
    assert (change["next_step"]["waits_for"], change["next_step"]["until"]) == (
        "schedule",
        change["apply_at"],
    )
    assert act(http_as("ada"), change, "apply").status_code == 409

    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE changes SET apply_at = now()")
    now = wait_for(
        lambda: http_as("cy").get(f"/v1/changes/{change['id']}").json(),
        "the change to be applied",
        until=lambda now: now["state"] == "applied",
    )
    assert http_as("cy").get(f"/v1/revisions/{now['applied_revision']}").json()["updated_by"] == "ada"


def test_a_cooling_change_says_until_when(seeded, opened, http_as):
    """Under a cooling-off time a change waits, shows its end, and is refused before it."""
    body = {"approvals": 0, "cooling_off_s": 3600, "reason": "sleep over it"}
    assert http_as("dan").put("/v1/policies/*/*", json=body).status_code == 200
    change = opened()

    assert change["requirement"]["free_at"] > change["proposed_at"]
    assert act(http_as("ada"), change, "apply").json()["detail"].startswith(f"change {change['id']} cools")


WRONG = [
    {"set": {}},
    {"set": {KEY: True}},
    {"scope": "nothing=1", "base": 0},
    {"restores": 1},
    {"restores": 999, "set": {}},
    {"reason": " "},
    {"keys": []},
    {"base": -1},
    {"apply_at": "tomorrow"},
]


def test_a_change_that_means_nothing_is_not_opened(opened, seeded):
    """What is wrong in a body is 422 or 404, and no change is left behind."""
    before = seeded.fetch_all("list_changes", **EVERY_CHANGE)

    for body in WRONG:
        opened(status=404 if body.get("restores") == 999 else 422, **body)
    assert seeded.fetch_all("list_changes", **EVERY_CHANGE) == before


def test_a_conflict_is_told_and_merged_key_by_key(reviewed, opened, http_as):
    """Of keys that both wrote, base, theirs and mine are told; nothing is merged before each is chosen."""
    ada, eve = http_as("ada"), http_as("eve")
    theirs = opened(set={KEY: 0.07, GAMMA: 0.3, DEPTH: 6})
    mine = opened("eve", set={KEY: 0.05, GAMMA: 0.4, DEPTH: 6})
    assert act(http_as("bo"), theirs, "approve").json()["state"] == "applied"

    moved = eve.get(f"/v1/changes/{mine['id']}").json()
    base = http_as("cy").get("/v1/revisions/1").json()["values"]
    assert moved["conflicts"] == [
        {"key": GAMMA, "base": base[GAMMA], "theirs": 0.3, "mine": 0.4},
        {"key": KEY, "base": base[KEY], "theirs": 0.07, "mine": 0.05},
    ], "both gave the depth one value"
    address, tag = f"/v1/changes/{mine['id']}", {"If-Match": f'"{mine["proposal_hash"]}"'}
    for choice, status in (({}, 409), ({"mine": [KEY]}, 409), ({"mine": [KEY], "theirs": [KEY]}, 400)):
        assert eve.patch(address, json=choice, headers=tag).status_code == status, choice
    both = {"mine": ["xgb/5m/learning_rate"], "theirs": [GAMMA]}
    assert ada.patch(address, json=both, headers=tag).status_code == 403
    assert eve.patch(address, json={"theirs": ["cb/5m/depth"]}, headers=tag).status_code == 400
    merged = eve.patch(address, json=both, headers=tag)
    assert merged.status_code == 200, merged.text
    assert [(one["key"], one["old"], one["new"]) for one in merged.json()["edits"]] == [(KEY, 0.07, 0.05)]
    assert merged.json()["proposal_hash"] != mine["proposal_hash"]
    assert (merged.json()["conflicts"], merged.json()["next_step"]["moved"]) == ([], None)


def test_an_author_asks_people_who_may_approve(reviewed, opened, http_as):
    """They are told on the change and in lists; others may; whose approval would not count is refused."""
    change = opened()
    address, tag = f"/v1/changes/{change['id']}", {"If-Match": f'"{change["proposal_hash"]}"'}
    asked = http_as("ada").patch(address, json={"asked": ["eve", "eve"]}, headers=tag)
    assert asked.json()["asked"] == ["eve"]
    assert asked.json()["proposal_hash"] == change["proposal_hash"], "nothing was edited"
    assert http_as("cy").get("/v1/changes").json()["items"][0]["asked"] == ["eve"]
    for person, people, status in (("eve", ["eve"], 403), ("ada", ["cy"], 422), ("ada", ["ada"], 422)):
        refused = http_as(person).patch(address, json={"asked": people}, headers=tag)
        assert refused.status_code == status, refused.text
    assert "bo, eve" in refused.json()["hint"]
    assert act(http_as("bo"), change, "approve").json()["state"] == "applied"
    assert http_as("ada").patch(address, json={"asked": []}, headers=tag).status_code == 409


def test_a_change_cites_the_runs_that_it_rests_on(opened, database, http_as):
    """Recorded runs alone can be cited; an amendment keeps them, or names others and is another proposal."""
    start = plan_a_run(database)
    run = start["plan"]["run"]
    assert http_as("robot").put(f"/v1/runs/{run}", json=start).status_code == 200
    unknown = opened(status=422, evidence=["no-such-run"])
    assert "no run no-such-run is recorded" in unknown["detail"]
    change = opened(evidence=[run, run])
    assert change["evidence"] == [run]
    address, tag = f"/v1/changes/{change['id']}", {"If-Match": f'"{change["proposal_hash"]}"'}
    kept = http_as("ada").patch(address, json={"set": {GAMMA: 0.3}}, headers=tag).json()
    assert kept["evidence"] == [run]
    tag = {"If-Match": f'"{kept["proposal_hash"]}"'}
    none = http_as("ada").patch(address, json={"evidence": []}, headers=tag).json()
    assert none["evidence"] == []
    assert none["proposal_hash"] != kept["proposal_hash"]
