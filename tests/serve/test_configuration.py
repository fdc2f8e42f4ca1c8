"""Documents over HTTP: read, and edited over the revision that was read."""

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


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


def test_a_write_needs_the_revision_it_was_made_over(seeded, http_as):
    """Without If-Match nothing is written (428); over an older revision neither (412)."""
    edits = {"set": {KEY: 0.07}, "reason": "slower"}
    head = seeded.fetch_one("read_chain_head")

    assert http_as("ada").patch("/v1/config/global", json=edits).status_code == 428
    stale = http_as("ada").patch("/v1/config/global", json=edits, headers={"If-Match": '"0"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert seeded.fetch_one("read_chain_head") == head


def test_a_repeated_write_is_answered_and_not_repeated(seeded, http_as):
    """The same key and request give the first answer again; another request under it is refused."""
    revision = http_as("ada").get("/v1/config/global").headers["ETag"]
    headers = {"If-Match": revision, "Idempotency-Key": "once"}
    edits = {"set": {KEY: 0.07}, "reason": "slower"}
    first = http_as("ada").patch("/v1/config/global", json=edits, headers=headers)
    again = http_as("ada").patch("/v1/config/global", json=edits, headers=headers)
    other = http_as("ada").patch("/v1/config/global", json={**edits, "reason": "x"}, headers=headers)

    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.status_code == 422
    assert seeded.fetch_one("read_chain_head")["id"] == first.json()["revision"]


def test_only_writers_write(seeded, http_as, plane):
    """Cy, Bo, the robot and a stranger change nothing, and a request without a credential neither."""
    head = seeded.fetch_one("read_chain_head")
    request = {"json": {"set": {KEY: 0.07}, "reason": "no"}, "headers": {"If-Match": f'"{head["id"]}"'}}

    for account in ("cy", "bo", "robot", "stranger"):
        assert http_as(account).patch("/v1/config/global", **request).status_code == 403
    assert seeded.fetch_one("read_chain_head") == head
