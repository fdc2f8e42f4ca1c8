"""Dates laid out as months: on their days of UTC, whatever runs over several, and around today."""

from datetime import UTC, datetime, timedelta, timezone

from setpoint.serve.console.months import MOST_MONTHS, Mark, months_of

NOW = datetime(2026, 8, 9, 23, 59, tzinfo=UTC)


def marked(months):
    return {
        (month.name, day.on.day): [one.text for one in day.marks]
        for month in months
        for week in month.weeks
        for day in week
        if day.marks
    }


def test_a_mark_stands_on_its_day_of_utc_and_one_of_several_days_on_each():
    """The last day of a window is the one before its end; weeks begin on Monday and hold seven days."""
    ahead = timezone(timedelta(hours=14))
    marks = [
        Mark(datetime(2026, 8, 10, tzinfo=UTC).astimezone(ahead), "T+90", "#a"),
        Mark(NOW, "freeze", "#b", "warn", datetime(2026, 8, 12, tzinfo=UTC)),
        Mark(datetime(2026, 8, 11, tzinfo=UTC), "owed", "#c", "bad"),
    ]
    months = months_of(marks, NOW)

    assert marked(months) == {
        ("August 2026", 9): ["freeze"],
        ("August 2026", 10): ["T+90", "freeze"],
        ("August 2026", 11): ["freeze", "owed"],
    }
    (august,) = months
    assert [day.tone for week in august.weeks for day in week if day.marks] == ["warn", "warn", "bad"]
    assert {(len(week), week[0].on.weekday()) for week in august.weeks} == {(7, 0)}
    assert [day.on.day for week in august.weeks for day in week if day.is_today] == [9]


def test_months_without_a_mark_are_left_out_and_the_nearest_are_kept():
    """Today's month is always there, however far the dates are and however long a window runs."""
    far = [Mark(NOW + timedelta(days=40 * n), f"{n}", "#") for n in range(1, 20)]
    endless = Mark(NOW, "freeze", "#", ends_at=datetime(9999, 12, 31, tzinfo=UTC))

    assert [one.name for one in months_of([], NOW)] == ["August 2026"]
    assert [one.name for one in months_of(far[1:2], NOW)] == ["August 2026", "October 2026"]
    months = months_of([*far, endless], NOW)
    assert (len(months), months[0].name) == (MOST_MONTHS, "August 2026")
