"""SERVE: the OpenAPI document as generators of clients need it: each shape and refusal stands in it once.

Guarantees: every error is one component by its status, and its body the one `Problem`; shapes have the names
that a client's code should have; a header that answers carry, or that a write is refused without, is
declared. Nothing is left inline that is shorter said once.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any

from setpoint.serve.access.rules import ANYONE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Who may call an operation; of one that says nothing, whoever the document says.
ROLES = "x-setpoint-roles"
_PROBLEM = "application/problem+json"
_TEXT = {"type": "string"}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {"description": "Names this request in the plane's log.", "schema": _TEXT},
    "ETag": {"description": "Names what was answered, or what stands.", "schema": _TEXT},
    "Location": {"description": "Where what was made is.", "schema": _TEXT},
    "Retry-After": {"description": "Seconds until it may be tried again.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "The challenge of RFC 6750.", "schema": _TEXT},
}
#: What an error carries besides the id of its request.
_OF_ERRORS = {"401": "WWW-Authenticate", "412": "ETag", "429": "Retry-After", "503": "Retry-After"}
#: From how many characters on a field's schema is worth a name of its own.
_LONG = 60
_SCHEMA = "#/components/schemas/"
_CONDITIONS = (
    ("If-None-Match", "Entity tags that are known, weak ones too, or `*`: 304 when one still stands."),
    ("If-Match", "Entity tags of which one must stand, or `*`: 412 with what does when none is."),
)


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Complete a document in place, and return it."""
    components = document.setdefault("components", {})
    components["headers"] = HEADERS
    refused: dict[str, Any] = {}
    components["responses"] = refused
    for path in document["paths"].values():
        for method, operation in path.items():
            _conditions(method, operation)
            if operation.get("security"):  # what holds for all but public operations stands once
                document["security"] = operation.pop("security")
            if operation.get(ROLES) == [*ANYONE]:  # likewise
                document[ROLES] = operation.pop(ROLES)
            for status, response in operation["responses"].items():
                operation["responses"][status] = _response(status, response, refused)
    _shared_parameters(document)
    _shared_answers(document)
    document["servers"] = [{"url": "/", "description": "This plane."}]
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which no answer of ours is
        components["schemas"].pop(name, None)
    _without_titles(document)
    _loosened(components["schemas"], _sent(document))
    _shared_fields(components["schemas"])
    named: dict[str, Any] = _compact(_renamed(document, _names(components["schemas"])))
    return named


def _conditions(method: str, operation: dict[str, Any]) -> None:
    """Declare what conditional requests take and answer (RFC 9110, section 13), where there is a tag."""
    responses, parameters = operation["responses"], operation.setdefault("parameters", [])
    for parameter in parameters:
        if parameter["schema"].get("description") == parameter.get("description"):
            parameter["schema"].pop("description", None)
        if not parameter.get("required", True):
            del parameter["required"]
        _without_null(parameter["schema"])
        if parameter["in"] == "header":
            parameter["name"] = _spelled(parameter["name"])
            if parameter["name"] == "If-Match":
                parameter["required"] = "428" in responses
                parameter["schema"] = _TEXT
    named = {parameter["name"] for parameter in parameters}
    if method == "get" and "304" in responses:
        parameters += [
            {"name": name, "in": "header", "description": said, "schema": _TEXT}
            for name, said in _CONDITIONS
            if name not in named
        ]
        responses["412"] = {"content": {_PROBLEM: {"schema": {"$ref": f"{_SCHEMA}Problem"}}}}
    if "304" in responses or "If-Match" in named:
        for status in {"200", "201"} & responses.keys():
            responses[status].setdefault("headers", {})["ETag"] = {}
    for status in {"201", "202"} & responses.keys():
        responses[status].setdefault("headers", {})["Location"] = {}


def _response(status: str, response: dict[str, Any], refused: dict[str, Any]) -> dict[str, Any]:
    names = [*response.get("headers", {})]
    if status in _OF_ERRORS:
        names.append(_OF_ERRORS[status])
    is_refusal = status >= "400"
    if is_refusal:
        names.append("X-Request-ID")
    if names:
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    phrase = HTTPStatus(int(status)).phrase
    if not is_refusal:
        if response["description"] in {"", "Successful Response"}:
            response["description"] = phrase
        return response
    # The routes of OpenFeature's protocols have a shape of their own for errors.
    (content,) = response["content"].values()
    name = content["schema"]["$ref"].removeprefix(_SCHEMA).removeprefix("Problem") + status
    refused[name] = {**response, "description": phrase}
    return {"$ref": f"#/components/responses/{name}"}


def _shared_parameters(document: dict[str, Any]) -> None:
    """Let each parameter stand once that several operations take in the same words."""
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    given = {json.dumps(one): one for operation in operations for one in operation["parameters"]}
    counted = Counter(json.dumps(one) for operation in operations for one in operation["parameters"])
    shared: dict[str, str] = {}
    for text, times in counted.most_common():
        if times > 1:
            shared[_free(_class_name(given[text]["name"]), shared)] = text
    names = {text: name for name, text in shared.items()}
    for operation in operations:
        operation["parameters"] = [
            {"$ref": f"#/components/parameters/{names[text]}"} if (text := json.dumps(one)) in names else one
            for one in operation["parameters"]
        ]
        if not operation["parameters"]:
            del operation["parameters"]
    document["components"]["parameters"] = {name: given[text] for name, text in shared.items()}


def _shared_answers(document: dict[str, Any]) -> None:
    """Let each answer stand once that several operations give in the same words, named as its shape is."""
    answers = [
        (operation["responses"], status, answer)
        for path in document["paths"].values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        if answer.get("content")
    ]
    counted = Counter(json.dumps(answer) for _, _, answer in answers)
    shared = document["components"]["responses"]
    names: dict[str, str] = {}
    for responses, status, answer in answers:
        text = json.dumps(answer)
        if counted[text] == 1:
            continue
        if text not in names:
            schema = next(iter(answer["content"].values()))["schema"]
            names[text] = _free(schema.get("$ref", "Page").rpartition("/")[2], shared)
            shared[names[text]] = answer
        responses[status] = {"$ref": f"#/components/responses/{names[text]}"}


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """Return a name that is not taken: this one, or with the first number that makes it so."""
    return next(
        one for number in count(1) if (one := name if number == 1 else f"{name}{number}") not in taken
    )


def _shared_fields(schemas: dict[str, Any]) -> None:
    """Let each long schema of a field or its items stand once that several have, named as the field is."""
    fields = [*_fields_of(schemas)]
    counted = Counter(json.dumps(field) for _, field in fields)
    names = {}
    for name, field in fields:
        text, wanted = json.dumps(field), _class_name(name)
        if (
            len(text) >= _LONG
            and _saves(field, counted[text], wanted)
            and text not in names
            and not {wanted, f"{wanted}Shape"} & schemas.keys()
        ):
            names[text], schemas[wanted] = wanted, dict(field)
    for _, field in fields:
        if shared := names.get(json.dumps(field)):
            field.clear()
            field["$ref"] = _SCHEMA + shared


def _saves(schema: dict[str, Any], times: int, name: str) -> bool:
    """Say whether the document is shorter when a schema stands once and is named elsewhere."""
    size = len(json.dumps(schema, separators=(",", ":")))
    reference = len(_SCHEMA) + len(name) + len('{"$ref":""}')
    return times * (size - reference) > size + len(name) + len('"":,')


def _fields_of(schemas: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the fields of records by name, and after each list the one that its items are of."""
    for record in [*schemas.values()]:
        for name, field in record.get("properties", {}).items():
            yield name, field
            if isinstance(field.get("items"), dict):
                yield name.removesuffix("s"), field["items"]


def _class_name(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split("[-_]", name))


def _without_null(schema: dict[str, Any]) -> None:
    """Say nothing of null where a query or a header says it by not being there."""
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        del schema["anyOf"]
        schema.update(choices[0])


def _spelled(name: str) -> str:
    """Return a header's name as it is written: FastAPI knows it in lower case."""
    return "-".join({"id": "ID"}.get(part, part.capitalize()) for part in name.lower().split("-"))


def _names(schemas: dict[str, Any]) -> dict[str, str]:
    """Return better names: an answer's record is called what it is; what a body calls so is the body's."""
    taken = {name for name in schemas if not name.endswith("Shape")}
    found = {}
    for name in schemas:
        plain = name.removesuffix("Shape")
        found[name] = f"{plain}Answer" if plain != name and plain in taken else plain
    return found


def _sent(document: dict[str, Any]) -> set[str]:
    """Return the names of what clients send, and of all within."""
    schemas = document["components"]["schemas"]
    found: set[str] = set()
    bodies = [one.get("requestBody") for path in document["paths"].values() for one in path.values()]
    waiting = set(_referred(bodies))
    while waiting:
        found |= waiting
        waiting = {name for one in waiting for name in _referred(schemas[one])} - found
    return found


def _referred(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(ref := part.get("$ref"), str):
            yield ref.removeprefix(_SCHEMA)
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _referred(inner)


def _loosened(schemas: dict[str, Any], sent: set[str]) -> None:
    """Bind no client to what answers hold today: a later release may add members, and longer texts."""
    for name, schema in schemas.items():
        if name not in sent:
            schema.pop("additionalProperties", None)
            for field in schema.get("properties", {}).values():
                for one in (field, *field.get("anyOf", ())):
                    for bound in _BOUNDS & one.keys():
                        del one[bound]
        if name.endswith("PageShape"):  # all are alike, and said so in the text about pages
            schema.pop("description", None)


#: What a body is refused for, and an answer never is.
_BOUNDS = {
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "maxItems",
    "maxProperties",
    "propertyNames",
}


def _without_titles(part: Any, *, is_map: bool = False) -> None:
    """Take away the titles that pydantic makes of names: they say nothing, and name classes in generators."""
    if isinstance(part, dict):
        if not is_map and isinstance(part.get("title"), str) and ("type" in part or part.keys() & _KINDS):
            del part["title"]
        for name, inner in part.items():
            _without_titles(inner, is_map=name in {"properties", "schemas"} and not is_map)
    elif isinstance(part, list):
        for inner in part:
            _without_titles(inner)


_KINDS = {"anyOf", "allOf", "oneOf", "$ref", "enum", "const", "items", "properties", "additionalProperties"}


def _compact(part: Any) -> Any:
    """Return a schema with a choice of plain types as one list of them, and whole numbers written as such."""
    if isinstance(part, list):
        return [_compact(inner) for inner in part]
    if isinstance(part, float) and part.is_integer() and abs(part) < 2**53:
        return int(part)
    if not isinstance(part, dict):
        return part
    found = {name: _compact(inner) for name, inner in part.items()}
    choices = found.get("anyOf")
    if isinstance(choices, list) and _is_nullable(choices):
        (one,) = (one for one in choices if one != {"type": "null"})
        del found["anyOf"]
        return {**one, "type": [one["type"], "null"], **found}
    if isinstance(choices, list) and all(one.keys() == {"type"} for one in choices):
        del found["anyOf"]
        types = [one["type"] for one in choices]
        found = {"type": [one for one in types if one != "integer" or "number" not in types], **found}
    return found


def _is_nullable(choices: list[dict[str, Any]]) -> bool:
    """Say whether a choice is between one plain type, with whatever bounds it, and null."""
    types = [one.get("type") for one in choices if not one.keys() & {"enum", "const"}]
    return len(types) == 2 and types.count("null") == 1 and all(isinstance(one, str) for one in types)


def _renamed(part: Any, names: dict[str, str]) -> Any:
    if isinstance(part, list):
        return [_renamed(inner, names) for inner in part]
    if not isinstance(part, dict):
        return part
    if isinstance(ref := part.get("$ref"), str) and ref.startswith(_SCHEMA):
        return part | {"$ref": _SCHEMA + names.get(ref.removeprefix(_SCHEMA), ref.removeprefix(_SCHEMA))}
    return {
        name: {names.get(one, one): _renamed(schema, names) for one, schema in inner.items()}
        if name == "schemas"
        else _renamed(inner, names)
        for name, inner in part.items()
    }
