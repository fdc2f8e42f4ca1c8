"""The tables of pages as files: each offers CSV and JSON, with the page's filters and all of its rows."""

import csv
import io
import re

import pytest

from setpoint.observe.printable import printable_table
from setpoint.serve.console import tables
from support.console_pages import READ, address_of

#: Pages whose tables have no files of their own, and why.
WITHOUT = {"/": "the beginnings of what /changes and /history list, and a count of what /catalogue does"}
TABLE = re.compile(r"<table.*?</table>", re.DOTALL)
PROSE = re.compile(r'<section class="prose".*?</section>', re.DOTALL)
#: A month draws dates of the tables below it.
MONTH = re.compile(r'<table class="month".*?</table>', re.DOTALL)
FILES = re.compile(r'<p class="files">(.*?)</p>')
LINK = re.compile(r'href="([^"]+)"')


def rows_in(table):
    """Return how many rows of data a table shows: not those that head a group, or say that there is none."""
    rows = re.findall(r"<tr.*?</tr>", table.partition("<tbody>")[2], re.DOTALL)
    return len([row for row in rows if not re.search('class="(group|empty|quiet)', row)])


def files_of(page):
    """Yield each table of a page with the addresses under it, up to the next; of prose and months none."""
    page = MONTH.sub("", PROSE.sub("", page))
    places = [found.span() for found in TABLE.finditer(page)]
    for number, (start, end) in enumerate(places):
        until = places[number + 1][0] if number + 1 < len(places) else len(page)
        found = FILES.search(page, end, until)
        yield page[start:end], LINK.findall(found[1]) if found else []


def test_each_table_is_had_as_csv_and_json(person, lived_in):
    """Whatever page, whatever table with something in it: both files, of no fewer rows than it shows."""
    dan, without, seen = person("dan"), [], 0
    for route in READ:
        address = lived_in.get(route.path, address_of(route))
        answer = dan.get(address)
        if route.path in WITHOUT or answer.status_code != 200:
            continue
        for table, links in files_of(answer.text):
            if not (shown := rows_in(table)):
                continue
            seen += 1
            got = [dan.get(link.replace("&amp;", "&")) for link in links]
            if [one.status_code for one in got] != [200, 200]:
                without.append((address, table[:200], links))
                continue
            n_lines = len(list(csv.reader(io.StringIO(got[0].text)))) - 1
            items = got[1].json()["items"]
            assert (n_lines, got[1].json()["whole"]) == (len(items), True), address
            assert len(items) >= min(shown, 1), address
            assert "attachment" in got[0].headers["content-disposition"]
    assert not without
    assert seen > 12


def test_a_file_has_the_filters_of_its_page_and_says_when_it_is_cut(person, lived_in, monkeypatch):
    """Of one scope, from the beginning wherever the page stands; a part is named so."""
    cy = person("cy")
    link = next(links for _, links in files_of(cy.get("/history?scope=global&after=MTo5OTk").text))[0]
    rows = list(csv.DictReader(io.StringIO(cy.get(link.replace("&amp;", "&")).text)))
    assert {row["scope"] for row in rows} == {"global"}
    assert "less overfitting" in {row["change_reason"] for row in rows}
    assert "after" not in link
    monkeypatch.setattr(tables, "MOST_ROWS", 1)
    cut = cy.get("/history?table=revisions&format=json")
    assert 'filename="revisions-first-1.json"' in cut.headers["content-disposition"]
    assert (len(cut.json()["items"]), cut.json()["whole"]) == (1, False)


def test_a_file_that_is_none_is_refused_on_a_page(person):
    """Another format is no file, nor is a table that the page has not; the page says which there are."""
    cy = person("cy")
    assert "csv or json" in cy.read("/history", 422, table="revisions", format="xml")
    assert "it has revisions" in cy.read("/history", 404, table="none", format="csv").lower()


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, '""'),
        ({}, '""'),
        (True, '"true"'),
        (0, "0"),
        (-0.5, "-0.5"),
        ({"a": 1}, '"{""a"": 1}"'),
        ("-x", '"\'-x"'),
    ],
)
def test_a_cell_says_what_a_record_holds(value, cell):
    """Nothing is empty, a truth and what is nested are JSON's, a number is bare, a formula is disarmed."""
    assert list(printable_table(["a"], [{"a": value}])) == ['"a"', cell]
