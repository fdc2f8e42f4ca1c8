"""Config as it stood: of any revision or instant, of a scope and those below it; to be read alone."""

import re

import pytest

KEY = "CVN_HPO_XGB_5M_GAMMA"
OVERLAY = "symbol=BTCUSDC"
CELL = re.compile(rf'<td id="{KEY}".*?</td>', re.DOTALL)


@pytest.fixture
def written(http_as):
    """``written(0.3)`` writes a value of the key and returns the revision and when that was made."""
    ada = http_as("ada")

    def write(value, scope="global"):
        tag = ada.get(f"/v1/config/{scope}").headers.get("etag", '"0"')
        body = {"set": {KEY: value}, "reason": f"to {value}"}
        made = ada.patch(f"/v1/config/{scope}", json=body, headers={"If-Match": tag})
        assert made.status_code in {200, 201}, made.text
        newest = ada.get("/v1/history", params={"limit": 1}).json()["items"][0]
        return newest["revision"], newest["created_at"]

    return write


def shown(page):
    """Return the value that the grid shows, with whether it is the overlay's own."""
    cell = CELL.search(page)[0]
    return re.search(r"<code>(.*?)</code>", cell)[1], 'class="own"' in cell


def test_values_stand_there_as_they_did(person, written):
    """Of a revision's number, of another scope's too, and of an instant; nothing of it can be edited."""
    cy = person("cy")
    first, at = written(0.25)
    second, _ = written(0.75)
    assert shown(cy.read("/config", part="xgb")) == ("0.75", False)
    past = cy.read("/config", part="xgb", as_of=str(first), edit="yes")
    assert shown(past) == ("0.25", False)
    assert "Read only" in past
    assert "To 0.25." in past
    assert 'name="value:' not in past
    assert "/config/draft" not in past
    assert shown(cy.read("/config", part="xgb", as_of=at)) == ("0.25", False)
    assert shown(cy.read("/config", part="xgb", as_of=str(second))) == ("0.75", False)
    assert f'as_of={first}"' in cy.read(f"/history/{first}")
    now = re.search(r'href="([^"]+)">What stands now', past)[1]
    assert now == "/config?part=xgb&edit=yes"


def test_an_overlay_stands_over_what_global_was_then(person, written, setpoint_command):
    """Before its first revision it has no values of its own, and shows those of global."""
    first, _ = written(0.25)
    done = setpoint_command("set", f"{KEY}=1.5", "-s", OVERLAY, "--new", "-r", "BTC", "--yes")
    assert done.code == 0, done.err
    later, _ = written(0.75)
    cy = person("cy")
    before = cy.read("/config", part="xgb", scope=OVERLAY, as_of=str(first))
    assert shown(before) == ("0.25", False)
    assert "no values of its own then" in before
    assert shown(cy.read("/config", part="xgb", scope=OVERLAY, as_of=str(later))) == ("1.5", True)


@pytest.mark.parametrize(("as_of", "status"), [("999", 404), ("yesterday", 422), ("0", 422)])
def test_a_moment_that_is_none_is_refused_on_a_page(person, as_of, status):
    """A revision that never was, and what is neither a number nor an instant."""
    assert 'role="alert"' in person("cy").read("/config", status, as_of=as_of)
