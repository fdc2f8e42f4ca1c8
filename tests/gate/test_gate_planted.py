"""Mutation: each form is planted into real modules, and the gate finds exactly what was planted."""

import ast
import os
import random
import sysconfig
import textwrap
from functools import cache
from pathlib import Path

import pytest

from setpoint.declare.loading import bundled_catalogues, load_catalogues
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from setpoint.gate.scan import Reader
from support.gate_examination import cases

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
#: Real modules of every kind; none of them trains anything.
HOSTS = (
    "argparse.py", "ast.py", "bdb.py", "calendar.py", "configparser.py", "contextlib.py", "copy.py",
    "csv.py", "difflib.py", "fractions.py", "ftplib.py", "functools.py", "gettext.py", "heapq.py",
    "imaplib.py", "json/decoder.py", "logging/config.py", "mailbox.py", "optparse.py", "pickle.py",
    "plistlib.py", "pprint.py", "random.py", "sched.py", "shutil.py", "statistics.py", "subprocess.py",
    "textwrap.py", "trace.py", "turtle.py", "unittest/mock.py", "urllib/request.py",
    "xml/dom/minidom.py", "zipfile.py",
)  # fmt: skip
#: Into these it is planted: what follows after a thousand lines tells nothing more, and takes the time.
SHORT = tuple(
    host for host in HOSTS if (STANDARD_LIBRARY / host).read_text(encoding="utf-8").count("\n") < 1100
)
SEED = 20261123
#: How many modules each form is planted in; LONG_TESTS=1 in the environment takes all that are short.
HOSTS_OF_A_FORM = len(SHORT) if os.environ.get("LONG_TESTS") == "1" else 1
PYTHON = [
    case
    for case in cases()
    if case.path.endswith(".py") and case.family == "literal" and not case.fails and not case.others
]


@pytest.fixture(scope="module")
def reader():
    return Reader(STANDARD_LIBRARY, Judge(Names.load(load_catalogues(",".join(bundled_catalogues()))), {}))


@cache
def statements(host):
    """Return the statements after a module's imports, and its functions."""
    tree = ast.parse(host)
    past_imports = next(
        i for i, node in enumerate(tree.body) if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)
    )
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.body[0].lineno > n.lineno]
    return tree.body[past_imports:], functions


def planted(host, text, rng):
    """Return the host with a text before one of its statements, and how many lines stand before it."""
    body, functions = statements(host)
    inside = functions and '"""' not in text and rng.random() < 0.5
    statement = rng.choice([rng.choice(functions).body[-1]] if inside else body)
    first = min([statement.lineno, *(node.lineno for node in getattr(statement, "decorator_list", []))])
    lines = host.splitlines()
    written = textwrap.indent(text, " " * statement.col_offset).splitlines()
    if ";" in lines[first - 1][: statement.col_offset] or lines[first - 1][: statement.col_offset].strip():
        return planted(host, text, rng)
    return "\n".join([*lines[: first - 1], *written, *lines[first - 1 :], ""]), first - 1


def expected(case, before):
    """Return, for each expected finding, the lines of which one must be found, in the mutated file."""
    return [{int(place.split()[0]) + before for place in what.split(" / ")} for what in case.finds]


@pytest.mark.parametrize("case", PYTHON, ids=lambda case: case.form)
def test_the_gate_finds_exactly_what_was_planted(reader, case):
    """In a real module, at a statement that chance chooses, each form is found, and nothing else is."""
    rng = random.Random(f"{SEED} {case.form}")  # noqa: S311  # chance, repeatable
    for name in rng.sample(SHORT, HOSTS_OF_A_FORM):
        text, before = planted((STANDARD_LIBRARY / name).read_text(encoding="utf-8"), case.text, rng)
        lines = [finding.line for finding in reader.python(text, name)]

        wanted = expected(case, before)
        assert all(any(line in places for line in lines) for places in wanted), (name, before, lines)
        assert all(any(line in places for places in wanted) for line in lines), (name, before, lines)


def test_the_hosts_hold_nothing(reader):
    """Untouched, none of the real modules has a finding."""
    assert len(SHORT) > 15
    for name in HOSTS:
        assert reader.python((STANDARD_LIBRARY / name).read_text(encoding="utf-8"), name) == []
