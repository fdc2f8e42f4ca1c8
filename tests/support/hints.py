"""Commands that a text of the product names: found in it, and typed by a test as they stand there."""

from __future__ import annotations

import json
import re
import shlex

from typer.main import get_command

from setpoint.cli import __main__ as command_line
from setpoint.cli.app import app

#: A command in a text: between backticks, or from its start, a colon or a comma to a semicolon or the end.
COMMAND = re.compile(r"`(setpoint [a-z][^`]*)`|\((setpoint [a-z][^)]*)\)|(?:^|: )(setpoint [a-z][^`;#,]*)")
#: Texts about the module of that name, or that are no hints.
NO_HINT = re.compile(r"setpoint (?:otherwise|would|revisions|seed_dir)|^setpoint (?:run|gate): ")


def commands_in(text: str) -> list[str]:
    """Return the commands that a text names."""
    if NO_HINT.search(text):
        return []
    return [next(filter(None, named)).strip().removesuffix(" lists them") for named in COMMAND.findall(text)]


def matching(template: str) -> str:
    """Return a pattern of a hint as it is printed."""
    return "".join(
        ".*?" if part.startswith(("{", "%s")) else re.escape(part)
        for part in re.split(r"(\{[^{}]*\}|%s)", template)
    )


def printed_command(template: str, printed: str) -> str:
    """Return the command of a template as it stands in what was printed.

    The template is a hint as it is written in the source: tests/cli/test_hints.py counts it as run by the
    test that asks for it here, so type what this returns.
    """
    lines = [_as_text(line) for line in printed.splitlines()]
    found = [one for line in lines for one in commands_in(line) if re.fullmatch(matching(template), one)]
    assert found, (template, printed)
    return found[0]


def _as_text(line: str) -> str:
    if line.startswith('{"error"'):  # of a command with `--json`
        return str(json.loads(line)["error"]["hint"])
    # What stands behind a column of commands says what each is for.
    return re.split(" {2,}", line.strip().removeprefix("next: "))[0]


def parsed(command: str) -> None:
    """Parse a command as it is printed; fails for an unknown command or option."""
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
