"""Tokens that end: said before they do, and replaced without an instant in which neither works."""

from datetime import UTC

import httpx
import psycopg

from setpoint.client.plane.connection import Plane


def bearer(plane, secret):
    return httpx.get(f"{plane}/v1/me", headers={"Authorization": f"Bearer {secret}"}).status_code


def test_a_rotated_token_works_beside_the_new_one_and_then_ends(plane, http_as, owner_url, setpoint_command):
    """The new one has its account, roles and label; others' tokens are none, and no token rotates itself."""
    ada, cy = http_as("ada"), http_as("cy")
    made = ada.post("/v1/tokens", json={"label": "nightly", "days": 5}).json()
    rotate = f"/v1/tokens/{made['id']}/rotate"

    assert cy.post(rotate, json={}).status_code == 404
    itself = httpx.post(f"{plane}{rotate}", json={}, headers={"Authorization": f"Bearer {made['token']}"})
    assert itself.status_code == 403
    assert ada.post(rotate, json={"overlap_s": 31 * 86400}).status_code == 422
    answer = ada.post(rotate, json={"overlap_s": 3600})
    assert answer.status_code == 201
    new = answer.json()
    assert (new["account"], new["label"], new["roles"]) == ("ada", "nightly", made["roles"])
    assert new["old_ends_at"] < made["expires_at"] < new["expires_at"]
    assert [bearer(plane, made["token"]), bearer(plane, new["token"])] == [200, 200]

    again = setpoint_command("tokens", "rotate", str(new["id"]), "--overlap", "0s")
    assert again.code == 0, again.err
    secret = again.out.splitlines()[0]
    assert bearer(plane, secret) == 200
    with psycopg.connect(owner_url) as owner:
        ended = owner.execute(
            "SELECT expires_at <= clock_timestamp() FROM credentials WHERE id = %s", [new["id"]]
        )
        assert ended.fetchone() == (True,)


def test_a_token_is_said_to_end_before_it_does(http_as, owner_url, setpoint_command):
    """In its last two weeks, until it is rotated; one that has just begun is not, however short it lives."""
    ada = http_as("ada")
    old, fresh = (ada.post("/v1/tokens", json={"label": "x", "days": 300}).json()["id"] for _ in range(2))
    ada.post("/v1/tokens", json={"label": "short", "days": 1})
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "UPDATE credentials SET expires_at = now() + interval '5 days',"
            " created_at = now() - interval '295 days' WHERE id = %s",
            [old],
        )
    told = setpoint_command("doctor").out
    assert f"token {old} of ada ends on" in told
    assert f"setpoint tokens rotate {old}" in told
    assert f"token {fresh} of ada" not in told
    assert told.count("ends on") == 1
    assert setpoint_command("tokens", "rotate", str(old)).code == 0
    assert "ends on" not in setpoint_command("doctor").out


def test_programs_are_told_that_their_token_ends(plane, http_as, owner_url, tmp_path):
    """Each answer to a token in its last days names its end, and the client logs it once."""
    ada = http_as("ada")
    old, fresh = (ada.post("/v1/tokens", json={"label": "x", "days": 300}).json() for _ in range(2))
    with psycopg.connect(owner_url) as owner:
        (ends,) = owner.execute(
            "UPDATE credentials SET expires_at = now() + interval '5 days',"
            " created_at = now() - interval '295 days' WHERE id = %s RETURNING expires_at",
            [old["id"]],
        ).fetchone()
    answers = [
        httpx.get(f"{plane}{path}", headers={"Authorization": f"Bearer {made['token']}"}).headers
        for path in ("/v1/me", "/v1/holders", "/v1/none")
        for made in (old, fresh)
    ]
    said = ends.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [answer.get("Setpoint-Token-Ends") for answer in answers[:4]] == [said, None] * 2
    assert "Setpoint-Token-Ends" not in ada.get("/v1/me").headers

    log = tmp_path / "events.log"
    with Plane(plane, old["token"], events=str(log)) as client:
        for _ in range(2):
            client.request("GET", "/v1/me")
    with Plane(plane, old["token"], events=str(log)) as client:
        client.request("GET", "/v1/me")
    (line,) = log.read_text().splitlines()
    assert line.startswith(f"event=token_ends_soon plane={plane} ends_at={said} level=warn")
