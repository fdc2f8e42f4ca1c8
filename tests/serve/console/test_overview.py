"""The overview: one glance tells whether a hand is needed, and where."""

import re

import psycopg

from support.lived_in import live_in, train

KEY = "CVN_HPO_XGB_5M_GAMMA"


def tile(page, name):
    """Return the text of a tile."""
    found = re.search(rf">{name}</h2>(.*?)</section>", page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def tone(page, name):
    """Return the tone of a tile; empty for grey."""
    return re.search(rf'class="tile ?(\w*)" aria-labelledby="{name}"', page)[1]


def test_a_calm_plane_says_so(person):
    """Everything has a value, nothing waits, no run is complete, and each tile leads on."""
    page = person("cy").read("/")
    assert tile(page, "Coverage").startswith("100 % of declared keys")
    assert tile(page, "Waits for you") == "0 of 0 open"
    assert tile(page, "Old snapshots") == "0 of 0 holders"
    assert tile(page, "Latest verdict") == "none no run is complete"
    assert 'href="/config?catalogue=cvntrade&part=xgb"' in page
    assert tone(page, "t-coverage") == "good"
    for reported in ("t-fallbacks", "t-holders"):
        assert tone(page, reported) == "", "nobody reported, so nothing is known to be good"
    assert "nobody reported" in person("cy").read("/snapshots")


def test_a_run_under_way_that_holds_older_values_is_counted(person, database, http_as, owner_url):
    """Until something else is written it holds what stands; when it ends it counts no more."""
    run, cy, ada = train(database, http_as("robot")), person("cy"), http_as("ada")
    assert "Running runs: 1 holds what stands" in cy.read("/snapshots")
    tag = ada.get("/v1/config/global").headers["etag"]
    body = {"set": {KEY: 0.25}, "reason": "less overfitting"}
    assert ada.patch("/v1/config/global", json=body, headers={"If-Match": tag}).status_code == 200
    page = cy.read("/")
    assert tile(page, "Old snapshots") == "0 of 0 holders; 1 running run holds older values"
    assert tone(page, "t-holders") == "warn"
    snapshots = cy.read("/snapshots")
    assert "1 of 1 holds older values" in snapshots
    assert f'href="/runs/{run}"' in snapshots
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE finetune_runs SET state = 'complete', finished_at = started_at")
    assert f'href="/runs/{run}"' not in cy.read("/snapshots")


def test_a_key_without_a_value_is_seen_where_it_lacks(person, owner_url):
    """The model and timeframe that lacks one is marked, and leads to the key."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE ftf_config SET base_env = base_env - %s WHERE id = 1", [KEY])
    page = person("cy").read("/")
    assert "100 %" not in tile(page, "Coverage")
    assert re.search(rf'href="/keys/{KEY}" title="{KEY} has no value">36 of 37', page)


def test_a_verdict_and_what_waits_are_told(person, database, http_as, owner_url):
    """The newest complete run has its verdict; what an approver is to decide counts for them."""
    values = live_in(database, http_as)
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "UPDATE finetune_runs SET state = 'complete', finished_at = started_at WHERE id = %s",
            [values["run"]],
        )
    page = person("bo").read("/")
    assert tile(page, "Waits for you") == "1 of 1 open"
    assert tile(page, "Latest verdict") == "insufficient data on synthetic data"
    assert f'href="/runs/{values["run"]}"' in page
