"""A result has one definition: its dataclass, its table and its HTTP model agree, field by field."""

from dataclasses import MISSING, asdict, fields
from types import NoneType
from typing import get_args, get_type_hints

import psycopg
import pytest

from setpoint.client.result_parsing import parse_unit_result
from setpoint.client.results import Metrics, ParamFinding, Result, TrialResult, UnitResult
from setpoint.errors import InvalidValue
from setpoint.serve.api.run_bodies import bodies

#: Of each class: its table, and the columns that recording fills beside its fields.
UNIT = {"run_id", "symbol", "model", "timeframe", "variant", "fold"}
TABLES = {
    Result: ("finetune_results", {"id", "run_id", "created_at", "worker", "worker_time_sec"}),
    TrialResult: ("finetune_trials", {*UNIT, "violations", "recorded_at"}),
}
#: What PostgreSQL calls the type of a field; what JSON calls an object or a list is jsonb.
SQL_TYPES = {
    "bool": "boolean",
    "float": "double precision",
    "str": "text",
    "tuple": "jsonb",
    "dict": "jsonb",
    "Metrics": "jsonb",
}
INTEGERS = {(0, 2**31 - 1): "integer", (-(2**63), 2**63 - 1): "bigint"}
A_TRIAL = TrialResult(0, {"max_depth": 7}, 0.5, "complete", 9, (ParamFinding("gamma", 1.0, None, "ignored"),))


def sql_type(hint):
    """Return the SQL type that holds a hint, and whether it may be empty."""
    members = get_args(hint) if NoneType in get_args(hint) else (hint, None)
    hint = members[0]
    marks = getattr(hint, "__metadata__", ())
    plain = getattr(hint, "__origin__", hint) if marks else hint
    plain = getattr(plain, "__origin__", plain)
    of = INTEGERS[marks[0].low, marks[0].high] if plain is int else SQL_TYPES[plain.__name__]
    return of, "YES" if NoneType in members else "NO"


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
def test_each_field_of_a_result_is_a_column(kind, owner_url):
    """A field is a column of its name, type and nullability; no other column waits for training."""
    table, filled = TABLES[kind]
    with psycopg.connect(owner_url) as connection:
        columns = connection.execute(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s",
            [table],
        ).fetchall()
    found = {name: (of, empty) for name, of, empty in columns if name not in filled}

    assert {name: sql_type(hint) for name, hint in get_type_hints(kind, include_extras=True).items()} == found
    assert filled < {name for name, _, _ in columns}


@pytest.mark.parametrize("kind", [UnitResult, TrialResult, ParamFinding, Metrics])
def test_each_field_of_a_result_is_reported_over_http(kind):
    """The plane takes every field, asks for those that every release reports, and takes no other."""
    schema = bodies.of(kind).model_json_schema()
    added = {
        one.name for one in fields(kind) if one.default_factory is not MISSING or one.default is not MISSING
    }

    assert list(schema["properties"]) == [field.name for field in fields(kind)]
    assert schema["required"] == [name for name in schema["properties"] if name not in added]
    assert added <= {"importance", "importance_by"}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("change", [{"f1_new": 0.5}, {"trial": None}], ids=["one more", "one less"])
def test_a_result_with_other_fields_is_refused(change):
    """What another release reported is refused by the name of the field, not recorded without it."""
    trial = asdict(A_TRIAL) | change
    reported = {name: value for name, value in trial.items() if value is not None or name == "value"}

    with pytest.raises(InvalidValue, match=next(iter(change))):
        parse_unit_result({"trials": [reported]})


def test_bounds_reach_the_model_of_the_wire():
    """A share above one and a number beyond its column are the contract's, not the plane's."""
    properties = bodies.of(UnitResult).model_json_schema()["properties"]

    assert (properties["f1_buy_val"]["minimum"], properties["f1_buy_val"]["maximum"]) == (0, 1)
    assert properties["n_train"]["maximum"] == 2**31 - 1
    assert properties["snapshot_hash"]["pattern"] == "^[0-9a-f]{64}$"
    assert properties["trials"]["maxItems"] == 20_000
