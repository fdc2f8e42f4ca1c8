"""A key that no catalogue declares any more can be removed, at every door and by one rule."""

import json

import psycopg
import pytest

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
OLD = [f"CVN_HPO_OLD_{number}" for number in range(7)]


@pytest.fixture
def orphaned(bundled_seeds, setpoint_command, owner_url):
    """The global document holds keys that somebody has undeclared since."""
    with psycopg.connect(owner_url) as psql:
        values = json.dumps(dict.fromkeys(OLD, 1))
        psql.execute("UPDATE ftf_config SET base_env = base_env || %s::jsonb WHERE id = 1", [values])
    return setpoint_command


def left(command):
    return [one["command"].split()[2] for one in command("doctor", "--json").json["findings"]]


def test_an_orphaned_key_is_removed_at_every_door(orphaned, http_as, tmp_path):
    """Commands and requests remove it by its name; one that the document does not hold is refused."""
    patch = tmp_path / "patch.json"
    patch.write_text(json.dumps({OLD[2]: None}))
    assert left(orphaned) == OLD
    for words in (("unset", OLD[0]), ("set", "--unset", OLD[1]), ("set", "--from", str(patch))):
        assert orphaned(*words, "-r", "x", "--yes").code == 0, words
    draft = orphaned("set", f"{GAMMA}=0.5", "-r", "x", "--yes", "--draft", "--json").json["change"]
    assert orphaned("change", "amend", str(draft), "--unset", OLD[3]).code == 0
    ada, wanted = http_as("ada"), {"reason": "x"}

    def edit(body):
        tag = ada.get("/v1/config/global").headers["ETag"]
        return ada.patch("/v1/config/global", json={**wanted, **body}, headers={"If-Match": tag})

    assert edit({"remove": [OLD[4]]}).status_code == 200
    assert edit({"set": {OLD[5]: None}}).status_code == 200
    base = edit({"set": {GAMMA: 0.7}}).json()["revision"]
    body = {**wanted, "scope": "global", "base": base, "remove": [OLD[6]]}
    opened = ada.post("/v1/changes", json=body)
    assert opened.status_code == 201, opened.text
    tag = {"If-Match": opened.headers["ETag"]}
    amended = ada.patch(f"/v1/changes/{opened.json()['id']}", json={"remove": [OLD[3]]}, headers=tag)
    assert {edit["key"] for edit in amended.json()["edits"]} == {OLD[3], OLD[6]}
    assert left(orphaned) == [OLD[3], OLD[6]]

    for words in (("unset", "CVN_NEVER"), ("set", "--unset", "CVN_NEVER"), ("set", f"{OLD[6]}=2")):
        assert orphaned(*words, "-r", "x", "--yes").code == 4, words
    for refused in ({"remove": ["CVN_NEVER"]}, {"set": {"CVN_NEVER": None}}, {"set": {OLD[6]: 2}}):
        assert edit(refused).status_code == 422, refused
