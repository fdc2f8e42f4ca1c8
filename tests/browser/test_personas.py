"""People at the Console in a real browser: who may only read, whose session ends, and who has a phone."""

import psycopg
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.real
KEY = "CVN_HPO_XGB_5M_GAMMA"
FIELD = f'[name="value:{KEY}"]'
PASSWORD = "a long enough password"


def test_who_may_only_read_reads(window, http_as, four_eyes):
    """A viewer sees values and changes; each button that writes is there, disabled, and says why."""
    ada, cy = window("ada"), window("cy")
    ada.goto("/config?part=xgb&edit=yes")
    ada.fill(FIELD, "0.25")
    ada.click("text=Put into my draft")
    ada.fill("#words", "less overfitting")
    ada.click("button:has-text('Propose')")
    ada.wait_for_selector("text=Armed.")

    cy.goto(ada.url)
    for name in ("Approve", "Reject", "Apply"):
        assert cy.is_disabled(f"button:text-is('{name}')")
    assert "approver" in cy.text_content(".decision")
    cy.goto("/config?part=xgb&edit=yes")
    assert not cy.query_selector(f"{FIELD}:enabled")
    cy.goto("/history")
    cy.emulate_media(media="print")
    assert (cy.is_visible("table"), cy.is_visible("nav"), cy.is_visible("button")) == (True, False, False)


@pytest.mark.parametrize("has_scripts", [True, False], ids=["script", "no-script"])
def test_what_was_typed_when_a_session_ended_is_kept(window, owner_url, has_scripts):
    """The same person logs in, sees what they sent, and sends it: the draft stands."""
    ada = window("ada", java_script_enabled=has_scripts)
    ada.goto("/config?part=xgb&edit=yes")
    ada.fill(FIELD, "0.25")
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE credentials SET expires_at = clock_timestamp() WHERE account = 'ada'")
    ada.click("text=Put into my draft")
    ada.fill("#account", "ada")
    ada.fill("#password", PASSWORD)
    ada.click("button:has-text('Log in')")
    ada.wait_for_selector("text=What you typed is kept")
    ada.click("main form button")
    ada.wait_for_selector("#words")
    assert "0.25" in ada.text_content("main")


def test_a_phone_restores(window, http_as):
    """History, a revision, reason and button are reached by thumb; nothing is wider than the screen."""
    eve = http_as("eve")
    tag = eve.get("/v1/config/global").headers["etag"]
    body = {"set": {KEY: 0.25}, "reason": "elsewhere"}
    assert eve.patch("/v1/config/global", json=body, headers={"If-Match": tag}).status_code == 200
    ada = window("ada", has_touch=True)
    ada.set_viewport_size({"width": 390, "height": 844})
    ada.goto("/history?scope=global")
    ada.tap("tbody tr:nth-child(2) a >> nth=0")
    ada.wait_for_selector("text=Bring it back")
    assert ada.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ada.fill("#words", "back")
    ada.tap("button:has-text('Restore version')")
    expect(ada.locator("main")).to_contain_text("byte for byte", timeout=60_000)
