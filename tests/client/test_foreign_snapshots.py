"""Snapshots and sets from files and planes: whatever stands there is read or refused, and never a crash."""

import json
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from setpoint.client.snapshot import parse_snapshot
from setpoint.client.snapshot_set import parse_snapshot_set, set_of
from setpoint.errors import IntegrityError, InvalidDocument
from support.misbehaving_plane import GAMMA, snapshot_of

DOCUMENT = {GAMMA: 0.5}
SNAPSHOT = json.loads(snapshot_of(DOCUMENT, {"symbol": "BTCUSDC"}).to_json())
SET = json.loads(set_of([snapshot_of(DOCUMENT), snapshot_of(DOCUMENT, {"symbol": "BTCUSDC"})]).to_json())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def places(found, path=()):
    """Yield the path of every value within a JSON value, itself included."""
    yield path
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for name, value in inner:
        yield from places(value, (*path, name))


@st.composite
def damaged(draw, content):
    """Draw the content with one of its values replaced, removed, or cut somewhere in its text."""
    if draw(st.integers(0, 4)) == 0:
        text = json.dumps(content)
        return text[: draw(st.integers(0, len(text)))]
    whole = json.loads(json.dumps({"content": content}))
    *path, last = draw(st.sampled_from([("content", *path) for path in places(content)]))
    holder = whole
    for name in path:
        holder = holder[name]
    if isinstance(holder, dict) and draw(st.booleans()) and path:
        del holder[last]
    else:
        holder[last] = draw(JSON)
    return json.dumps(whole["content"])


@given(damaged(SNAPSHOT))
def test_a_damaged_snapshot_is_refused_or_can_be_used(text):
    """What parses has a document, layers and a form; anything else is an IntegrityError."""
    try:
        snapshot = parse_snapshot(text, "a test")
    except IntegrityError:
        return
    used(snapshot)


@given(damaged(SET))
def test_a_damaged_set_is_refused_or_can_be_used(text):
    """The same of a set, whose members can be asked for by their contexts."""
    try:
        found = parse_snapshot_set(text, "a test")
    except IntegrityError:
        return
    assert [found.for_context(context) for context in found.contexts] == list(found.snapshots)
    assert json.loads(found.to_json())["hash"] == found.hash
    for snapshot in found.snapshots:
        used(snapshot)


def used(snapshot):
    """Read all of a snapshot, whose text may be no document: then it says so."""
    assert parse_snapshot(snapshot.to_json(), "a test").layers == snapshot.layers
    assert snapshot.verified in {True, False}
    sorted(snapshot.context.items())
    with suppress(InvalidDocument):
        assert isinstance(snapshot.document, dict)
