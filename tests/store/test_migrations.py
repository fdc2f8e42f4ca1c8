"""The files of migrations: a subject each, in order, and together exactly the committed schema."""

import json
import re
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import psycopg
import pytest

from setpoint.errors import MigrationChanged
from setpoint.settings import Settings
from setpoint.store.database import Database
from setpoint.store.schema import migrate, shipped

DOCS = Path(__file__).parents[2] / "docs"
UNSQUASHED = Path(__file__).with_name("unsquashed_database.sql")
DEFINED = r"CREATE (?:OR REPLACE )?(?:(?:UNLOGGED )?TABLE|SEQUENCE|FUNCTION|AGGREGATE|VIEW) public\.(\w+)"


def definitions():
    """Return each file's text without comments, by its name, with the names that it defines."""
    texts = {each.name: re.sub(r"--.*", "", each.text) for each in shipped()}
    return {name: (text, re.findall(DEFINED, text)) for name, text in texts.items()}


def test_no_table_and_no_function_is_defined_twice():
    """Whoever looks for a definition finds one, and it is the one in force."""
    counted = Counter(name for _, names in definitions().values() for name in names)

    assert len(counted) > 100
    assert [name for name, times in counted.items() if times > 1] == []
    assert [name for name, (text, _) in definitions().items() if "OR REPLACE" in text] == []


#: What a subject asks of later ones by name when it runs: what break-glass left owing, and a caller's share.
LATER = {
    "access": {"passkeys"},
    "checks": {"rollout_steps", "signer"},
    "changes": {
        "finetune_runs",
        "frozen_until",
        "how_to_break",
        "how_to_check",
        "how_to_roll_out",
        "is_carried",
        "lacking_checks",
        "obligations",
        "require_room_for_change",
        "wanting_of",
    },
    "events": {"take_events"},
    "freezes": {"is_rollback"},
    "months": {"change_checks", "rollout_steps"},
    "plane": {"quotas"},
    "runs": {"change_runs"},
}


def test_a_refused_value_has_a_next_step_of_its_own():
    """The step that all such errors have is about values of keys, and few of those here are."""
    raised = [
        said
        for migration in shipped()
        for said in re.findall(r"RAISE EXCEPTION USING(.*?);\n", migration.text, re.DOTALL)
        if "SP422" in said
    ]

    assert len(raised) > 20
    assert [said for said in raised if "HINT" not in said] == []


def test_file_needs_only_those_before_it():
    """A subject is read with no more than the ones before it."""
    known = {"schema_migrations"}
    for name, (text, names) in definitions().items():
        known.update(names)
        assert set(re.findall(r"\bpublic\.(\w+)", text)) - LATER.get(name, set()) <= known, name


def test_every_function_is_used():
    """A function that no statement of ours calls is a promise that nobody keeps."""
    texts = "\n".join(text for text, _ in definitions().values())
    ours = re.sub(r"(?:REVOKE ALL|GRANT EXECUTE|COMMENT) ON (?:FUNCTION|AGGREGATE)[^;]+;", "", texts)
    queries = (DOCS.parent / "src/setpoint/store/queries").glob("*.sql")
    ours += "\n".join(file.read_text(encoding="utf-8") for file in queries)
    functions = re.findall(r"CREATE (?:FUNCTION|AGGREGATE) public\.(\w+)", ours)

    assert len(functions) > 70
    assert [name for name in functions if len(re.findall(rf"\b{name}\(", ours)) < 2] == []


def test_empty_database_becomes_the_committed_schema(server, owner_url):
    """All migrations together make exactly docs/reference/schema.sql, on each supported PostgreSQL."""
    spec = spec_from_file_location("generate_schema", DOCS / "generate_schema.py")
    generate = module_from_spec(spec)
    spec.loader.exec_module(generate)

    held = generate.TARGET.read_text(encoding="utf-8")

    assert generate.schema_text(server.settings, owner_url) == held, "run: python docs/generate_schema.py"


@pytest.fixture
def unsquashed(server):
    """The name of a database that an earlier build's migrations made."""
    server.administer("CREATE DATABASE unsquashed")
    with psycopg.connect(server.url("unsquashed", owner=True)) as connection:
        connection.execute(UNSQUASHED.read_text(encoding="utf-8"))
    yield "unsquashed"
    server.administer("DROP DATABASE unsquashed WITH (FORCE)")


def test_database_of_the_unsquashed_migrations_is_refused_with_the_way_out(server, unsquashed):
    """Neither migrating nor opening touches it; the error says how its history is brought over."""
    owner = server.url(unsquashed, owner=True)
    settings = Settings(home=server.settings.home, database_url=server.url(unsquashed), migrate_url=owner)
    for use in (lambda: migrate(owner), lambda: Database.open(settings)):
        with pytest.raises(MigrationChanged, match=r"0002 is runs") as caught:
            use()
        assert "`setpoint export FOLDER`" in caught.value.hint
        assert "`setpoint import FOLDER`" in caught.value.hint
    with psycopg.connect(owner) as connection:
        assert connection.execute("SELECT count(*) FROM schema_migrations").fetchone() == (7,)


def test_command_on_such_a_database_fails_so(server, unsquashed, setpoint_command, monkeypatch, tmp_path):
    """Code, next step and exit status are those of the one table of errors."""
    monkeypatch.setenv("SETPOINT_DATABASE_URL", server.url(unsquashed))

    done = setpoint_command("export", str(tmp_path / "config"), "--json")

    told = json.loads(done.err)["error"]
    assert done.code == MigrationChanged.exit_code == 6
    assert told["code"] == MigrationChanged.code == "migration_changed"
    assert "`setpoint import FOLDER`" in told["hint"]
