"""Events over HTTP: each line of a spool once, poison lines refused alone, readers miss nothing."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from support.run_reports import plan_a_run

SOURCE = "spool-0001"


def batch(*lines, start=0, source=SOURCE):
    events, sequence = [], start
    for line in lines:
        events.append({"sequence": sequence, "line": line})
        sequence += len(line) + 1
    return {"source": source, "events": events}


def told(client, **query):
    answer = client.get("/v1/events", params={"limit": 500, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_a_line_is_recorded_once_however_often_it_is_sent(http_as):
    """Two batches that overlap are counted as what they are: new lines and duplicates."""
    robot = http_as("robot")
    first = robot.post("/v1/events", json=batch("event=a n=1", "event=a n=2"))
    again = robot.post("/v1/events", json=batch("event=a n=1", "event=a n=2", "event=a n=3"))
    other = robot.post("/v1/events", json=batch("event=a n=1", source="spool-0002"))

    assert first.json() == {"accepted": 2, "duplicates": 0, "refused": []}
    assert again.json() == {"accepted": 1, "duplicates": 2, "refused": []}
    assert other.json()["accepted"] == 1
    mine = [row for row in told(http_as("cy")) if row["source"] == SOURCE]
    assert [row["fields"]["n"] for row in mine] == ["1", "2", "3"]
    assert {row["account"] for row in mine} == {"robot"}


def test_an_event_is_kept_as_it_is(http_as):
    """Known or not, it keeps its line, its pairs, its run, its level and the time it tells."""
    line = 'event=brand_new run=r1 note="a \\"b\\"" level=warn ts=2026-05-11T12:00:00.250000Z'
    http_as("robot").post("/v1/events", json=batch(line))
    (row,) = told(http_as("cy"))

    assert (row["line"], row["name"], row["run"], row["level"]) == (line, "brand_new", "r1", "warn")
    assert row["fields"]["note"] == 'a "b"'
    assert row["at"] == "2026-05-11T12:00:00.250000+00:00"


@pytest.mark.parametrize(
    "poison",
    [
        "",
        "no pairs here",
        'event="torn',
        "level=info",
        "event=",
        f"event={'x' * 201}",
        f"event=x {'y=1 ' * 20000}",
    ],
    ids=["empty", "words", "torn", "nameless", "empty name", "long name", "long line"],
)
def test_a_poison_line_is_refused_alone(http_as, poison):
    """What is no event is named by its place; the lines around it are recorded."""
    body = batch("event=a", poison, "event=b")
    answer = http_as("robot").post("/v1/events", json=body)

    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    (refused,) = answer.json()["refused"]
    assert (refused["index"], refused["sequence"]) == (1, body["events"][1]["sequence"])
    assert [row["name"] for row in told(http_as("cy"))] == ["a", "b"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"source": SOURCE, "events": []},
        {"source": "", "events": [{"sequence": 0, "line": "event=a"}]},
        {"source": SOURCE, "events": [{"sequence": -1, "line": "event=a"}]},
        {"source": SOURCE, "events": [{"sequence": 0, "line": 7}]},
        {"source": SOURCE, "events": [{"sequence": 0}]},
    ],
    ids=str,
)
def test_a_batch_that_is_none_is_refused(http_as, body):
    """Without source, lines or sequences there is nothing to record once."""
    assert http_as("robot").post("/v1/events", json=body).status_code == 422


def test_events_are_found_by_run_name_level_and_time(http_as):
    """Filters leave out the rest; time has an open end."""
    lines = [f"event={n} run=r{n} level=l{n} ts=2026-05-1{n}T00:00:00Z" for n in range(1, 4)]
    http_as("robot").post("/v1/events", json=batch(*lines))
    cy = http_as("cy")

    assert [row["name"] for row in told(cy, run="r1")] == ["1"]
    assert [row["name"] for row in told(cy, name="2")] == ["2"]
    assert [row["name"] for row in told(cy, level="l3")] == ["3"]
    assert [row["name"] for row in told(cy, since="2026-05-12T00:00:00Z")] == ["2", "3"]
    assert [row["name"] for row in told(cy, until="2026-05-12T00:00:00Z")] == ["1"]


def test_a_reader_who_goes_on_misses_nothing(http_as):
    """Pages read while eight senders deliver are, put together, each event once."""
    robot, cy = http_as("robot"), http_as("cy")
    robot.post("/v1/events", json=batch("event=first"))

    def send(number):
        for part in range(5):
            lines = [f"event=e n={number}-{part}-{i}" for i in range(10)]
            robot.post("/v1/events", json=batch(*lines, source=f"spool-1{number:03}", start=1000 * part))

    seen, after = [], {}
    with ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(send, number) for number in range(8)]
        while len(seen) < 401:
            answer = cy.get("/v1/events", params={"limit": 7, **after}).json()
            seen += answer["items"][:-1] if answer["next"] else []
            if answer["next"]:
                seen.append(answer["items"][-1])
                after = {"after": answer["next"]}
            elif all(sent.done() for sent in sending):
                seen += answer["items"]
                break
    for sent in sending:
        sent.result()

    assert len(seen) == len({row["id"] for row in seen}) == 401


def test_a_source_and_a_run_belong_to_an_account(http_as, database):
    """Nobody delivers under another's source, nor events of another's run; an admin may."""
    start = plan_a_run(database)
    run = start["plan"]["run"]
    assert http_as("robot").put(f"/v1/runs/{run}", json=start).status_code == 200
    http_as("robot").post("/v1/events", json=batch("event=a"))
    taken = http_as("ada").post("/v1/events", json=batch("event=b", start=100))
    forged = http_as("ada").post("/v1/events", json=batch(f"event=c run={run}", source="spool-ada"))

    assert (taken.status_code, forged.status_code) == (403, 403)
    assert run in forged.json()["detail"]
    assert [row["name"] for row in told(http_as("cy"))] == ["a"]
    assert http_as("dan").post("/v1/events", json=batch(f"event=d run={run}", start=100)).status_code == 200


@pytest.mark.parametrize("account", ["cy", "bo", "stranger"])
def test_only_reporters_deliver(http_as, account):
    """Who only reads or approves delivers nothing."""
    assert http_as(account).post("/v1/events", json=batch("event=a")).status_code == 403


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event_log SET name = 'x'",
        "DELETE FROM event_log",
        "TRUNCATE event_log",
        "DELETE FROM event_sources",
    ],
)
def test_events_are_append_only(http_as, app_url, owner_url, statement):
    """Neither the application nor the owner of the tables changes or removes an event."""
    http_as("robot").post("/v1/events", json=batch("event=a"))
    for url in (app_url, owner_url):
        with psycopg.connect(url) as psql, pytest.raises(psycopg.Error):
            psql.execute(statement)


def test_what_happens_once_counts_once_over_http(http_as):
    """The same id of the same run, from two spools, is one event; another run's is another."""
    robot, line = http_as("robot"), "event=hpo_fallback_applied key=K unit=u event_id=0123 run="
    first = robot.post("/v1/events", json=batch(f"{line}r1", f"{line}r1", "event=process_pinned run=r2"))
    again = robot.post("/v1/events", json=batch(f"{line}r1", f"{line}r3", source="spool-0002"))

    assert (first.json()["accepted"], first.json()["duplicates"]) == (2, 1)
    assert (again.json()["accepted"], again.json()["duplicates"]) == (1, 1)
    share = http_as("cy").get("/v1/fallbacks").json()
    assert share == {"units_started": 3, "units_fell_back": 2, "share": 2 / 3, "keys": {"K": 2}}
    assert http_as("cy").get("/v1/fallbacks?run=r2").json()["share"] == 0.0
    assert http_as("cy").get("/v1/fallbacks?since=yesterday").status_code == 422
