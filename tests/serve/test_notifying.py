"""A plane tells people of what waits for them, while it serves; what cannot be sent shows and waits."""

import json
from dataclasses import replace

import psycopg
import pytest

from support.planes import clients, serving_plane
from support.receivers import receiving, targets_file, webhook
from support.waiting import wait_for


@pytest.fixture
def receiver():
    """A place where webhooks arrive."""
    with receiving() as one:
        yield one


def test_people_hear_of_a_change_from_its_proposal_to_its_revision(
    seeded, served, catalogues, owner_url, receiver, tmp_path
):
    """Two planes send each notification once, in order; the link is the public address of the plane."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("UPDATE policies SET approvals = 1, solo = false")
    file = targets_file(tmp_path, webhook("ops", receiver))
    told = replace(served, notify=str(file), public_url="https://plane.test/x")
    receiver.statuses = [500]
    with (
        serving_plane(told, catalogues) as url,
        serving_plane(told, catalogues),
        clients(url, owner_url) as client_of,
    ):
        base = client_of("ada").get("/v1/config/global").json()["revision"]
        body = {"scope": "global", "base": base, "reason": "less", "set": {"CVN_HPO_XGB_5M_GAMMA": 0.5}}
        change = client_of("ada").post("/v1/changes", json=body).json()
        wait_for(lambda: receiver.heard, "a message")
        # What failed is tried at once when somebody says so; its turn would come in ten seconds.
        with psycopg.connect(owner_url, autocommit=True) as owner:
            again = "UPDATE deliveries SET next_at = now() WHERE error <> '' RETURNING id"
            wait_for(lambda: owner.execute(again).fetchone(), "another attempt")
        decision = {"proposal_hash": change["proposal_hash"], "words": "fine"}
        done = client_of("bo").post(f"/v1/changes/{change['id']}/approve", json=decision)
        assert done.json()["state"] == "applied", done.text
        wait_for(lambda: len(receiver.heard) >= 3, "three messages")
    said = [json.loads(heard.body) for heard in receiver.heard]
    assert [one["type"] for one in said] == ["approval_wanted"] * 2 + ["change_applied"]
    assert {one["data"]["link"] for one in said} == {f"https://plane.test/x/changes/{change['id']}"}
    assert said[-1]["data"]["actor"] == "bo"
