"""Restore over HTTP: proven by hashes, judged as any change, rehearsed by the probe; and specified."""

import json
import re
from pathlib import Path

import httpx
import pytest

from support.documents import EVERY_CHANGE
from support.openapi import document_of
from support.planes import credential

PAGE = Path(__file__).parents[2] / "docs/restore-api.md"
RESTORE = "/v1/config/global/restore"
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
GAMMA = "CVN_HPO_XGB_5M_GAMMA"


@pytest.fixture
def edited(seeded, http_as):
    """Global was seeded with revision 1 and edited in two keys; returns the newest revision's ETag."""
    tag = http_as("ada").get("/v1/config/global").headers["ETag"]
    edits = {"set": {KEY: 0.07, GAMMA: 0.25}, "reason": "a mistake"}
    made = http_as("ada").patch("/v1/config/global", json=edits, headers={"If-Match": tag})
    assert made.status_code == 200, made.text
    return made.headers["ETag"]


def test_a_restore_is_proven_by_the_databases_hashes(edited, http_as, seeded):
    """A dry run writes nothing; the restore makes a new revision with the source's very bytes."""
    body = {"revision": 1, "reason": "back to the seed"}
    dry = http_as("ada").post(RESTORE, json={**body, "dry_run": True}).json()
    assert (dry["state"], dry["revision"], len(dry["edits"])) == ("dry_run", None, 2)
    done = http_as("ada").post(RESTORE, json=body)
    proof = done.json()

    assert (done.status_code, proof["equal"], proof["state"]) == (200, True, "applied")
    assert proof["hash_after"] == proof["source_hash"] == http_as("cy").get("/v1/revisions/1").json()["hash"]
    assert proof["hash_before"] == http_as("cy").get(f"/v1/revisions/{edited.strip(chr(34))}").json()["hash"]
    assert proof["edits"] == dry["edits"]
    assert done.headers["ETag"] == http_as("cy").get("/v1/config/global").headers["ETag"]
    assert seeded.fetch_one("read_revision", id=proof["revision"])["updated_by"] == "ada"


def test_a_part_is_restored_over_what_stands(edited, http_as):
    """Only the named key comes back, and the proof says that this is not the whole source."""
    part = {"revision": 1, "reason": "only gamma", "keys": [GAMMA]}
    proof = http_as("ada").post(RESTORE, json=part, headers={"If-Match": edited}).json()

    assert [edit["key"] for edit in proof["edits"]] == [GAMMA]
    assert not proof["equal"]
    stale = http_as("ada").post(RESTORE, json=part, headers={"If-Match": edited})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")


def test_a_restore_waits_for_approval_where_policy_asks_for_it(edited, http_as):
    """It is a change like any other: 202, then Bo's approval applies it."""
    http_as("dan").put("/v1/policies/*/*", json={"approvals": 1, "reason": "four eyes"})
    waits = http_as("ada").post(RESTORE, json={"revision": 1, "reason": "back"})
    assert (waits.status_code, waits.json()["hash_after"]) == (202, "")

    address = waits.headers["Location"]
    read = http_as("bo").get(address).json()
    done = http_as("bo").post(f"{address}/approve", json={"proposal_hash": read["proposal_hash"]})
    assert (read["restores"], done.json()["state"]) == (1, "applied")


def test_what_cannot_be_restored_is_refused(edited, http_as, seeded):
    """Wrong role 403, no such revision or scope 404, one of another scope 404, wrong bodies 422."""
    head = seeded.fetch_one("read_chain_head")
    body = {"revision": 1, "reason": "x"}

    for account in ("cy", "bo", "robot", "stranger"):
        assert http_as(account).post(RESTORE, json=body).status_code == 403
        assert http_as(account).post(RESTORE, json={**body, "dry_run": True}).status_code == 403
    ada = http_as("ada")
    assert ada.post(RESTORE, json={**body, "revision": 999}).status_code == 404
    assert ada.post(RESTORE, json={**body, "revision": 2}).status_code == 404
    assert ada.post("/v1/config/symbol=NONE/restore", json=body).status_code == 404
    assert ada.post(RESTORE, json={**body, "keys": ["CVN_NOTHING"]}).status_code == 404
    for wrong in ({"revision": "1"}, {"revision": 0}, {"reason": ""}, {"keys": []}, {"dryrun": True}):
        assert ada.post(RESTORE, json={**body, **wrong}).status_code == 422, wrong
    assert ada.post(f"{RESTORE}?dry_run=true", json=body).status_code == 422
    assert ada.get(RESTORE).headers["Allow"] == "OPTIONS, POST"
    assert seeded.fetch_one("read_chain_head") == head


def test_the_probe_rehearses_a_restore_and_shows_nothing(edited, plane, seeded):
    """Without a credential it says that restore is live, names no value, and writes nothing."""
    before = seeded.fetch_one("read_chain_head")
    opened = seeded.fetch_all("list_changes", **EVERY_CHANGE)
    probed = httpx.get(f"{plane}/health/restore")

    assert (probed.status_code, probed.json()["status"]) == (200, "live")
    assert set(probed.json()) == {"status", "restore", "source_revision", "checked_at"}
    assert seeded.fetch_one("read_chain_head") == before
    assert seeded.fetch_all("list_changes", **EVERY_CHANGE) == opened


def test_the_probe_fails_where_nothing_can_be_restored(database, plane):
    """Without a revision to bring back it is 503, as a problem."""
    probed = httpx.get(f"{plane}/health/restore")

    assert (probed.status_code, probed.headers["Content-Type"]) == (503, "application/problem+json")
    assert "no revision" in probed.json()["detail"]


def examples():
    """Return each (request, response) of the page: its ``http`` blocks, in pairs."""
    blocks = re.findall(r"^```http\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return list(zip(blocks[::2], blocks[1::2], strict=True))


def test_the_specification_says_what_the_plane_does(edited, plane, owner_url):
    """Each example request of docs/restore-api.md is answered with the status and the names it shows."""
    asked = examples()
    assert len(asked) >= 5
    secret = credential(owner_url, "ada")
    for request, response in asked:
        head, _, body = request.partition("\n\n")
        line, *headers = head.strip().splitlines()
        method, path = line.split()
        named = dict(header.split(": ", 1) for header in headers)
        named = {name: value.replace("$SETPOINT_TOKEN", secret) for name, value in named.items()}
        answer = httpx.request(method, plane + path, headers=named, content=body.strip() or None)
        shown, _, expected = response.partition("\n\n")
        assert answer.status_code == int(shown.split()[0]), (request, answer.text)
        assert set(answer.json()) == set(json.loads(expected)), request
        for name, value in json.loads(expected).items():
            if isinstance(value, bool | int) or name in {"code", "state", "status"}:
                assert answer.json()[name] == value, (request, name)


def test_the_specification_names_every_status(plane):
    """The page's table of statuses is the OpenAPI document's."""
    operation = document_of(plane)["paths"]["/v1/config/{scope}/restore"]["post"]
    text = PAGE.read_text(encoding="utf-8")

    assert set(operation["responses"]) == set(re.findall(r"^\| (\d{3}) \|", text, re.MULTILINE))
