"""While SETPOINT_URL names a plane, every registered command does what its entry in one table says."""

from enum import Enum
from functools import cache
from pathlib import Path

import pytest
import typer

from setpoint.cli import __main__ as command_line
from setpoint.cli.app import database
from setpoint.cli.reach import COMMANDS, Reach, guard, walk
from setpoint.errors import UsageError
from setpoint.settings import Settings

PLANE = "https://plane.invalid"
WRITING = sorted(
    name for name, work in COMMANDS.items() if Reach.WRITES in {work.reach, *work.given.values()}
)
SHOWING = sorted(name for name, work in COMMANDS.items() if Reach.SHOWS in {work.reach, *work.given.values()})


@cache
def registered():
    return dict(walk(command_line._commands()))


def call(name, folder, **options):
    """Return a call of a command with some text for everything that it requires."""
    words = name.split()
    for parameter in registered()[name].params:
        if parameter.required:
            value = _some(parameter.type_descriptor.annotation, folder)
            words += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    for option in options:
        given = next(p for p in registered()[name].params if p.name == option)
        words += [given.opts[0]] if given.is_flag else [given.opts[0], "1"]
    return words


def _some(kind, folder):
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind)).value
    return str(folder) if kind is Path else "1"


def test_a_number_that_nothing_could_have_is_refused(tmp_path, setpoint_command):
    """A whole number that no column of the database holds is refused where it is typed, by every command."""
    for name, command in sorted(registered().items()):
        for whole in (one for one in command.params if one.type_descriptor.annotation is int):
            words = name.split()
            for one in command.params:
                if one.required or one is whole:
                    value = str(2**63) if one is whole else _some(one.type_descriptor.annotation, tmp_path)
                    words += [value] if one.param_type_name == "argument" else [one.opts[0], value]
            done = setpoint_command(*words)
            assert (done.code, f"beyond {2**63 - 1}" in done.err) == (2, True), (words, done.err)


def test_a_list_of_nothing_is_refused(setpoint_command, tmp_path):
    """No command lists 0 rows or fewer, and no state or share that there is not: a slip is told."""
    limited = [name for name, one in registered().items() if any("--limit" in p.opts for p in one.params)]
    assert len(limited) > 5
    for name in sorted(limited):
        for few in ("0", "-1"):
            done = setpoint_command(*call(name, tmp_path), "--limit", few)
            assert (done.code, "greater than or equal to 1" in done.err) == (2, True), (name, done.err)
    assert "one of open, draft," in setpoint_command("change", "list", "--state", "appplied").err
    assert setpoint_command("coverage", "--fail-under", "101").code == 2


def guarded(name, body):
    """Run a command of this name, with our body, as the command line would."""
    made = typer.Typer()
    made.command(name)(body)
    made.callback()(lambda: None)
    group = typer.main.get_command(made)
    guard(group, Settings.from_environ, print)
    return group([name], standalone_mode=False)


def option_for(name, reach):
    """Return the option with which a command has a reach; none where it has it anyway."""
    work = COMMANDS[name]
    if work.reach is reach:
        return {}
    return {next(option for option, given in work.given.items() if given is reach): True}


def test_every_registered_command_says_what_it_works_on():
    """The table and the command line hold the same names, and an exemption has its reason."""
    assert registered().keys() == COMMANDS.keys()
    machine = {name: work.why for name, work in COMMANDS.items() if work.reach is Reach.MACHINE}
    assert all(machine.values())
    for name, work in COMMANDS.items():
        assert work.given.keys() <= {parameter.name for parameter in registered()[name].params}, name


def test_a_command_without_an_entry_does_not_run():
    """A command that was forgotten in the table is an error, not a write."""
    with pytest.raises(KeyError, match="erase"):
        guarded("erase", lambda: pytest.fail("it ran"))


@pytest.mark.parametrize("name", WRITING)
def test_a_command_that_writes_refuses_and_touches_nothing(name, monkeypatch, tmp_path, capfd):
    """It exits with 2 before its first line, names the next step, and leaves no database behind."""
    monkeypatch.setenv("SETPOINT_URL", PLANE)
    for address in ("", "postgresql://setpoint@127.0.0.1:1/nowhere?password=hidden-3141"):
        monkeypatch.setenv("SETPOINT_DATABASE_URL", address)
        code = command_line.run(call(name, tmp_path, **option_for(name, Reach.WRITES)))
        said = capfd.readouterr().err
        assert code == UsageError.exit_code
        assert f"`{name}` writes to the database" in said
        assert "unset SETPOINT_URL" in said
        assert "hidden-3141" not in said
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", SHOWING)
def test_a_command_that_reads_does_not_start_an_empty_database(name, monkeypatch, tmp_path, capfd):
    """With no database there, nothing is started and the answer is no empty table."""
    monkeypatch.setenv("SETPOINT_URL", PLANE)
    assert command_line.run(call(name, tmp_path, **option_for(name, Reach.SHOWS))) == UsageError.exit_code
    assert f"SETPOINT_URL names a plane, and `{name}` reads a database" in capfd.readouterr().err
    assert not (tmp_path / "home").exists()


def test_a_command_that_reads_says_whose_data_it_shows(setpoint_command, monkeypatch):
    """The note is on stderr, so that what a script reads stays as it is."""
    alone = setpoint_command("scope", "list", "--json")
    monkeypatch.setenv("SETPOINT_URL", PLANE)
    beside = setpoint_command("scope", "list", "--json")

    assert (beside.code, beside.json) == (0, alone.json)
    assert "not of the plane that SETPOINT_URL names" in beside.err
    assert "SETPOINT_URL" not in alone.err


@pytest.mark.parametrize("name", ["pin", "gate"])
def test_a_database_opens_only_for_a_command_that_says_so(name, monkeypatch):
    """Whoever declares that it asks the plane, or needs files alone, cannot open one by accident."""

    def body():
        with database():
            pytest.fail("it opened")

    monkeypatch.setenv("SETPOINT_URL", PLANE)
    with pytest.raises(UsageError, match=f"`{name}` is declared to work on"):
        guarded(name, body)
