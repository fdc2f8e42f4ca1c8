"""A write under an Idempotency-Key has effect once, whoever repeats it, when, and through which server."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.planes import credential

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
EDIT = {"set": {KEY: 0.07}, "reason": "slower"}


@pytest.fixture
def patch(seeded, http_as):
    """``patch("once")`` edits global over revision 1 as Ada under that key."""

    def edit(key, body=EDIT, account="ada", revision=1, client=None):
        headers = {"If-Match": f'"{revision}"', "Idempotency-Key": key}
        return (client or http_as(account)).patch("/v1/config/global", json=body, headers=headers)

    return edit


def revisions(database):
    return database.fetch_one("read_chain_head")["id"]


def test_a_repeated_write_is_answered_and_not_repeated(patch, seeded):
    """The same key and request give the first answer again; another request under it is refused."""
    first, again = patch("once"), patch("once")
    other = patch("once", {**EDIT, "reason": "x"})

    assert first.content == again.content
    assert first.headers["ETag"] == again.headers["ETag"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "invalid")
    assert revisions(seeded) == first.json()["revision"]


def test_a_refusal_is_not_remembered_and_keys_are_ones_own(patch, http_as, seeded):
    """What was refused is judged afresh; Eve's key is not Ada's."""
    assert patch("mine", revision=0).status_code == 412
    first = patch("mine")
    assert first.status_code == 200
    assert patch("mine", account="eve").status_code == 412
    assert "Idempotency-Replayed" not in patch("mine", account="eve").headers


def test_keys_are_short_printable_texts(patch, seeded):
    """Two hundred characters do, 201 or none do not, and neither do control characters."""
    assert patch("k" * 201).status_code == 422
    assert patch("").status_code == 422
    assert patch("clé".encode()).status_code == 422
    assert patch("k e~y" * 40).status_code == 200


def test_twins_on_two_servers_write_once(patch, seeded, http_as, owner_url, another_plane):
    """Sixteen twins through two servers, at once: one revision, one answer, all the same bytes."""
    http_as("ada")
    with another_plane() as url:
        headers = {"Authorization": f"Bearer {credential(owner_url, 'ada')}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as other:
            clients = [http_as("ada"), other] * 8
            with ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda client: patch("twins", client=client), clients))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 15
    assert revisions(seeded) == answers[0].json()["revision"] == 3
    # The second server is gone, and so is its memory: the first answers from the database.
    assert patch("twins").content == answers[0].content


def test_of_writers_on_one_base_exactly_one_wins(patch, seeded, http_as):
    """Twelve different edits over revision 1, at once: one is applied, eleven are told 412."""
    http_as("ada")
    bodies = [{"set": {KEY: 0.06 + i / 1000}, "reason": f"edit {i}"} for i in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda body: patch(body["reason"], body), bodies))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [412] * 11
    won = next(answer for answer in answers if answer.status_code == 200)
    assert revisions(seeded) == won.json()["revision"] == 3
