"""History on pages: finding, comparing, and `Restore version N` with its proof."""

import html
import re

import pytest

from setpoint.serve.console.review import EDITS_SHOWN
from support.browsers import change_in, proposal_in

KEY = "CVN_HPO_XGB_5M_GAMMA"
OTHER = "CVN_HPO_XGB_1M_GAMMA"
ELSEWHERE = "CVN_HPO_CB_1H_DEPTH"


def write(http_as, key, value):
    """Eve writes a value of global; returns the revision that stood before."""
    eve = http_as("eve")
    now = eve.get("/v1/config/global")
    body = {"set": {key: value}, "reason": "later"}
    made = eve.patch("/v1/config/global", json=body, headers={"If-Match": now.headers["etag"]})
    assert made.status_code == 200
    return now.json()["revision"]


def section(page, label):
    return re.search(rf'<section aria-labelledby="{label}">.*?</section>', page, re.DOTALL)[0]


@pytest.fixture
def edited(seeded, http_as):
    """Global at revision N+1: two values differ from revision N, which is returned."""
    ada = http_as("ada")
    now = ada.get("/v1/config/global")
    body = {"set": {KEY: 0.5, OTHER: 0.5}, "reason": "bad idea"}
    assert (
        ada.patch("/v1/config/global", json=body, headers={"If-Match": now.headers["etag"]}).status_code
        == 200
    )
    return now.json()["revision"]


def test_a_version_is_tried_then_restored_and_proven(person, edited):
    """The page shows what it would change; trying writes nothing; the change that restores has the proof."""
    ada = person("ada")
    page = ada.read(f"/history/{edited}")
    assert f">Restore version {edited}</button>" in page
    assert "would make 2 edits now" in page
    tried = ada.send(f"/history/{edited}/restore", dry_run="yes")
    assert (tried.status_code, "nothing was written: 2 edits" in tried.text) == (200, True)
    assert ada.send(f"/history/{edited}/restore").status_code == 422

    number = change_in(ada.send(f"/history/{edited}/restore", words="back to what worked"))
    ended = ada.read(f"/changes/{number}")
    assert f"the document is version {edited} again, byte for byte" in ended
    assert "There is nothing to bring back" in ada.read(f"/history/{edited}")


def test_only_chosen_keys_are_brought_back(person, edited):
    """What is not ticked stays as it is, and the page of the change says so."""
    ada = person("ada")
    form = {"key": KEY, "words": "gamma alone"}
    number = change_in(ada.send(f"/history/{edited}/restore", form))
    page = ada.read(f"/changes/{number}")
    assert "1 edit<" in page
    assert "the chosen keys are those of version" in page


def test_trying_answers_with_the_very_edits_and_keeps_what_is_ticked(person, http_as, edited):
    """A tick alone is enough: its edit is shown, old and new, and nothing written; none is the whole."""
    ada, before = person("ada"), http_as("ada").get("/v1/config/global").json()["values"]
    for ticked, said in (({"key": KEY}, "1 ticked key"), ({}, "all of it")):
        page = html.unescape(ada.send(f"/history/{edited}/restore", {"dry_run": "yes", **ticked}).text)
        planned = section(page, "planned")
        assert re.findall(r'title="(CVN_\w+)"', planned) == ([KEY] if ticked else sorted((KEY, OTHER)))
        assert '<td class="old"><code>0.5</code></td><td class="new"><code>0.0</code></td>' in planned
        assert "<details open><summary>Only some keys" in page
        assert (f'value="{KEY}" checked' in page, f'value="{OTHER}" checked' in page) == (bool(ticked), False)
        button = rf">Restore version {edited}</button> <output[^>]*>{said}</output>"
        assert re.search(button, page)
    assert http_as("ada").get("/v1/config/global").json()["values"] == before


def test_a_change_is_undone_in_its_keys_alone(person, http_as, edited):
    """From its page, or its revision's: the keys go back to before it, and who wrote one since is named."""
    ada, made, later = person("ada"), write(http_as, OTHER, 0.7), write(http_as, ELSEWHERE, 7)
    link = f'href="/history/{edited}?undo={made}#restore">Undo this change'
    assert link in ada.read(f"/history/{made}")
    page = ada.read(f"/history/{edited}", undo=str(made))
    assert f"Undo revision {made}" in page
    assert re.findall(r"<li><code>(\w+)</code> in <a[^>]*>revision (\d+)</a> by (\w+)", page) == [
        (OTHER, str(later), "eve")
    ]
    fields = {"undo": str(made), "part": "yes", "words": re.search(r'name="words"[^>]*>([^<]*)<', page)[1]}
    assert fields["words"] == f"undo of revision {made}: bad idea"
    assert ada.send(f"/history/{edited}/restore", fields).status_code == 422, "no tick is not all of it"
    keys = re.findall(r'name="key" value="(\w+)" checked', page)
    assert keys == [OTHER, KEY]
    number = change_in(ada.send(f"/history/{edited}/restore", {**fields, "key": keys}))
    values = http_as("ada").get("/v1/config/global").json()["values"]
    assert (values[KEY], values[OTHER], values[ELSEWHERE]) == (0.0, 0.0, 7)
    assert f'?undo={made + 3}#restore">Undo this change' in ada.read(f"/changes/{number}")
    again = ada.read(f"/history/{edited}", undo=str(made))
    assert ("stands so already" in again, "Written again since" in again) == (True, False)


def test_only_what_was_written_over_a_revision_is_undone_by_it(person, http_as, edited):
    """Another revision is refused with the way, one that there is not as well, and a first has none."""
    ada, made = person("ada"), write(http_as, KEY, 0.7)
    assert "was not written over" in ada.read(f"/history/{made}", 422, undo=str(edited))
    ada.read(f"/history/{edited}", 404, undo="99999")
    assert "nothing before it" in ada.read("/history/1")


def test_a_key_is_set_back_to_an_earlier_value(person, edited):
    """Each value that does not stand leads to bringing it back, ticked alone; what stands does not."""
    ada = person("ada")
    page = ada.read(f"/keys/{KEY}")
    assert re.findall(r'href="([^"]*)"[^>]*>set back to this', page) == [f"/history/1?key={KEY}#restore"]
    assert f'href="/keys/{KEY}_RANGE_MAX">max</a>' in page, (
        "the range that it is searched in stands beside it"
    )
    assert "Searched within" not in ada.read(f"/keys/{KEY}_RANGE_MAX")
    planned = ada.read("/history/1", key=KEY)
    assert re.findall(r'name="key" value="(\w+)" checked', planned) == [KEY]
    assert re.findall(r'title="(CVN_\w+)"', section(planned, "planned")) == [KEY]
    assert 'name="part" value="yes"' in planned
    assert "no key is ticked" in ada.send("/history/1/restore", part="yes", words="w").text.lower()


def test_a_restore_waits_for_approval_where_policy_asks_for_it(person, edited, asks_for_approval):
    """The button leads to a change that another person approves."""
    ada, bo = person("ada"), person("bo")
    number = change_in(ada.send(f"/history/{edited}/restore", words="back"))
    page = bo.read(f"/changes/{number}")
    assert "back from revision" in page
    bo.send(f"/changes/{number}/approve", proposal=proposal_in(page))
    assert "byte for byte" in bo.read(f"/changes/{number}")


def test_who_may_not_write_reads_why_at_the_button(person, edited):
    """A viewer sees the button, disabled, with the role that it needs."""
    page = person("cy").read(f"/history/{edited}")
    assert re.search(rf"<button[^>]*disabled[^>]*>Restore version {edited}</button>", page)
    assert "This needs the role config_write or admin" in page


def test_revisions_are_found_by_scope_text_and_instant(person, edited):
    """Search reads author, reason and edits; an instant finds what stood then; a wrong one is said."""
    cy = person("cy")
    assert "bad idea" in cy.read("/history", search=KEY)
    assert "bad idea" not in cy.read("/history", search="no such words")
    assert "bad idea" in cy.read("/history", at="2100-01-01T00:00")
    assert "No revision is like that" in cy.read("/history", at="1990-01-01T00:00")
    assert "is no instant" in cy.read("/history", 422, at="yesterday")
    assert "bad idea" in cy.read("/history", scope="global")


def test_a_list_of_revisions_says_their_order_and_what_its_words_mean(person, edited):
    """Instants have seconds, each column of choices its heading, and a review says why it is called so."""
    page = person("cy").read("/history", scope="global")
    assert re.search(r"\d\d:\d\d:\d\d UTC</time>", page)
    heads = re.findall(r"<th[^>]*>(.*?)</th>", page)
    first = re.search(r"<tbody>\s*<tr>(.*?)</tr>", page, re.DOTALL)[1]
    cells = dict(zip(heads, re.findall(r"<td[^>]*>(.*?)</td>", first), strict=True))
    assert 'name="from"' in cells["From"]
    assert 'name="to"' in cells["To"]
    assert ">unreviewed<" in cells["Review"]
    revision = re.search(r'href="(/history/\d+)"', first)[1]
    for told in (page, person("cy").read(revision)):
        assert "<strong>unreviewed</strong>, nobody else approved it" in told
        assert "break-glass</strong>" not in told
    change = re.search(r'href="(/changes/\d+)"', cells["Review"])[1]
    assert f'by change <a href="{change}">' in person("cy").read(revision)


def test_two_revisions_are_compared_older_first(person, edited):
    """Only what differs is listed, whichever was named first."""
    cy = person("cy")
    newest = int(re.search(r"/history/(\d+)", cy.read("/history", search="bad idea"))[1])
    for pair in ((edited, newest), (newest, edited)):
        page = cy.read("/history/compare", **{"from": str(pair[0]), "to": str(pair[1])})
        assert f"Revision {edited} to {newest}: 2 edits" in page
    assert "one hash" in cy.read("/history/compare", **{"from": str(edited), "to": str(edited)})


def test_the_life_of_a_key_is_told_by_name_and_by_address(person, edited):
    """Its meaning, what each scope says, and every value with its reason, drawn and as a table."""
    cy = person("cy")
    for name in (KEY, "xgb/5m/gamma"):
        page = cy.read(f"/keys/{name}")
        assert "bad idea" in page
        assert "Least loss reduction a split must bring" in page
        assert '<path class="line"' in page
    cy.read("/keys/CVN_GONE", 404)


def test_a_key_says_who_set_what_each_scope_says(person, http_as, edited):
    """The revision that set the value, and its author: not the newest of the scope."""
    made = write(http_as, ELSEWHERE, 7)
    said = section(person("cy").read(f"/keys/{KEY}"), "says")
    assert re.search(rf'/history/{made}">{made}</a></td><td>ada</td>.*bad idea', said)
    assert "eve" not in said


def test_of_many_edits_the_first_are_shown_and_the_file_has_all(person):
    """The seed wrote every key: its page is cut and says so, and its file is whole."""
    cy = person("cy")
    page = cy.read("/history/1")
    whole = cy.get("/history/1?table=edits&format=json").json()["items"]
    assert len(whole) > EDITS_SHOWN
    assert f"The first {EDITS_SHOWN} of {len(whole)} edits are shown" in page
    assert page.count('<tr id="CVN_') <= 2 * EDITS_SHOWN
