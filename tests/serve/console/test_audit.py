"""The audit on pages: the access log by account, kind and time, and what people decided; for admins."""

import csv
import io
import re

import psycopg
import pytest

from support.browsers import change_in, proposal_in

LINES = """
    INSERT INTO access_log (event, account, remote, actor, at)
    SELECT CASE WHEN n %% 2 = 0 THEN 'login_ok' ELSE 'login_failed' END, 'ada', '+1', 'ada',
           timestamptz '2026-06-01 00:00Z' + n * interval '1 day'
    FROM generate_series(1, %s) AS n
"""


@pytest.fixture
def noted(person, owner_url):
    """A log with a line a day from the second of June on."""
    person("dan")
    with psycopg.connect(owner_url) as owner:
        owner.execute("ALTER TABLE access_log DISABLE TRIGGER USER")
        owner.execute(LINES, [250])


def test_lines_are_found_by_account_event_and_time(person, noted):
    """As the API and the command find them; the file of a filter has every line of it, formulas disarmed."""
    dan = person("dan")
    asked = {
        "account": "ada",
        "event": "login_failed",
        "since": "2026-06-02T00:00",
        "until": "2026-06-08T00:00",
    }
    page = dan.read("/audit", **asked)
    assert len(re.findall(r"<tr><td", page)) == 3
    assert "2 Jun" in page
    assert "setpoint audit --account ada --event login_failed --since 2026-06-02T00:00:00+00:00" in page
    rows = list(csv.DictReader(io.StringIO(dan.read("/audit", table="access", format="csv", account="ada"))))
    assert len(rows) == 250
    assert {row["remote"] for row in rows} == {"'+1"}
    assert "No line is like that" in dan.read("/audit", account="nobody")


def test_the_log_is_read_page_by_page(person, noted):
    """The address keeps the filters, and every line comes once, the newest first."""
    dan, seen, address = person("dan"), [], "/audit?account=ada"
    while address:
        page = dan.get(address).text
        seen += [int(number) for number in re.findall(r'<tr><td class="number">(\d+)', page)]
        more = re.search(r'href="([^"]+)">Older lines', page)
        address = more and more[1].replace("&amp;", "&")
    assert len(seen) == 250
    assert seen == sorted(set(seen), reverse=True)


def test_decisions_are_listed_with_their_changes(person, asks_for_approval):
    """Who approved what with which words, found by person and decision."""
    ada, bo, dan = person("ada"), person("bo"), person("dan")
    draft = {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}
    change = change_in(ada.send("/config/draft", draft))
    path = f"/changes/{change}"
    ada.send(f"{path}/propose", proposal=proposal_in(ada.read(path)), words="calmer")
    bo.send(f"{path}/approve", proposal=proposal_in(bo.read(path)), words="fine by me")
    page = dan.read("/audit/decisions", account="bo", decision="approve")
    assert "fine by me" in page
    assert f'href="{path}"' in page
    assert "No line is like that" in dan.read("/audit/decisions", account="ada")


@pytest.mark.parametrize("path", ["/audit", "/audit/decisions"])
def test_what_cannot_be_asked_is_refused_on_a_page(person, path):
    """No instant, no place in the list, an unknown filter; and anybody who is no admin."""
    for wrong in ({"since": "yesterday"}, {"after": "x"}, {"no": "1"}):
        assert 'role="alert"' in person("dan").read(path, 422, **wrong)
    assert "admin" in person("ada").read(path, 403)
