"""SERVE: what the plain routes take and answer, for the OpenAPI document.

Written by hand, because nothing of FastAPI's sees these routes; their rules and summaries stand at their
endpoints (``hot_access``). A test holds that each plain route is here, and that nothing else is.
"""

from __future__ import annotations

from typing import Any

from setpoint.client.snapshot_set import MOST_CONTEXTS
from setpoint.serve.routes import CONTEXT

_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_KNOWN = ("If-None-Match", "header", "Entity tags: a list, weak ones and `*` are understood.")
_CONTEXT: dict[str, Any] = CONTEXT["parameters"][0]  # type: ignore[index]
_PROBLEM = "application/problem+json"


def plain_paths(problem: dict[str, Any]) -> dict[str, Any]:
    """Return operations by path and method; ``problem`` is the schema of an error."""
    json_only = "application/json"
    ofrep_error = {"type": "object", "required": ["errorCode", "errorDetails"], "properties": {"key": _TEXT}}
    manifest_error = {"type": "object", "required": ["error"], "properties": {"error": _OBJECT}}
    evaluation = {"type": "object", "properties": {"context": _OBJECT}}
    holder = {
        "type": "object",
        "required": ["snapshot"],
        "additionalProperties": False,
        "properties": {
            "snapshot": _HASH,
            "context": {"type": "object", "additionalProperties": _TEXT},
            "host": _TEXT,
            "pid": {"type": "integer"},
            "run": _TEXT,
            "revision": {"type": "integer"},
        },
    }
    return {
        "/v1/snapshot": {
            "get": _operation(
                "snapshot",
                {200: (json_only, _OBJECT), 304: None} | _refused(problem, 400, 404, 422),
                _CONTEXT,
                _parameter(
                    "at_least",
                    "query",
                    "The answer must know this revision.",
                    {"type": "integer", "minimum": 0},
                ),
                _parameter(*_KNOWN),
                _parameter("Setpoint-Client", "header", "`<client id>; host=<host>; pid=<pid>; run=<run>`"),
            )
        },
        "/v1/snapshots": {
            "post": _operation(
                "make_snapshot",
                {201: (json_only, _OBJECT)} | _refused(problem, 400, 404, 413, 422),
                body={
                    "type": "object",
                    "required": ["context"],
                    "additionalProperties": False,
                    "properties": {"context": {"type": "object", "additionalProperties": _TEXT}},
                },
            )
        },
        "/v1/snapshots/{hash}": {
            "get": _operation(
                "snapshot_by_hash",
                {200: (json_only, _OBJECT), 304: None} | _refused(problem, 404),
                _parameter("hash", "path", "What names it.", _HASH),
                _parameter(*_KNOWN),
            )
        },
        "/v1/snapshot-sets": {
            "post": _operation(
                "pin_set",
                {200: (json_only, _OBJECT)} | _refused(problem, 400, 404, 413, 422),
                _parameter("Setpoint-Client", "header", "`<client id>; host=<host>; pid=<pid>; run=<run>`"),
                body={
                    "type": "object",
                    "required": ["contexts"],
                    "additionalProperties": False,
                    "properties": {
                        "contexts": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MOST_CONTEXTS,
                            "items": {"type": "object", "additionalProperties": _TEXT},
                        }
                    },
                },
            )
        },
        "/v1/stream": {
            "get": _operation(
                "stream",
                {200: ("text/event-stream", _TEXT)} | _refused(problem, 422),
                _CONTEXT,
                _parameter(
                    "stream_token", "query", "Instead of a credential, for clients that send no headers."
                ),
                _parameter("Last-Event-ID", "header", "Revisions after this one are told first."),
            )
        },
        "/v1/holders": {
            "get": _operation(
                "holders",
                {200: (json_only, _OBJECT)} | _refused(problem, 422),
                _parameter(
                    "limit", "query", "At most so many.", {"type": "integer", "minimum": 1, "maximum": 500}
                ),
                _parameter("after", "query", "The cursor `next` of the page before."),
                _parameter("snapshot", "query", "Only holders of this hash.", _HASH),
            )
        },
        "/v1/holders/{client}": {
            "put": _operation(
                "report_holder",
                {204: None} | _refused(problem, 400, 413, 422),
                _parameter(
                    "client", "path", "New for each process.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}
                ),
                body=holder,
            )
        },
        "/ofrep/v1/evaluate/flags": {
            "post": _operation(
                "evaluate_flags",
                {200: (json_only, _OBJECT), 304: None}
                | _refused(ofrep_error, 400, 404, 413, media_type=json_only),
                _parameter("flagConfigEtag", "query", "The tag of an event: the answer knows that revision."),
                _parameter(*_KNOWN),
                body=evaluation,
            )
        },
        "/ofrep/v1/evaluate/flags/{key}": {
            "post": _operation(
                "evaluate_flag",
                {200: (json_only, _OBJECT)} | _refused(ofrep_error, 400, 404, 413, media_type=json_only),
                _parameter("key", "path", "A key of a catalogue."),
                body=evaluation,
            )
        },
        "/openfeature/v0/manifest": {
            "get": _operation(
                "manifest",
                {200: (json_only, _OBJECT), 304: None} | _refused(manifest_error, 404, media_type=json_only),
                _parameter(*_KNOWN),
            )
        },
    }


def _operation(
    name: str,
    answers: dict[int, Any],
    *parameters: dict[str, Any],
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "parameters": list(parameters),
        "responses": {
            str(status): {"description": ""}
            | ({"content": {answer[0]: {"schema": answer[1]}}} if answer else {})
            for status, answer in sorted(answers.items())
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _parameter(
    name: str, place: str, description: str, schema: dict[str, Any] | None = None
) -> dict[str, Any]:
    found = {"name": name, "in": place, "description": description, "schema": schema or _TEXT}
    return found | ({"required": True} if place == "path" else {})


def _refused(schema: dict[str, Any], *statuses: int, media_type: str = _PROBLEM) -> dict[int, Any]:
    return dict.fromkeys((401, 403, 429, 503, *statuses), (media_type, schema))
