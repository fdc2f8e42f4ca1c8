"""The scenarios of OpenFeature's specification for evaluation, by its own titles, against our provider.

The specification's gherkin suite (open-feature/spec, `evaluation_v2.feature`) names each scenario and the
requirement behind it; these are written anew, with a catalogue's flags: our provider has no others. Left out:

- values and zero values of objects, and empty texts: no key of a catalogue holds one; asked for an object, a
  flag is a mismatch of types;
- the reason DEFAULT, for an empty context and for one that no rule matches: values are of one snapshot, so
  what no overlay sets the first scope does, STATIC, and a context of another scope is refused;
- metadata of one's choice: it is the value's own, snapshot, revision, scope and author;
- a provider in fatal state: `test_openfeature.py` plays it, in a process without a snapshot.
"""

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from setpoint.client.adapters.openfeature import SetpointProvider
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues

CATALOGUE = """
format = 1
name = "scenarios"
version = "1.0.0"
title = "A flag of each type, and one of each that says nothing"
prefix = "OF"
dimensions = ["email"]
"""
PARAMETER = '\n[[parameters]]\nname = "{}"\ntype = "{}"\n{}tuned = false\ndoc = "A flag."\n'
#: Type in the suite's words, to our type, its value, its zero value, and a default that is neither.
FLAGS = {
    "boolean": ("bool", True, False, False),
    "string": ("categorical", "hi", None, "bye"),
    "integer": ("int", 10, 0, 1),
    "float": ("float", 0.5, 0.0, 0.1),
}
BOUNDS = {"int": "low = -100\nhigh = 100\n", "float": "low = -100.0\nhigh = 100.0\n", "bool": ""}
BOUNDS["categorical"] = 'choices = ["hi", "bye"]\n'
REVISION, OVERLAY = 4, 9


def name(kind, zero=False):
    return f"OF_{kind.upper()}{'_ZERO' if zero else ''}"


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenarios")
    parameters = [
        PARAMETER.format(f"{kind}{suffix}", ours, BOUNDS[ours])
        for kind, (ours, _, none, _) in FLAGS.items()
        for suffix in ("", "_zero")
        if not (suffix and none is None)
    ]
    (folder / "scenarios.toml").write_text(CATALOGUE + "".join(parameters))
    system = load_catalogues(str(folder / "scenarios.toml"))
    values = {name(kind): value for kind, (_, value, _, _) in FLAGS.items()}
    zeros = {name(kind, zero=True): none for kind, (_, _, none, _) in FLAGS.items() if none is not None}
    assert set(system.keys) == set(values) | set(zeros)
    text = canonical_text(values | zeros)
    layers = (
        SnapshotLayer("global", REVISION, "h", "ada"),
        SnapshotLayer("email=a@b", OVERLAY, "h", "bo", zeros),
    )
    made = Snapshot(text, text_hash(text), system.identities, {"email": "a@b"}, layers)
    (folder / "s.json").write_text(made.to_json())
    return {
        "SETPOINT_CATALOGUES": str(folder / "scenarios.toml"),
        "SETPOINT_SNAPSHOT": str(folder / "s.json"),
        "SETPOINT_EVENTS": str(folder / "events.log"),
        "hash": made.hash,
    }


@pytest.fixture
def client(environ):
    """A client of a stable provider."""
    api.set_provider_and_wait(SetpointProvider(environ=environ))
    yield api.get_client()
    api.clear_providers()


def details(client, kind, key, default, context=None):
    return getattr(client, f"get_{kind}_details")(key, default, context)


@pytest.mark.parametrize("kind", FLAGS)
def test_resolve_values_and_complete_evaluation_details_structure(client, environ, kind):
    """1.3.1.1, 1.4.1.1, 1.4.3, 1.4.5 to 1.4.7, 1.4.14: value, key, variant, reason STATIC, and metadata."""
    _, value, _, default = FLAGS[kind]
    found = details(client, kind, name(kind), default)
    assert (found.value, found.flag_key, found.variant) == (value, name(kind), f"v{REVISION}")
    assert (type(found.value), found.reason, found.error_code) == (type(value), Reason.STATIC, None)
    assert getattr(client, f"get_{kind}_value")(name(kind), default) == value
    kept = {"flagSetId": environ["hash"], "version": str(REVISION), "scope": "global", "author": "ada"}
    assert found.flag_metadata == kept


@pytest.mark.parametrize("kind", [kind for kind, flag in FLAGS.items() if flag[2] is not None])
@pytest.mark.parametrize("context", [{"email": "a@b"}, {"email": None}, {"email": ""}, {}, {"other": "x"}])
def test_resolves_zero_value_with_targeting_and_null_context_values(client, kind, context):
    """1.4.7: a value that says nothing is a value, and an overlay's is TARGETING_MATCH; null is not given."""
    _, _, zero, _ = FLAGS[kind]
    default = True if kind == "boolean" else 1 if kind == "integer" else 0.1
    found = details(client, kind, name(kind, zero=True), default, EvaluationContext("me", context))
    assert (found.value, type(found.value)) == (zero, type(zero))
    assert (found.reason, found.variant) == (Reason.TARGETING_MATCH, f"v{OVERLAY}")


@pytest.mark.parametrize(
    ("kind", "default"), [*((kind, flag[3]) for kind, flag in FLAGS.items()), ("object", {"a": 1})]
)
def test_flag_not_found_error(client, kind, default):
    """1.4.8 to 1.4.10: the default, ERROR and FLAG_NOT_FOUND, and nothing is thrown."""
    found = details(client, kind, "non-existent-flag", default)
    assert (found.value, found.reason, found.error_code) == (default, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)


@pytest.mark.parametrize(
    ("asked", "key", "default"),
    [("string", "boolean", "bye"), ("boolean", "string", False), ("integer", "string", 1),
     ("object", "string", {}), ("integer", "float", 1), ("float", "integer", 0.1)],
)  # fmt: skip
def test_type_mismatch_error(client, asked, key, default):
    """1.3.4: the default, ERROR and TYPE_MISMATCH, a float for an int too."""
    found = details(client, asked, name(key), default)
    assert (found.value, found.reason, found.error_code) == (default, Reason.ERROR, ErrorCode.TYPE_MISMATCH)


@pytest.mark.parametrize("kind", FLAGS)
def test_provider_not_ready_error(environ, kind):
    """1.7.6: before it is initialized a provider gives the default and PROVIDER_NOT_READY."""
    default = FLAGS[kind][3]
    found = getattr(SetpointProvider(environ=environ), f"resolve_{kind}_details")(name(kind), default)
    assert (found.value, found.reason, found.error_code) == (
        default,
        Reason.ERROR,
        ErrorCode.PROVIDER_NOT_READY,
    )


def test_a_context_of_another_scope_is_an_error_and_no_default_of_ours(client):
    """Where the suite expects DEFAULT: a value of this scope is none of that one."""
    found = details(client, "integer", name("integer"), 1, EvaluationContext("me", {"email": "c@d"}))
    assert (found.value, found.reason, found.error_code) == (1, Reason.ERROR, ErrorCode.INVALID_CONTEXT)
