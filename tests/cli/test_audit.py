"""`setpoint audit`: what happened at the doors, by time, in pages, and as a file that a spreadsheet reads."""

import csv
import io

import psycopg
import pytest

from setpoint.observe.printable import printable_csv

NOTED = [
    ("2026-06-01T00:00:00Z", "login_ok", "ada", "203.0.113.7"),
    ("2026-06-30T23:59:59.999999Z", "login_failed", "=HYPERLINK(1)", "203.0.113.7"),
    ("2026-07-01T00:00:00Z", "login_ok", "bo", "+1"),
]


@pytest.fixture
def noted(setpoint_command, owner_url):
    """An access log of two months, a name that is a formula in it."""
    with psycopg.connect(owner_url) as owner:
        for at, event, account, remote in NOTED:
            owner.execute(
                "INSERT INTO access_log (at, event, account, remote, actor, detail)"
                " VALUES (%s, %s, %s, %s, '-', jsonb_build_object('label', '@SUM(A1)'))",
                (at, event, account, remote),
            )
    return setpoint_command


def test_months_that_follow_each_other_hold_each_line_once(noted):
    """The first instant is in, the last is not; an offset is taken, a day alone begins in UTC."""
    june = noted("audit", "--since", "2026-06-01", "--until", "2026-07-01", "--json").json
    july = noted("audit", "--since", "2026-07-01T02:00:00+02:00", "--until", "2026-08-01", "--json").json
    assert [one["account"] for one in june["items"]] == ["=HYPERLINK(1)", "ada"]
    assert [one["account"] for one in july["items"]] == ["bo"]
    assert [one["account"] for one in noted("audit", "--event", "login_failed", "--json").json["items"]] == [
        "=HYPERLINK(1)"
    ]
    refused = noted("audit", "--since", "yesterday")
    assert (refused.code, "--since" in refused.err) == (2, True)


def test_pages_go_on_where_the_one_before_ended(noted):
    """`next` of a page is `--before` of the next; the last has none."""
    seen, before = [], ()
    while True:
        page = noted("audit", "--limit", "1", "--until", "2026-08-01", "--json", *before).json
        seen += [one["account"] for one in page["items"]]
        if page["next"] is None:
            break
        before = ("--before", str(page["next"]))
    assert seen == ["bo", "=HYPERLINK(1)", "ada"]
    assert "older ones: --before" in noted("audit", "--limit", "1").out


def test_a_spreadsheet_finds_no_formula(noted):
    """Every line is there, whatever the limit; a cell that would be a formula has an apostrophe in front."""
    written = noted("audit", "--csv", "--limit", "1", "--until", "2026-08-01").out
    header, *rows = csv.reader(io.StringIO(written))
    assert header[:4] == ["id", "at", "event", "account"]
    assert [row[3] for row in rows] == ["bo", "'=HYPERLINK(1)", "ada"]
    assert {row[4] for row in rows} == {"'+1", "203.0.113.7"}
    assert noted("audit", "--csv", "--json").code == 2


def test_cells_are_text_and_stay_on_their_line():
    """Signs in front, in full width and behind blanks too; numbers stay numbers; controls are escapes."""
    for sign in "=+-@\uff1d\uff0b\uff0d\uff20":
        for text in (f"{sign}1", f"  {sign}1"):
            ((cell,),) = csv.reader([printable_csv([text])])
            assert cell == f"'{text}"
    line = printable_csv(["a\nb", "\t=1", 'say "so", she said', -1.5, 7, True])
    assert next(csv.reader([line])) == ["a\\nb", "\\t=1", 'say "so", she said', "-1.5", "7", "True"]
