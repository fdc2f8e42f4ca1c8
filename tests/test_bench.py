"""Every benchmark runs, calls nothing private, and README says what was measured and nothing else."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import setpoint

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "bench"
BENCHES = sorted(FOLDER.glob("bench_*.py"))
#: Those that start clusters of their own, as other tests of Dask do.
CLUSTERS = {"bench_engines"}
DECLARED = ("bench", "name", "text", "aim", "unit", "at_most", "peer")
_INSIDE = re.compile(r"^_[a-z]\w*$|\bsetpoint(?:\.\w+)*\._\w+")
RESULTS = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))


def bench(*arguments):
    """Run a file of the folder as a person would."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(Path(setpoint.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def declared(rows):
    return [{name: row[name] for name in DECLARED} for row in rows]


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, marks=[pytest.mark.real] * (file.stem in CLUSTERS), id=file.stem)
        for file in BENCHES
    ],
)
def test_a_bench_runs_and_its_claims_are_those_recorded(file):
    """The smallest size ends well, and the claims that the bench declares are those that README shows."""
    done = bench(file, "--smoke")
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"bench"')]

    assert done.returncode == 0, done.stderr
    assert rows, "it measures no claim"
    assert all(row["smoke"] for row in rows)
    recorded = [row for row in RESULTS if row["bench"] == file.name]
    assert declared(rows) == declared(recorded), "run: python bench/table.py " + file.name


def test_every_recorded_row_was_measured_whole_by_a_bench_that_is_there():
    """A row has its bench, an aim, a day and a machine, and was no smoke run."""
    assert {row["bench"] for row in RESULTS} == {file.name for file in BENCHES}
    for row in RESULTS:
        assert isinstance(row["aim"], float | int)
        assert row["date"]
        assert row["machine"]
        assert not row["smoke"]
        missed = row["measured"] > row["aim"] if row["at_most"] else row["measured"] < row["aim"]
        assert row["met"] is not missed


def test_the_table_in_readme_is_what_was_recorded():
    """Writing the table again from the recorded results changes nothing; what missed its aim is marked."""
    written = (ROOT / "README.md").read_text(encoding="utf-8")
    program = "import table; print(table.rewritten(table.README.read_text(), table.recorded()), end='')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=FOLDER, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == written, "run: python bench/table.py --render"
    assert written.count("**missed**") == sum(not row["met"] for row in RESULTS)


def private_names(tree):
    """Yield what a bench takes from inside: names that begin with one underscore, of modules or of others."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from (name for name in names for part in name.split(".") if part.startswith("_"))
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
            if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
                yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # What getattr and patch take: a name, or a path to one.
            yield from _INSIDE.findall(node.value)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_a_bench_calls_what_a_user_can_call(file):
    """Nothing of Setpoint whose name begins with an underscore is measured, patched or imported."""
    assert list(private_names(ast.parse(file.read_text(encoding="utf-8")))) == []
