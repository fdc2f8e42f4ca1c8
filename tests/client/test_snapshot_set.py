"""A snapshot set: what its hash holds, what its file must hold, and where a process gets it from."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

import setpoint
from setpoint.client.environment import pinned_set_environment, to_text
from setpoint.client.snapshot_set import (
    MOST_CONTEXTS,
    parse_snapshot_set,
    read_snapshot_set,
    set_of,
    with_base,
)
from setpoint.errors import (
    CorruptSnapshot,
    EnvironmentDisagrees,
    HashMismatch,
    InvalidContext,
    PlaneUnavailable,
)
from support.misbehaving_plane import CATALOGUES, GAMMA, SEED, reply, snapshot_of, status

BTC, ETH = {"symbol": "BTCUSDC"}, {"symbol": "ETHUSDC"}


def a_set(profile="", **gammas):
    """Return a set of a base and one context for each symbol, with its own gamma."""
    shared = {"profile": profile} if profile else {}
    own = [snapshot_of(SEED | {GAMMA: value}, {**shared, "symbol": name}) for name, value in gammas.items()]
    return set_of([snapshot_of(SEED, shared), *own])


@pytest.fixture
def pinned():
    return a_set(BTCUSDC=1.0, ETHUSDC=SEED[GAMMA])


def test_a_set_is_named_by_the_hash_of_a_text_that_anybody_can_hash(pinned):
    """The text lists context, snapshot and catalogues, in one order however the set was put together."""
    told = json.loads(pinned.text)
    identities = [dict(identity) for identity in CATALOGUES.identities]

    assert hashlib.sha256(pinned.text.encode()).hexdigest() == pinned.hash
    assert told == [
        {"catalogues": identities, "context": dict(one.context), "snapshot": one.hash}
        for one in pinned.snapshots
    ]
    assert [one["context"] for one in told] == [{}, BTC, ETH]
    assert set_of(reversed(pinned.snapshots)).hash == pinned.hash


def test_another_value_context_or_catalogue_is_another_set(pinned):
    """Nothing that a unit could train with changes without the set's hash."""
    moved = [{**one, "hash": "0" * 64} for one in CATALOGUES.identities]
    others = [
        a_set(BTCUSDC=2.0, ETHUSDC=SEED[GAMMA]),
        a_set(BTCUSDC=1.0),
        a_set("demo", BTCUSDC=1.0, ETHUSDC=SEED[GAMMA]),
        set_of(replace(one, catalogues=tuple(moved)) for one in pinned.snapshots),
    ]

    assert len({pinned.hash, *(other.hash for other in others)}) == 5


def test_a_file_is_read_back_whole_and_holds_each_text_once(pinned, tmp_path):
    """Contexts with the same values share one text."""
    file = tmp_path / "set.json"
    file.write_text(pinned.to_json())
    read = read_snapshot_set(file, pinned.hash)

    assert read.to_json() == pinned.to_json()
    assert len(json.loads(pinned.to_json())["texts"]) == 2
    assert read.base.context == {}
    assert [read.for_context(one).document[GAMMA] for one in ({}, BTC, ETH)] == [
        SEED[GAMMA],
        1.0,
        SEED[GAMMA],
    ]
    with pytest.raises(HashMismatch, match="was replaced"):
        read_snapshot_set(file, "0" * 64)


def test_a_context_that_was_not_pinned_is_an_error(pinned):
    """A nearby context would be a wrong value; the error says what there is."""
    for context in ({"symbol": "SOLUSDC"}, {**BTC, "profile": "demo"}):
        with pytest.raises(InvalidContext, match=r"(?s)holds nothing for.*symbol=BTCUSDC; symbol=ETHUSDC"):
            pinned.for_context(context)


def damages():
    """Yield what can be wrong with a set's file, and which error says so."""
    yield "torn", lambda d: None, CorruptSnapshot
    yield "another format", lambda d: d.update(format="setpoint-snapshot/1"), CorruptSnapshot
    yield "an unknown field", lambda d: d.update(extra=1), CorruptSnapshot
    yield "no texts", lambda d: d.update(texts={}), CorruptSnapshot
    yield "no members", lambda d: d.update(members=[]), CorruptSnapshot
    yield "no base", lambda d: d["members"].pop(0), CorruptSnapshot
    yield "a context twice", lambda d: d["members"].append(d["members"][1]), CorruptSnapshot
    yield "a member without layers", lambda d: d["members"][1].pop("layers"), CorruptSnapshot
    yield "a context left out", lambda d: d["members"].pop(), HashMismatch
    yield "another context", lambda d: d["members"][1]["context"].update(symbol="SOLUSDC"), HashMismatch
    yield "contexts exchanged", exchange, HashMismatch
    yield "a forged text", lambda d: d["texts"].update(dict.fromkeys(d["texts"], "{}")), HashMismatch
    yield "another name", lambda d: d.update(hash="0" * 64), HashMismatch
    yield "other catalogues", lambda d: d["catalogues"][0].update(hash="0" * 64), HashMismatch


def exchange(data):
    first, second = data["members"][1:]
    first["hash"], second["hash"] = second["hash"], first["hash"]


@pytest.mark.parametrize(("damage", "error"), [pytest.param(d, e, id=name) for name, d, e in damages()])
def test_a_damaged_set_is_refused(pinned, damage, error):
    """Whatever was changed in the file, nothing trains with it."""
    data = json.loads(pinned.to_json())
    damage(data)
    content = json.dumps(data) if data != json.loads(pinned.to_json()) else pinned.to_json()[:-9]

    with pytest.raises(error):
        parse_snapshot_set(content, "test")


def test_the_base_is_what_all_contexts_share():
    """It is pinned even where nobody named it; a single context is its own base."""
    assert with_base([BTC, ETH]) == [{}, BTC, ETH]
    assert with_base([{**BTC, "profile": "demo"}, {**ETH, "profile": "demo"}])[0] == {"profile": "demo"}
    assert with_base([BTC, BTC]) == [BTC]


def test_too_many_contexts_are_refused():
    """A set is one answer that both sides hold in memory."""
    with pytest.raises(InvalidContext, match=f"at most {MOST_CONTEXTS}"):
        with_base({"symbol": f"S{n}"} for n in range(MOST_CONTEXTS))


# --- where a process gets a set from


@pytest.fixture
def exported(pinned, tmp_path):
    """What `setpoint run --contexts` exports."""
    made = pinned_set_environment(a_set("demo", BTCUSDC=1.0, ETHUSDC=2.0), CATALOGUES, tmp_path)
    return made | {"SETPOINT_CATALOGUES": "cvntrade"}


def test_a_program_reads_the_set_it_was_given(exported):
    """Each context has its own values; what all of them share, the program need not know."""
    values = setpoint.pin_set([BTC, ETH], environ=exported)

    read = [values.for_context(one).resolve("xgb", "5m", "gamma") for one in (BTC, ETH)]
    assert read == [1.0, 2.0]
    assert values.base.resolve("xgb", "5m", "gamma") == SEED[GAMMA]
    assert values.hash == exported["SETPOINT_SNAPSHOT_SET_HASH"]
    assert values.keys_read == {GAMMA}
    assert exported[GAMMA] == to_text(SEED[GAMMA])


def test_a_plain_pin_under_a_set_takes_the_contexts_own_snapshot(exported):
    """`pin` of a context that was pinned gives its values, and without one those that all share."""
    assert setpoint.pin(BTC, environ=exported).resolve("xgb", "5m", "gamma") == 1.0
    assert setpoint.pin(environ=exported).resolve("xgb", "5m", "gamma") == SEED[GAMMA]


@pytest.mark.parametrize("call", [lambda e: setpoint.pin_set([{"symbol": "SOLUSDC"}], environ=e),
                                  lambda e: setpoint.pin({"symbol": "SOLUSDC"}, environ=e)])  # fmt: skip
def test_a_context_that_run_did_not_pin_says_how_to(exported, call):
    """The error holds the command that pins it."""
    with pytest.raises(InvalidContext) as refused:
        call(exported)

    assert "setpoint run --contexts profile=demo,symbol=SOLUSDC" in refused.value.hint


def test_a_variable_that_disagrees_with_the_base_is_an_error(exported):
    """The exported variables are the base's, and somebody changed one."""
    with pytest.raises(EnvironmentDisagrees, match=GAMMA):
        setpoint.pin_set([BTC], environ=exported | {GAMMA: "9.5"})


def test_one_snapshot_is_a_set_of_one(pinned, tmp_path):
    """A process that was given one snapshot has its context, and no other."""
    file = tmp_path / "one.json"
    file.write_text(pinned.for_context(BTC).to_json())
    environ = {"SETPOINT_SNAPSHOT": str(file), "SETPOINT_CATALOGUES": "cvntrade"}

    assert setpoint.pin_set([BTC], environ=environ).base.resolve("xgb", "5m", "gamma") == 1.0
    with pytest.raises(InvalidContext, match="symbol=ETHUSDC"):
        setpoint.pin_set([BTC, ETH], environ=environ)


def test_a_plane_is_asked_once_for_all_contexts(small, environ):
    """One request names every context, the shared one included, and who asks."""
    values = setpoint.pin_set([ETH, BTC], environ=environ)
    ((method, path, _, headers),) = small.requests

    assert (method, path) == ("POST", "/v1/snapshot-sets")
    assert [dict(one) for one in values.snapshots.contexts] == [{}, BTC, ETH]
    assert "; pid=" in headers["Setpoint-Client"]
    with pytest.raises(InvalidContext, match="profle"):
        setpoint.pin_set([{"profle": "demo"}], environ=environ)


def test_the_last_known_good_set_is_used_aloud_when_the_plane_is_away(small, environ):
    """Only the same contexts' set, only when the plane is out of reach; without one the pin fails."""
    first = setpoint.pin_set([BTC, ETH], environ=environ)
    small.faults["/v1/snapshot-sets"] = [status(503)] * 6
    again = setpoint.pin_set([ETH, BTC], environ=environ)
    said = Path(environ["SETPOINT_EVENTS"]).read_text()

    assert again.hash == first.hash
    assert "event=last_known_good_used" in said
    assert f"snapshot={first.base.hash}" in said
    with pytest.raises(PlaneUnavailable):
        setpoint.pin_set([BTC], environ=environ)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: a_set(BTCUSDC=1.0).to_json(), InvalidContext),
        (lambda: a_set(BTCUSDC=1.0, ETHUSDC=1.0).to_json()[:-20], CorruptSnapshot),
        (lambda: "<html>please log in</html>", CorruptSnapshot),
        (
            lambda: a_set(BTCUSDC=1.0, ETHUSDC=1.0).to_json().replace("setpoint-snapshot-set/1", "x"),
            CorruptSnapshot,
        ),
    ],
    ids=["other contexts", "cut", "no set", "another format"],
)
def test_a_wrong_answer_is_never_papered_over(small, environ, answer, error):
    """What arrived and is wrong stops the pin, whatever is kept."""
    setpoint.pin_set([BTC, ETH], environ=environ)
    body = answer().encode()
    small.faults["/v1/snapshot-sets"] = [lambda h: reply(h, 200, body, Content_Type="application/json")]

    with pytest.raises(error):
        setpoint.pin_set([BTC, ETH], environ=environ)
