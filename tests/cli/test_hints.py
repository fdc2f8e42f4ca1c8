"""Every command that a hint or a next step names exists, and works in the state in which it is printed.

Collected from the source: each text outside docstrings that names a command. All are parsed, as they are
printed, against the registered commands and options: an unknown command or option fails. Those in `RUN` are
executed too: their state is staged in one database, the hint is taken from what is printed there, and the
command runs as printed; so do those in `CALLED`, which a program prints. `NAMED` are commands alone,
`ELSEWHERE` says which test runs a hint, and those in `PARSED` are parsed alone, under what their state would
take. A hint in none of them fails.
"""

import ast
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import setpoint
from setpoint.cli import __main__ as command_line
from setpoint.cli import demo
from setpoint.cli.app import app
from setpoint.client.plane.refusals import unreachable
from setpoint.errors import SetpointError
from test_architecture import FILES, PACKAGE

#: A command in a text: between backticks, or from its start, a colon or a comma to a semicolon or the end.
COMMAND = re.compile(r"`(setpoint [a-z][^`]*)`|\((setpoint [a-z][^)]*)\)|(?:^|: )(setpoint [a-z][^`;#,]*)")
#: A text of a migration: quoted, on one line.
SQL_TEXT = re.compile(r"'([^'\n]*`setpoint [^'\n]*)'")
GAMMA = "xgb/5m/gamma"
OWN = """
format = 1
name = "own"
version = "1.0.0"
prefix = "OWN"

[[parameters]]
name = "threshold"
type = "float"
low = 0.0
high = 1.0
doc = "Above it there is a signal."
"""
WHY = "--incident INC-1 --approved-by https://chat.example/p1 --because data-damaged"
BREAK_GLASS = f"break-glass restore 1 {WHY} --yes"
SET_IN_SCOPE = "setpoint set KEY=VALUE --scope {scope} --reason WHY"
#: Texts about the module of that name, or that are no hints.
NO_HINT = re.compile(r"setpoint (?:otherwise|would|revisions|seed_dir)|^setpoint (?:run|gate): ")
#: What is typed, its exit code, and, where it prints a hint, the hint's template and how that ends; in this
#: order, on one database. Nothing typed: what the row above printed. `LAST` is the newest change's number.
#: None for an end: it trains for minutes.
RUN = [
    ("seed", 2, "setpoint seed --dry-run", 0),
    ("history CVN_NO_SUCH", 4, "setpoint keys", 0),
    ("restore 99 --reason x", 4, "setpoint history", 0),
    ("restore 1", 2, 'setpoint restore {revision} --reason "..."', 0),
    ("restore 2 --reason x", 4, "setpoint history --scope {scope}", 0),
    (f"restore 2 --scope profile=demo --key {GAMMA} -r x --yes", 4, "setpoint history {key}", 0),
    ("change show 99", 4, "setpoint change list", 0),
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
    ("apply config --plan none.json -r x --yes", 3, "setpoint plan DIR --out FILE", 0),
    (f"set {GAMMA}=0.7 -r x --yes", 0, None, None),
    ("apply config --plan made.json -r x --yes", 5, "setpoint plan {folder}", 1),
    # A change on its way.
    (f"set {GAMMA}=0.8 -r x --draft --yes", 11, "setpoint change propose %s", 0),
    ("change propose LAST", 5, "setpoint change apply %s", 0),
    ("change apply LAST", 5, "setpoint change show %s", 0),
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
    ("accounts disable nobody -r x --yes", 4, "setpoint accounts list", 0),
    ("tokens revoke 99 -r x --yes", 4, "setpoint tokens list", 0),
    ("break-glass channel close https://none.example/ -r x --yes", 4, "setpoint break-glass channel list", 0),
    # Emergencies.
    ("break-glass template post-mortem", 2, "setpoint break-glass status", 0),
    ("break-glass channel declare https://chat.example/ --responsible bo -r x", 0, None, None),
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
    "KEY=VALUE": f"{GAMMA}=0.4",
    "MIN..MAX": "0.02..0.3",
    "WHY": "because",
    "FOLDER": str(PACKAGE / "declare/seeds"),
    "DIR": "config",
    "FILE": "made.json",
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
    ("an_edited_export", "setpoint apply {folder} --reason WHY", 0),
    ("an_export_of_another_database", "setpoint verify", 0),
    ("a_folder_without_candles", "setpoint market pull --help", 0),
    ("the_end_of_a_demo", "setpoint coverage", 0),
    ("the_end_of_a_demo", "setpoint explain tuning_trials -c profile=demo", 0),
    ("the_end_of_a_demo", "setpoint run -- env | grep CVN_HPO_XGB_5M", 0),
    ("a_database_without_tables", "setpoint db migrate", 0),
]
#: Commands that a hint names without the arguments that only its reader knows: their help is printed.
NAMED = {
    "setpoint accounts",
    "setpoint accounts confirm",
    "setpoint accounts limit",
    "setpoint accounts provider",
    "setpoint break-glass channel declare",
    "setpoint catalogue types",
    "setpoint change amend",
    "setpoint db backup",
    "setpoint db psql",
    "setpoint db start",
    "setpoint demo",
    "setpoint externalize",
    "setpoint market check",
    "setpoint market pull",
    "setpoint plan",
    "setpoint restore",
    "setpoint run",
    "setpoint set",
    "setpoint tokens create",
    "setpoint up",
}
#: Hints that another test runs where they are printed.
ELSEWHERE = {
    "tests/cli/test_reviewing.py": {
        "setpoint change approve %s",
        'setpoint change comment %s -m "..."',
    },
    # It stages each fault, and runs what is printed for it.
    "tests/cli/test_doctor.py": {
        "setpoint accounts add NAME --role approver",
        "setpoint break-glass post-mortem --incident {incident} --url URL",
        "setpoint break-glass validate --incident {incident}",
        "setpoint db backup FILE",
        "setpoint db psql --owner -- -c {shlex.quote(mend)}",
        "setpoint doctor",
        "setpoint edit --reason WHY",
        "setpoint edit {broken.where} --reason WHY",
        (
            "setpoint policy set --kind policy --scope {shlex.quote(scope)} --approvals {approvals"
            "} --cooling-off {cooling_off_s}s --reason WHY"
        ),
        "setpoint scope retire {shlex.quote(scope)} --reason WHY",
        "setpoint set KEY=VALUE --scope {owed.scope} --reason {reason}",
        "setpoint set {key}=VALUE{_in(scope)} --reason WHY",
        "setpoint show {row['run']}",
        "setpoint unset {shlex.quote(key)}{_in(scope)} --reason WHY",
    },
}
#: Hints that are parsed alone, by what their state would take.
PARSED = {
    "a finished or broken sweep": {
        "setpoint show latest",
        "setpoint show {end.run}",
        "setpoint sweep --resume {end.run}",
        "setpoint sweep --resume {plan.run}",
        "setpoint sweep --resume {run}",
    },
    "an anchor kept by schedule that the chain contradicts": {"setpoint verify --anchor {path}"},
    "a plane": {"setpoint accounts once admin", "setpoint set {key}=... --reason WHY"},
    "a token that ends within days": {"setpoint tokens rotate {row['id']}"},
    "a server that is down": {"setpoint db status"},
    "the public archive": {"setpoint market pull {symbol}"},
    "a build before 0.1.0, or a database that is filled meanwhile": {
        "setpoint export FOLDER",
        "setpoint import DIR --documents",
        "setpoint import FOLDER",
    },
    "a use of break-glass with more than forty edits": {"setpoint diff {use.base_revision} {use.revision}"},
    "a project with findings; tests/gate and tests/externalize run these": {
        "setpoint gate",
        "setpoint gate --update-baseline",
        "setpoint gate {rule}",
        "setpoint run -- pytest",
        "setpoint run -c {shlex.quote(project.scope)}",
    },
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


def commands_in(text):
    """Return the commands that a text names."""
    if NO_HINT.search(text):
        return []
    return [next(filter(None, named)).strip().removesuffix(" lists them") for named in COMMAND.findall(text)]


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


def parse(command):
    """Parse a command as it is printed; refuses an unknown command or option."""
    command_line._commands()
    words = shlex.split(re.sub(r"\{[^{}]*\}|%s", "1", command).replace("...", "1").partition(" | ")[0])[1:]
    at, name = get_command(app), "setpoint"
    while hasattr(at, "commands") and words and not words[0].startswith("-"):
        name = words.pop(0)
        assert name in at.commands, f"{command}: there is no command {name}"
        at = at.commands[name]
    own = words[: words.index("--")] if "--" in words else list(words)
    at.make_context(name, words, resilient_parsing=True)
    known = {option for parameter in at.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in own if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known]
    needed = [parameter.opts for parameter in at.params if parameter.required and parameter.opts[0][0] == "-"]
    assert not words or all(set(opts) & set(words) for opts in needed), f"{command}: needs {needed}"
    assert not [word for word in unknown if word not in {"--help", "-h"}], f"{command}: {unknown}"


@pytest.mark.parametrize("command", sorted(HINTS))
def test_a_command_that_a_hint_names_is_one(command):
    """What is advised exists: its command, and every option of it."""
    if command.startswith("setpoint gate"):
        return  # the gate's own parser holds its options; tests/gate runs them
    parse(command)


def test_every_hint_is_run_or_listed():
    """A hint that no table here executes stands in `PARSED`, under what its state would take."""
    run = {hint for _, _, hint, _ in RUN if hint} | {hint for _, hint, _ in CALLED}
    listed = [
        *run,
        *NAMED,
        *(hint for table in (ELSEWHERE, PARSED) for hints in table.values() for hint in hints),
    ]

    assert sorted(listed) == sorted(HINTS), set(listed) ^ HINTS.keys()


@pytest.mark.parametrize("file", ELSEWHERE)
def test_a_hint_that_runs_elsewhere_does(file):
    """The test that is named types what was printed, or holds the hint's own words against it."""
    source = (PACKAGE.parents[1] / file).read_text(encoding="utf-8")

    for hint in ELSEWHERE[file]:
        assert "shlex.split(" in source or re.sub(r"%s.*", "", hint) in source


def test_a_command_that_is_named_alone_prints_its_help(setpoint_command):
    """Whoever is told of a command finds its arguments."""
    for hint in sorted(NAMED):
        assert setpoint_command(*shlex.split(hint)[1:], "--help").code == 0, hint


def matching(template):
    """Return a pattern of a hint as it is printed."""
    return "".join(
        ".+?" if part.startswith(("{", "%s")) else re.escape(part)
        for part in re.split(r"(\{[^{}]*\}|%s)", template)
    )


def printed_as(template, printed):
    """Return the command of a template as it stands in what was printed."""
    # What stands behind a column of commands says what each is for.
    lines = (re.split(" {2,}", line.strip().removeprefix("next: "))[0] for line in printed.splitlines())
    found = [one for line in lines for one in commands_in(line) if re.fullmatch(matching(template), one)]
    assert found, (template, printed)
    return found[0]


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

    def typed(printed):
        words = filled(printed)
        return setpoint_command(*words, *(("--yes",) if words[0] in ASKING else ()))

    return typed


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
        printed = printed_as(hint, done.out + done.err)
        if ends is not None:
            advised = follow(printed)
            assert advised.code == ends, (typed, printed, advised.err)


class Stage:
    """States in which a program, not a command, prints a hint; each returns what is printed there."""

    def __init__(self, setpoint_command, server, monkeypatch, capfd, folder, exported):
        self.command, self.server, self.patch, self.screen = setpoint_command, server, monkeypatch, capfd
        self.folder, self.exported = folder, exported

    def missing_in_the_database(self):
        assert self.command("unset", GAMMA, "-r", "x", "--yes").code == 0
        return refusal(self.pinned, "xgb", "5m", "gamma")

    def pinned(self, *address):
        assert self.command("pin", "--out", "made.json").code == 0
        return setpoint.pin(environ={"SETPOINT_SNAPSHOT": "made.json"}).resolve(*address)

    def missing_in_a_bare_environment(self):
        environ = {"CVN_HPO_XGB_5M_GAMMA": "0.5"}
        return refusal(lambda: setpoint.pin(environ=environ).resolve("xgb", "5m", "learning_rate"))

    def a_file_of_another_context(self):
        self.command("pin", "--out", "made.json")
        return refusal(setpoint.pin, {"profile": "demo"}, environ={"SETPOINT_SNAPSHOT": "made.json"})

    def a_set_of_other_contexts(self):
        assert self.command("run", "--contexts", "profile=demo", "--", "true").code == 0
        return refusal(setpoint.pin, {"symbol": "BTCUSDC"}, environ=self.exported)

    def an_environment_that_disagrees(self):
        self.command("pin", "--out", "made.json")
        environ = {"SETPOINT_SNAPSHOT": "made.json", "CVN_HPO_XGB_5M_GAMMA": "0.77"}
        return refusal(setpoint.pin, environ=environ)

    def a_choice_out_of_range(self):
        hp = setpoint.pin(environ={"SETPOINT_SNAPSHOT": "made.json"})
        return refusal(hp.params, "xgb", "5m", chosen={"learning_rate": 0.9})

    def a_plane_out_of_reach(self):
        return str(unreachable("http://plane.example", OSError("refused"), 3))

    def a_catalogue_without_the_harness(self):
        (self.folder / "own.toml").write_text(OWN, encoding="utf-8")
        with self.patch.context() as patched:
            patched.setenv("SETPOINT_CATALOGUES", "own.toml")
            return self.command("sweep", "--data", "synthetic").err

    def an_edited_export(self):
        assert self.command("export", "edited").code == 0
        document = self.folder / "edited/documents/global.toml"
        text = document.read_text(encoding="utf-8")
        document.write_text(re.sub("(SUBSAMPLE = ).*", r"\g<1>0.75", text, count=1), encoding="utf-8")
        return self.command("export", "edited").err

    def an_export_of_another_database(self):
        assert self.command("export", "other").code == 0
        head = self.folder / "other/head.json"
        found = json.loads(head.read_text(encoding="utf-8"))
        head.write_text(json.dumps({**found, "revision": found["revision"] + 1}), encoding="utf-8")
        return self.command("export", "other").err

    def a_folder_without_candles(self):
        (self.folder / "candles").mkdir()
        return self.command("market", "check", "candles", "--all").err

    def the_end_of_a_demo(self):
        self.screen.readouterr()
        demo._next_steps(Path("report.html"))
        return self.screen.readouterr().out

    def a_database_without_tables(self):
        """From here on the commands work on that database."""
        self.server.administer("CREATE DATABASE without_tables")
        self.patch.setenv("SETPOINT_DATABASE_URL", self.server.url("without_tables"))
        self.patch.setenv("SETPOINT_MIGRATE_URL", self.server.url("without_tables", owner=True))
        return self.command("history").err


def refusal(call, *arguments, **named):
    """Return what an error of ours prints."""
    with pytest.raises(SetpointError) as refused:
        call(*arguments, **named)
    return str(refused.value)


def test_a_hint_works_where_a_program_prints_it(
    bundled_seeds, setpoint_command, server, follow, exported, tmp_path, monkeypatch, capfd
):
    """So does each command that an error of the client, or of a state that no command makes alone, names."""
    monkeypatch.chdir(tmp_path)
    stage = Stage(setpoint_command, server, monkeypatch, capfd, tmp_path, exported)
    for state, hint, ends in CALLED:
        advised = follow(printed_as(hint, getattr(stage, state)()))
        assert advised.code == ends, (state, advised.out, advised.err)
    server.administer("DROP DATABASE without_tables WITH (FORCE)")
