"""A float comes back byte for byte and as a float, through every door a document has."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

import setpoint
from setpoint.change.documents import pin_snapshot, read_documents
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.change.restore import restore
from setpoint.client.environment import environment_snapshot, export
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.snapshot import read_snapshot, write_atomically
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.errors import InvalidDocument

CATALOGUE = """
format = 1
name = "wide"
version = "1.0.0"
title = "One float without bounds"
prefix = "WIDE"
dimensions = []

[[parts]]
name = "model"
values = { m = "M" }

[[parameters]]
name = "rate"
type = "float"
low = -1.7976931348623157e308
high = 1.7976931348623157e308
tuned = false
doc = "Any finite float."
"""
KEY = "WIDE_M_RATE"
FLOATS = (0.1, 1.0, 1e-05, 1e300, -2.5, 5e-324, 1.7976931348623157e308, 2.0**53, 1e16, 0.0)
#: What PostgreSQL prints for the floats of the requirement.
TEXTS = {0.1: "0.1", 1.0: "1.0", 1e-05: "0.00001", 1e300: "1" + "0" * 300 + ".0"}


@pytest.fixture
def wide(tmp_path, monkeypatch):
    """A system with one float of the widest bounds."""
    path = tmp_path / "wide.toml"
    path.write_text(CATALOGUE)
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(path))
    return load_catalogues(str(path))


def bits(value):
    assert type(value) is float
    return struct.pack(">d", value)


def write(database, catalogues, value):
    with database.transaction(author="ada") as transaction:
        return open_and_apply(
            transaction, catalogues, Proposal(scope="global", reason="a float", set={KEY: value})
        )


@pytest.mark.parametrize("value", FLOATS)
def test_a_float_survives_every_door(wide, database, owner_url, tmp_path, value):
    """SQL, document, pinned snapshot, file, variables of the environment: the same 64 bits, a float."""
    write(database, wide, value)
    with psycopg.connect(owner_url) as psql:
        text, digest, number = psql.execute(
            "SELECT base_env::text, hash, (base_env ->> %s)::float8 FROM ftf_config", [KEY]
        ).fetchone()
    snapshot = pin_snapshot(database, wide, {})
    write_atomically(tmp_path / "snapshot.json", snapshot.to_json())
    read = read_snapshot(tmp_path / "snapshot.json")
    variables = export(read, wide)
    from_variables = environment_snapshot(variables, wide)

    assert text == snapshot.text == read.text == from_variables.text == canonical_text({KEY: value})
    assert digest == snapshot.hash == read.hash == from_variables.hash == text_hash(text)
    seen = [
        number,
        read_documents(database, wide)["global"].values[KEY],
        *(Hyperparams(held, wide).value(KEY) for held in (snapshot, read, from_variables)),
        float(variables[KEY]),
    ]
    assert {bits(one) for one in seen} == {bits(value)}


@pytest.mark.parametrize(("value", "text"), TEXTS.items())
def test_a_float_keeps_its_decimal_point(wide, database, owner_url, value, text):
    """The stored text is positional with a point, so that no reader takes it for an int."""
    write(database, wide, value)
    with psycopg.connect(owner_url) as psql:
        stored = psql.execute("SELECT base_env::text FROM ftf_config").fetchone()[0]

    assert stored == f'{{"{KEY}": {text}}}'


@pytest.mark.parametrize("value", FLOATS)
def test_set_and_get_say_the_same_float(wide, setpoint_command, value):
    """What `get` prints reads back as the float that was set, whatever way it was spelled."""
    for spelled in (repr(value), format(value, ".17g") if "." in format(value, ".17g") else repr(value)):
        assert setpoint_command("set", f"{KEY}={spelled}", "--reason", "a float", "--yes").code == 0
        assert setpoint_command("get", KEY).out == f"{value!r}\n"
        assert bits(setpoint_command("get", KEY, "--json").json["value"]) == bits(value)


@pytest.mark.parametrize("value", [0.1, 1.0, 1e-05, 1e300])
def test_a_program_reads_the_same_float_from_its_environment(wide, settings, setpoint_command, value):
    """`setpoint run` hands the float to any program; Python's float() of the variable is the value."""
    assert setpoint_command("set", f"{KEY}={value!r}", "--reason", "a float", "--yes").code == 0
    program = f"import os; print(float(os.environ['{KEY}']).hex())"
    done = subprocess.run(
        [sys.executable, "-m", "setpoint.cli", "run", "--", sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(Path(setpoint.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert float.fromhex(done.stdout) == value


def test_a_float_survives_a_restore(wide, database):
    """Brought back from history, it is the same document by hash."""
    for value in (1e-05, 1.0, 0.1):
        write(database, wide, value)
    with database.transaction(author="ada") as transaction:
        proof = restore(transaction, wide, Proposal(scope="global", reason="undo", restores=1))

    assert proof.equal
    assert bits(read_documents(database, wide)["global"].values[KEY]) == bits(1e-05)


def test_negative_zero_is_refused_at_every_door(wide, database, setpoint_command):
    """Storage would drop its sign in silence: it is refused aloud, and nothing is written."""
    with pytest.raises(InvalidDocument, match=r"cannot hold -0\.0"):
        write(database, wide, -0.0)
    refused = setpoint_command("set", f"{KEY}=-0.0", "--reason", "a float", "--yes")
    with pytest.raises(InvalidDocument, match=r"cannot hold -0\.0"):
        environment_snapshot({KEY: "-0.0"}, wide)

    assert refused.code == 3
    assert "-0.0" in refused.err
    assert read_documents(database, wide) == {}


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: str(x) != "-0.0"))
def test_any_finite_float_survives(wide, database, value):
    """Through a change, the database's own text and hash, and the way back."""
    write(database, wide, value)
    snapshot = pin_snapshot(database, wide, {})

    assert snapshot.text == canonical_text({KEY: value})
    assert bits(Hyperparams(snapshot, wide).value(KEY)) == bits(value)
