"""The OpenAPI document: valid, readable, and complete about errors, credentials and rules."""

from collections import Counter

import pytest
from fastapi.routing import APIRoute
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from setpoint.serve.access.rules import ROLES
from setpoint.serve.api import ROUTERS
from setpoint.serve.candles import KIND
from setpoint.serve.request_counts import PLAIN
from setpoint.serve.routes import StrictRoute
from support.openapi import document_of


@pytest.fixture
def document(plane):
    """The document as a client gets it."""
    return document_of(plane)


def operations(document):
    """Yield (method and path, operation) of the typed API; test_snapshots.py looks at the plain routes."""
    for path, methods in document["paths"].items():
        if path.startswith(PLAIN):
            continue
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_document_is_valid_openapi(document):
    """It is OpenAPI 3.1, as its own schema judges."""
    assert document["openapi"].startswith("3.1")
    assert list(OPENAPI_31_VALIDATOR.iter_errors(document)) == []


def test_every_operation_is_readable(document):
    """A short summary, a description, a tag, and an id that no other operation has."""
    ids = Counter(operation["operationId"] for _, operation in operations(document))

    assert [name for name, count in ids.items() if count > 1 or not name.isidentifier()] == []
    for where, operation in operations(document):
        assert operation["summary"], where
        assert len(operation["summary"]) < 60, where
        assert operation["description"], where
        assert operation["tags"], where


def test_every_operation_declares_who_may_call_it_and_what_it_refuses(document):
    """Roles are known ones, or public; every error is a problem, and closed operations name 401 and 403."""
    schemes = document["components"]["securitySchemes"]
    for where, operation in operations(document):
        roles = operation["x-setpoint-roles"]
        assert set(roles) <= {*ROLES, "public", "account"}, where
        assert {name for one in operation["security"] for name in one} <= schemes.keys(), where
        assert bool(operation["security"]) == (roles != ["public"]), where
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"], (where, status)
        if roles != ["public"]:
            assert {"401", "403", "429", "503"} <= operation["responses"].keys(), where


def test_every_success_has_a_shape(document):
    """A 200, 201 or 202 names the model of its body, so that it can be checked; pages and bytes have none."""
    typed = [pair for pair in operations(document) if not {"hot", "pages", "plane"} & set(pair[1]["tags"])]
    for where, operation in typed:
        for status, response in operation["responses"].items():
            if status in {"200", "201", "202"} and KIND not in response["content"]:
                assert "$ref" in response["content"]["application/json"]["schema"], (where, status)


def test_every_route_takes_what_it_documents_and_nothing_else():
    """No typed route is lax about its query or body."""
    lax = [
        route.path
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and not isinstance(route, StrictRoute)
    ]

    assert lax == []
