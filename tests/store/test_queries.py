"""The query files: named once, described, and each of them valid SQL on every supported server."""

import re

import pytest

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


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_query_is_valid_on_this_server(database, name):
    """PostgreSQL parses every query against the real tables."""
    params = dict.fromkeys(parameters_of(QUERIES[name]))
    with database.transaction() as tx:
        tx._connection.execute("EXPLAIN " + QUERIES[name], params)


def parameters_of(statement):

    return re.findall(r"%\((\w+)\)s", statement)
