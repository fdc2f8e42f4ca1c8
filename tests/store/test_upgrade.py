"""A database that has rows goes through every migration after them: none is lost, and history still holds."""

import json

import psycopg
import pytest

from setpoint.change.verification import verify
from setpoint.settings import Settings
from setpoint.store.database import Database
from setpoint.store.schema import migrate, shipped

#: From history on: what was written before it was there is in no history.
FIRST = 2


@pytest.fixture
def growing(server):
    """The name of a database without a table."""
    server.administer("CREATE DATABASE growing")
    yield "growing"
    server.administer("DROP DATABASE growing WITH (FORCE)")


def test_rows_of_every_step_are_there_after_the_last(server, growing):
    """After each migration a document is written as somebody with psql would; the chain holds them all."""
    owner_url = server.url(growing, owner=True)
    migrations = shipped()
    for step in range(FIRST, len(migrations) + 1):
        assert migrate(owner_url, migrations[:step])[-1] == migrations[step - 1]
        with psycopg.connect(owner_url) as owner:
            write = "UPDATE ftf_config SET base_env = %s"
            if step == FIRST:
                write = "INSERT INTO ftf_config (id, scope, base_env) VALUES (1, 'global', %s)"
            owner.execute(write, [json.dumps({"STEP": step})])
    settings = Settings(home=server.settings.home, database_url=server.url(growing), migrate_url=owner_url)
    with Database.open(settings) as database:
        assert not verify(database).problems
    with psycopg.connect(owner_url) as owner:
        rows = owner.execute("SELECT base_env ->> 'STEP' FROM ftf_config_history ORDER BY id").fetchall()
        tables = owner.execute(
            "SELECT count(*) FROM ftf_config, schema_migrations WHERE base_env ->> 'STEP' = %s",
            [str(len(migrations))],
        ).fetchone()
    assert [int(step) for (step,) in rows] == list(range(FIRST, len(migrations) + 1))
    assert tables == (len(migrations),)
