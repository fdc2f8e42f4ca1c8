"""Every command that a hint or a next step names exists, and works in the state in which it is printed.

Collected from the source: each text outside docstrings that names a command. All are parsed, as they are
printed, against the registered commands and options: an unknown command or option fails. Those in `RUN` are
executed too: their state is staged in one database, the hint is taken from what is printed there, and the
command runs as printed. Those in `PARSED` are parsed alone: their state wants a plane, a training, a broken
server or an editor. `setpoint up`'s hint is run in tests/serve/test_server.py. A hint in neither list fails.
"""

import ast
import re
import shlex

import pytest
from typer.main import get_command

from setpoint.cli import __main__ as command_line
from setpoint.cli.app import app
from test_architecture import FILES, PACKAGE

#: A command in a text: between backticks, or from its start, a colon or a comma to a semicolon or the end.
COMMAND = re.compile(r"`(setpoint [a-z][^`]*)`|\((setpoint [a-z][^)]*)\)|(?:^|: )(setpoint [a-z][^`;#,]*)")
GAMMA = "xgb/5m/gamma"
#: Texts about the module of that name, or that are no hints.
NO_HINT = re.compile(r"setpoint (?:otherwise|would|revisions|seed_dir)|^setpoint (?:run|gate): ")
#: What is typed so that a hint is printed, the exit code of that, the hint's template and what it ends with.
RUN = [
    ("seed", 2, "setpoint seed --dry-run", 0),
    ("history CVN_NO_SUCH", 4, "setpoint keys", 0),
    ("restore 99 --reason x", 4, "setpoint history", 0),
    ("restore 1", 2, 'setpoint restore {revision} --reason "..."', 0),
    ("change show 99", 4, "setpoint change list", 0),
    ("scope retire symbol=NONE --reason x", 4, "setpoint scope list", 0),
    ("show", 4, "setpoint sweep", None),
    ("show no-such-run", 4, "setpoint runs", 0),
    ("verify --anchor none.json", 6, "setpoint anchor", 0),
    ("plan no-such-folder", 3, "setpoint export {folder}", 0),
    (f"set {GAMMA}= --reason x", 3, "setpoint unset {key} --reason WHY", 0),
    ("break-glass template post-mortem", 2, "setpoint break-glass status", 0),
    ("sweep --resume 20260101-000000-aaaa --data synthetic", 2, "setpoint sweep --resume {resume}", 4),
]

#: What a person answers with yes.
YES = {
    "setpoint unset {key} --reason WHY": ("--yes",),
    'setpoint restore {revision} --reason "..."': ("--yes",),
}
PARSED = {
    # What `setpoint doctor` tells: tests/cli/test_doctor.py stages each fault and runs these.
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
    "setpoint accounts",
    "setpoint accounts once admin",
    "setpoint apply {folder}",
    "setpoint break-glass post-mortem --incident {emergency.incident} --url ...",
    "setpoint break-glass validate --incident {emergency.incident}",
    "setpoint change amend",
    "setpoint change show",
    "setpoint change show {one.id}",
    "setpoint coverage",
    "setpoint db backup",
    "setpoint db migrate",
    "setpoint db psql",
    "setpoint db start",
    "setpoint db status",
    "setpoint demo",
    "setpoint diff {use.base_revision} {use.revision}",
    "setpoint explain tuning_trials -c profile=demo",
    "setpoint export FOLDER",
    "setpoint externalize",
    "setpoint gate",
    "setpoint gate --update-baseline",
    "setpoint gate {rule}",
    "setpoint history --scope {scope}",
    "setpoint history {key}",
    "setpoint import DIR --documents",
    "setpoint import FOLDER",
    "setpoint market check",
    "setpoint market pull",
    "setpoint market pull --help",
    "setpoint market pull {symbol}",
    "setpoint pin --out FILE",
    "setpoint plan",
    "setpoint plan DIR --out FILE",
    "setpoint plan {folder}",
    "setpoint run",
    "setpoint run -- ...",
    "setpoint run -- COMMAND",
    "setpoint run -- env | grep CVN_HPO_XGB_5M",
    "setpoint run -- pytest",
    "setpoint run --context {dimension}={value} -- ...",
    "setpoint run --contexts {asked} -- ...",
    "setpoint run --seeds FOLDER -- ...",
    "setpoint run --snapshot FILE -- ...",
    "setpoint run -c {shlex.quote(project.scope)}",
    "setpoint seed --apply",
    'setpoint set ... --reason "{emergency.reason}"',
    "setpoint set KEY=VALUE --scope {scope} --reason WHY",
    "setpoint set {declared.address}_range=MIN..MAX --reason WHY",
    "setpoint set {key}=... --reason WHY",
    "setpoint set {name}=... --reason WHY",
    "setpoint show latest",
    "setpoint show {end.run}",
    "setpoint sweep --resume {end.run}",
    "setpoint sweep --resume {plan.run}",
    "setpoint sweep --resume {run}",
    "setpoint tokens create",
    "setpoint up",
    "setpoint verify",
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
    return found


HINTS = hints()


def parse(command):
    """Parse a command as it is printed; refuses an unknown command or option."""
    command_line._commands()
    words = shlex.split(re.sub(r"\{[^{}]*\}", "1", command).replace("...", "1").partition(" | ")[0])[1:]
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
    """A hint that no entry of `RUN` executes stands in `PARSED`: somebody looked at it."""
    run = {hint for _, _, hint, _ in RUN}

    assert run <= HINTS.keys(), run - HINTS.keys()
    assert HINTS.keys() - run == set(PARSED), (HINTS.keys() - run) ^ set(PARSED)


def matching(template):
    """Return a pattern of a hint as it is printed."""
    return "".join(
        ".+?" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^{}]*\})", template)
    )


def test_a_hint_works_where_it_is_printed(bundled_seeds, setpoint_command, tmp_path, monkeypatch):
    """Each command is taken from what was printed and typed as it stands there, its dots filled in."""
    monkeypatch.chdir(tmp_path)
    for typed, code, template, ends in RUN:
        done = setpoint_command(*shlex.split(typed))
        assert done.code == code, (typed, done.err)
        printed = [
            command
            for line in done.err.splitlines()
            for command in commands_in(line.strip().removeprefix("next: "))
            if re.fullmatch(matching(template), command)
        ]
        assert printed, (typed, done.err)
        if ends is None:
            continue  # it trains for minutes; tests/train runs it
        advised = setpoint_command(
            *shlex.split(printed[0].replace("...", "because"))[1:], *YES.get(template, ())
        )
        assert advised.code == ends, (printed, advised.err)
