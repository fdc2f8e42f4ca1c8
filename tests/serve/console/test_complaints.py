"""What users of other consoles complain about, each designed out: the titles say the complaint."""

import html
import re

import pytest

from setpoint.serve.console.pages import LISTED
from support.browsers import change_in, proposal_in
from support.console_pages import READ, address_of

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
ELSEWHERE = "CVN_HPO_CB_1H_DEPTH"


@pytest.fixture
def proposed(person, asks_for_approval):
    """The number of a change of Ada's that waits for approval."""
    ada = person("ada")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}))
    ada.send(f"/changes/{number}/propose", proposal=proposal_in(ada.read(f"/changes/{number}")), words="w")
    return number


@pytest.fixture
def two_must_approve(http_as, asks_for_approval):
    """Two other people must approve each change."""
    body = {"approvals": 2, "reason": "six eyes"}
    made = http_as("dan").put("/v1/policies/*/*", json=body)
    named = made.json()
    act = {"proposal_hash": named["proposal_hash"]}
    assert http_as("bo").post(f"/v1/changes/{named['change']}/approve", json=act).status_code == 200


def write(http_as, key, value):
    """Eve writes a value, approved by Bo where policy asks; return its revision."""
    eve, bo = http_as("eve"), http_as("bo")
    tag = eve.get("/v1/config/global").headers["etag"]
    made = eve.patch(
        "/v1/config/global", json={"set": {key: value}, "reason": "x"}, headers={"If-Match": tag}
    )
    assert made.status_code in {200, 202}, made.text
    if made.status_code == 202:
        body = {"proposal_hash": made.json()["proposal_hash"]}
        assert bo.post(f"/v1/changes/{made.json()['change']}/approve", json=body).status_code == 200
    return eve.get("/v1/config/global").json()["revision"]


def test_an_approval_survives_later_edits(person, http_as, two_must_approve, proposed):
    """It does not: after an edit the page counts none and says so, and the old page decides nothing."""
    bo, ada = person("bo"), http_as("ada")
    page = bo.read(f"/changes/{proposed}")
    bo.send(f"/changes/{proposed}/approve", proposal=proposal_in(page))
    assert "<dd>1 of 2" in bo.read(f"/changes/{proposed}")
    tag = ada.get(f"/v1/changes/{proposed}").headers["etag"]
    body = {"set": {GAMMA: 0.5}}
    assert ada.patch(f"/v1/changes/{proposed}", json=body, headers={"If-Match": tag}).status_code == 200
    after = bo.read(f"/changes/{proposed}")
    assert "<dd>0 of 2" in after
    assert "about an earlier proposal, counts no more" in after
    assert bo.send(f"/changes/{proposed}/approve", proposal=proposal_in(page)).status_code == 409


def test_nothing_to_publish_is_said_while_base_and_live_differ(person, http_as, proposed):
    """A change of another key is not empty or stuck: its page says that the base moved, and the way."""
    write(http_as, ELSEWHERE, 7)
    page = person("ada").read(f"/changes/{proposed}")
    assert "It cannot be applied as it is" in page
    assert "Put it over what stands now" in page
    assert "1 edit<" in page


def test_buttons_are_grey_without_a_reason(person, lived_in):
    """Every disabled button of every page names its reason in text that the button points at."""
    bare = []
    for account in ("ada", "bo", "cy"):
        someone = person(account)
        for route in READ:
            page = someone.get(lived_in.get(route.path, address_of(route))).text
            for button in re.findall(r"<button[^>]* disabled[^>]*>", page):
                named = re.search(r'aria-describedby="([^"]+)"', button)
                reason = named and re.search(rf'id="{named[1]}"[^>]*>([^<]+)', page)
                if not reason or len(reason[1].strip()) < 10:
                    bare.append((account, route.path, button))
    assert not bare
    assert "disabled" in person("cy").read(lived_in["/changes/{change}"])


def test_a_rollback_button_does_nothing(person, http_as, seeded):
    """Restore makes a revision and proves it; where nothing would change there is none."""
    before = http_as("ada").get("/v1/config/global").json()["revision"]
    made = write(http_as, GAMMA, 0.5)
    ada = person("ada")
    assert "Restore version" not in ada.read(f"/history/{made}")
    assert "It is in force" in ada.read(f"/history/{made}")
    number = change_in(ada.send(f"/history/{before}/restore", words="back"))
    assert "byte for byte" in ada.read(f"/changes/{number}")
    again = ada.read(f"/history/{before}")
    assert "There is nothing to bring back" in again
    assert "Restore version" not in again


def test_another_persons_save_discards_mine_or_mine_theirs(person, http_as, seeded):
    """A save elsewhere leaves a draft as it is and is no false conflict; of one key both values are shown."""
    ada = person("ada")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}))
    write(http_as, ELSEWHERE, 7)
    page = ada.read(f"/changes/{number}")
    assert "Nobody else wrote its keys" in page
    assert ada.send(f"/changes/{number}/merge", proposal=proposal_in(page)).status_code == 303
    write(http_as, GAMMA, 0.4)
    page = ada.read(f"/changes/{number}")
    assert "1 key that somebody else wrote too" in page
    assert "0.3" in page
    assert "0.4" in page


def test_a_stale_list_makes_the_next_edit_fail(person, http_as, seeded):
    """A form over an older revision goes into a draft all the same: what others wrote meanwhile is kept."""
    ada = person("ada")
    old = ada.read("/config", edit="yes", part="xgb")
    revision = re.search(r'name="revision" value="(\d+)"', old)[1]
    write(http_as, GAMMA, 0.4)
    write(http_as, ELSEWHERE, 7)
    typed = {"scope": "global", "revision": revision, "value:CVN_HPO_XGB_1H_GAMMA": "0.2"}
    number = change_in(ada.send("/config/draft", typed))
    page = ada.read(f"/changes/{number}")
    assert "1 edit<" in page
    assert "It cannot be applied as it is" not in page


def test_filters_are_lost_on_navigation_and_column_choice_is_forgotten(person, seeded):
    """Both stand in the address, and every link of the page to another model, slice or cell carries them."""
    page = html.unescape(person("ada").get("/config?column=5m&column=1h&search=rate&part=xgb").text)
    assert re.findall(r'<th scope="col">(\w+)</th>', page)[1:3] == ["5m", "1h"]
    links = re.findall(r'href="(/config\?[^"]*(?:part=lgb|explain=|edit=yes)[^"]*)"', page)
    assert len(links) > 3
    for link in links:
        assert "column=5m&column=1h" in link, link
        assert "search=rate" in link, link
    form = re.search(r'<form class="filters".*?</form>', page, re.DOTALL)[0]
    assert len(re.findall(r'name="column" value="(?:5m|1h)" checked', form)) == 2


def test_times_are_without_a_zone(person, lived_in):
    """Every instant on every page says UTC, and carries its offset for a script."""
    dan = person("dan")
    for route in READ:
        page = dan.get(lived_in.get(route.path, address_of(route))).text
        for at, text in re.findall(r'<time datetime="([^"]*)"[^>]*>([^<]*)</time>', page):
            assert re.search(r"[+-]\d\d:\d\d$", at), (route.path, at)
            assert text.endswith("UTC"), (route.path, text)


def test_compare_cannot_show_only_differences(person, http_as, seeded):
    """It does so at first: revisions, scopes and models."""
    before = http_as("ada").get("/v1/config/global").json()["revision"]
    made, cy = write(http_as, GAMMA, 0.4), person("cy")
    page = cy.get(f"/history/compare?from={before}&to={made}").text
    assert len(re.findall(r'<tr id="CVN', page)) == 1
    page = cy.read("/config/compare", part="lgb", other_part="xgb")
    assert "Only what differs is listed" in page
    for row in re.findall(r"<tr><th scope=.row.*?</tr>", page, re.DOTALL):
        left, right = re.findall(r"<code>([^<]*)</code>", row)
        assert left != right


def test_many_rows_choke_a_page_and_rows_vanish(person, http_as, seeded):
    """A list is as long as a page at most, and its pages together have every change once, newest first."""
    eve, cy = http_as("eve"), person("cy")
    base = eve.get("/v1/config/global").json()["revision"]
    made = []
    for count in range(LISTED + 3):
        body = {
            "scope": "global",
            "base": base,
            "set": {GAMMA: 0.4 + count / 1000},
            "reason": "x",
            "draft": True,
        }
        made.append(eve.post("/v1/changes", json=body).json()["id"])
    seen, address = [], "/changes"
    while address:
        page = html.unescape(cy.get(address).text)
        rows = re.findall(r'<td class="number"><a href="/changes/(\d+)">', page)
        assert len(rows) <= LISTED
        seen += map(int, rows)
        more = re.search(r'href="([^"]+)">Older changes', page)
        address = more and more[1]
    assert [one for one in seen if one in made] == made[::-1]
    assert len(set(seen)) == len(seen)
