"""What governs is in an export: policies, channels and quotas leave, are compared, and come back."""

import json
import shlex

import psycopg
import pytest

from setpoint.declare.export_layout import GOVERNANCE
from setpoint.errors import EXIT_FINDING, EXIT_WAITS
from support.hints import printed_command

WHY = ("-r", "as in git", "--yes")
SEEDED = '[[policies]]\nscope = "*"\nkind = "*"\napprovals = 0\ncooling_off_s = 0\n'


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "config"


@pytest.fixture
def exported(bundled_seeds, setpoint_command, owner_url, folder):
    """A database with a policy, a channel and a quota of its own, exported."""
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "INSERT INTO policies VALUES ('*', 'policy', 1, false, 60), ('*', 'range', 1, false, 0)"
        )
        owner.execute("UPDATE quotas SET most = 7 WHERE kind = 'holders'")
    opened = ("https://chat.example/ops/", "--responsible", "Bo", "-r", "declared", "--yes")
    assert setpoint_command("break-glass", "channel", "declare", *opened).code == 0
    done = setpoint_command("export", str(folder))
    assert done.code == 0, done.err
    assert "not in an export: accounts with their roles" in done.out
    return setpoint_command


@pytest.fixture
def empty(server, monkeypatch):
    """Turn the command to an empty database."""
    server.administer("CREATE DATABASE governed TEMPLATE template_setpoint STRATEGY file_copy")

    def turn():
        monkeypatch.setenv("SETPOINT_DATABASE_URL", server.url("governed"))
        monkeypatch.setenv("SETPOINT_MIGRATE_URL", server.url("governed", owner=True))

    yield turn
    server.administer("DROP DATABASE governed WITH (FORCE)")


def edit(folder, old, new):
    path = folder / GOVERNANCE
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def policies(command):
    return {(one["scope"], one["kind"]): one for one in command("policy", "show", "--json").json["policies"]}


def test_a_rebuilt_database_asks_for_what_the_first_one_asked(exported, folder, empty, tmp_path):
    """Import brings policies, channels and quotas with history; exported again every byte is the same."""
    stood = policies(exported)
    empty()
    done = exported("import", str(folder), "--yes")
    assert done.code == 0, done.err
    assert "not in an export" in done.out
    assert policies(exported) == stood
    assert [one["prefix"] for one in exported("break-glass", "channel", "list", "--json").json] == [
        "https://chat.example/ops/"
    ]
    again = tmp_path / "again"
    assert exported("export", str(again)).code == 0
    assert (again / GOVERNANCE).read_bytes() == (folder / GOVERNANCE).read_bytes()
    assert "most = 7" in (again / GOVERNANCE).read_text()
    assert exported("plan", str(folder)).out == "nothing to change\n"

    edit(folder, "approvals = 1", "approvals = 0")
    refused = exported("import", str(folder), "--dry-run")
    assert refused.code != 0
    assert f"{GOVERNANCE} is not as it was exported" in refused.err


def test_policies_of_a_folder_are_applied_as_changes(bundled_seeds, setpoint_command, folder):
    """Plan shows what differs, apply proposes the guard before what it guards, and nothing twice."""
    command = setpoint_command
    assert command("export", str(folder)).code == 0
    before = (folder / GOVERNANCE).read_text()
    wanted = SEEDED.replace('"*"\nappr', '"range"\nappr').replace("off_s = 0", "off_s = 3600")
    guard = wanted.replace('"range"', '"policy"')
    edit(folder, SEEDED, f"{wanted}\n{guard}\n{SEEDED}")

    shown = command("plan", str(folder))
    assert shown.code == EXIT_FINDING
    assert [line.split(":")[0] for line in shown.out.splitlines()] == [
        "~ policy policy of *",
        "~ policy range of *",
    ]
    assert "none -> 0 approval(s), cooling off 3600 s" in shown.out
    saved = str(folder.parent / "config.plan")
    assert command("plan", str(folder), "--out", saved).code == EXIT_FINDING

    done = command("apply", str(folder), "--plan", saved, *WHY, "--json")
    assert (done.code, [one["state"] for one in done.json]) == (EXIT_WAITS, ["applied", "proposed"])
    assert policies(command)["*", "policy"]["cooling_off_s"] == 3600
    again = command("apply", str(folder), *WHY, "--json")
    assert [one["change"] for one in again.json] == [done.json[1]["change"]], "no other change is opened"
    stale = command("apply", str(folder), "--plan", saved, *WHY)
    assert "the plan is stale: policy policy of *" in stale.err

    assert "was edited since it was exported" in command("export", str(folder)).err
    assert command("export", str(folder), "--force").code == 0
    assert (folder / GOVERNANCE).read_text() != before


def test_a_policy_that_goes_back_to_an_older_one_is_marked(bundled_seeds, setpoint_command, folder):
    """Somebody set another since the export: an untouched folder undoes it, an edited one only meets it."""
    command = setpoint_command
    assert command("export", str(folder)).code == 0
    done = command("policy", "set", "--approvals", "0", "--cooling-off", "1h", *WHY)
    assert done.code == 0, done.err
    moved = (
        "policy * of * moved since the export, from 0 approval(s), cooling off 0 s to 0 approval(s),"
        " cooling off 3600 s"
    )
    stale = command("plan", str(folder))
    assert stale.code == EXIT_FINDING
    assert stale.out.splitlines() == [
        moved,
        "~ policy * of *: 0 approval(s), cooling off 3600 s -> 0 approval(s), cooling off 0 s",
        "undoes what was set since the export",
    ]
    (row,) = command("plan", str(folder), "--json").json["policies"]
    assert row["exported"] == row["new"]

    edit(folder, "cooling_off_s = 0", "cooling_off_s = 60")
    edited = command("plan", str(folder))
    assert edited.out.splitlines()[0] == moved
    assert "undoes" not in edited.out
    edit(folder, "cooling_off_s = 60", "cooling_off_s = 3600")
    assert command("plan", str(folder)).code == 0
    assert command("export", str(folder)).code == 0
    edit(folder, "cooling_off_s = 3600", "cooling_off_s = 0")
    assert "since the export" not in command("plan", str(folder)).out


def test_nothing_is_proposed_behind_a_guard_that_waits(exported, owner_url, folder):
    """A guard that needs approvals waits; what it will guard follows when it stands."""
    edit(folder, 'kind = "policy"\napprovals = 1', 'kind = "policy"\napprovals = 0')
    assert exported("apply", str(folder), *WHY).code != 0, "range asks for more than its guard would"
    edit(folder, 'kind = "policy"\napprovals = 0', 'kind = "policy"\napprovals = 1')
    edit(folder, "cooling_off_s = 60", "cooling_off_s = 90")
    edit(
        folder,
        'kind = "range"\napprovals = 1\ncooling_off_s = 0',
        'kind = "range"\napprovals = 1\ncooling_off_s = 90',
    )
    with psycopg.connect(owner_url) as owner:
        owner.execute("INSERT INTO accounts (name, roles, created_by) VALUES ('bo', '{approver}', 'owner')")
    done = exported("apply", str(folder), *WHY)
    assert done.code == EXIT_WAITS, done.err
    first, second = done.out.splitlines()[-2:]
    assert "policy policy of *: change" in first
    assert second == "policy range of *: waits for the policy before it; apply again then"


def test_channels_and_quotas_are_the_owners_to_bring(exported, folder, owner_url):
    """What apply does not bring is said with the command that does; a name of its own enters no statement."""
    edit(folder, "most = 7", "most = 8")
    edit(folder, 'responsible = "Bo"', 'responsible = "Eve & Co"')
    with (folder / GOVERNANCE).open("a") as file:
        file.write('\n[[quotas]]\nkind = "x\'; DROP"\ncaller = "account"\nmost = 1\nper_s = 0\n')
    shown = exported("plan", str(folder))

    assert "--responsible 'Eve & Co' --reason WHY" in shown.out
    assert "UPDATE quotas SET most = 8 WHERE kind = '\"'\"'holders'\"'\"'" in shown.out
    assert "DROP" not in shown.out
    assert shown.code == 0, "applying would change nothing"

    channel = shlex.split(
        printed_command(
            "setpoint break-glass channel declare {prefix} --responsible {responsible} --reason WHY",
            shown.out,
        )
    )
    quota = shlex.split(printed_command("setpoint db psql --owner -- -c {shlex.quote(statement)}", shown.out))
    assert exported(*channel[1:], "--yes").code == 0
    with psycopg.connect(owner_url) as owner:
        owner.execute(quota[-1])
    assert exported("plan", str(folder)).out == "nothing to change\n"


def test_an_export_of_an_earlier_build_says_nothing_of_policies(exported, folder, empty):
    """Without the file nothing is compared, and a rebuilt database is said to ask for no approval."""
    head = json.loads((folder / "head.json").read_text())
    del head["governance"]
    (folder / "head.json").write_text(json.dumps(head))
    (folder / GOVERNANCE).unlink()
    assert exported("plan", str(folder)).out == "nothing to change\n"
    empty()
    done = exported("import", str(folder), "--yes")
    assert done.code == 0, done.err
    assert "the export says nothing of policies" in done.out
    how = printed_command("setpoint policy set --approvals COUNT --reason WHY", done.out)
    assert exported(*how.replace("COUNT", "0").split()[1:], "--yes").code == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("approvals = 1", "approvals = 1.0", "does not give scope, kind, approvals"),
        ("approvals = 1", "approvals = -1", "not negative"),
        ('kind = "range"', 'kind = "rang"', "is no kind of change"),
        ("[[channels]]", "[[canals]]", "are all it holds"),
        ("format = ", "form = ", "are all it holds"),
        ("[[quotas]]", "[[quotas", "cannot be read"),
    ],
)
def test_a_file_that_says_anything_else_is_refused(exported, folder, old, new, said):
    """A misspelt field is no policy that is silently absent."""
    edit(folder, old, new)
    refused = exported("plan", str(folder))
    assert refused.code == 3
    assert said in refused.err
