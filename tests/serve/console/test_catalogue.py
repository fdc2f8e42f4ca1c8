"""The catalogue on pages: what a key means, what rules name it, where it is set, who read it last."""

import re

import pytest

from support.run_reports import plan_a_run

KEYS = re.compile(r'href="/catalogue/(CVN_\w+)"')


def keys_in(page):
    return KEYS.findall(page)


def test_keys_are_found_by_what_somebody_knows_of_them(person):
    """By a library's name for it, its meaning, model, timeframe and kind; filters are in the address."""
    cy = person("cy")
    assert keys_in(cy.read("/catalogue", search="min_split_loss", timeframe="5m")) == ["CVN_HPO_XGB_5M_GAMMA"]
    found = keys_in(cy.read("/catalogue", model="lgb", timeframe="1h", kind="tuned"))
    assert found
    assert all(key.startswith("CVN_HPO_LGB_1H_") for key in found)
    rounds = keys_in(cy.read("/catalogue", model="lgb", kind="rounds"))
    assert "CVN_HPO_LGB_1H_EARLY_STOPPING_ROUNDS" in rounds
    assert keys_in(cy.read("/catalogue", catalogue="cvntrade-training", model="lgb")) == []
    empty = cy.read("/catalogue", search="no such thing")
    assert "No declared key is like that" in empty
    assert "setpoint keys" in empty


def test_pages_of_keys_follow_each_other_until_all_were_seen(person, catalogues):
    """Each key of a value once, in the order of declaration; a file has all of them."""
    cy, seen, address = person("cy"), [], "/catalogue"
    while address:
        page = cy.get(address).text
        seen += keys_in(page)
        more = re.search(r'href="([^"]+)">More keys', page)
        address = more and more[1].replace("&amp;", "&")
    assert seen == [name for name, one in catalogues.keys.items() if not one.key.field]
    assert len(cy.get("/catalogue?table=keys&format=json").json()["items"]) == len(seen)


@pytest.mark.parametrize("wrong", ["?no=1", "?model=xgb&model=lgb", "?after=x"])
def test_an_address_that_is_none_says_so(person, wrong):
    """An unknown filter, one given twice, and a place that no page led to."""
    answer = person("cy").get(f"/catalogue{wrong}")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_a_parameter_says_all_that_is_declared_of_it(person):
    """Bounds, the library's spellings, when it has effect, rules with what they read, and every key of it."""
    page = person("cy").read("/catalogue/lgb/5m/subsample")
    for shown in ("from 0.05 to 1.0", "sub_row", "bagging_freq > 0", "model lgb", "cvntrade 1.0.0"):
        assert shown in page, shown
    assert len(set(re.findall(r'href="/keys/(CVN_HPO_LGB_\w+_SUBSAMPLE)"', page))) == 5
    assert 'search=subsample#CVN_HPO_LGB_5M_SUBSAMPLE"' in page
    assert 'id="CVN_HPO_LGB_5M_SUBSAMPLE"' in person("cy").read("/config", part="lgb")
    rules = person("cy").read("/catalogue/CVN_HPO_XGB_5M_GAMMA_RANGE_MIN")
    assert re.search(r"reads .*CVN_HPO_XGB_5M_GAMMA_RANGE_MAX", rules)
    assert "gamma" in person("cy").read("/catalogue/xgb/5m/gama", 404)


def test_the_last_run_that_read_a_key_is_named(person, database, http_as):
    """It links the newest run that read it, once that has ended; what no run read says so."""
    start, read = plan_a_run(database), "CVN_FTF_SEED"
    run = start["plan"]["run"]
    robot, cy = http_as("robot"), person("cy")
    assert robot.put(f"/v1/runs/{run}", json=start).status_code == 200
    assert "no run" in cy.read(f"/catalogue/{read}")
    outcome = {"state": "complete", "read_keys": [read], "fallbacks": {}}
    ended = robot.put(f"/v1/runs/{run}/outcome", json=outcome)
    assert ended.status_code == 200, ended.text
    assert f'href="/runs/{run}"' in cy.read(f"/catalogue/{read}")
    assert read not in keys_in(cy.read("/catalogue", state="unread", search=read))
    assert read in keys_in(cy.read("/catalogue", state="set", search=read))
    assert keys_in(cy.read("/catalogue", state="unset", catalogue="cvntrade")) == []
