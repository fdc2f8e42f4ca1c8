"""`setpoint catalogue types`: type checkers know each address of the catalogues and the type of its value."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import setpoint
from setpoint.cli import __main__ as command_line
from setpoint.declare.loading import load_catalogues
from setpoint.declare.type_stub import STUB_FILE, stub_text
from support.npm import installed

ROOT = Path(__file__).parents[2]
#: A program with what each line is known to be of; what stands behind `!` is an error.
PROGRAM = """
import setpoint
from setpoint.client.hyperparams import Hyperparams as Untyped
from setpoint.client.pinning import resolve as untyped
from setpoint.errors import MissingValue

hp = setpoint.pin()
reveal_type(hp.resolve("l2"))  # float
reveal_type(hp.resolve("mlp", "moons", "layers"))  # int
reveal_type(hp.resolve("kernel/moons/early_stopping"))  # bool
reveal_type(hp.resolve("LINEAR_HPO_LOSS"))  # Literal['log_loss', 'hinge']
reveal_type(hp["threshold"])  # float
reveal_type(hp["mlp", "moons", "activation"])  # Literal['relu', 'tanh', 'logistic']
reveal_type(hp["l2_range"].low)  # int | float
reveal_type(hp.value("LINEAR_HPO_EPOCHS_RANGE_MAX"))  # int
reveal_type(hp.params())  # dict[str, Any]
reveal_type(setpoint.resolve("seed", fallback=7))  # int
reveal_type(setpoint.pin_set([{}]).base["average"])  # bool
reveal_type(setpoint.pinned().resolve("kernel", "moons", "kernel_gamma"))  # float
hp.resolve("l22")  # !
hp.resolve("mlp", "moons", "kernel_gamma")  # !
hp.resolve("mlp", "moons", "layers", fallback="many")  # !
hp["mlp/moon/layers"]  # !
setpoint.resolve("threshhold")  # !


def without_a_stub(hp: Untyped) -> None:
    reveal_type(hp.resolve("l2", fallback=0.5))  # float
    reveal_type(untyped("loss", fallback="hinge"))  # str
    reveal_type(hp.resolve("l2"))  # Any
"""
LINES = {
    number: line.rpartition("  # ")[2]
    for number, line in enumerate(PROGRAM.splitlines(), start=1)
    if "  # " in line
}


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The program in a folder where its stub was written, over a catalogue with parts and one without."""
    plain = (ROOT / "docs/examples/plain/catalogue.toml").read_text()
    (tmp_path / "plain.toml").write_text(plain.replace('dimensions = ["region"]\n', ""))
    sklearn = ROOT / "docs/examples/sklearn/catalogue.toml"
    monkeypatch.setenv("SETPOINT_CATALOGUES", f"{tmp_path / 'plain.toml'},{sklearn}")
    monkeypatch.chdir(tmp_path)
    assert command_line.run(["catalogue", "types"]) == 0
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def mypy(folder):
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), "program.py"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "MYPYPATH": "typings", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    said = r"program.py:(\d+): (?:(error)|note: Revealed type is \"(.*)\")"
    found = {}
    for number, error, revealed in re.findall(said, done.stdout):
        found.setdefault(int(number), "!" if error else revealed)
    return found


def plain_type(text):
    """Return a revealed type without what two checkers write differently."""
    text = re.sub(r"\bbuiltins\.|\btyping\.|\?", "", text)
    return text.replace('"', "'").replace("'] | Literal['", "', '")


def test_mypy_knows_each_address_and_its_type(program):
    """Types are those of the catalogue, slips are errors; without the stub a fallback tells the type."""
    assert {number: plain_type(said) for number, said in mypy(program).items()} == LINES


@pytest.mark.real
def test_pyright_knows_them_too(program, tmp_path_factory):
    """The same program, the same stub, found as `typings`."""
    folder = installed(ROOT / "tests/javascript/pyright", tmp_path_factory.mktemp("pyright"), "pyright")
    done = subprocess.run(
        [str(folder / "node_modules/.bin/pyright"), "--pythonpath", sys.executable, "program.py"],
        cwd=program,
        capture_output=True,
        text=True,
        check=False,
    )
    found = {}
    for number, error, revealed in re.findall(
        r"program.py:(\d+):\d+ - (?:(error)|information: Type of .* is \"(.*)\")", done.stdout
    ):
        found.setdefault(int(number), "!" if error else plain_type(revealed))
    assert found == LINES, done.stdout


def test_the_stub_has_what_the_package_has():
    """Every public name stands in the stub, and a function takes there what it takes."""
    stub = ast.parse(stub_text(load_catalogues("cvntrade")))
    names = {node.name: node for node in stub.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    imported = {one.asname for node in stub.body if isinstance(node, ast.ImportFrom) for one in node.names}

    assert set(setpoint.__all__) <= names.keys() | imported
    for name in ("pin", "pin_set", "pinned", "seeded"):
        given = names[name].args
        listed = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        assert listed == list(inspect.signature(getattr(setpoint, name)).parameters)


def test_an_open_stub_lets_a_computed_address_pass():
    """The last form of each reader takes any text, of any type."""
    closed, opened = (stub_text(load_catalogues("cvntrade"), is_open=is_open) for is_open in (False, True))

    assert "*address: str" not in closed
    assert opened.count("def resolve(self, *address: str) -> Any: ...") == 1
    assert opened.count("def resolve(*address: str, fallback: _Value) -> _Value: ...") == 1
    assert "def __getitem__(self, address: str | tuple[str, ...], /) -> Any: ..." in opened


def test_a_stub_is_written_where_it_is_asked_for(monkeypatch, tmp_path, capfd):
    """It is a file to be handed on, and the command says what it holds."""
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(ROOT / "docs/examples/plain/catalogue.toml"))
    assert command_line.run(["catalogue", "types", "--out", str(tmp_path / "stubs")]) == 0

    assert (tmp_path / "stubs" / STUB_FILE).read_text().startswith("# Written by `setpoint catalogue types`")
    assert "7 addresses" in capfd.readouterr().out
