"""The Config page: layers of a cell, contexts, many edits at once, faults beside their fields, slices."""

import html
import json
import re
from contextlib import suppress
from dataclasses import replace

import psycopg
import pytest

from setpoint.change.documents import read_values
from setpoint.declare.loading import load_catalogues
from setpoint.serve import console
from setpoint.serve.console.grid import MOST_CELLS, MOST_COLUMNS, outline_of
from support.browsers import Person, change_in
from support.console_pages import READ
from support.planes import open_accounts, serving_plane

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
DEPTH = "CVN_HPO_XGB_5M_MAX_DEPTH"
OVERLAY = "symbol=BTCUSDC"
LARGE = """
format = 1
name = "large"
version = "1.0.0"
prefix = "BIG"

[[parts]]
name = "group"
values = { a = "A", b = "B" }

[[parts]]
name = "place"
values = { %s }

%s
"""


@pytest.fixture
def overlay(http_as, seeded):
    """One symbol has a depth of its own."""
    body = {"scope": OVERLAY, "set": {DEPTH: 5}, "reason": "less data"}
    made = http_as("eve").post("/v1/scopes", json=body)
    assert made.status_code == 201, made.text


def cell(page, key):
    return re.search(rf'<td id="{key}".*?</td>', page, re.DOTALL)[0]


def hidden(page):
    """Return the fields of the form that lays edits over the draft, as a browser would send them."""
    form = re.search(r'<form method="post" action="/config/draft".*?</form>', page, re.DOTALL)[0]
    return {name: html.unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form)}


def test_each_cell_is_explained_by_every_layer(person, overlay):
    """Scope, value, revision, author, when and why of each; the one that wins in a context is marked."""
    page = person("cy").read("/config", context=OVERLAY, explain=DEPTH)
    assert "Resolved for symbol=BTCUSDC" in page
    assert re.search(r"<code>5</code>.*symbol=BTCUSDC", cell(page, DEPTH), re.DOTALL)
    assert "symbol=BTCUSDC" not in cell(page, GAMMA)
    layers = re.search(r'id="explained".*?</table>', page, re.DOTALL)[0]
    rows = re.findall(r"<tr.*?</tr>", layers, re.DOTALL)
    assert re.search(r"global.*overridden", rows[1])
    assert re.search(r"symbol=BTCUSDC.*wins.*<code>5</code>.*eve.*<time .*less data", rows[2])
    elsewhere = person("cy").read("/config", explain=DEPTH)
    assert re.search(r"symbol=BTCUSDC.*other context", elsewhere), "and it has no say in global"
    drawn = 'class="quiet legend"'
    assert drawn in elsewhere
    assert "the trials of the last 20 runs lie" in elsewhere
    assert drawn not in person("cy").read("/config", catalogue="cvntrade-training")


def test_models_and_scopes_are_compared_by_what_differs(person, overlay):
    """Only differences unless all is asked for; the same parameter of two models, and of two scopes."""
    cy = person("cy")
    page = cy.read("/config/compare", part="xgb", other_scope=OVERLAY)
    assert re.findall(r'<th scope="row">(\w+)</th>', page) == ["max_depth"]
    every = cy.read("/config/compare", part="xgb", other_scope=OVERLAY, every="yes")
    assert len(re.findall(r'<th scope="row">', every)) > 50
    models = cy.read("/config/compare", part="xgb", other_part="lgb")
    assert "learning_rate" in models
    assert "not there" not in models, "what one model alone has is no difference"


@pytest.mark.parametrize(
    ("asked", "edits"),
    [
        ({"how": "set", "by": "0.4", "parameter": "gamma"}, {"CVN_HPO_XGB_1H_GAMMA": "0.4", GAMMA: "0.4"}),
        ({"how": "multiply", "by": "2", "field": "maximum"}, {f"{GAMMA}_RANGE_MAX": "10.0"}),
        ({"how": "copy", "source": "column 1h", "column": "5m"}, {DEPTH: "9"}),
        ({"how": "copy", "source": "part lgb", "field": "minimum"}, {f"{GAMMA}_RANGE_MIN": None}),
    ],
    ids=["set", "multiply", "copy-column", "copy-model"],
)
def test_many_edits_are_shown_before_they_go_into_the_one_draft(person, seeded, asked, edits):
    """Rows and columns by filter, one operation: what it would change, then one step of the draft."""
    ada = person("ada")
    page = ada.read("/config/bulk", part="xgb", **asked)
    found = hidden(page) if "Put into my draft" in page else {}
    for key, value in edits.items():
        assert found.get(f"value:{key}") == value, key
    if any(edits.values()):
        number = change_in(ada.send("/config/draft", found))
        shown = len([name for name in found if name.startswith("value:")])
        assert f"{shown} edit" in ada.read(f"/changes/{number}")


def test_what_many_edits_cannot_do_is_named(person, seeded):
    """Values that no declaration takes, with the reasons; a factor that is no number; nothing is written."""
    ada = person("ada")
    page = ada.read("/config/bulk", part="xgb", how="set", by="lots", parameter="gamma")
    assert "5 values would be refused" in page
    assert GAMMA in page
    assert "no number" in ada.read("/config/bulk", 422, part="xgb", how="multiply", by="twice")
    assert "nothing to copy from" in ada.read("/config/bulk", 422, part="xgb", how="copy", source="column 9h")
    assert "My draft" not in ada.read("/config")


def test_the_last_step_of_a_draft_is_undone_and_so_is_that(person, seeded):
    """A paste of two keys over one is one step; undone, one is left; undone again, all three are there."""
    ada = person("ada")
    number = change_in(ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}))
    assert "Undo the last step" not in ada.read(f"/changes/{number}"), "the first step is withdrawn"
    ada.send("/config/draft", {"scope": "global", "sheet": "xgb/1h/gamma = 0.3\nxgb/1m/gamma = 0.3"})
    for n_edits in ("1 edit<", "3 edits<"):
        page = ada.read(f"/changes/{number}")
        proposal = re.search(r'name="proposal" value="([0-9a-f]{64})"', page)[1]
        ada.send(f"/changes/{number}/undo", proposal=proposal)
        assert n_edits in ada.read(f"/changes/{number}")


def test_a_broken_rule_is_named_beside_its_field_at_preview_and_while_typing(person, seeded):
    """The rule's name and message at the field that breaks it, no other; a wrong value in its own words."""
    ada = person("ada")
    page = ada.read("/config", edit="yes", part="xgb")
    fields = {**hidden(page), f"value:{DEPTH}_RANGE_MIN": "12", f"value:{GAMMA}": "many"}
    live = ada.send("/config/check", fields).text
    rule = "range_is_ordered: MIN must be below MAX"
    assert re.search(rf'data-key="{DEPTH}_RANGE_MIN".*{rule}', live)
    assert re.search(rf'data-key="{GAMMA}".*many', live)
    assert live.count("<li data-key=") == 2
    refused = ada.send("/config/draft", {**fields, f"value:{GAMMA}": "0.0"})
    assert refused.status_code == 422
    assert re.search(rf'id="wrong-{DEPTH}_RANGE_MIN"[^>]*>[^<]*{rule}', refused.text)
    assert f'id="wrong-{GAMMA}" data-wrong="{GAMMA}"></span>' in refused.text
    assert "Nothing is wrong" in ada.send("/config/check", hidden(page)).text


def test_an_open_change_of_the_same_keys_is_told_in_the_grid_and_in_the_draft(person, seeded):
    """Whose it is, its state and a link: at the cell, and on the draft before its button."""
    ada, eve = person("ada"), person("eve")
    theirs = change_in(eve.send("/config/draft", {"scope": "global", "sheet": f"{DEPTH}_RANGE_MAX = 9"}))
    link = f'href="/changes/{theirs}"'
    assert link in cell(ada.read("/config", part="xgb"), DEPTH)
    assert link not in cell(ada.read("/config", part="xgb"), GAMMA)
    assert link not in cell(eve.read("/config", part="xgb"), DEPTH), "it is Eve's own draft"
    mine = change_in(ada.send("/config/draft", {"scope": "global", "sheet": f"{DEPTH}_RANGE_MAX = 8"}))
    assert re.search(
        rf"{link}>Change {theirs}</a> of <strong>eve</strong>, draft", ada.read(f"/changes/{mine}")
    )


@pytest.fixture
def large(tmp_path):
    """The path of a catalogue of twenty thousand keys."""
    places = ", ".join(f'p{number} = "P{number}"' for number in range(100))
    parameters = "\n".join(
        f'[[parameters]]\nname = "n{number}"\ntype = "int"\nlow = 0\nhigh = 9\ndoc = "Any."\n'
        for number in range(100)
    )
    path = tmp_path / "large.toml"
    path.write_text(LARGE % (places, parameters))
    return str(path)


def test_pages_stay_small_over_twenty_thousand_keys(large, served, owner_url):
    """Every page that can be read, searched and edited is under 150 KB as transferred, all with values."""
    open_accounts(owner_url)
    catalogues = load_catalogues(large)
    with psycopg.connect(owner_url) as owner:
        text = json.dumps(dict.fromkeys(catalogues.keys, 3))
        written = "INSERT INTO ftf_config (scope, base_env) VALUES ('global', %s::jsonb) RETURNING revision"
        (revision,) = owner.execute(written, [text]).fetchone()
    key = "BIG_B_P99_N42"
    values = {"revision": str(revision), "key": key, "name": "ada"}
    queries = {
        "/config": ("part=b", "part=b&edit=yes", "search=n4", f"explain={key}"),
        "/config/compare": ("part=a&other_part=b&every=yes",),
        "/config/bulk": ("part=b&field=value&how=set&by=4",),
        "/search": ("q=n", f"q={key}", "q=9"),
        "/catalogue": ("", "search=n4"),
        "/history/compare": (f"from={revision}&to={revision}",),
        "/history/blame": ("", "match=b"),
    }
    large_pages, seen = {}, 0
    with serving_plane(replace(served, catalogues=large), catalogues) as url:
        eve = Person(url, owner_url, "eve")
        for route in READ:
            with suppress(KeyError):
                path = console.address_of(route, values)
                for query in queries.get(route.path, ("",)):
                    answer = eve.get(f"{path}?{query}" if query else path, **{"Accept-Encoding": "gzip"})
                    seen += answer.status_code == 200
                    if answer.num_bytes_downloaded > 150_000 or answer.status_code >= 500:
                        large_pages[path, query] = (answer.status_code, answer.num_bytes_downloaded)
        assert f'href="/keys/{key}"' in eve.read("/search", q=key)
        eve.close()
    assert not large_pages
    assert seen > 20


def test_twenty_thousand_keys_are_read_and_drawn_by_the_slice(large, database):
    """A page holds so many columns and values at most; slices together are all lines, each once."""
    catalogue = load_catalogues(large).members[0]
    assert len(catalogue.keys) == 20_000
    names, first = [], 0
    while True:
        outline = outline_of(catalogue, "b", first=first)
        assert len(outline.columns) == MOST_COLUMNS
        assert len(outline.keys) <= MOST_CELLS
        names += [line.parameter.name for line in outline.shown]
        first += outline.most
        if first >= len(outline.lines):
            break
    assert names == [one.name for one in catalogue.parameters]
    chosen = outline_of(catalogue, "b", columns=("p99",), search="n42")
    assert chosen.keys == ["BIG_B_P99_N42"]


def test_only_the_asked_keys_of_a_document_are_read(seeded, database, catalogues):
    """What the grid reads of a scope is its slice; a scope without a document says nothing."""
    found = read_values(database, catalogues, ["global", "symbol=NONE"], [GAMMA, DEPTH])
    assert {scope: values.keys() for scope, values in found.items()} == {"global": {GAMMA, DEPTH}}
