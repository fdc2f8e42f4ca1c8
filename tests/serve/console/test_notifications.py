"""Notifications on a page: targets without their secrets, deliveries, and a button that tries one again."""

import html

import psycopg


def test_admins_see_what_was_not_sent_and_try_it_again(person, owner_url):
    """A delivery that was given up stands with its reason; tried again, it waits. Nobody else may look."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        (number,) = owner.execute(
            "WITH n AS (INSERT INTO notifications (kind, subject, people, facts)"
            " VALUES ('change_approved', 'change 1', '{ada}', '{\"change\": 1}') RETURNING id)"
            " INSERT INTO deliveries (notification, target, subject, people, state, error)"
            " SELECT id, 'ops', 'change 1', '{ada}', 'failed', 'it <b>answered</b> 500' FROM n RETURNING id"
        ).fetchone()
        dan = person("dan")
        page = dan.get("/audit/notifications").text
        assert "it &lt;b&gt;answered&lt;/b&gt; 500" in page
        assert 'href="/changes/1"' in page
        assert "SETPOINT_NOTIFY" in page
        dan.send(f"/audit/notifications/{number}/retry")
        assert owner.execute("SELECT state FROM deliveries").fetchone() == ("waiting",)
        assert (
            "there is no delivery 99" in html.unescape(dan.send("/audit/notifications/99/retry").text).lower()
        )
    assert "admin" in person("ada").read("/audit/notifications", 403)
