"""Reviews in a real browser: a conflict merges, many edits without a script, and by the keyboard alone."""

import pytest

pytestmark = pytest.mark.real
KEY = "CVN_HPO_XGB_5M_GAMMA"
FOCUSED = "document.activeElement"


def propose(page, value, reason):
    """Edit the key on the Config page and propose the draft."""
    page.goto("/config?part=xgb&edit=yes")
    page.fill(f'[name="value:{KEY}"]', value)
    page.click("text=Put into my draft")
    page.fill("#words", reason)
    page.click("button:has-text('Propose')")
    page.wait_for_selector("text=Armed.")


def pressed(page, key, times=60):
    """Press Tab until what has the focus says or is named something; focus is always somewhere."""
    for _ in range(times):
        page.keyboard.press("Tab")
        said = page.evaluate(f"{FOCUSED} === document.body ? null : {FOCUSED}.textContent + {FOCUSED}.id")
        assert said is not None or not page.evaluate("document.hasFocus()"), "focus was lost"
        if said and key in said:
            return
    raise AssertionError(f"Tab never reached {key!r}")


def test_two_people_wrote_one_key_and_the_second_merges(window, four_eyes):
    """Eve's open page says at once that its base moved; she chooses, and it is approved anew."""
    ada, eve, bo = window("ada"), window("eve"), window("bo")
    propose(ada, "0.3", "steadier")
    propose(eve, "0.4", "bolder")
    bo.goto(ada.url)
    bo.click("button:has-text('Approve')")
    bo.wait_for_selector("text=Applied as revision")
    eve.wait_for_selector("text=1 key that somebody else wrote too")
    eve.check(f'[name="choose:{KEY}"][value="mine"]')
    eve.click("button:has-text('Put it over what stands now')")
    eve.wait_for_selector("text=1 approval from bo")
    assert "0.3" in eve.inner_text("td.old")
    bo.goto(eve.url)
    bo.click("button:has-text('Approve')")
    bo.wait_for_selector("text=Applied as revision")


def test_many_edits_at_once_without_a_script(window, four_eyes):
    """Tick, multiply, look, put into the draft, and undo it as one step."""
    ada = window("ada", java_script_enabled=False)
    ada.goto("/config?part=xgb&column=5m&column=1h")
    ada.click("text=Edit many at once")
    ada.check("[name=parameter][value=n_estimators]")
    ada.select_option("[name=how]", "multiply")
    ada.fill("[name=by]", "0.5")
    ada.click("text=Show the edits")
    assert "5 edits, shown before" in ada.inner_text("h1")
    ada.click("text=Put into my draft")
    assert ada.inner_text("#edits") == "5 edits"
    ada.goto("/config?part=xgb&edit=yes")
    ada.fill(f'[name="value:{KEY}"]', "0.25")
    ada.click("text=Put into my draft")
    ada.click("text=Undo the last step")
    assert ada.inner_text("#edits") == "5 edits"


def test_a_broken_rule_is_named_while_it_is_typed(window, seeded):
    """Beside its field, and gone again with the fault; the focus stays in the field."""
    ada = window("ada")
    ada.goto("/config?part=xgb&edit=yes")
    ada.fill(f'[name="value:{KEY}_RANGE_MIN"]', "9")
    ada.wait_for_selector(f'[data-wrong="{KEY}_RANGE_MIN"]:has-text("range_is_ordered")')
    assert ada.evaluate(f"{FOCUSED}.name") == f"value:{KEY}_RANGE_MIN"
    ada.fill(f'[name="value:{KEY}_RANGE_MIN"]', "0.0")
    ada.wait_for_selector(f'[data-wrong="{KEY}_RANGE_MIN"]:has-text("range_is_ordered")', state="hidden")


def test_the_keyboard_alone_completes_a_review(window, four_eyes):
    """Keys lead to places and rows, `e` edits, `a` reaches the approval, `r` the restore; Enter presses."""
    ada, bo = window("ada"), window("bo")
    for key in ("g", "c"):
        ada.keyboard.press(key)
    ada.wait_for_url("**/config")
    ada.keyboard.press("e")
    ada.wait_for_url("**edit=yes")
    ada.focus(f'[name="value:{KEY}"]')
    ada.keyboard.press("Control+a")
    ada.keyboard.type("0.25")
    ada.keyboard.press("Enter")
    ada.wait_for_url("**/changes/*")
    pressed(ada, "words")
    ada.keyboard.type("by keys")
    pressed(ada, "Propose")
    assert ada.evaluate(f"getComputedStyle({FOCUSED}).outlineStyle") == "solid", "the focus is to be seen"
    ada.keyboard.press("Enter")
    ada.wait_for_selector("text=Armed.")

    for key in ("g", "g"):
        bo.keyboard.press(key)
    bo.wait_for_url("**/changes")
    bo.wait_for_load_state()
    bo.keyboard.press("j")
    bo.keyboard.press("Enter")
    bo.wait_for_selector("text=Armed.")
    bo.wait_for_load_state()
    bo.keyboard.press("a")
    assert bo.evaluate(f"{FOCUSED}.textContent") == "Approve"
    bo.keyboard.press("Enter")
    bo.wait_for_selector("text=Applied as revision")

    for key in ("g", "h"):
        ada.keyboard.press(key)
    ada.wait_for_url("**/history")
    ada.wait_for_load_state()
    for row in (1, 2, 3):
        ada.keyboard.press("j")
        ada.wait_for_selector(f"tbody tr:nth-child({row}) a:focus")
    ada.keyboard.press("Enter")
    ada.wait_for_selector("text=Bring it back")
    ada.wait_for_load_state()
    ada.keyboard.press("r")
    assert "Restore version" in ada.evaluate(f"{FOCUSED}.textContent")


def test_tab_and_enter_alone_complete_a_review_without_a_script(window, four_eyes):
    """Every step is reached with Tab and done with Enter; the focus is always somewhere."""
    ada = window("ada", java_script_enabled=False)
    bo = window("bo", java_script_enabled=False)
    for page, label in ((ada, "Config"), (bo, "Changes")):
        page.goto("/")
        page.focus(f"nav >> text={label}")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{label.lower()}")
    ada.focus("text=Edit >> nth=0")
    ada.keyboard.press("Enter")
    ada.wait_for_url("**edit=yes*")
    ada.focus(f'[name="value:{KEY}"]')
    ada.keyboard.press("Control+a")
    ada.keyboard.type("0.25")
    ada.keyboard.press("Enter")
    ada.wait_for_url("**/changes/*")
    ada.focus("#comment")
    for _ in range(12):
        ada.keyboard.press("Tab")
        if ada.locator("#words:focus").count():
            break
    ada.keyboard.type("by keys")
    for _ in range(12):
        ada.keyboard.press("Tab")
        if ada.locator("button:has-text('Propose'):focus").count():
            break
    ada.keyboard.press("Enter")
    ada.wait_for_selector("text=Armed.")
    bo.goto(ada.url)
    bo.focus("#comment")
    for _ in range(12):
        bo.keyboard.press("Tab")
        if bo.locator("button:has-text('Approve'):focus").count():
            break
    bo.keyboard.press("Enter")
    bo.wait_for_selector("text=Applied as revision")


def test_filters_are_there_again_after_going_elsewhere(window, seeded):
    """Columns and search of Config stand in its address when somebody comes back, and can be cleared."""
    cy = window("cy")
    cy.goto("/config?column=5m&search=rate&part=xgb")
    cy.click("nav >> text=History")
    cy.wait_for_url("**/history*")
    cy.go_back()
    cy.wait_for_url("**column=5m*")
    assert cy.input_value("[name=search]") == "rate"
    cy.click("text=Clear")
    assert cy.input_value("[name=search]") == ""


def test_what_is_typed_and_opened_stays_when_a_section_is_collapsed_and_the_page_refreshed(window, http_as):
    """Collapsing keeps input; a refresh keeps it, the sections as they are and the place on the page."""
    ada = window("ada")
    ada.goto("/config?part=xgb")
    ada.click("text=Paste from a spreadsheet")
    ada.fill("#sheet", "xgb/5m/gamma = 0.3")
    ada.click("text=Paste from a spreadsheet")
    ada.click("text=Paste from a spreadsheet")
    before = ada.evaluate("scrollY")
    eve = http_as("eve")

    def write(value, why):
        tag = eve.get("/v1/config/global").headers["etag"]
        body = {"set": {"CVN_HPO_XGB_1H_GAMMA": value}, "reason": why}
        assert eve.patch("/v1/config/global", json=body, headers={"If-Match": tag}).status_code == 200

    write(0.625, "elsewhere")
    ada.wait_for_selector("text=0.625")
    assert ada.input_value("#sheet") == "xgb/5m/gamma = 0.3"
    assert ada.is_visible("#sheet")
    assert ada.evaluate("scrollY") == before > 0
    fold = "details.elsewhere"
    ada.goto("/changes?state=all")
    ada.click(f"{fold} summary")
    write(0.875, "and once more")
    ada.wait_for_selector("text=and once more")
    assert ada.get_attribute(fold, "open") is not None, "fresh HTML leaves it"
    ada.reload()
    assert ada.get_attribute(fold, "open") is not None, "and so does loading the page again"
    ada.click(f"{fold} summary")
    ada.reload()
    assert ada.get_attribute(fold, "open") is None


def test_what_was_sent_is_seen_to_be_under_way(window):
    """While an answer is on its way page and pressed button say so; a page that comes back does not."""
    ada = window("ada")
    ada.goto("/config?part=xgb&edit=yes")
    ada.evaluate("addEventListener('submit', (event) => event.preventDefault())")  # its answer never comes
    ada.click("text=Put into my draft")
    busy = "[...document.querySelectorAll('[aria-busy=true]')].map((one) => one.localName)"
    assert ada.evaluate(busy) == ["main", "button"]
    ada.evaluate("dispatchEvent(new Event('pageshow'))")
    assert ada.evaluate(busy) == []
