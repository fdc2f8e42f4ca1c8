"""Every reader of what somebody else wrote reads a damaged text or refuses it with its own error: 0 crashes.

A good text of each kind is cut, joined, repeated and peppered with what its grammar lives of; ``LONG_TESTS``
asks for many more examples.
"""

import json
import os
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from tokenize import TokenError

import hypothesis
import pytest
from hypothesis import strategies as st

from setpoint.change.patch import parse_pairs, parse_patch
from setpoint.client.plane.event_stream import EventParser
from setpoint.client.snapshot import parse_snapshot
from setpoint.client.snapshot_set import parse_snapshot_set, set_of
from setpoint.declare.addresses import matching, named, past_keys_of
from setpoint.declare.document import parse_text
from setpoint.declare.foreign_text import read_json, read_toml
from setpoint.declare.loading import load_catalogues
from setpoint.declare.scopes import check_scope
from setpoint.declare.seeds import load_seed_file, load_seeds, seed_text
from setpoint.errors import SetpointError
from setpoint.gate.formats.comments import comments
from setpoint.gate.formats.data_files import findings_in_data
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from setpoint.gate.scan import Reader
from setpoint.gate.unjudgeable import Unjudgeable
from setpoint.observe import logfmt
from setpoint.observe.trace_context import trace_id
from setpoint.serve.access.oidc import Begun
from setpoint.serve.conditional import status_of
from setpoint.serve.cross_origin import origins_in
from setpoint.serve.public_address import Entrance, public_address, trusted_networks
from setpoint.serve.request_headers import joined, request_id
from setpoint.serve.strict_json import parse_body
from setpoint.settings import Settings
from support.misbehaving_plane import GAMMA, snapshot_of

EXAMPLES = 3_000 if os.environ.get("LONG_TESTS") else 20
SYSTEM = load_catalogues(Settings.catalogues)
JUDGE = Judge(Names.load(SYSTEM), {})
PYTHON = Reader(Path(), JUDGE).python
ONE = snapshot_of({GAMMA: 0.5}, {"symbol": "BTCUSDC"})
ENTRANCE = Entrance(Settings(trusted_proxy="127.0.0.1"))
NOTEBOOK = json.dumps(
    {
        "cells": [
            {
                "cell_type": "code",
                "source": ["learning_rate = 0.05\n", "%matplotlib inline\n"],
                "outputs": [],
            },
            {"cell_type": "markdown", "source": "max_depth: 7"},
        ],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
    }
)


def data(name):
    return lambda text: findings_in_data(text, name, JUDGE, PYTHON)


def entered(text):
    headers = {b"forwarded": text.encode("latin-1", "replace"), b"host": text.encode("latin-1", "replace")}
    scope = {
        "type": "http",
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "path": "/",
        "root_path": "",
        "server": None,
    }
    ENTRANCE.enter({**scope, "headers": list(headers.items())}, headers)


def raw(text):
    return text.encode("utf-8", "surrogatepass")


def seeded(text, folder):
    file = folder / "seed.toml"
    file.write_bytes(raw(text))
    return load_seed_file(file, SYSTEM)


GATE = (
    Unjudgeable,
    SyntaxError,
    ValueError,
    RecursionError,
    TokenError,
)  # what a scan makes one line of its report
#: By name: a good text, what reads it, and what it may be refused with.
READERS = {
    "key": ("xgb/5m/learning_rate", lambda text: named(SYSTEM, text), SetpointError),
    "past key": (
        "xgb/5m/gamma",
        lambda text: (past_keys_of(SYSTEM, text), matching(SYSTEM, text)),
        SetpointError,
    ),
    "pair": ("cb/5m/depth_range=4..7:log", lambda text: parse_pairs(SYSTEM, [text]), SetpointError),
    "scope": ("symbol=BTCUSDC", lambda text: check_scope(SYSTEM, text), SetpointError),
    "document": ('{"CVN_HPO_XGB_5M_GAMMA": 0.5}', parse_text, SetpointError),
    "body": ('{"set": {"a": [1, 2.5e3, null]}}', lambda text: parse_body(raw(text)), SetpointError),
    "JSON": ('{"a": [1, {"b": "c\\u00e9"}]}', read_json, ValueError),
    "TOML": ('a.b = 1\n[[t]]\nx = {y = [1979-05-27, "z"]}\n', read_toml, ValueError),
    "patch TOML": (
        '"xgb/5m/gamma" = 0.5\n',
        lambda text: parse_patch(text, "toml", SYSTEM, "a"),
        SetpointError,
    ),
    "patch JSON": (
        '{"xgb/5m/gamma": 0.5}',
        lambda text: parse_patch(text, "json", SYSTEM, "a"),
        SetpointError,
    ),
    "patch CSV": (
        "key,value\nxgb/5m/gamma,0.5\n",
        lambda text: parse_patch(text, "csv", SYSTEM, "a"),
        SetpointError,
    ),
    "snapshot": (ONE.to_json(), lambda text: parse_snapshot(text, "a"), SetpointError),
    "set": (set_of([ONE]).to_json(), lambda text: parse_snapshot_set(text, "a"), SetpointError),
    "logfmt": ('event=x key="a \\"b\\" c" n=1', logfmt.parse, SetpointError),
    "YAML": ("a:\n  - &x {learning_rate: 0.1}\n  - *x\nb: |\n  max_depth: 3\n", data("a.yaml"), GATE),
    "notebook": (NOTEBOOK, data("a.ipynb"), GATE),
    "gate JSON": ('{"learning_rate": 0.1}', data("a.json"), GATE),
    "gate TOML": ("[model]\nlearning_rate = 0.1\n", data("a.toml"), GATE),
    "gate lines": ("LEARNING_RATE=0.1\nexport X='y'\n", data(".env"), GATE),
    "Python": (
        'p = {"learning_rate": 0.1}  # gate: x\nf(max_depth=3)\n',
        lambda text: PYTHON(text, "a.py"),
        GATE,
    ),
    "comments": ("x = 1  # setpoint: allow G5\n", lambda text: list(comments(text, "a.py")), GATE),
    "conditions": ('W/"a", "b" , *', lambda text: status_of(text, text, '"a"'), SetpointError),
    "headers": ("a, b", lambda text: joined([(b"if-match", raw(text)), (b"if-match", b"x")]), SetpointError),
    "request id": (
        "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        lambda text: (request_id(raw(text)), trace_id(text)),
        (),
    ),
    "forwarded": ('for="[::1]:80";proto=https;host=a.b, for=10.0.0.1', entered, SetpointError),
    "public URL": ("https://plane.example:8443/setpoint", public_address, SetpointError),
    "networks": ("10.0.0.0/8, ::1", trusted_networks, SetpointError),
    "origins": ("https://a.example, http://localhost:5173", origins_in, SetpointError),
    "login cookie": (Begun("a", "b", "c").sealed(), Begun.opened, SetpointError),
    "login cookie's text": (
        '["a", "b", "c", false]',
        lambda text: Begun.opened(urlsafe_b64encode(raw(text)).decode()),
        SetpointError,
    ),
    "events": (
        "id: 3\nevent: change\ndata: {}\n\n",
        lambda text: list(EventParser().feed(raw(text))),
        SetpointError,
    ),
}
#: What grammars live of, and what readers stumble over.
PEPPER = "\"'\\/{}[]()<>=:;,.*&#%@!|~^`?-+_ \n\r\t\0\x1b\x85\u2028\ud800\ufeff\u0661\u00e9\U0001f600eE019"


@st.composite
def damaged(draw, good):
    """Draw a text from a good one: a few of its places are cut, doubled or peppered."""
    text = good
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 8)))
        kind = draw(st.sampled_from(("cut", "end", "double", "pepper", "pepper")))
        if kind == "cut":
            text = text[:at] + text[end:]
        elif kind == "end":
            text = text[:at]
        elif kind == "double":
            text = text[:end] + text[at:end] * draw(st.integers(1, 40)) + text[end:]
        else:
            text = (
                text[:at] + draw(st.text(st.sampled_from(PEPPER) | st.characters(), max_size=6)) + text[at:]
            )
    return text


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_text_is_read_or_refused(name):
    """No other error leaves a reader than the one that it says."""
    good, read, refused = READERS[name]

    @hypothesis.settings(max_examples=EXAMPLES, deadline=None)
    @hypothesis.given(damaged(good))
    def judge(text):
        with suppress(refused):
            read(text)

    judge()


@pytest.mark.parametrize("name", READERS)
def test_the_good_text_is_good(name):
    """Damage begins with what is read."""
    good, read, _ = READERS[name]
    if name not in {"conditions", "headers"}:
        read(good)


@hypothesis.settings(max_examples=EXAMPLES, deadline=None)
@hypothesis.given(damaged(seed_text(SYSTEM.members[0], load_seeds("", SYSTEM)[0])[:2000]))
def test_a_damaged_seed_is_read_or_refused(tmp_path_factory, text):
    """Seed files too, which are read from a disk."""
    with suppress(SetpointError):
        seeded(text, tmp_path_factory.getbasetemp())
