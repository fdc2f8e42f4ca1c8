"""SERVE: what the plain routes take and answer, for the OpenAPI document.

Written by hand, because nothing of FastAPI's sees these routes; their rules and summaries stand at their
endpoints (``hot_access``). A test holds that each plain route is here, and that nothing else is.
"""

from __future__ import annotations

from typing import Any

from setpoint.client.snapshot_set import MOST_CONTEXTS
from setpoint.serve.routes import CONTEXT

_TEXT = {"type": "string"}
_INTEGER = {"type": "integer"}
_JSON = "application/json"
_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_KNOWN = ("If-None-Match", "header", "Entity tags: a list, weak ones and `*` are understood.")
_CONTEXT: dict[str, Any] = CONTEXT["parameters"][0]  # type: ignore[index]
_PROBLEM = "application/problem+json"


def _object(
    required: dict[str, Any], optional: dict[str, Any] | None = None, *, is_open: bool = False
) -> dict[str, Any]:
    found = {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}
    return found if is_open else {**found, "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_SCALAR = {"anyOf": [{"type": "boolean"}, {"type": "number"}, _TEXT]}
_HOLDER_FACTS = {
    "context": _ref("Context"),
    "host": _TEXT,
    "pid": _INTEGER,
    "run": _TEXT,
    "revision": _INTEGER,
}
#: What the plain routes take and answer, by name.
SCHEMAS: dict[str, Any] = {
    "Context": {
        "type": "object",
        "additionalProperties": _TEXT,
        "description": "The value of each dimension that is given.",
    },
    "CatalogueIdentity": _object({"name": _TEXT, "version": _TEXT, "hash": _TEXT}),
    "SnapshotLayer": _object(
        {
            "scope": _TEXT,
            "revision": {"anyOf": [_INTEGER, {"type": "null"}]},
            "hash": _HASH,
            "author": _TEXT,
            "keys": {"type": "object", "additionalProperties": _SCALAR},
        },
        {"written_at": _TEXT, "change": {"anyOf": [_INTEGER, {"type": "null"}]}},
    ),
    "Snapshot": _object(
        {
            "format": _TEXT,
            "text": _TEXT | {"description": "The document; `hash` is the SHA-256 of its UTF-8."},
            "hash": _HASH,
            "catalogues": _list(_ref("CatalogueIdentity")),
            "context": _ref("Context"),
            "layers": _list(_ref("SnapshotLayer")),
        }
    ),
    "SnapshotSetMember": _object(
        {"context": _ref("Context"), "hash": _HASH, "layers": _list(_ref("SnapshotLayer"))}
    ),
    "SnapshotSet": _object(
        {
            "format": _TEXT,
            "hash": _HASH,
            "catalogues": _list(_ref("CatalogueIdentity")),
            "texts": {"type": "object", "additionalProperties": _TEXT},
            "members": _list(_ref("SnapshotSetMember")),
        }
    ),
    "HolderReport": _object({"snapshot": _HASH}, _HOLDER_FACTS),
    "Holder": _object(
        {
            "client": _TEXT,
            "account": _TEXT,
            "snapshot": _HASH,
            **_HOLDER_FACTS,
            "since": _TEXT,
            "seen": _TEXT,
        }
    ),
    "HolderPage": _object({"items": _list(_ref("Holder")), "next": {"anyOf": [_TEXT, {"type": "null"}]}}),
    "EvaluationRequest": _object(
        {}, {"context": {"type": "object", "additionalProperties": True}}, is_open=True
    ),
    "FlagMetadata": _object({"scope": _TEXT, "revision": _INTEGER, "version": _TEXT}),
    "Flag": _object(
        {"key": _TEXT},
        {
            "reason": _TEXT,
            "variant": _TEXT,
            "value": _SCALAR,
            "metadata": _ref("FlagMetadata"),
            "errorCode": _TEXT,
            "errorDetails": _TEXT,
        },
    ),
    "FlagSetMetadata": _object({"version": _TEXT, "revision": _INTEGER, "flagSetId": _HASH}),
    "EventStreamEndpoint": _object({"requestUri": _TEXT}),
    "EventStream": _object(
        {"type": _TEXT, "endpoint": _ref("EventStreamEndpoint"), "inactivityDelaySec": _INTEGER}
    ),
    "FlagBulk": _object(
        {
            "flags": _list(_ref("Flag")),
            "metadata": _ref("FlagSetMetadata"),
            "eventStreams": _list(_ref("EventStream")),
        }
    ),
    "FlagFailure": _object({"errorCode": _TEXT, "errorDetails": _TEXT}, {"key": _TEXT}),
    "ManifestFlag": _object({"key": _TEXT, "type": _TEXT, "description": _TEXT, "defaultValue": _SCALAR}),
    "Manifest": _object({"flags": _list(_ref("ManifestFlag"))}),
    "ManifestError": _object({"message": _TEXT, "status": _INTEGER}),
    "ManifestFailure": _object({"error": _ref("ManifestError")}),
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


#: Operations by path and method.
PATHS: dict[str, Any] = {
    "/v1/snapshot": {
        "get": _operation(
            "snapshot",
            {200: (_JSON, _ref("Snapshot")), 304: None} | _refused(_ref("Problem"), 400, 404, 422),
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
            {201: (_JSON, _ref("Snapshot"))} | _refused(_ref("Problem"), 400, 404, 413, 422),
            body={
                "type": "object",
                "required": ["context"],
                "additionalProperties": False,
                "properties": {"context": _ref("Context")},
            },
        )
    },
    "/v1/snapshots/{hash}": {
        "get": _operation(
            "snapshot_by_hash",
            {200: (_JSON, _ref("Snapshot")), 304: None} | _refused(_ref("Problem"), 404),
            _parameter("hash", "path", "What names it.", _HASH),
            _parameter(*_KNOWN),
        )
    },
    "/v1/snapshot-sets": {
        "post": _operation(
            "pin_set",
            {200: (_JSON, _ref("SnapshotSet"))} | _refused(_ref("Problem"), 400, 404, 413, 422),
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
                        "items": _ref("Context"),
                    }
                },
            },
        )
    },
    "/v1/stream": {
        "get": _operation(
            "stream",
            {200: ("text/event-stream", _TEXT)} | _refused(_ref("Problem"), 422),
            _CONTEXT,
            _parameter("stream_token", "query", "Instead of a credential, for clients that send no headers."),
            _parameter("Last-Event-ID", "header", "Revisions after this one are told first."),
        )
    },
    "/v1/holders": {
        "get": _operation(
            "holders",
            {200: (_JSON, _ref("HolderPage"))} | _refused(_ref("Problem"), 422),
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
            {204: None} | _refused(_ref("Problem"), 400, 413, 422),
            _parameter(
                "client", "path", "New for each process.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}
            ),
            body=_ref("HolderReport"),
        )
    },
    "/ofrep/v1/evaluate/flags": {
        "post": _operation(
            "evaluate_flags",
            {200: (_JSON, _ref("FlagBulk")), 304: None}
            | _refused(_ref("FlagFailure"), 400, 404, 413, media_type=_JSON),
            _parameter("flagConfigEtag", "query", "The tag of an event: the answer knows that revision."),
            _parameter(*_KNOWN),
            body=_ref("EvaluationRequest"),
        )
    },
    "/ofrep/v1/evaluate/flags/{key}": {
        "post": _operation(
            "evaluate_flag",
            {200: (_JSON, _ref("Flag"))} | _refused(_ref("FlagFailure"), 400, 404, 413, media_type=_JSON),
            _parameter("key", "path", "A key of a catalogue."),
            body=_ref("EvaluationRequest"),
        )
    },
    "/openfeature/v0/manifest": {
        "get": _operation(
            "manifest",
            {200: (_JSON, _ref("Manifest")), 304: None}
            | _refused(_ref("ManifestFailure"), 404, media_type=_JSON),
            _parameter(*_KNOWN),
        )
    },
}
