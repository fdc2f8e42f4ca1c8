"""A call waits for its own command: built alone as with all others, and importing what it needs."""

import subprocess
import sys

import pytest

from setpoint.cli.command_modules import MODULES, leading_words

#: Builds every command alone, each first word in a process that has imported nothing for another, and prints
#: how it differs from the command among all others.
COMPARED = """
import os, sys
from setpoint.cli.__main__ import _assembled
from setpoint.cli.command_modules import MODULES

def told(command):
    options = [
        (type(one).__name__, one.name, one.opts, one.secondary_opts, str(one.default), one.required,
         one.multiple, one.nargs, getattr(one, "help", ""), str(getattr(one, "metavar", "")))
        for one in command.params
    ]
    under = {name: told(one) for name, one in getattr(command, "commands", {}).items()}
    return command.name, command.help, command.short_help, panel(command), options, under

def panel(command):
    panel = command.rich_help_panel  # one of typer's own placeholders where it is in none
    return panel if isinstance(panel, str) else ""

def at(command, path):
    for name in path:
        command = command.commands[name]
    return command

def leaves(root, path):
    command = at(root(path), path)
    for name in getattr(command, "commands", ()):
        yield from leaves(root, (*path, name))
    if not hasattr(command, "commands"):
        yield told(command)

def alone(name, read, write):
    found = repr([*leaves(_assembled, (name,))])
    os.write(write, found.encode())

whole = {}
for name in dict.fromkeys(name for names in MODULES.values() for name in names):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        alone(name, read, write)
        os._exit(0)
    os.close(write)
    found = b""
    while piece := os.read(read, 65536):
        found += piece
    os.close(read)
    assert os.waitpid(child, 0)[1] == 0, name
    whole[name] = found.decode()
everything = _assembled(None)
assert set(everything.commands) == set(whole), set(everything.commands) ^ set(whole)
for name, found in whole.items():
    expected = repr([*leaves(lambda _: everything, (name,))])
    assert found == expected, f"{name}: {found} is not {expected}"

def heads(command, path=()):
    yield path, command.help, command.short_help, panel(command)
    for name, one in getattr(command, "commands", {}).items():
        yield from heads(one, (*path, name))

def listed(command):
    return [one for one in heads(command) if len(one[0]) < 2]

assert listed(_assembled(())) == listed(everything)
for name, command in everything.commands.items():
    if hasattr(command, "commands"):
        assert listed(_assembled((name,)).commands[name]) == listed(command), name
"""
IMPORTED = """
import sys
from setpoint.cli.__main__ import run
code = run(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""
#: What no command imports that neither serves nor trains.
HEAVY = {
    "prompt_toolkit", "cel.cli", "numpy", "polars", "optuna", "sklearn", "fastapi", "starlette", "uvicorn",
    "pydantic", "libcst", "authlib", "argon2", "http.client", "requests", "httpx",
}  # fmt: skip
#: What else is not for these: judging, the database, drawing.
LIGHT = {
    ("--help",): {"psycopg", "asyncio", "setpoint.change.invariants", "setpoint.store.database"},
    ("--version",): {"psycopg", "asyncio", "rich.markdown", "setpoint.cli.values", "setpoint.cli.history"},
    ("keys", "xgb/5m/gamma"): {"psycopg", "rich.markdown", "setpoint.cli.history"},
    ("history",): {"rich.markdown", "setpoint.cli.seed", "setpoint.cli.sweep"},
    ("get", "xgb/5m/gamma"): {"rich.markdown", "setpoint.cli.history", "setpoint.change.history"},
    ("explain", "xgb/5m/gamma"): {
        "rich.markdown", "setpoint.change.history", "setpoint.record.results", "setpoint.train.reporting",
        "setpoint.orchestrate.doors", "setpoint.client.plane.connection", "setpoint.client.hyperparams_set",
    },
    ("change", "list"): {"rich.markdown", "setpoint.cli.history"},
    ("change", "--help"): {"psycopg", "setpoint.change.invariants", "setpoint.cli.history"},
}  # fmt: skip


def test_a_command_is_built_alone_as_with_all_others():
    """The same options, defaults and help; every name at every level; and the table names every command."""
    done = subprocess.run([sys.executable, "-c", COMPARED], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_a_command_imports_what_it_needs(seeded, arguments):
    """Nothing of another command, and no engine, server or library that this one does not use."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    needless = set(done.stderr.split()) & (HEAVY | LIGHT[arguments])
    assert needless == set()


def test_words_are_taken_only_where_they_name_a_command():
    """What stands behind an option may be its value: then all commands are there, as ever."""
    assert leading_words(["change", "list", "--state", "open"]) == ("change", "list")
    assert leading_words(["--help"]) == leading_words([]) == ()
    assert leading_words(["--state", "open"]) is None
    assert len(MODULES) > 20
