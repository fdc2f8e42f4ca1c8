"""The query files: named once, described, and each of them valid SQL on every supported server."""

import re
from pathlib import Path

import psycopg
import pytest

import setpoint
from setpoint.errors import UsageError
from setpoint.store.queries import QUERIES, parse


@pytest.mark.parametrize("text", ["-- name: a\nSELECT 1;", "-- name: a\n-- What it does.\n"])
def test_query_without_description_or_statement_is_refused(text):
    """A query says in one line what it is for."""
    with pytest.raises(UsageError, match="'a'"):
        list(parse(text))


def test_parsed_query_has_name_description_and_statement():
    """The parts of a file come apart, without the final semicolon."""
    text = "-- A file.\n\n-- name: a\n-- What it does.\nSELECT 1;\n\n-- name: b\n-- More.\nSELECT\n2;\n"
    assert list(parse(text)) == [("a", "What it does.", "SELECT 1"), ("b", "More.", "SELECT\n2")]


def test_every_query_is_used():
    """A query that no module names is kept for nobody."""
    modules = Path(setpoint.__file__).parent.rglob("*.py")
    texts = "\n".join(module.read_text(encoding="utf-8") for module in modules)

    assert sorted(name for name in QUERIES if f'"{name}"' not in texts) == []


@pytest.fixture(scope="module")
def explained(server):
    """The name of a database in which queries are explained and none is run: one serves them all."""
    server.administer("CREATE DATABASE explained TEMPLATE template_setpoint STRATEGY file_copy")
    yield "explained"
    server.administer("DROP DATABASE explained WITH (FORCE)")


#: Only the owner of the tables may run these.
EMERGENCY = {"break_glass_restore", "break_glass_set"}
OWNERS = (
    EMERGENCY
    | {"declare_channel", "import_revision", "import_catalogue", "stand_on_history"}
    | {"believe_provider"}
    | {"declare_backup_plan", "end_backup_plan", "note_backup", "note_backup_removed", "note_proof"}
    | {"revive_nobody", "import_policy", "import_quota", "drop_month"}
)


@pytest.mark.parametrize("name", sorted(OWNERS))
def test_query_of_the_owner_is_valid_for_the_owner_alone(server, explained, name):
    """PostgreSQL parses it for the owner of the tables, and refuses it to the application."""
    query, params = "EXPLAIN " + QUERIES[name], dict.fromkeys(parameters_of(QUERIES[name]))
    with psycopg.connect(server.url(explained, owner=True)) as owner:
        assert owner.execute(query, params).fetchall()
    with psycopg.connect(server.url(explained)) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(query, params)


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - OWNERS))
def test_query_is_valid_on_this_server(server, explained, name):
    """PostgreSQL parses every query against the real tables, for the plane, which may do all of these."""
    params = dict.fromkeys(parameters_of(QUERIES[name]))
    with psycopg.connect(server.url(explained, login="setpoint_server")) as connection:
        connection.execute("EXPLAIN " + QUERIES[name], params)


def parameters_of(statement):

    return re.findall(r"%\((\w+)\)s", statement)
