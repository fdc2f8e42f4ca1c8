"""`make bench`: run every bench, keep what each found in results.json, write the table in README from it.

Run: python bench/table.py [BENCH ...] [--render]

With names only these are run, and the rows of the others stay as they were, with their own dates.
``--render`` measures nothing: it writes the table of what is recorded. A bench that fails loses its rows, and
the exit code is 1; a missed aim is a result, and is marked.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from claims import aim, between, figure

HERE = Path(__file__).parent
RESULTS, README = HERE / "results.json", HERE.parent / "README.md"
BEGIN, END = "<!-- measured: written by `make bench` -->", "<!-- measured: end -->"
HEAD = ("claim", "aim", "measured", "beside it, in the same run", "bench")


def benches():
    return sorted(HERE.glob("bench_*.py"))


def run(bench):
    """Run one bench in a process of its own, shown as it goes; returns its rows, or None when it fails."""
    print(f"== {bench.name}", flush=True)
    rows = []
    with subprocess.Popen([sys.executable, bench], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith('{"bench"'):
                rows.append(json.loads(line))
            else:
                print(line, end="", flush=True)
    return None if process.returncode else rows


def recorded():
    """Return the rows that were kept, without those of benches that are gone."""
    rows = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    return [row for row in rows if (HERE / row["bench"]).exists()]


def keep(bench, measured):
    """Replace the rows of a bench; in the order of the files."""
    kept = [row for row in recorded() if row["bench"] != bench.name]
    rows = sorted(kept + measured, key=lambda row: row["bench"])
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def render(rows):
    """Return README's table of recorded rows, with where and when they were measured."""
    lines = [f"| {' | '.join(HEAD)} |", "|---|---|---|---|---|"]
    for row in rows:
        measured = figure(row["measured"], row["unit"])
        cells = (
            row["text"],
            aim(row),
            (measured if row["met"] else f"{measured}: **missed**") + smaller(row),
            f"{row['peer']}: {row['beside']}" if row["peer"] else "-",
            f"`{row['bench']}`",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join((*lines, "", *where(rows)))


def smaller(row):
    """Return what a reader must know of a row that was not measured at the sizes that its bench names."""
    return f" (only {row['other_sizes']})" if row.get("other_sizes") else ""


def where(rows):
    """Yield one sentence for each machine and day: the benches that ran there, and how busy it was."""
    found = {}
    for row in rows:
        found.setdefault((row["date"], row["machine"]), {})[row["bench"]] = row["load"]
    for (date, machine), loads in found.items():
        names = "all" if len(found) == 1 else ", ".join(f"`{name}`" for name in loads)
        yield f"Measured on {date}: {names}; {machine}, load {min(loads.values())} to {max(loads.values())}."


def rewritten(text, rows):
    """Return README's text with the table of these rows between its marks."""
    return between(BEGIN, END, "README", text, render(rows))


def show(rows):
    for row in rows:
        print(
            f"{row['text']}; aim {aim(row)}; measured {figure(row['measured'], row['unit'])}"
            f"{'' if row['met'] else ' (missed)'}; beside it: {row['peer'] or '-'} {row['beside']}; "
            f"{row['machine']}, load {row['load']}; {row['date']}"
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="BENCH", help="such as bench_gate.py; all without")
    parser.add_argument("--render", action="store_true", help="write the table of what is recorded")
    asked = parser.parse_args()
    chosen = [] if asked.render else [b for b in benches() if not asked.names or b.name in asked.names]
    failed = []
    for bench in chosen:
        rows = run(bench)
        failed += [bench.name] if rows is None else []
        keep(bench, rows or [])
    README.write_text(rewritten(README.read_text(encoding="utf-8"), recorded()), encoding="utf-8")
    show(recorded())
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
