"""Pinning over HTTP: what is verified, what is kept, and when what was kept is used."""

import json
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import setpoint
from setpoint.client.plane import answers, last_known_good
from setpoint.client.snapshot import Snapshot
from setpoint.errors import (
    CatalogueMismatch,
    CorruptSnapshot,
    EnvironmentDisagrees,
    ForbiddenError,
    HashMismatch,
    IntegrityError,
    InvalidContext,
    InvalidDocument,
    PlaneUnavailable,
    TooManyRequests,
    UnauthenticatedError,
    UsageError,
)
from support.fault_proxy import fault_proxy
from support.misbehaving_plane import (
    CATALOGUES,
    GAMMA,
    SEED,
    TOKEN,
    body,
    cut,
    etag_of,
    for_ever,
    hang_up,
    refuse,
    reply,
    snapshot_of,
    status,
)

CONTEXT = {"symbol": "BTCUSDC"}
DEEP = "[" * 200_000 + "]" * 200_000


def rekept(text, body):
    """Return the text of a kept answer with another body, named as that body is."""
    named = {"body": body, "etag": last_known_good.etag_of(body)}
    return json.dumps(json.loads(text) | named)


@pytest.fixture
def events(tmp_path):
    def lines():
        file = tmp_path / "events.log"
        return file.read_text().splitlines() if file.exists() else []

    return lines


def kept(environ):
    return sorted(Path(environ["SETPOINT_HOME"], "planes").glob("*"))


def test_a_pin_asks_for_its_context_and_says_who_asks(small, environ):
    """The query is the context; the client names itself, with a token that only the plane sees."""
    small.token = TOKEN
    hp = setpoint.pin(
        {"symbol": "BTC USDC&ü", "profile": "demo"}, environ=environ | {"SETPOINT_TOKEN": TOKEN}
    )
    ((_, _, query, headers),) = small.requests

    assert query == {"symbol": "BTC USDC&ü", "profile": "demo"} == hp.snapshot.context
    client, *facts = headers["Setpoint-Client"].split("; ")
    assert len(client) == 32
    assert facts[1:] == [f"pid={os.getpid()}", "run="]
    assert hp.snapshot.origin == f"plane {small.url}"
    assert hp.snapshot.verified


def test_a_second_pin_is_answered_from_what_is_kept(small, environ):
    """An unchanged document is not sent twice: the second pin names the ETag it holds."""
    first = setpoint.pin(CONTEXT, environ=environ)
    second = setpoint.pin(CONTEXT, environ=environ)

    assert small.requests[1][3]["If-None-Match"] == etag_of(small.body(CONTEXT))
    assert second.hash == first.hash
    assert second.snapshot.origin == f"plane {small.url}, unchanged"
    small.change(**{GAMMA: 2.0})
    assert setpoint.pin(CONTEXT, environ=environ).resolve("xgb", "5m", "gamma") == 2.0


def test_what_is_kept_is_private_and_apart(small, environ):
    """One file for each context, readable by its owner alone, and nothing beside it."""
    setpoint.pin(CONTEXT, environ=environ)
    setpoint.pin({"symbol": "ETHUSDC"}, environ=environ)
    setpoint.pin(CONTEXT, environ=environ)

    assert len(kept(environ)) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in kept(environ)} == {0o600}
    assert all(TOKEN not in file.read_text() for file in kept(environ))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (hang_up, "plane_unavailable"),
        (cut, "plane_unavailable"),
        (status(500), "plane_unavailable"),
        (status(502), "plane_unavailable"),
        (lambda h: refuse(h, 503, "database_unavailable", "down"), "database_unavailable"),
        (status(429), "too_many_requests"),
    ],
)
def test_out_of_reach_means_the_last_known_good_aloud(small, environ, events, fault, reason):
    """A plane that cannot answer is replaced by what it last confirmed, in one line that says how old."""
    fresh = setpoint.pin(CONTEXT, environ=environ)
    os.utime(kept(environ)[0], (time.time() - 3600,) * 2)
    small.faults["/v1/snapshot"] = [for_ever(fault)]

    hp = setpoint.pin(CONTEXT, environ=environ)
    (line,) = events()

    assert (hp.hash, hp.resolve("xgb", "5m", "learning_rate")) == (fresh.hash, 0.08)
    assert f"event=last_known_good_used plane={small.url} snapshot={hp.hash} age_sec=36" in line
    assert f"reason={reason} level=warn" in line
    assert "last known good" in hp.snapshot.origin


def test_a_confirmation_makes_what_is_kept_younger(small, environ, events):
    """The age counts from the last time the plane said that nothing changed."""
    setpoint.pin(CONTEXT, environ=environ)
    os.utime(kept(environ)[0], (1, 1))
    setpoint.pin(CONTEXT, environ=environ)
    small.faults["/v1/snapshot"] = [for_ever(hang_up)]
    setpoint.pin(CONTEXT, environ=environ)

    assert int(events()[0].partition("age_sec=")[2].split()[0]) < 600


def pin_both(context, environ):
    return setpoint.pin_set([context], environ=environ)


@pytest.mark.parametrize("pin", [setpoint.pin, pin_both])
def test_what_was_confirmed_too_long_ago_stands_in_no_more(small, environ, events, pin):
    """Older than SETPOINT_LAST_KNOWN_GOOD_AGE_S, a week unless said otherwise, it is refused with its age."""
    pin(CONTEXT, environ=environ)
    os.utime(kept(environ)[0], (time.time() - 8 * 86400,) * 2)
    for path in ("/v1/snapshot", "/v1/snapshot-sets"):
        small.faults[path] = [for_ever(hang_up)]

    with pytest.raises(PlaneUnavailable) as problem:
        pin(CONTEXT, environ=environ)
    said = r" 6912\d\d s ago is older than SETPOINT_LAST_KNOWN_GOOD_AGE_S=604800"
    assert re.search(said, problem.value.hint)
    assert events() == []
    assert pin(CONTEXT, environ=environ | {"SETPOINT_LAST_KNOWN_GOOD_AGE_S": "1e6"})
    with pytest.raises(PlaneUnavailable):
        pin(CONTEXT, environ=environ | {"SETPOINT_LAST_KNOWN_GOOD_AGE_S": "0"})


def test_nothing_kept_means_no_values(small, environ):
    """Without a plane and without anything it confirmed, a pin fails and says what to do."""
    small.faults["/v1/snapshot"] = [for_ever(hang_up)]

    with pytest.raises(PlaneUnavailable) as problem:
        setpoint.pin(CONTEXT, environ=environ)
    assert "SETPOINT_URL" in problem.value.hint
    assert "nothing that it confirmed earlier is kept here" in problem.value.hint


def test_another_contexts_values_do_not_stand_in(small, environ):
    """What was kept for one symbol, or from one plane, is never used for another."""
    setpoint.pin(CONTEXT, environ=environ)
    for path in ("/v1/snapshot", "/other/v1/snapshot"):
        small.faults[path] = [for_ever(status(429))]

    with pytest.raises(TooManyRequests):
        setpoint.pin({"symbol": "ETHUSDC"}, environ=environ)
    with pytest.raises(TooManyRequests):
        setpoint.pin(CONTEXT, environ=environ | {"SETPOINT_URL": f"{small.url}/other"})


def wrong_hash(content):
    return content.replace("0.08", "0.09", 1)


def rewritten(**changes):
    return lambda content: json.dumps(json.loads(content) | changes)


#: What a broken or foreign answerer may send with status 200, and the error it is.
WRONG = {
    "wrong hash": (wrong_hash, "application/json", HashMismatch),
    "truncated": (lambda content: content[:-40], "application/json", CorruptSnapshot),
    "empty": (lambda _: "", "application/json", CorruptSnapshot),
    "not a snapshot": (lambda _: '{"status": "ok"}', "application/json", CorruptSnapshot),
    "captive portal": (lambda _: "<html>please log in</html>", "text/html; charset=utf-8", CorruptSnapshot),
    "html as json": (lambda _: "<html>please log in</html>", "application/json", CorruptSnapshot),
    "other context": (rewritten(context={"symbol": "ETHUSDC"}), "application/json", InvalidContext),
    "no context": (rewritten(context={}), "application/json", InvalidContext),
    "other catalogue": (
        rewritten(catalogues=[{"name": "cvntrade", "version": "9", "hash": "0" * 64}]),
        "application/json",
        CatalogueMismatch,
    ),
    "too deep": (lambda _: DEEP, "application/json", CorruptSnapshot),
    "a number for a text": (rewritten(text=5), "application/json", CorruptSnapshot),
    "refused value": (
        lambda _: snapshot_of({**SEED, GAMMA: -1.0}, CONTEXT).to_json(),
        "application/json",
        InvalidDocument,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_an_error_and_what_is_kept_stays(small, environ, events, name):
    """What arrived and is wrong stops the pin, aloud, and never touches the last known good."""
    damage, kind, error = WRONG[name]
    setpoint.pin(CONTEXT, environ=environ)
    before = [(file, file.read_bytes()) for file in kept(environ)]
    content = small.body(CONTEXT).decode()
    small.change(**{GAMMA: 2.0})
    small.faults["/v1/snapshot"] = [for_ever(body(damage(content), kind))]

    with pytest.raises(error):
        setpoint.pin(CONTEXT, environ=environ)
    assert [(file, file.read_bytes()) for file in kept(environ)] == before
    assert events() == []
    small.faults.clear()
    assert setpoint.pin(CONTEXT, environ=environ).resolve("xgb", "5m", "gamma") == 2.0


@pytest.mark.parametrize(
    "headers", [{"ETag": f'"{"0" * 32}"'}, {"ETag": f'W/"{"0" * 32}"'}, {"Setpoint-Snapshot": "0" * 64}]
)
def test_a_body_that_its_headers_do_not_name_is_refused(small, environ, headers):
    """Layers and authors are covered by the ETag, the text by its hash: neither may differ from the body."""
    content = small.body(CONTEXT)
    small.faults["/v1/snapshot"] = [
        lambda handler: reply(handler, 200, content, **{"Content-Type": "application/json"} | headers)
    ]

    with pytest.raises(HashMismatch, match="not the one that its ETag"):
        setpoint.pin(CONTEXT, environ=environ)


def test_a_proxys_own_etag_is_no_reason_to_stop(small, environ):
    """An ETag of another form says nothing about the body."""
    content = small.body(CONTEXT)
    small.faults["/v1/snapshot"] = [
        lambda handler: reply(handler, 200, content, Content_Type="application/json", ETag='"proxy-1"')
    ]

    assert setpoint.pin(CONTEXT, environ=environ).hash


def test_bytes_that_are_no_text(small, environ):
    """A body in another encoding is corrupt."""
    small.faults["/v1/snapshot"] = [
        lambda handler: reply(handler, 200, b"\xff\xfe{", Content_Type="application/json")
    ]

    with pytest.raises(CorruptSnapshot, match="no text"):
        setpoint.pin(CONTEXT, environ=environ)


def test_a_body_that_is_too_large(small, environ, monkeypatch):
    """A body beyond the limit is refused before it fills the memory, and nothing stands in for it."""
    setpoint.pin(CONTEXT, environ=environ)
    small.change(**{GAMMA: 2.0})
    monkeypatch.setattr(answers, "LARGEST_ANSWER_BYTES", 5000)

    with pytest.raises(IntegrityError, match="larger than 5000"):
        setpoint.pin(CONTEXT, environ=environ)


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        ((401, "unauthenticated"), UnauthenticatedError),
        ((403, "forbidden"), ForbiddenError),
        ((302, ""), UsageError),
        ((422, "invalid_context"), InvalidContext),
    ],
)
def test_a_refusal_never_falls_back(small, environ, events, refused, error):
    """Who is not let in gets no values, whatever is kept."""
    setpoint.pin(CONTEXT, environ=environ)
    small.faults["/v1/snapshot"] = [for_ever(lambda handler: refuse(handler, *refused, "no"))]

    with pytest.raises(error):
        setpoint.pin(CONTEXT, environ=environ)
    assert events() == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-100],
        lambda text: text.replace("0.08", "0.09", 1),
        lambda text: text.replace("ada", "eve", 1),
        lambda text: text.replace("BTCUSDC", "ETHUSDC"),
        lambda _: "[]",
        lambda _: "",
        lambda text: text.replace(last_known_good.FORMAT, "other/1"),
        lambda _: DEEP,
        lambda text: rekept(text, DEEP),
        lambda text: rekept(text, json.loads(text)["body"].replace('"layers": [', f'"layers": [{DEEP},')),
    ],
)
def test_what_is_kept_is_verified_when_it_is_used(small, environ, damage):
    """A damaged or edited file is as good as none: not named, not used, replaced by the next pin."""
    setpoint.pin(CONTEXT, environ=environ)
    (file,) = kept(environ)
    file.write_text(damage(file.read_text()))
    small.faults["/v1/snapshot"] = [hang_up, hang_up]

    with pytest.raises(PlaneUnavailable):
        setpoint.pin(CONTEXT, environ=environ)
    setpoint.pin(CONTEXT, environ=environ)
    assert "If-None-Match" not in small.requests[-1][3]
    assert last_known_good.recall(file, small.url, CONTEXT).revision == 1


def test_304_to_a_request_that_named_nothing(small, environ):
    """An answerer that confirms what was never asked is no plane."""
    small.faults["/v1/snapshot"] = [status(304)]

    with pytest.raises(CorruptSnapshot, match="304"):
        setpoint.pin(CONTEXT, environ=environ)


def test_a_home_that_cannot_be_written_costs_only_the_cache(small, environ, tmp_path, capfd):
    """A pin works without a place to keep it, and says so."""
    (tmp_path / "home").write_text("a file in the way")

    assert setpoint.pin(CONTEXT, environ=environ).hash
    assert "is not kept for later" in capfd.readouterr().err


def test_a_file_wins_over_the_plane(small, environ, tmp_path):
    """A process that `setpoint run` pinned never asks the plane for anything; it may tell it events."""
    file = tmp_path / "snapshot.json"
    file.write_text(snapshot_of(SEED, CONTEXT).to_json())

    assert setpoint.pin(CONTEXT, environ=environ | {"SETPOINT_SNAPSHOT": str(file)}).hash
    assert {request[:2] for request in small.requests} <= {("POST", "/v1/events")}


def test_a_variable_that_disagrees_with_the_plane(small, environ):
    """Somebody who exports another value beside a plane is told, not obeyed."""
    with pytest.raises(EnvironmentDisagrees, match=r"GAMMA=0\.5"):
        setpoint.pin(CONTEXT, environ=environ | {GAMMA: "0.5"})


def test_a_dimension_nobody_declares(small, environ):
    """A misspelt dimension is refused before anything is sent."""
    with pytest.raises(InvalidContext, match="'symbl'"):
        setpoint.pin({"symbl": "BTCUSDC"}, environ=environ)
    assert not small.requests


@pytest.mark.parametrize("fault", ["cut_after", "delay", "black_hole", "refuse"])
def test_a_pin_through_a_bad_network_is_whole_or_not_there(small, environ, fault):
    """Whatever the way does, a pin gives verified values, kept ones aloud, or an error of class 7."""
    with fault_proxy(small.port) as proxy:
        environ |= {"SETPOINT_URL": proxy.url, "SETPOINT_PLANE_TIMEOUT_S": "1"}
        proxy.cut_after = 3000 if fault == "cut_after" else None
        proxy.delay_s = 0.02 if fault == "delay" else 0.0
        proxy.black_hole, proxy.refuse = fault == "black_hole", fault == "refuse"
        if fault == "delay":
            assert setpoint.pin(CONTEXT, environ=environ).resolve("xgb", "5m", "gamma") == 0.0
            return
        with pytest.raises(PlaneUnavailable):
            setpoint.pin(CONTEXT, environ=environ)
        assert kept(environ) == []
        proxy.heal()
        assert setpoint.pin(CONTEXT, environ=environ).resolve("xgb", "5m", "gamma") == 0.0


def test_a_float_has_the_same_bits_after_its_journey(small, environ):
    """0.1, 1.0, 1e-05 and 1e300 arrive with every bit, as floats."""
    for value in (0.1, 1.0, 1e-05, 0.30000000000000004):
        small.change(**{GAMMA: value})
        assert repr(setpoint.pin(CONTEXT, environ=environ).resolve("xgb", "5m", "gamma")) == repr(value)


def test_a_pin_from_elsewhere_loads_nothing_that_speaks_http(tmp_path):
    """Who pins from a file or the environment does not wait for the modules of HTTP."""
    text = Snapshot(snapshot_of(SEED).text, snapshot_of(SEED).hash, CATALOGUES.identities, {}, ()).to_json()
    (tmp_path / "s.json").write_text(text)
    package = Path(setpoint.__file__).parents[1]
    program = (
        f"import sys; sys.path.insert(0, {str(package)!r}); import setpoint; setpoint.pin();"
        "print(sorted({'http.client', 'ssl', 'socket', 'random', 'email'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        env={"SETPOINT_SNAPSHOT": str(tmp_path / "s.json"), "SETPOINT_CATALOGUES": "cvntrade"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")
