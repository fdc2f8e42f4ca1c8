"""Every command that a hint or a next step names exists, and works in the state in which it is printed.

Collected from the source: each text outside docstrings that names a command. All are parsed, as they are
printed, against the registered commands and options: an unknown command or option fails. All are executed
too: those in `RUN` and `CALLED` here, taken from what is printed in a state that is staged (those that no
command alone makes are in `support.hint_states`), the others where a test asks
`support.hints.printed_command` for them. What is not executed stands in `UNRUN` with its reason. A hint
without either fails.
"""

import ast
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from setpoint.cli import __main__ as command_line
from setpoint.cli.app import app
from support.hint_states import GAMMA, Stage
from support.hints import commands_in, parsed, printed_command
from test_architecture import FILES, PACKAGE

#: A text of a migration: quoted, on one line.
SQL_TEXT = re.compile(r"'([^'\n]*`setpoint [^'\n]*)'")
WHY = "--incident INC-1 --approved-by https://chat.example/p1 --because data-damaged"
BREAK_GLASS = f"break-glass restore 1 {WHY} --yes"
TESTS = Path(__file__).parents[1]
SET_IN_SCOPE = "setpoint set KEY=VALUE --scope {scope} --reason WHY"
NAMED = "of a file of one's own: tests/cli/test_readiness_commands.py runs it"
PROVES = "shows a proof of a readiness file: tests/cli/test_readiness_commands.py runs what it prints"
#: What is typed, its exit code, and, where it prints a hint, the hint's template and how that ends; in this
#: order, on one database. Nothing typed: what the row above printed. `LAST` is the newest change's number.
#: None for an end: it trains for minutes.
RUN = [
    ("seed", 2, "setpoint seed --dry-run", 0),
    ("unset xgb/5m/gamma -r x --yes", 0, None, None),
    ("coverage", 0, "setpoint seed --dry-run", 1),
    ("seed --apply --yes", 0, None, None),
    ("history CVN_NO_SUCH", 4, "setpoint keys", 0),
    ("restore 99 --reason x", 4, "setpoint history", 0),
    ("restore 1", 2, 'setpoint restore {revision} --reason "..."', 0),
    ("restore 2 --reason x", 4, "setpoint history --scope {scope}", 0),
    (f"restore 2 --scope profile=demo --key {GAMMA} -r x --yes", 4, "setpoint history {key}", 0),
    ("change show 99", 4, "setpoint change list", 0),
    ("rollout show 99", 4, "setpoint change list", 0),
    ("scope retire symbol=NONE --reason x", 4, "setpoint scope list", 0),
    (f"scope create profile=demo {GAMMA}=1.0 -r x --yes", 5, SET_IN_SCOPE, 0),
    ("show", 4, "setpoint sweep", None),
    ("show no-such-run", 4, "setpoint runs", 0),
    ("verify --anchor none.json", 6, "setpoint anchor", 0),
    (f"explain {GAMMA} --snapshot none.json", 6, "setpoint pin --out FILE", 0),
    (f"set {GAMMA}= --reason x", 3, "setpoint unset {key} --reason WHY", 0),
    ("sweep --resume 20260101-000000-aaaa --data synthetic", 2, "setpoint sweep --resume {resume}", 4),
    # A folder of documents, and a plan of it.
    ("plan no-such-folder", 3, "setpoint export {folder}", 0),
    ("export config", 0, None, None),
    ("apply config --plan none.json -r x --yes", 3, "setpoint plan DIR --out PLAN", 0),
    (f"set {GAMMA}=0.7 -r x --yes", 0, None, None),
    ("apply config --plan made.plan -r x --yes", 5, "setpoint plan {folder}", 1),
    # A change on its way.
    (f"set {GAMMA}=0.8 -r x --draft --yes", 11, "setpoint change propose %s", 0),
    ("change propose LAST", 5, "setpoint change apply %s", 0),
    ("change apply LAST", 5, "setpoint change show %s", 0),
    ("freeze end 99 -r x", 4, "setpoint freeze list", 0),
    ("freeze declare --until 2999-01-01 --may-break setpoint_app -r x", 0, None, None),
    (f"set {GAMMA}=0.6 -r x --yes", 11, 'setpoint change apply %s --break-freeze "..."', 0),
    ("freeze end 1 -r x", 0, None, None),
    ("freeze end 1 -r x", 5, "setpoint freeze list --all", 0),
    (f"set {GAMMA}=0.9 -r x --yes --apply-at 2999-01-01", 11, "setpoint change due", 0),
    ("set cb/5m/depth=7 -r x --yes", 0, None, None),
    ("change show LAST-1", 0, "setpoint change amend %s", 0),
    ("change withdraw LAST-1", 0, None, None),
    ("policy set -s global --approvals 0 --cooling-off 1h -r x --yes", 0, None, None),
    ("change diff LAST 1", 2, "setpoint change show {one.id}", 0),
    ("restore 1 -r x --yes", 11, "setpoint change apply %s", 5),
    (f"set {GAMMA}=0.3 -s profile=demo -r x --yes", 0, None, None),
    ("change show LAST-1", 0, "setpoint change withdraw %s", 0),
    # People and tokens.
    ("accounts add ida --role viewer", 0, None, None),
    ("accounts add ida --role viewer", 5, "setpoint accounts roles %s --role ROLE", 0),
    ("accounts disable nobody -r x --yes", 4, "setpoint accounts list", 0),
    ("tokens revoke 99 -r x --yes", 4, "setpoint tokens list", 0),
    ("sessions end 99 -r x --yes", 4, "setpoint sessions list", 0),
    ("passkeys remove 99 -r x --yes", 4, "setpoint passkeys list", 0),
    ("break-glass channel close https://none.example/ -r x --yes", 4, "setpoint break-glass channel list", 0),
    # Emergencies.
    ("break-glass template post-mortem", 2, "setpoint break-glass status", 0),
    (BREAK_GLASS, 10, "setpoint break-glass channel declare PREFIX --responsible NAME --reason WHY", 0),
    (f"break-glass set CVN_HPO_XGB_5M_GAMMA=1.0 -s profile=none {WHY} --yes", 4, "setpoint db psql", 0),
    (BREAK_GLASS, 0, 'setpoint set ... --reason "{emergency.reason}"', 11),
    ("", 0, "setpoint break-glass validate --incident {emergency.incident}", 0),
    ("", 0, "setpoint break-glass post-mortem --incident {emergency.incident} --url ...", 0),
]

#: Commands that ask before they write.
ASKING = {"restore", "set", "unset", "apply", "import"}
#: What a reader puts in place of what a hint leaves open.
BLANKS = {
    "--url ...": "--url https://wiki.example/inc-1",
    "set ...": f"set {GAMMA}=0.4",
    "...": "because",
    "--role ROLE": "--role config_write",
    "KEY=VALUE": f"{GAMMA}=0.4",
    "MIN..MAX": "0.02..0.3",
    "WHY": "because",
    "FOLDER": str(PACKAGE / "declare/seeds"),
    "DIR": "config",
    "FILE": "made.json",
    "PLAN": "made.plan",
}
#: What is called so that a hint is printed (a function of `Stage` below), its template and how that ends.
CALLED = [
    ("missing_in_the_database", "setpoint seed --apply", 0),
    ("missing_in_a_bare_environment", "setpoint run -- ...", 0),
    ("missing_in_a_bare_environment", "setpoint run --seeds FOLDER -- ...", 0),
    ("a_file_of_another_context", "setpoint run --context {dimension}={value} -- ...", 0),
    ("a_set_of_other_contexts", "setpoint run --contexts {asked} -- ...", 0),
    ("an_environment_that_disagrees", "setpoint set {name}=... --reason WHY", 0),
    ("a_choice_out_of_range", "setpoint set {declared.address}_range=MIN..MAX --reason WHY", 0),
    ("a_plane_out_of_reach", "setpoint run --snapshot FILE -- ...", 0),
    ("a_catalogue_without_the_harness", "setpoint run -- COMMAND", 0),
    ("an_exported_document", "setpoint plan DIR", 0),
    ("an_edited_export", "setpoint apply {folder} --reason WHY", 0),
    ("an_export_of_another_database", "setpoint verify", 0),
    ("an_export_that_lost_a_file", "setpoint export {folder} --full", 0),
    ("a_database_that_was_filled_meanwhile", "setpoint import DIR --documents", 0),
    ("a_stub", "setpoint catalogue types", 0),
    ("an_anchor_that_history_left", "setpoint verify --anchor {path}", 1),
    ("a_file_that_is_no_backup", "setpoint db backup", 0),
    ("a_sweep_without_candles", "setpoint market pull --from 2024-01 --to 2024-12", 0),
    ("a_folder_without_candles", "setpoint market pull --help", 0),
    ("a_market_that_the_folder_lacks", "setpoint market pull {symbol} --from MONTH --to MONTH", 0),
    ("pulled_candles", "setpoint market check", 0),
    ("the_end_of_a_demo", "setpoint coverage", 0),
    ("the_end_of_a_demo", "setpoint explain tuning_trials -c profile=demo", 0),
    ("the_end_of_a_demo", "setpoint run -- env | grep CVN_HPO_XGB_5M", 0),
    ("a_flag_that_nobody_set", "setpoint set {key}=... --reason WHY", 0),
    ("a_caller_without_a_role", "setpoint accounts roles {caller.account} --role ROLE", 0),
    ("a_caller_beyond_their_limit", "setpoint accounts limit %s --role ROLE", 0),
    ("a_provider_that_nobody_believes", "setpoint accounts provider ISSUER --role ROLE", 0),
    ("a_token_that_is_none", "setpoint tokens create ACCOUNT --label LABEL", 0),
    ("a_change_whose_author_is_shut_out", "setpoint change amend %s", 0),
    ("an_emergency_that_is_none", "setpoint set KEY=VALUE --reason WHY", 0),
    ("an_emergency_that_is_none", "setpoint restore REVISION --reason WHY", 0),
    ("an_emergency_of_many_edits", "setpoint diff {use.base_revision} {use.revision}", 0),
    ("a_database_without_tables", "setpoint db migrate", 0),
    ("a_server_that_is_down", "setpoint db status", 1),
    ("a_database_of_an_older_build", "setpoint import FOLDER", 0),
]
#: What a reader types of a command that a hint names without the arguments that only they know.
COMPLETED = {
    "setpoint accounts limit %s --role ROLE": "setpoint accounts limit ada --role config_write",
    "setpoint accounts provider ISSUER --role ROLE": (
        "setpoint accounts provider https://issuer.example --role viewer"
    ),
    "setpoint break-glass channel declare PREFIX --responsible NAME --reason WHY": (
        "setpoint break-glass channel declare https://chat.example/ --responsible bo -r x"
    ),
    "setpoint catalogue types": "setpoint catalogue types --out typings",
    "setpoint db backup": "setpoint db backup --out whole.backup",
    "setpoint db psql": "setpoint db psql -- -c 'SELECT scope FROM ftf_config'",
    "setpoint import FOLDER": "setpoint import config",
    "setpoint market check": "setpoint market check --timeframe 1h --all",
    "setpoint market pull --from 2024-01 --to 2024-12": "setpoint market pull ETHUSDT {archive}",
    "setpoint market pull {symbol} --from MONTH --to MONTH": "setpoint market pull BTCUSDT {archive}",
    "setpoint restore REVISION --reason WHY": "setpoint restore 1 -r x",
    "setpoint tokens create ACCOUNT --label LABEL": "setpoint tokens create robot --label sweep",
}
#: Hints that no test runs, each with its reason.
#: Of a rollout, which takes people and a robot.
ROLLED_OUT = "tests/govern/rollout plays each step"
REHEARSED = "tests/change/emergency plays every drill"
UNRUN = {
    "setpoint accounts confirm {row.name}": "of a backup: tests/cli/test_operator.py confirms",
    "setpoint market pull": "the mark of the files that it writes",
    "setpoint market pull SYMBOL --from MONTH --to MONTH": "of damaged candles",
    "setpoint sweep --data synthetic": "it trains for minutes",
    "setpoint drill --help": "it says which options belong together",
    "setpoint alerts show {name}": PROVES,
    "setpoint alerts show {one.name}": PROVES,
    "setpoint gate src": PROVES,
    "setpoint seed": PROVES,
    "setpoint change repeat %s --reason WHY": "of a second pair: tests/story/test_rollout.py types it",
    "setpoint drill": REHEARSED,
    "setpoint notifications list --failed": "an alert's first step: tests/story/test_runbooks.py types it",
    "setpoint rollback": "of a way back that no release knows: docs/runbooks/rollback.md runs it",
    "setpoint drill all": REHEARSED,
    "setpoint readiness new FILE --story STORY --owner NAME": NAMED,
    "setpoint readiness new {path} --story STORY --owner NAME": NAMED,
    "setpoint readiness sunset FILE": NAMED,
    "setpoint db start": "`db status` says with it who keeps the server up: it was run already",
    "setpoint demo": "the label of the token that the demo makes for itself",
    "setpoint export FOLDER": "to be typed in the build that made the database; import is run on this one's",
    "setpoint run": "a watch asks to start without it; what is run with it stands under longer hints",
    "setpoint demo --console": "it serves until stopped: tests/story/test_console_of_the_demo.py plays it",
    "setpoint runs --set-by {found.revision}": "of what many runs used: tests/story/test_newcomer.py",
    "setpoint change withdraw {change_id}": "printed on pages, which alone take an amendment back",
    "setpoint rollback --incident INC-42": "of an incident: docs/runbooks/rollback.md",
    "setpoint rollback --incident %s": "of an incident: docs/runbooks/rollback.md",
    "setpoint rollback --incident %s --proven WORDS": "of an incident: docs/runbooks/rollback.md",
    "setpoint drill C": REHEARSED,
    "setpoint drill image-pin --last-good PATH": REHEARSED,
    "setpoint drill merge-revert --repository PATH --merge COMMIT": REHEARSED,
    "setpoint rollout promote %s": ROLLED_OUT,
    "setpoint rollout show %s": ROLLED_OUT,
    "setpoint rollout skip %s --reason WHY": ROLLED_OUT,
    "setpoint rollout start %s canary": ROLLED_OUT,
    "setpoint sweep --change %s": ROLLED_OUT,
    "setpoint rollout start %s shadow": ROLLED_OUT,
    "setpoint rollout shadow %s RUN --baseline RUN": ROLLED_OUT,
    "setpoint rollout start {change} shadow": ROLLED_OUT,
    "setpoint change approve {change}": "of a message to an approver, another login than the reader",
    "setpoint change show {change}": "of a message; refusals print the same, and there it is run",
    "setpoint tokens rotate {token}": "of a message; `setpoint doctor` prints the same, and there it is run",
    "setpoint demo --resume {run}": "of a demo that is stopped; tests/story/test_demo.py types it",
    "setpoint gate {rule}": "the title of an annotation in a pull request",
}


def documented(nodes):
    """Return the ids of docstrings, and of texts that are an argument `help`."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            found.add(id(node.body[0].value))
        if isinstance(node, ast.Call):
            found |= {id(word.value) for word in node.keywords if word.arg in {"help", "metavar"}}
    return found


def rendered(node):
    """Return a text as it is written, an expression in it between braces; a part of another text is none."""
    if isinstance(node, ast.JoinedStr):
        parts = (
            str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
            for part in node.values
        )
        return "".join(parts)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def hints():
    """Return each command that a text of the product names, with the places where it does."""
    found = {}
    for path in FILES:
        source = path.read_text(encoding="utf-8")
        if "setpoint " not in source:
            continue  # every worker of a run reads these files before its first test
        nodes = list(ast.walk(ast.parse(source)))
        inner = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        skipped = documented(nodes) | inner
        for node in nodes:
            if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in skipped:
                for command in commands_in(rendered(node)):
                    found.setdefault(command, []).append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    for path in sorted((PACKAGE / "store/migrations").glob("*.sql")):
        for text in SQL_TEXT.findall(path.read_text(encoding="utf-8")):
            for command in commands_in(text):
                found.setdefault(command, []).append(path.name)
    return found


HINTS = hints()


@pytest.mark.parametrize("command", sorted(HINTS))
def test_a_command_that_a_hint_names_is_one(command):
    """What is advised exists: its command, and every option of it."""
    if command.startswith("setpoint gate"):
        return  # the gate's own parser holds its options; tests/gate runs them
    parsed(command)


#: Commands that a text names as what they are, and does not ask to be typed.
MENTIONED = {"setpoint run", "setpoint drill", "setpoint market pull"}


def test_a_hint_is_whole():
    """What is advised is typed as it stands: no argument that its command needs is left out of it."""
    command_line._commands()
    whole, short = get_command(app), []
    for hint in sorted(HINTS.keys() - MENTIONED):
        words = shlex.split(re.sub(r"\{[^{}]*\}|%s|\b[A-Z]{3,}\b", "1", hint).partition(" | ")[0])[1:]
        at = whole
        while hasattr(at, "commands") and words and not words[0].startswith("-"):
            at = at.commands[words.pop(0)]
        try:
            at.make_context("setpoint", ["1" if word == "..." else word for word in words])
        except typer.TyperException as wrong:
            short.append(f"{hint}: {wrong}")
        except typer.Exit:  # it asks for help
            continue
        else:
            short += [hint] if hasattr(at, "commands") else []

    assert not short


def asked_elsewhere():
    """Return the hints that tests of other files take from what is printed, to type them."""
    tests = (path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("test_*.py")))
    calls = (
        node for text in tests if "printed_command" in text for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "printed_command"
    )  # fmt: skip
    return {node.args[0].value for node in calls if isinstance(node.args[0], ast.Constant)}


def test_every_hint_is_run_or_has_a_reason():
    """A new hint fails until a test runs it where it is printed, or `UNRUN` says why none can."""
    run = {hint for _, _, hint, _ in RUN if hint} | {hint for _, hint, _ in CALLED} | asked_elsewhere()

    left = sorted(HINTS.keys() - run - UNRUN.keys())
    assert not left, "run it where it is printed, or give a reason in UNRUN"
    gone = sorted(run - HINTS.keys())
    assert not gone, "no text of the product says so any more"
    assert not (UNRUN.keys() & run)
    assert UNRUN.keys() <= HINTS.keys()
    assert COMPLETED.keys() <= HINTS.keys()


def filled(command):
    """Return what a reader types who is shown a command: its dots and capitals filled in."""
    command = re.sub(r"-- (?:\.\.\.|COMMAND)$", "-- true", command).replace("=...", "=0.5")
    for blank, given in BLANKS.items():
        command = command.replace(blank, given)
    return shlex.split(command.partition(" | ")[0])[1:]


@pytest.fixture
def exported():
    """What the last `setpoint run` exported."""
    return {}


@pytest.fixture
def follow(setpoint_command, exported, monkeypatch):
    """Type a command as it was printed, answering yes; `setpoint run` runs its command as a child."""

    def become(_, command, variables):
        exported.clear()
        exported.update(variables)
        raise typer.Exit(subprocess.run(command, env=variables, check=False).returncode)

    monkeypatch.setattr(os, "execvpe", become)

    def typed(hint, printed, **names):
        words = filled(completed(hint, printed_command(hint, printed), names))
        return setpoint_command(*words, *(("--yes",) if words[0] in ASKING else ()))

    return typed


def completed(hint, printed, names):
    """Return a printed command with the arguments that only its reader knows."""
    if hint not in COMPLETED:
        return printed
    whole = COMPLETED[hint].format(**names)
    assert whole.startswith(re.split(r" --|\{| [A-Z%]", hint)[0])
    return whole


def numbered(typed, setpoint_command):
    """Put the newest change's number, and the one before it, in place of LAST."""
    if "LAST" not in typed:
        return typed
    last = setpoint_command("change", "list", "--state", "all", "--json").json[0]["id"]
    return typed.replace("LAST-1", str(last - 1)).replace("LAST", str(last))


def test_a_hint_works_where_it_is_printed(bundled_seeds, setpoint_command, follow, tmp_path, monkeypatch):
    """Each command is taken from what was printed and typed as it stands there, its blanks filled in."""
    monkeypatch.chdir(tmp_path)
    done = None
    for template, code, hint, ends in RUN:
        typed = numbered(template, setpoint_command)
        done = setpoint_command(*shlex.split(typed)) if typed else done
        assert done.code == code, (typed, done.out, done.err)
        if hint is None:
            continue
        if ends is None:
            printed_command(hint, done.out + done.err)
        else:
            advised = follow(hint, done.out + done.err)
            assert advised.code == ends, (typed, hint, advised.err)


@pytest.fixture
def stage(setpoint_command, server, monkeypatch, capfd, tmp_path, exported, http_as, archive):
    """What states are made of; see ``Stage``."""
    monkeypatch.chdir(tmp_path)
    made = Stage(setpoint_command, server, monkeypatch, capfd, tmp_path, exported, http_as, archive)
    yield made
    made.clear()


def test_a_hint_works_where_a_program_prints_it(bundled_seeds, stage, follow):
    """So does each command that an error of the client, or of a state that no command makes alone, names."""
    for state, hint, ends in CALLED:
        advised = follow(hint, getattr(stage, state)(), **stage.names)
        assert advised.code == ends, (state, advised.out, advised.err)
