"""Claim: in a repository with a few trainings a plan costs less than a codemod that parses every file.

A plan is the gate over everything and LibCST over the files where something moves, which costs some 40 ms
for a small file: with very many trainings the claim ends. The tree is the Python of installed packages up to
`--lines`, with copies of the legacy example in folders of their own. The sides: the gate alone; the plan; and
a codemod without a gate, which parses every file with LibCST and changes nothing. The last one runs once,
over a share of the files, and is scaled by lines.
Run: python bench/bench_externalize.py [--lines 200000] [--projects 5] [--repeats 3]
"""

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import libcst

from bench_gate import build_tree
from claims import Claim, sizes, tell
from ratio import table, take_turns
from setpoint.declare.loading import load_catalogues
from setpoint.externalize.files.project import Project
from setpoint.externalize.preparation import prepare
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from setpoint.gate.policy.config import Config
from setpoint.gate.scan import scan

EXAMPLE = Path(__file__).parents[1] / "docs/examples/externalize/before"
CATALOGUES = "cvntrade,cvntrade-training"
SHARE = 20
CLAIMS = {
    "plan": Claim(
        text="planning 200,000 lines with five trainings against a LibCST codemod over every file, least",
        aim=1.0,
        peer="LibCST, from a twentieth of the files",
    )
}


def add_training(folder):
    """Copy the example; no two copies have one text, so that none is read for another."""
    shutil.copytree(EXAMPLE, folder)
    for file in folder.rglob("*.py"):
        file.write_text(f"{file.read_text()}# {folder.name}\n")


def parse_share(tree, share):
    """Parse every share-th file with LibCST; returns seconds and lines."""
    lines = 0
    started = time.perf_counter()
    for file in sorted(tree.rglob("*.py"))[::share]:
        content = file.read_bytes()
        with suppress(libcst.ParserSyntaxError, libcst.CSTValidationError, RecursionError):
            libcst.parse_module(content)
            lines += content.count(b"\n")
    return time.perf_counter() - started, lines


def main():
    """Measure in turns."""
    options = sizes(__doc__, lines=(200_000, 500), projects=(5, 1), repeats=(3, 1), share=(SHARE, 1))
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        files, lines = build_tree(tree, options.lines)
        for number in range(options.projects):
            add_training(tree / f"training_{number:03d}")
        project = Project(
            tree, CATALOGUES, Path("seeds"), Path("draft.toml"), Path("tests/test_externalized.py")
        )
        gate_judge = Judge(Names.load(load_catalogues(CATALOGUES)), {})
        planned = prepare(project, [tree], ["timeframe=5m", "model=xgb"]).plan
        sides = {
            "gate": lambda: scan([tree], tree, Config(), gate_judge),
            "plan": lambda: prepare(project, [tree], ["timeframe=5m", "model=xgb"]),
        }
        seconds = {side: min(spent) for side, spent in take_turns(sides, options.repeats).items()}
        spent, parsed = parse_share(tree, options.share)
    seconds["LibCST over every file"] = spent * lines / parsed
    print(f"{files} files and {options.projects} trainings, {lines} lines")
    print(f"{len(planned.moves)} moves in {len(planned.paths)} files, {len(planned.left)} findings left")
    rows = [
        [side, f"{least:.2f}", f"{least / seconds['gate']:.2f}", f"{lines / least / 1000:.0f}"]
        for side, least in seconds.items()
    ]
    ratio = seconds["plan"] / seconds["LibCST over every file"]
    table(["side", "least s", "x gate", "thousand lines/s"], rows)
    libcst_s, gate_s, plan_s = (seconds[side] for side in ("LibCST over every file", "gate", "plan"))
    beside = f"{libcst_s:.1f} s, the gate alone {gate_s:.1f} s, ours {plan_s:.1f} s"
    tell(__file__, CLAIMS, {"plan": (ratio, beside)}, options)


if __name__ == "__main__":
    main()
