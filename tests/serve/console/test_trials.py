"""The trials of a run on its page: charts with addresses of their own, beside tables of the same numbers."""

import re
import sys

import psycopg
import pytest

from setpoint.change.impact import Bounds
from setpoint.record.densities import recent_densities
from support.browsers import change_in
from support.past_months import move_to
from support.searched_runs import KEY, PARAM, record_a_search

IMAGE = re.compile(
    r'<img class="chart" src="([^"]+)" width="(\d+)" height="(\d+)" loading="lazy" alt="([^"]+)"'
)
SVG_ROOT = re.compile(r'<svg [^>]*width="(\d+)" height="(\d+)"')


@pytest.fixture
def run(database, catalogues, person):
    """A finished run of two units; the good trials of both lie at the low edge of the learning rate."""
    rates = [0.05, 0.0505, *(0.06 + 0.008 * n for n in range(10))]
    return record_a_search(database, catalogues, [rates, rates])


def test_each_chart_has_an_address_a_size_a_text_and_a_table(person, run):
    """What the page reserves is what is drawn; charts carry both surfaces' colours under a strict policy."""
    cy = person("cy")
    page = cy.read(f"/runs/{run}/charts")
    images = IMAGE.findall(page)
    names = {src.partition("?")[0].rpartition("/")[2] for src, *_ in images}
    assert {"history.svg", "importance.svg", "parallel.svg", f"{PARAM}.svg"} <= names
    assert page.count("<details") >= len(images)
    for src, width, height, alt in images:
        answer = cy.get(src)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/svg+xml"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert SVG_ROOT.match(answer.text).groups() == (width, height)
        assert "prefers-color-scheme:dark" in answer.text
        assert "<script" not in answer.text
        assert len(alt) > 20


def test_a_chart_is_named_by_what_it_shows(person, run, database, catalogues):
    """Its browser asks again with the tag and is told that it has it; other trials are another chart."""
    cy = person("cy")
    address = f"/runs/{run}/charts/history.svg"
    first = cy.get(address)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    assert cy.get(address, **{"If-None-Match": tag}).status_code == 304
    alone = cy.get(f"{address}?model=lgb&timeframe=5m&unit=1")
    assert alone.headers["etag"] != tag
    assert cy.get(f"{address}?model=lgb&timeframe=5m&unit=1").headers["etag"] == alone.headers["etag"]
    for wrong in ("none.svg", "history.svg?model=xgb&timeframe=5m", "history.svg?unit=99"):
        assert cy.get(f"/runs/{run}/charts/{wrong}").status_code == 404


def test_trials_are_held_against_their_ranges(person, run):
    """Of each edge the share of trials and of good ones; the range that may be too narrow is marked."""
    page = person("cy").read(f"/runs/{run}/charts")
    row = re.search(rf'<tr><th scope="row"><a href="/keys/{KEY}">.*?</tr>', page)[0]
    assert "at its edge" in row
    assert re.findall(r"[\d.]+ %", row)[:4] == ["16.7 %", "66.7 %", "0.0 %", "0.0 %"]
    assert "expected loss" in row
    assert "24 trials of 2 units" in page
    assert "24 trials" not in person("cy").read(f"/runs/{run}/charts", model="lgb", timeframe="5m", unit="0")


def test_without_the_library_the_tables_stand_and_it_is_said_what_to_install(person, run, monkeypatch):
    """No chart is on the page, its tables are open, and a chart's address says the same as an error."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    cy = person("cy")
    page = cy.read(f"/runs/{run}/charts")
    assert not IMAGE.findall(page)
    assert "pip install 'setpoint[charts]'" in page
    assert "<details open" in page
    answer = cy.get(f"/runs/{run}/charts/history.svg")
    assert answer.status_code == 503
    assert "setpoint[charts]" in answer.text


def test_a_run_without_trials_says_when_they_arrive(person, database, catalogues):
    """A page with neither charts nor tables, and no chart to ask for."""
    cy = person("cy")
    run = record_a_search(database, catalogues, [[]], ends=False)
    assert "Trials arrive with their unit" in cy.read(f"/runs/{run}/charts")
    assert cy.get(f"/runs/{run}/charts/history.svg").status_code == 404


def test_a_run_suggests_ranges_that_go_into_a_draft_with_their_evidence(person, database, catalogues):
    """Good trials at the low edge move it out; the draft cites the run, and nothing is in force by it."""
    ada, cy = person("ada"), person("cy")
    rates = [0.05, 0.0505, 0.051, *(0.06 + 0.001 * n for n in range(77))]
    run = record_a_search(database, catalogues, [rates, rates])
    address = f"/runs/{run}/ranges"
    fields = {"model": "lgb", "timeframe": "5m", "param": PARAM}
    assert cy.send(address, fields).status_code == 403
    assert "This needs the role config_write or admin" in cy.read(f"/runs/{run}/charts")
    assert "No range is chosen" in ada.send(address, {**fields, "param": "none"}).text
    number = change_in(ada.send(address, fields))
    page = ada.read(f"/changes/{number}")
    assert f"run {run}" in page
    assert f"{KEY}_RANGE_MIN" in page
    assert "draft" in page
    assert cy.read(f"/keys/{KEY}_RANGE_MIN").count("0.05") > 0


def test_the_density_of_recent_trials_stands_behind_a_range_of_the_grid(person, run, database, catalogues):
    """Counted in even parts of the range on its own scale; a range that nobody searched has none."""
    declared = {one.name: one for one in catalogues.groups["lgb", "5m"]}
    found = recent_densities(database, [(declared[KEY], Bounds(0.05, 0.15, "log"))])
    assert sum(found[KEY]) == 24
    assert found[KEY][0] == 4
    assert recent_densities(database, [(declared[KEY], Bounds(0.1, 0.1, "log"))]) == {}
    cy = person("cy")
    legend = 1
    assert cy.read("/config", part="lgb").count('class="density"') > legend
    assert cy.read("/config", part="xgb").count('class="density"') == legend


def test_trials_that_were_dropped_are_not_taken_for_none(person, run, database, owner_url):
    """The page says which month is gone, and shows what stays: importance, with its chart."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        move_to(owner, database, run, "2025-01-05")
        owner.execute("SELECT drop_month('finetune_trials', '2025-01-01')")
    cy = person("cy")
    page = cy.read(f"/runs/{run}/charts")
    assert "Tuning trials of units that ended in 2025-01 were dropped" in page
    assert "No trial has ended" not in page
    ((src, *_),) = IMAGE.findall(page)
    assert "importance.svg" in src
    assert cy.get(src).status_code == 200
    assert "Tuning trials of units that ended in 2025-01 were dropped" in cy.read(f"/runs/{run}")
