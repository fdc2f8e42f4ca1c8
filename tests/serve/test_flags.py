"""Flags over OFREP, read by our own eyes and by the stock clients of both languages."""

import asyncio
import json
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from setpoint.change.identity import author_of
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.declare.loading import load_catalogues
from setpoint.serve.hot.stream_tokens import WINDOW_S
from support.live_planes import live_plane, reading
from support.npm import installed

JAVASCRIPT = Path(__file__).parent.parent / "javascript"
BULK = "/ofrep/v1/evaluate/flags"
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
CATALOGUE = """
format = 1
name = "wide"
version = "1.0.0"
title = "One value of each type"
prefix = "WIDE"
dimensions = ["symbol"]

[[parts]]
name = "model"
values = { a = "A", b = "B", c = "C", d = "D" }

[[parameters]]
name = "rate"
type = "float"
low = -1.7976931348623157e308
high = 1.7976931348623157e308
tuned = false
doc = "Any finite float."

[[parameters]]
name = "count"
type = "int"
low = -9223372036854775807
high = 9223372036854775807
tuned = false
doc = "Any count."

[[parameters]]
name = "flag"
type = "bool"
tuned = false
doc = "Yes or no."

[[parameters]]
name = "kind"
type = "categorical"
choices = ["plain", "fancy"]
tuned = false
doc = "One of two."
"""
FLOATS = {"WIDE_A_RATE": 0.1, "WIDE_B_RATE": 1.0, "WIDE_C_RATE": 1e-05, "WIDE_D_RATE": 1e300}
OTHERS = {"WIDE_A_COUNT": 10, "WIDE_B_COUNT": 2**53 - 1, "WIDE_A_FLAG": True, "WIDE_A_KIND": "fancy"}
DIGITS = {
    "WIDE_A_RATE": "0.1",
    "WIDE_B_RATE": "1.0",
    "WIDE_C_RATE": "0.00001",
    "WIDE_D_RATE": "1" + "0" * 300 + ".0",
}


@pytest.fixture
def wide(tmp_path, plane_settings, settings, database):
    """A plane over a catalogue with one value of each type, and an overlay of one symbol."""
    path = tmp_path / "wide.toml"
    path.write_text(CATALOGUE)
    catalogues = load_catalogues(str(path))
    author = author_of(database).name
    with database.transaction(author=author) as transaction:
        open_and_apply(transaction, catalogues, Proposal(scope="global", reason="wide", set=FLOATS | OTHERS))
    with database.transaction(author=author) as transaction:
        open_and_apply(
            transaction,
            catalogues,
            Proposal(scope="symbol=ETH", reason="own", set={"WIDE_A_RATE": 0.5}, new_scope=True),
        )
    with live_plane(replace(plane_settings, catalogues=str(path)), beat_s=0.2) as served:
        yield served


@pytest.fixture
def reader(wide, client_of):
    """A client of that plane."""
    return client_of(wide.url)


def bits(value):
    assert type(value) is float
    return struct.pack(">d", value)


def evaluate(client, key, **context):
    return client.post(f"{BULK}/{key}", json={"context": context})


def test_a_float_has_the_same_digits_on_every_wire(reader):
    """Snapshot, single and bulk evaluation and manifest carry the digits of the document."""
    text = json.loads(reader.get("/v1/snapshot").text)["text"]
    bulk = reader.post(BULK, json={"context": {}}).text
    manifest = reader.get("/openfeature/v0/manifest").text
    for key, digits in DIGITS.items():
        assert f'"{key}": {digits}' in text
        assert f'"value":{digits},' in evaluate(reader, key).text
        assert f'"key":"{key}","reason":"STATIC","variant":"v1","value":{digits},' in bulk
        assert f'"defaultValue": {digits}}}' in manifest


def test_the_stock_python_client_reads_the_right_types(wide, reader):
    """Floats are floats with every bit, ints ints, and nothing falls back to a default."""
    provider = OFREPProvider(wide.url, headers_factory=lambda: dict(reader.headers))
    api.set_provider_and_wait(provider)
    client = api.get_client()
    try:
        for key, value in FLOATS.items():
            assert bits(client.get_float_value(key, -1.0)) == bits(value)
        assert client.get_integer_value("WIDE_A_COUNT", -1) == 10
        assert client.get_integer_value("WIDE_B_COUNT", -1) == 2**53 - 1
        assert client.get_boolean_value("WIDE_A_FLAG", False) is True
        assert client.get_string_value("WIDE_A_KIND", "") == "fancy"
        details = client.get_float_details(
            "WIDE_A_RATE", -1.0, EvaluationContext("worker-1", {"symbol": "ETH"})
        )
        assert (details.value, details.reason, details.variant) == (0.5, "TARGETING_MATCH", "v2")
        assert details.flag_metadata == {"scope": "symbol=ETH", "revision": 2, "version": "2"}
        missing = client.get_float_details("WIDE_NO_RATE", -1.0)
        assert (missing.value, missing.error_code) == (-1.0, "FLAG_NOT_FOUND")
        wrong = client.get_integer_details("WIDE_B_RATE", -1)
        assert (wrong.value, wrong.error_code) == (-1, "TYPE_MISMATCH")
    finally:
        api.clear_providers()
        provider.session.close()


@pytest.fixture(scope="session")
def javascript(tmp_path_factory):
    """A folder in which the stock JavaScript clients of tests/javascript are installed."""
    return installed(JAVASCRIPT, tmp_path_factory.mktemp("javascript"), "the stock JavaScript clients")


@pytest.mark.real
def test_the_stock_javascript_clients_read_the_same_numbers(javascript, wide, reader):
    """Object.is-equal through the raw client and the web SDK; another context is never answered with 304."""
    asked = {
        "url": wide.url,
        "token": reader.headers["Authorization"].removeprefix("Bearer "),
        "context": {"targetingKey": "worker-1"},
        "otherContext": {"targetingKey": "worker-1", "symbol": "ETH"},
        "expected": {key: repr(value) for key, value in (FLOATS | {"WIDE_B_COUNT": 2**53 - 1}).items()},
    }
    done = subprocess.run(
        ["node", "read_flags.mjs"],
        cwd=javascript,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    everything = dict.fromkeys(asked["expected"], True)
    assert found["single"] == found["web"] == found["cleared"] == everything
    assert found["status"] == {"again": 304, "other": 200, "missing": 404}
    assert found["switched"]["WIDE_A_RATE"] == 0.5
    assert (found["details"]["reason"], found["details"]["variant"]) == ("STATIC", "v1")
    assert found["missing"]["errorCode"] == "FLAG_NOT_FOUND"
    assert found["flags"] == len(FLOATS | OTHERS)
    assert found["eventStreams"][0]["type"] == "sse"


def test_a_bulk_answer_is_conditional_on_context_and_revision(wide, reader, write):
    """The same context and documents are a 304; another context or a new revision never is."""
    first = reader.post(BULK, json={"context": {}})
    tag = {"If-None-Match": f'"other", W/{first.headers["ETag"]}'}
    known = reader.post(BULK, json={"context": {"targetingKey": "x", "tenant": "y"}}, headers=tag)
    other = reader.post(BULK, json={"context": {"symbol": "ETH"}}, headers=tag)
    revision = write(0.25, key="WIDE_A_RATE")
    fresh = reader.post(f"{BULK}?flagConfigEtag={revision}", json={"context": {}}, headers=tag)

    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert other.status_code == fresh.status_code == 200
    assert fresh.json()["metadata"]["version"] == str(revision)
    assert {flag["key"]: flag["value"] for flag in fresh.json()["flags"]}["WIDE_A_RATE"] == 0.25


def test_an_event_leads_to_the_new_values(wide, reader, write):
    """A client that follows eventStreams hears of a change and refetches at least that."""
    stream = reader.post(BULK, json={"context": {"symbol": "ETH"}}).json()["eventStreams"][0]
    anonymous = httpx.Client(base_url=wide.url)
    with anonymous, reading(anonymous, stream["endpoint"]["requestUri"]) as events:
        write(0.75, "symbol=ETH", "WIDE_A_RATE")
        event = json.loads(next(events).data)
    again = reader.post(BULK, json={"context": {"symbol": "ETH"}}, params={"flagConfigEtag": event["etag"]})

    assert {flag["key"]: flag["value"] for flag in again.json()["flags"]}["WIDE_A_RATE"] == 0.75


def test_a_stream_token_is_stable_short_lived_and_signed(wide, reader, caplog):
    """The same address within its window, refused when expired, changed or from elsewhere; never logged."""
    caplog.set_level("DEBUG")
    body = {"context": {}}
    addresses = {
        reader.post(BULK, json=body).json()["eventStreams"][0]["endpoint"]["requestUri"] for _ in range(3)
    }
    assert len(addresses) <= 2  # two when a window ends between two requests
    token = addresses.pop().partition("stream_token=")[2]
    claim, _, signature = token.partition(".")
    old = asyncio.run(wide.live.tokens.token(1, now=2 * WINDOW_S))
    for forged in (old, f"{claim}.{'0' * 64}", f"{claim}x.{signature}", claim, "", "\u00e9.x"):
        refused = httpx.get(f"{wide.url}/v1/stream", params={"stream_token": forged})
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        assert not signature or signature not in refused.text
    assert httpx.get(f"{wide.url}/v1/snapshot", params={"stream_token": token}).status_code == 401
    assert not [
        record for record in caplog.records if "httpx" not in record.name and signature in record.getMessage()
    ]


REFUSED = [
    ("POST", BULK, b"{", 400, "PARSE_ERROR"),
    ("POST", f"{BULK}/WIDE_A_RATE", b"[]", 400, "PARSE_ERROR"),
    ("POST", f"{BULK}/WIDE_A_RATE", b'{"context": 1}', 400, "INVALID_CONTEXT"),
    ("POST", f"{BULK}/WIDE_A_RATE", b'{"context": {"symbol": 1}}', 400, "INVALID_CONTEXT"),
    ("POST", BULK, b'{"context": {"symbol": "' + b"x" * 300 + b'"}}', 400, "INVALID_CONTEXT"),
    ("POST", BULK, b"x" * 70_000, 413, "PARSE_ERROR"),
    ("POST", f"{BULK}/WIDE_C_COUNT", b"{}", 404, "FLAG_NOT_FOUND"),
    ("POST", f"{BULK}/a%2Fb/c", b"{}", 404, "FLAG_NOT_FOUND"),
    ("POST", f"{BULK}/%00%FF", b"{}", 404, "FLAG_NOT_FOUND"),
]


def test_errors_are_in_the_protocols_own_shape(wide, reader):
    """Every refusal has a code and details, and a single one its key; stock clients fail without them."""
    for method, path, content, status, code in REFUSED:
        refused = reader.request(method, path, content=content)
        assert (refused.status_code, refused.json()["errorCode"]) == (status, code), path
        assert refused.json()["errorDetails"]
        assert ("key" in refused.json()) == (path != BULK)
        assert refused.headers["Content-Type"] == "application/json"
    for headers in ({}, {"Authorization": "Bearer spt_none"}):
        refused = httpx.post(f"{wide.url}{BULK}/WIDE_A_RATE", json={}, headers=headers)
        assert (refused.status_code, refused.json()["errorCode"]) == (401, "GENERAL")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_stranger_reads_no_flags(wide, client_of):
    """An account without a role is refused in the protocol's shape."""
    refused = client_of(wide.url, "stranger").post(BULK, json={})

    assert (refused.status_code, refused.json()["errorCode"]) == (403, "GENERAL")


def test_a_value_that_is_none_of_its_type_is_a_failure_of_its_own_flag(wide, reader, owner_url):
    """Written by hand: an int with a fraction, one no double holds, text for a bool. A whole float is one."""
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "UPDATE ftf_config SET base_env = base_env || %s::jsonb || %s::jsonb WHERE id = 1",
            [
                '{"WIDE_A_COUNT": 10.0, "WIDE_B_COUNT": 9007199254740993}',
                '{"WIDE_A_FLAG": "yes", "WIDE_A_RATE": 1e2}',
            ],
        )
        owner.commit()
    bulk = reader.post(f"{BULK}?flagConfigEtag=3", json={})
    flags = {flag["key"]: flag for flag in bulk.json()["flags"]}

    for key in ("WIDE_A_COUNT", "WIDE_B_COUNT", "WIDE_A_FLAG"):
        assert flags[key]["errorCode"] == "GENERAL"
        assert evaluate(reader, key).status_code == 400
    assert '"value":100.0,' in evaluate(reader, "WIDE_A_RATE").text
    assert flags["WIDE_A_KIND"]["value"] == "fancy"


def test_the_database_away_is_said_in_the_protocols_shape(wide, reader, monkeypatch):
    """503 with Retry-After in whole seconds, and details."""
    monkeypatch.setattr(type(wide.live.feed), "in_touch", False)
    monkeypatch.setattr("setpoint.serve.hot.cache.ANSWER_WITHIN_S", 0.0)
    refused = reader.post(BULK, json={})

    assert (refused.status_code, refused.json()["errorCode"]) == (503, "GENERAL")
    assert refused.headers["Retry-After"].isdigit()


def test_the_manifest_describes_every_key_that_is_set(reader):
    """Keys with types, descriptions and global values; read only."""
    answer = reader.get("/openfeature/v0/manifest")
    flags = {flag["key"]: flag for flag in answer.json()["flags"]}

    assert answer.headers["X-Manifest-Capabilities"] == "read"
    assert flags.keys() == (FLOATS | OTHERS).keys()
    assert {flag["type"] for flag in flags.values()} == {"float", "integer", "boolean", "string"}
    assert flags["WIDE_A_KIND"] == {
        "key": "WIDE_A_KIND",
        "type": "string",
        "description": "One of two.",
        "defaultValue": "fancy",
    }
    assert (
        reader.get("/openfeature/v0/manifest", headers={"If-None-Match": answer.headers["ETag"]}).status_code
        == 304
    )


def test_the_manifest_refuses_in_its_own_shape(wide):
    """As the manifest API describes an error."""
    refused = httpx.get(f"{wide.url}/openfeature/v0/manifest")

    assert (refused.status_code, refused.json()["error"]["status"]) == (401, 401)
