"""Claim: the gate reads 500,000 lines in 1.5 s; beside it ruff, grep and semgrep.

The tree is real: the Python of installed packages, in the order of their names, up to `--lines`. Every side
is a whole command, started in turns over the same files, with no cache. They do not do the same work: ruff
looks for numbers in comparisons (PLR2004, the nearest rule it has), grep for the two forms of the readiness
document's pattern, semgrep for three patterns of such forms. How many of the gate's own corpus of forms each
one notices is printed too, so that speed is not read alone.
Run: python bench/bench_gate.py [--lines 500000] [--repeats 3] [--semgrep PATH]
"""

import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from statistics import median

from claims import Claim, sizes, tell
from ratio import table, take_turns

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.gate_examination import cases

LINES = 500_000
CLAIMS = {
    "lines": Claim(
        text="the gate over 500,000 lines of installed packages, the whole command, least",
        aim=1.5,
        unit="s",
        peer="ruff PLR2004",
    )
}
NAMES = "learning_rate|max_depth|n_estimators|num_leaves|subsample|colsample_bytree|min_child_weight|gamma"
NAMES += "|reg_alpha|reg_lambda|min_child_samples|depth|iterations|l2_leaf_reg|early_stopping_rounds"
NAMES += "|num_boost_round"
GREP = rf"""\b({NAMES})["']?\s*[:=]\s*[-+]?[0-9.]+"""
SEMGREP = """
rules:
  - id: literal
    languages: [python]
    severity: ERROR
    message: a hyperparameter literal
    patterns:
      - pattern-either:
          - pattern: "$NAME = $VALUE"
          - pattern: "$CALL(..., $NAME=$VALUE, ...)"
          - pattern: '{..., "$NAME": $VALUE, ...}'
      - metavariable-regex: {metavariable: $NAME, regex: "^(NAMES)$"}
"""


def build_tree(folder, wanted):
    """Copy the Python of installed packages until there are enough lines; returns files and lines."""
    site = Path(sysconfig.get_path("purelib"))
    files = lines = 0
    for source in sorted(site.rglob("*.py")):
        if lines >= wanted:
            break
        target = folder / source.relative_to(site)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        lines += source.read_bytes().count(b"\n")
        files += 1
    return files, lines


def commands(tree, semgrep, rules):
    """Return each side's command; none of them may end for a reason other than findings."""
    ruff = shutil.which("ruff", path=Path(sys.executable).parent) or shutil.which("ruff")
    sides = {
        "setpoint gate": [sys.executable, "-m", "setpoint.gate", "--root", tree, "--json", tree],
        "grep -P": ["grep", "-rnPI", "--include=*.py", GREP, tree],
    }
    if ruff:
        sides["ruff PLR2004"] = [ruff, "check", "--no-cache", "--isolated", "--select", "PLR2004", "-q", tree]
    else:
        print("ruff is not installed here: left out")
    if semgrep:
        sides["semgrep"] = [
            semgrep,
            "scan",
            "--config",
            rules,
            "--metrics",
            "off",
            "--quiet",
            "--jobs",
            "2",
            tree,
        ]
    else:
        print("semgrep is not installed here: left out (give --semgrep PATH)")
    return sides


def run(command):
    """Run a command; 0 and 1 are answers."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode in {0, 1}, f"{command[0]}: {done.stderr[-500:]}"
    return done.stdout


def recall(side, semgrep):
    """Return the share of the corpus's Python cases with findings that a side says anything about."""
    examined = [
        case for case in cases() if case.path.endswith(".py") and case.finds and case.family == "literal"
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, case in enumerate(examined):
            for path, text in {case.path: case.text, **case.others}.items():
                (folder / f"{number:03d}").mkdir(exist_ok=True)
                (folder / f"{number:03d}" / path).write_text(text, encoding="utf-8")
        rules = folder / "rules.yml"
        rules.write_text(SEMGREP.replace("NAMES", NAMES), encoding="utf-8")
        said = run(commands(name, semgrep, str(rules))[side])
        return sum(f"{number:03d}/" in said for number in range(len(examined))), len(examined)


def main():
    """Measure in turns, then judge."""
    options = sizes(__doc__, lines=(LINES, 1000), repeats=(3, 1), semgrep=(shutil.which("semgrep") or "", ""))
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        files, lines = build_tree(tree, options.lines)
        rules = Path(name) / "rules.yml"
        rules.write_text(SEMGREP.replace("NAMES", NAMES), encoding="utf-8")
        sides = commands(str(tree), options.semgrep, str(rules))
        print(f"{files} files, {lines} lines")
        slow = {side: sides.pop(side) for side in ["semgrep"] if side in sides}
        seconds = take_turns({side: lambda c=c: run(c) for side, c in sides.items()}, options.repeats)
        seconds |= take_turns({side: lambda c=c: run(c) for side, c in slow.items()}, 1) if slow else {}
        found = json.loads(run(sides["setpoint gate"]))
    rows = []
    for side, spent in seconds.items():
        hits, cases_ = recall(side, options.semgrep)
        rows.append(
            [
                side,
                f"{min(spent):.2f}",
                f"{median(spent):.2f}",
                f"{lines / min(spent) / 1000:.0f}",
                f"{hits}/{cases_}",
            ]
        )
    table(["side", "least s", "median s", "thousand lines/s", "forms noticed"], rows)
    print(f"the gate's findings in the tree: {len(found['findings'])}")
    scaled = {side: min(spent) * LINES / lines for side, spent in seconds.items()}
    beside = f"{scaled['ruff PLR2004']:.2f} s, `grep -P` {scaled['grep -P']:.2f} s"
    tell(__file__, CLAIMS, {"lines": (scaled["setpoint gate"], beside)}, options)


if __name__ == "__main__":
    main()
