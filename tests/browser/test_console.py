"""The Console in a real browser: a review with and without a script, kept edits, keys, and for everybody."""

import pytest

from support.lived_in import addresses, live_in
from support.searched_runs import record_a_search

pytestmark = pytest.mark.real
KEY = "CVN_HPO_XGB_5M_GAMMA"
FIELD = f'[name="value:{KEY}"]'
SIZES = {"desktop": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}


def edited_elsewhere(http_as, value):
    """Somebody else writes a key of the page that is open."""
    eve = http_as("eve")
    tag = eve.get("/v1/config/global").headers["etag"]
    body = {"set": {"CVN_HPO_XGB_1H_GAMMA": value}, "reason": "elsewhere"}
    assert eve.patch("/v1/config/global", json=body, headers={"If-Match": tag}).status_code == 200


@pytest.mark.parametrize("has_scripts", [True, False], ids=["script", "no-script"])
def test_a_review_from_edit_to_proof(window, four_eyes, has_scripts):
    """Ada edits and proposes, Bo approves, it is in force, and Ada restores what stood before, with proof."""
    ada = window("ada", java_script_enabled=has_scripts)
    bo = window("bo", java_script_enabled=has_scripts)
    ada.click("nav >> text=Config")
    ada.click("text=Edit >> nth=0")
    ada.fill(FIELD, "0.25")
    ada.click("text=Put into my draft")
    ada.fill("#words", "less overfitting")
    ada.click("button:has-text('Propose')")
    ada.wait_for_selector("text=1 approval from bo")

    bo.click(".tile:has-text('Waits for you') .figure a")
    bo.click("tr.mine a >> nth=0")
    bo.fill("#words", "fine")
    bo.click("button:has-text('Approve')")
    bo.wait_for_selector("text=Applied as revision")

    ada.goto("/history?scope=global")
    ada.click("tbody tr:nth-child(2) a >> nth=0")
    ada.wait_for_selector("text=Bring it back")
    assert ada.get_attribute("nav >> text=History", "href") == "/history", "the menu remembers no filter"
    if has_scripts:
        ada.click("text=Only some keys")
        for ticks, said in ((True, "1 ticked key"), (False, "all of it")):
            ada.set_checked("[name=key] >> nth=0", ticks)
            assert ada.text_content("output[data-counts]") == said
    ada.fill("#words", "back")
    ada.click("button:has-text('Restore version')")
    ada.wait_for_selector("text=1 approval from bo")
    bo.goto(ada.url)
    bo.click("button:has-text('Approve')")
    bo.wait_for_selector("text=byte for byte")


def test_what_somebody_types_stays_when_the_page_is_refreshed(window, http_as):
    """A revision elsewhere reaches the open page, says so, and leaves the field and its focus alone."""
    ada = window("ada")
    ada.goto("/config?part=xgb&edit=yes")
    ada.fill(FIELD, "0.25")
    edited_elsewhere(http_as, 0.75)
    ada.wait_for_selector("text=your edits kept")
    assert ada.input_value(FIELD) == "0.25"
    assert ada.evaluate("document.activeElement.name") == f"value:{KEY}"


def test_an_open_page_shows_a_new_value_by_itself(window, http_as):
    """Without an edit under way the value that somebody else wrote appears where it stands."""
    cy = window("cy")
    cy.goto("/config?part=xgb")
    cy.evaluate("window.isTheSamePage = true")
    edited_elsewhere(http_as, 0.625)
    cy.wait_for_selector("text=0.625")
    assert cy.evaluate("window.isTheSamePage"), "it was loaded anew"


def test_a_request_that_is_cut_off_breaks_nothing(window):
    """The plane went away, or the page was left: the palette finds nothing, and no error is thrown."""
    cy = window("cy")
    cy.goto("/config")
    cy.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('cut off')); }")
    cy.keyboard.press("Control+k")
    cy.keyboard.type("gamma")
    cy.wait_for_function("document.querySelector('#palette input').value === 'gamma'")
    cy.keyboard.press("Escape")


def test_the_keyboard_alone_goes_anywhere(window):
    """The palette finds a key by its address; g and a letter lead to a place; the sheet tells all of it."""
    cy = window("cy")
    cy.keyboard.press("Control+k")
    cy.keyboard.type("xgb/5m/gamma")
    cy.wait_for_selector(f"#palette li:has-text('{KEY}')")
    cy.keyboard.press("Enter")
    cy.wait_for_url(f"**/keys/{KEY}")
    cy.keyboard.press("g")
    cy.keyboard.press("h")
    cy.wait_for_url("**/history")
    cy.keyboard.press("?")
    assert cy.is_visible("#keys")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark", "forced"])
def test_everybody_can_use_every_page(window, axe, database, http_as, scheme, size):
    """Axe finds nothing, on any page, in light, dark and forced colours, at desktop and phone width."""
    values = live_in(database, http_as)
    colours = {"forced_colors": "active"} if scheme == "forced" else {"color_scheme": scheme}
    page = window("dan", **colours)
    page.set_viewport_size(SIZES[size])
    found = []
    for address in addresses(values):
        if page.request.get(address).status == 200:  # some need what this database has not
            page.goto(address)
            page.evaluate(axe)
            result = page.evaluate("axe.run({resultTypes: ['violations']})")
            found += [(address, one["id"], one["nodes"][0]["html"][:200]) for one in result["violations"]]
    assert not found


@pytest.mark.parametrize("has_scripts", [True, False], ids=["script", "no-script"])
def test_charts_of_a_run_are_drawn_without_moving_the_page(window, seeded, catalogues, has_scripts):
    """Each picture has the size that the page kept for it, in both; nothing that the policy forbids."""
    cy = window("cy", java_script_enabled=has_scripts)
    rates = [0.05 + 0.002 * n for n in range(30)]
    run = record_a_search(seeded, catalogues, [rates, rates])
    cy.goto(f"/runs/{run}/charts")
    for picture in cy.locator("img.chart").all():
        picture.scroll_into_view_if_needed()
        answer = cy.request.get(picture.get_attribute("src"))
        assert answer.status == 200
        assert picture.bounding_box()["width"] == int(picture.get_attribute("width"))
        if has_scripts:
            cy.wait_for_function("one => one.complete", arg=picture.element_handle())
            assert picture.evaluate("one => one.naturalWidth") == int(picture.get_attribute("width"))
