"""Text from people is text: what they wrote is shown whole, and neither read as markup nor obeyed.

Every registered command that prints what is stored runs here over a database in which every text that a
person, or a failing library, can put there is hostile. A new command stands in one of the two tables or
fails. Not staged: hostile texts that the database or the catalogue refuses (names of accounts, scopes, keys).
"""

import json

import pytest

from setpoint.cli.reach import COMMANDS
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.observe.printable import printable
from setpoint.record.runs import DatabaseRecorder
from setpoint.train.plan import make_plan
from support.sweep_home import ADA, pinned_units, seed_tiny

HOSTILE = (
    "[/]",
    "[hotfix] lower, see list[int]",
    "[red]x[/red] [link=https://a.example]y[/link]",
    "\x1b[2Jgone \x1b]0;title\x07 \x9b31m",
    "cod\u202egnp.exe \u2066x\u2069 \u200bhidden",
    "two\nlines\r\tand back\b\b",
    ":warning: 100% {curly} \\x1b \\[/]",
    "\U000e0041 \x7f \u2028",
    "l" + "o" * 1500 + "ng",
)
GAMMA = "xgb/5m/gamma"
#: Commands that print what is stored: `RUN` is a run, `OPEN` an open change, `TMP` a folder.
SHOWN = {
    "seed": [["seed", "--dry-run"]],
    "coverage": [["coverage"]],
    "get": [["get", GAMMA]],
    "set": [["set", f"{GAMMA}=0.9", "-r", HOSTILE[0], "--yes"]],
    "change list": [["change", "list", "--state", "all"]],
    "change show": [["change", "show", "OPEN"], ["change", "show", "1"]],
    "change impact": [["change", "impact", "OPEN"]],
    "change comment": [["change", "comment", "OPEN", "-m", text] for text in HOSTILE],
    "change amend": [["change", "amend", "OPEN", f"{GAMMA}=0.8"]],
    "scope list": [["scope", "list"]],
    "policy show": [["policy", "show"]],
    "history": [["history"], ["history", GAMMA], ["history", "--search", "gone"]],
    "diff": [["diff", "1", "4"]],
    "blame": [["blame", "XGB_5M"]],
    "restore": [["restore", "1", "--dry-run"]],
    "verify": [["verify"]],
    "explain": [["explain", GAMMA]],
    "break-glass status": [["break-glass", "status"]],
    "break-glass template": [["break-glass", "template", "drill"]],
    "break-glass channel list": [["break-glass", "channel", "list"]],
    "export": [["export", "TMP/config"]],
    "plan": [["plan", "TMP/config"]],
    "runs": [["runs"]],
    "show": [["show", "RUN"]],
    "verdict": [["verdict", "RUN"]],
    "compare": [["compare", "RUN", "RUN"]],
    "report": [["report", "RUN", "--out", "TMP/report.html"]],
    "accounts list": [["accounts", "list"]],
    "tokens list": [["tokens", "list"]],
}
#: Commands that print nothing stored, or only what another command above prints through the same function.
OTHERS = {
    "numbers, states and names that the database restricts": (
        "change approve", "change reject", "change propose", "change withdraw", "change apply", "change due",
        "accounts add", "accounts roles", "accounts disable", "accounts enable", "accounts once",
        "accounts link", "accounts provider", "tokens create", "tokens revoke", "anchor", "pin", "sweep",
        "break-glass post-mortem", "break-glass channel declare", "break-glass channel close",
    ),
    "declarations, source code and files": (
        "keys", "gate", "externalize", "market pull", "market check", "break-glass validate", "drill",
    ),
    "edits, as `set` prints them": (
        "edit", "scope create", "scope retire", "policy set", "import", "apply", "break-glass restore",
        "break-glass set",
    ),
    "nothing, a server's state, or another program's output": (
        "run", "up", "serve", "db status", "db start", "db stop", "db url", "db migrate", "db psql",
        "db backup", "db restore-backup", "demo",
    ),
}  # fmt: skip


def test_every_registered_command_is_covered():
    """A command that is registered runs over hostile texts, or says why it cannot print one."""
    listed = [*SHOWN, *(name for names in OTHERS.values() for name in names)]

    assert sorted(listed) == sorted(COMMANDS)


@pytest.fixture
def hostile(database, catalogues, bundled_seeds, setpoint_command, tmp_path):
    """Run a command over a database full of hostile texts."""
    for number, text in enumerate(HOSTILE):
        assert setpoint_command("set", f"{GAMMA}=0.{number + 1}", "-r", text, "--yes").code == 0
    assert setpoint_command("accounts", "add", "rob", "--role", "robot").code == 0
    for text in HOSTILE[:-1]:
        assert setpoint_command("tokens", "create", "rob", "--label", text).code == 0, text
    address = "https://chat.example/[red]/"
    declared = setpoint_command(
        "break-glass", "channel", "declare", address, "--responsible", "[/]", "-r", "[/]"
    )
    assert declared.code == 0, declared.err
    run = recorded(database, catalogues)
    drafted = setpoint_command("set", f"{GAMMA}=0.77", "-r", HOSTILE[1], "--yes", "--draft", "--json").json
    named = {"RUN": run, "OPEN": str(drafted["change"])}

    def asked(arguments, *more):
        words = [named.get(word, word).replace("TMP", str(tmp_path)) for word in arguments]
        return setpoint_command(*words, *more)

    return asked


def recorded(database, catalogues):
    """Record a run whose units failed with hostile messages; returns its id."""
    seed_tiny(database)
    snapshots = pinned_units(database, catalogues, {"profile": "tiny"})
    plan = make_plan(HyperparamsSet(snapshots, catalogues), "", 1)
    recorder = DatabaseRecorder(database, catalogues, ADA)
    recorder.start(plan, snapshots)
    for unit, text in zip(plan.units, HOSTILE, strict=False):
        failure = {"code": "training_error", "message": text}
        recorder.deliver(plan, {"unit": list(unit), "failure": failure, "read_keys": [], "fallbacks": {}})
    return plan.run


def squeezed(text):
    return "".join(text.split())


def test_hostile_text_is_shown_whole_and_never_obeyed(hostile):
    """No command dies of a text, prints a character that a terminal obeys, or leaves a part of it out."""
    said = {}
    for name, calls in SHOWN.items():
        for arguments in calls:
            done = hostile(arguments)
            written = done.out + done.err
            assert done.code in {0, 1}, (arguments, done.err)
            assert written.replace("\n", "").isprintable(), (arguments, ascii(written))
            said[name] = said.get(name, "") + squeezed(written)
    for name in ("history", "change list", "tokens list", "show"):
        missing = [text for text in HOSTILE[:-1] if squeezed(printable(text)) not in said[name]]
        assert not missing, (name, missing)
    assert squeezed(HOSTILE[1]) in said["change show"]
    assert "[/]" in said["break-glass channel list"]


def test_json_gives_hostile_text_back_equal_and_never_obeyed(hostile):
    """--json holds the texts as they were stored, in a form that a terminal shows."""
    done = hostile(["history", "--limit", "50", "--json"])

    assert done.out.replace("\n", "").isprintable()
    assert set(HOSTILE) <= {row["change_reason"] for row in json.loads(done.out)}


def test_an_error_shows_what_it_was_given(setpoint_command, bundled_seeds):
    """A message repeats an argument as text, on one line, also where the argument holds lines and NUL."""
    for text in (*HOSTILE, "nul\0"):
        for arguments in (["get", text], ["set", f"{GAMMA}={text}", "-r", "x"], ["show", text], [text]):
            done = setpoint_command(*arguments)
            assert done.code not in {0, 1}
            assert (done.out + done.err).replace("\n", "").isprintable(), (arguments, ascii(done.err))
