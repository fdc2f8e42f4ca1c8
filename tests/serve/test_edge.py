"""The standards at the edge, held by every operation of the OpenAPI document: a new route keeps them too."""

import socket

import httpx
import pytest

from setpoint.serve.problems import meanings
from setpoint.serve.request_counts import PLAIN
from support.openapi import document_of, filled

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "TRACE"}
STREAM = "/v1/stream"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def paths(seeded, http_as, plane):
    """Each path of the document with its parameters filled, its item, and a client that may ask it."""
    dan = http_as("dan")
    return dan, {filled(path, item): (path, item) for path, item in document_of(plane)["paths"].items()}


def methods_of(item):
    told = {method.upper() for method in item}
    return told | {"OPTIONS"} | ({"HEAD"} if "GET" in told else set())


def allowed(answer):
    return set(answer.headers["Allow"].split(", "))


def test_every_get_has_a_head_and_its_conditions(paths):
    """HEAD says what GET says without a body; an ETag is declared, known (304) and held (else 412)."""
    client, addresses = paths
    for address, (path, item) in addresses.items():
        if "get" not in item or path == STREAM:
            continue
        read, head = client.get(address), client.head(address)
        assert (head.status_code, head.content) == (read.status_code, b""), address
        for name in ("ETag", "Content-Type", "Content-Length", "Cache-Control", "Location"):
            assert head.headers.get(name) == read.headers.get(name), (address, name)
        declared = "ETag" in item["get"]["responses"].get("200", {}).get("headers", {})
        if read.status_code == 200:
            assert declared == ("ETag" in read.headers), address
        if "ETag" not in read.headers:
            continue
        tag = read.headers["ETag"]
        for method in ("GET", "HEAD"):
            for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
                again = client.request(method, address, headers={"If-None-Match": known})
                assert (again.status_code, again.content) == (304, b""), (address, known)
                assert again.headers["ETag"] == tag, address
            lines = [("If-None-Match", '"x"'), ("If-None-Match", tag)]
            assert client.request(method, address, headers=lines).status_code == 304, address
            for held in (tag, f'"x",{tag}', "*"):
                assert client.request(method, address, headers={"If-Match": held}).status_code == 200, address
            for other in ('"x"', f"W/{tag}", "", tag.strip('"')):
                refused = client.request(method, address, headers={"If-Match": other})
                assert (refused.status_code, refused.headers["ETag"]) == (412, tag), (address, other)
                assert refused.headers["Content-Type"] == "application/problem+json" or path in PLAIN
        assert client.get(address, headers={"If-Match": "*", "If-None-Match": '"x"'}).status_code == 200


def test_every_address_says_what_it_takes(paths, plane):
    """OPTIONS answers anybody; what is not taken, known to HTTP or not, is a problem that says what is."""
    client, addresses = paths
    for address, (_, item) in addresses.items():
        told = httpx.options(plane + address)
        assert (told.status_code, told.content) == (204, b""), address
        assert allowed(told) == methods_of(item), address
        for method in METHODS - methods_of(item):
            refused = client.request(method, address)
            assert refused.status_code == 405, (method, address)
            assert allowed(refused) == methods_of(item), (method, address)
            if method != "HEAD":
                assert "method" in refused.text, (method, address)
    assert httpx.options(f"{plane}/nothing").status_code == 404


def test_every_answer_says_whether_it_may_be_kept_and_which_request_it_answers(paths, caplog):
    """Cache-Control, the caller's request id and trace, on successes and refusals, and both in the log."""
    caplog.set_level("INFO", "setpoint.access")
    client, addresses = paths
    given = {"X-Request-ID": "Root=1-67891233/a:b+c@d", "traceparent": TRACE}
    for address, (path, item) in addresses.items():
        for method in methods_of(item) | {"TRACE"}:
            if (path, method) == (STREAM, "GET"):
                continue
            answer = client.request(method, address, headers=given)
            assert answer.headers["Cache-Control"], (method, address)
            assert {name: answer.headers[name] for name in given} == given, (method, address)
    written = [record.getMessage() for record in caplog.records]
    assert len([line for line in written if f"trace_id={TRACE[3:35]}" in line]) > len(addresses)
    bad = {"X-Request-ID": "a b", "traceparent": TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32)}
    answer = client.get("/v1/me", headers=bad)
    assert "traceparent" not in answer.headers
    assert answer.headers["X-Request-ID"] != "a b"


def test_every_closed_address_challenges(paths, plane):
    """401 names the scheme, and says invalid_token exactly when a credential was sent (RFC 6750)."""
    _, addresses = paths
    for address, (_, item) in addresses.items():
        for method, operation in item.items():
            if operation["x-setpoint-roles"] == ["public"]:
                continue
            asked = httpx.request(method, plane + address)
            wrong = httpx.request(method, plane + address, headers={"Authorization": "Bearer spt_none"})
            assert (asked.status_code, wrong.status_code) == (401, 401), address
            assert asked.headers["WWW-Authenticate"] == 'Bearer realm="setpoint"', address
            assert wrong.headers["WWW-Authenticate"].endswith(', error="invalid_token"'), address


def test_what_a_write_must_be_held_to_is_required_in_the_document(paths):
    """Where the lack of If-Match is 428, the document says that it is required; and nowhere else."""
    _, addresses = paths
    for path, item in addresses.values():
        for method, operation in item.items():
            held = {p["name"]: p.get("required", False) for p in operation.get("parameters", [])}
            if method != "get":
                assert held.get("If-Match", False) == ("428" in operation["responses"]), (method, path)


def test_the_document_is_small_and_says_what_is_answered(plane):
    """At most 1,850 bytes an operation; one Problem, no shape of FastAPI's own, and no answer of anything."""
    answer = httpx.get(f"{plane}/openapi.json", timeout=60)
    document, resolved = answer.json(), document_of(plane)
    schemas = document["components"]["schemas"]

    operations = [method for path in document["paths"].values() for method in path]
    assert len(answer.content) < 1_850 * len(operations)
    assert answer.text.count('"request_id":') == 1
    assert not [name for name in schemas if name.endswith("Shape") or name.startswith("HTTP")]
    for path, item in resolved["paths"].items():
        for method, operation in item.items():
            for status, told in operation["responses"].items():
                for media_type, content in told.get("content", {}).items():
                    if media_type.endswith("json"):
                        assert "$ref" in content["schema"] or path == "/openapi.json", (method, path, status)
    for name, schema in schemas.items():
        assert schema.get("type") != "object" or schema.keys() & {"properties", "additionalProperties"}, name


def test_every_problem_has_a_type_that_answers(plane):
    """The address in `type` leads to what the code means, for every code that there is."""
    refused = httpx.get(f"{plane}/v1/nothing").json()
    for code in {*meanings(), refused["type"].rpartition("/")[2]}:
        page = httpx.get(f"{plane}/problems/{code}")
        assert page.status_code == 200, code
        assert code in page.text
    assert httpx.get(f"{plane}/problems/nothing").status_code == 404


@pytest.mark.parametrize(
    "twice", [("Authorization", "Bearer a"), ("Idempotency-Key", "a"), ("Content-Type", "application/json")]
)
def test_a_header_of_one_value_is_not_sent_twice(plane, twice):
    """A proxy that reads the first and a server that reads the last would see two requests."""
    refused = httpx.post(f"{plane}/v1/login", headers=[twice, twice], content=b"{}")

    assert (refused.status_code, refused.json()["code"]) == (400, "usage_error")


@pytest.mark.parametrize("sent", [b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00"])
def test_what_is_no_http_is_refused_as_a_problem(plane, sent):
    """A method that no parser knows, TLS to an open port: one shape, and the connection ends."""
    host, port = plane.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head.lower()
    assert b'"code": "malformed_request"' in body
