"""What a slip of the hand must not do: empty a value, write a revision of nothing, pass for applied."""

import io
import json

import psycopg
import pytest
from typer.main import get_command

from setpoint.cli.app import app
from setpoint.cli.command_modules import register
from setpoint.cli.reach import COMMANDS, Reach, walk
from setpoint.errors import EXIT_WAITS

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
LR = "CVN_HPO_XGB_5M_LEARNING_RATE"
WHY = ("--reason", "tuned", "--yes")
#: What writes and takes no reason, and why.
NO_REASON = {
    "anchor": "it writes a file, and nothing in the database",
    "drill": "it works on copies that it throws away",
    "break-glass restore": "its reason is its incident's, fixed for every emergency",
    "break-glass set": "its reason is its incident's, fixed for every emergency",
    "break-glass post-mortem": "it meets what its incident owes",
    "break-glass validate": "it meets what its incident owes",
    "readiness check": "it notes what was found of a file",
    "checkpoints": "it records what sources say; the decisions have their reason",
    "rollback": "what is taken has a reason; a proof is one",
    "rollout judge": "it follows from runs",
    "rollout shadow": "what it found is what is kept",
    "notifications retry": "it sends once more what somebody is to be told",
    "ranges advise": "its draft's reason is what the run shows",
    "change ask": "it decides nothing; the change that it is about has its reason",
}


def newest(command):
    return command("history", "--limit", "1", "--json").json[0]["revision"]


def asked(command, *arguments):
    return json.loads(command(*arguments).err)["error"]


# --- a question


def test_a_question_is_asked_last_and_its_end_stands_alone(seeded, tmp_path, monkeypatch):
    """What would be refused is refused unasked; where nobody answers, the next line is one of its own."""
    unasked = seeded("db", "restore-backup", str(tmp_path / "none.backup"), "--replace")
    assert (unasked.code, "[y/N]" in unasked.err) == (6, False)
    (tmp_path / "candles.csv").write_text("open_time\n")
    unasked = seeded("db", "restore-backup", str(tmp_path / "candles.csv"), "--replace")
    assert (unasked.code, "[y/N]" in unasked.err) == (6, False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    unanswered = seeded("set", f"{GAMMA}=0.5", "--reason", "x")
    assert (unanswered.code, unanswered.err.splitlines()[-1][:13]) == (130, "not confirmed")


# --- an empty text


def test_an_empty_value_is_refused_wherever_it_is_typed(seeded, tmp_path):
    """`set x=` is an empty shell variable far more often than a wish: nothing is removed by it."""
    (tmp_path / "patch.csv").write_text(f"key,value\n{GAMMA},\n")
    (tmp_path / "patch.toml").write_text(f'{GAMMA} = ""\n')
    (tmp_path / "patch.json").write_text(f'{{"{GAMMA}": ""}}')
    for given in ((f"{GAMMA}=",), *(("--from", str(file)) for file in sorted(tmp_path.glob("patch.*")))):
        done = seeded("set", *given, *WHY)
        assert (done.code, f"setpoint unset {GAMMA} --reason WHY" in done.err) == (3, True), (given, done.err)
    assert newest(seeded) == 2
    change = seeded("set", f"{GAMMA}=0.5", "--draft", *WHY, "--json").json["change"]
    assert seeded("change", "amend", str(change), f"{GAMMA}=").code == 3


def test_unset_removes_keys_and_whole_ranges(seeded, owner_url):
    """`unset` takes keys, addresses, ranges and what no catalogue declares; alone, or beside what is set."""
    made = seeded("unset", "xgb/5m/gamma", f"{LR}_RANGE", *WHY, "--json").json
    gone = [GAMMA, *(f"{LR}_RANGE_{field}" for field in ("MAX", "MIN", "SCALE"))]
    assert [(edit["op"], edit["key"]) for edit in made["edits"]] == [("remove", key) for key in gone]

    both = seeded("set", f"{LR}=0.09", "--unset", "cb/5m/depth", *WHY, "--draft", "--json").json
    assert {edit["key"]: edit["op"] for edit in both["edits"]} == {
        LR: "replace",
        "CVN_HPO_CB_5M_DEPTH": "remove",
    }
    amended = seeded("change", "amend", str(both["change"]), "--unset", "cb/15m/depth", "--json").json
    assert sum(edit["op"] == "remove" for edit in amended["edits"]) == 2
    with psycopg.connect(owner_url) as psql:
        psql.execute("""UPDATE ftf_config SET base_env = base_env || '{"CVN_HPO_OLD": 1}' WHERE id = 1""")
    assert seeded("unset", "CVN_HPO_OLD", *WHY).code == 0
    assert seeded("unset", "CVN_HPO_OLD", *WHY).code == 4
    assert seeded("unset", f"{LR}=0.1", *WHY).code == 4
    assert seeded("unset", "xgb/5m/eta", "xgb/5m/eta", *WHY).code == 4
    assert seeded("unset", LR, LR, *WHY).code == 2


# --- a change of nothing


def test_what_stands_already_makes_no_revision_and_says_so(seeded, tmp_path):
    """Setting what is set, removing what is gone, restoring what stands: exit code 0, nothing written."""
    seeded("unset", GAMMA, *WHY)
    stood = newest(seeded)
    for typed in (
        ("set", f"{LR}=0.08", *WHY),
        ("set", f"{LR}=0.08", "--draft", *WHY),
        ("unset", GAMMA, *WHY),
        ("restore", str(stood), *WHY),
        ("restore", str(stood), "--key", LR, *WHY),
        ("policy", "set", "--approvals", "0", *WHY),
    ):
        done = seeded(*typed)
        assert done.code == 0, (typed, done.err)
        assert "nothing to change" in done.out, (typed, done.out)
        told = seeded(*typed, "--json").json
        assert (told["state"], told["change"], told["edits"]) == ("unchanged", None, []), typed
    assert newest(seeded) == stood
    assert seeded("change", "list", "--state", "all", "--json").json[0]["id"] == 3


def test_a_question_is_asked_only_where_something_would_change(seeded):
    """Without `--yes` and without anybody who answers: what changes nothing does not ask."""
    assert seeded("set", f"{LR}=0.08", "--reason", "again").code == 0
    assert seeded("restore", "1", "--reason", "again").code == 0


def test_an_open_change_is_not_amended_to_nothing(seeded):
    """Somebody applied the same meanwhile: amending says that it changes nothing, and how to end it."""
    change = str(seeded("set", f"{LR}=0.09", "--draft", *WHY, "--json").json["change"])
    seeded("set", f"{LR}=0.09", *WHY)
    refused = asked(seeded, "change", "amend", change, "--json")

    assert refused["code"] == "conflict"
    assert refused["hint"] == f"take it back with `setpoint change withdraw {change}`"
    assert seeded("change", "withdraw", change).code == 0


def test_saying_again_what_stands_meets_what_break_glass_owes(seeded, owner_url):
    """The one write of nothing that counts: the ordinary write that an emergency owes."""
    with psycopg.connect(owner_url) as psql:
        psql.execute(
            "INSERT INTO obligations (incident, kind, scope, revision, opened_at, due_at)"
            " VALUES ('INC-1', 'ordinary-write', 'global', 1, now(), now() + interval '1 hour')"
        )
    before = newest(seeded)
    seeded("set", f"{LR}=0.08", "--reason", "something else", "--yes")
    assert newest(seeded) == before
    assert "revision" in seeded("set", f"{LR}=0.08", "--reason", "break-glass-INC-1", "--yes").out
    assert newest(seeded) == before + 1
    assert seeded("break-glass", "status", "--json").json[0]["met_at"]


# --- what waits


def test_what_waits_ends_with_another_code_than_what_is_in_force(seeded):
    """0 says in force; what is recorded and waits - for people, its time, its author - ends with 11."""
    draft = str(seeded("set", f"{GAMMA}=0.5", "--draft", *WHY, "--json").json["change"])
    later = ("--apply-at", "2999-01-01T00:00Z")
    assert seeded("set", f"{GAMMA}=0.5", "--draft", *WHY).code == EXIT_WAITS == 11
    assert seeded("unset", GAMMA, *WHY, *later).code == EXIT_WAITS
    assert seeded("change", "propose", draft).code == 0
    assert seeded("change", "apply", draft).code == 0
    assert seeded("policy", "set", "--approvals", "0", "--cooling-off", "1h", *WHY).code == 0
    for typed in (
        ("set", f"{GAMMA}=0.75", *WHY),
        ("unset", GAMMA, *WHY),
        ("restore", "1", *WHY),
        ("scope", "create", "symbol=BTCUSDC", f"{GAMMA}=0.75", *WHY),
        ("seed", "--apply", "--force-overwrite", *WHY),
        ("policy", "set", "--approvals", "0", *WHY),
    ):
        assert seeded(*typed).code == EXIT_WAITS, typed


# --- the same two options everywhere


def options(command):
    return {option for parameter in command.params for option in parameter.opts}


WRITES = sorted(
    name for name, work in COMMANDS.items() if Reach.WRITES in {work.reach, *dict(work.given).values()}
)


@pytest.mark.parametrize("name", WRITES)
def test_every_command_that_writes_takes_yes_and_reason(name):
    """`--yes`, `-y` and `--reason`, `-r` are never "no such option", and `-r` is nothing else."""
    register(())
    command = dict(walk(get_command(app)))[name]

    assert {"--yes", "-y"} <= options(command)
    if name not in NO_REASON:
        assert {"--reason", "-r"} <= options(command)
    for parameter in command.params:
        assert "-r" not in parameter.opts or "--reason" in parameter.opts, parameter.opts


def test_a_reason_stands_where_the_deed_is_recorded(seeded):
    """Of a decision, of a move of a change, of an account, of a token and of a seed: the words are kept."""
    change = str(seeded("set", f"{GAMMA}=0.5", "--draft", *WHY, "--json").json["change"])
    for verb in ("propose", "apply"):
        assert seeded("change", verb, change, "--reason", f"to {verb}", "--yes").code == 0
    said = seeded("change", "show", change, "--json").json["decisions"]
    assert [one["words"] for one in said] == ["to propose", "to apply"]
    gone = str(seeded("set", f"{GAMMA}=0.75", "--draft", *WHY, "--json").json["change"])
    seeded("change", "withdraw", gone, "-r", "too bold", "-y")
    assert seeded("change", "show", gone, "--json").json["decisions"][0]["words"] == "too bold"
    seeded("change", "comment", gone, "--reason", "a pity")
    assert seeded("change", "show", gone, "--json").json["decisions"][1]["words"] == "a pity"

    seeded("unset", GAMMA, *WHY)
    seeded("seed", "--apply", "--reason", "it was lost")
    assert seeded("history", "--limit", "1", "--json").json[0]["change_reason"] == "it was lost"


def test_a_reason_of_an_act_on_an_account_is_in_the_access_log(seeded, owner_url):
    """Who may do what, and why that was changed, is in one log."""
    assert seeded("accounts", "add", "ada", "--role", "robot", "-r", "nightly sweeps", "-y").code == 0
    assert seeded("tokens", "create", "ada", "--label", "x", "--reason", "a new machine").code == 0
    assert seeded("accounts", "disable", "ada").code == 0
    with psycopg.connect(owner_url) as psql:
        rows = psql.execute("SELECT event, detail ->> 'reason' FROM access_log ORDER BY id").fetchall()
    assert rows == [
        ("account_created", "nightly sweeps"),
        ("token_issued", "a new machine"),
        ("account_changed", None),
    ]
