"""What a bench claims, as data, and how it tells what it found: one line of JSON for each claim.

A bench has ``CLAIMS``, a dictionary of ``Claim`` by a short name, and ends in ``tell``. ``sizes`` gives it
``--smoke``: the smallest size at which it still does all of its work, so that the test suite can run it.
``table.py`` runs the benches, keeps their lines in ``results.json`` and writes the table in README from it.
"""

import argparse
import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of README's table before anything is measured."""

    text: str
    #: A bound; what `sizes` shortens or `--smoke` measures says nothing about it.
    aim: float
    unit: str = "x"
    at_most: bool = True
    #: What it is held against, in the same run; empty where nothing else does this work.
    peer: str = ""

    def is_met(self, measured):
        return measured <= self.aim if self.at_most else measured >= self.aim


def sizes(doc, **named):
    """Return what the command line asks for; each size is named with its full and its smoke value."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="the smallest size: does it run at all?")
    for name, (full, _) in named.items():
        parser.add_argument(f"--{name}", type=type(full), help=f"default: {full}")
    asked = parser.parse_args()
    given = {name: getattr(asked, name) for name in named if getattr(asked, name) is not None}
    for name, (full, smoke) in named.items():
        if name not in given:
            setattr(asked, name, smoke if asked.smoke else full)
    asked.other_sizes = ", ".join(f"{name} {value}" for name, value in given.items())
    return asked


def tell(file, claims, found, asked):
    """Print what was found by claim: for a reader whether the aim was met, for ``table.py`` a line of JSON.

    Args:
        file: the bench.
        claims: its ``CLAIMS``.
        found: by the same names, the number, or the number and what the peers took as text.
        asked: from ``sizes``.
    """
    assert found.keys() == claims.keys(), "a claim was not measured, or something else was"
    for name, claim in claims.items():
        measured, beside = found[name] if isinstance(found[name], tuple) else (found[name], "")
        assert bool(beside) == bool(claim.peer), f"{name}: a peer is measured in the same run"
        measured = float(f"{measured:.3g}")  # judged as it is written
        row = {"bench": Path(file).name, "name": name, **asdict(claim), "measured": measured}
        row |= {"beside": beside, "met": claim.is_met(measured), "smoke": asked.smoke, **here()}
        row["other_sizes"] = asked.other_sizes
        print(f"{line(row)}; here {figure(measured, claim.unit)}: {'met' if row['met'] else 'MISSED'}")
        print(json.dumps(row))


def here():
    """Return on what and when this runs; no name of a machine."""
    cpu = next(
        (
            text.partition(":")[2]
            for text in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in text
        ),
        platform.machine(),
    )
    cores = len(os.sched_getaffinity(0))
    machine = f"{cores} cores, {' '.join(cpu.split())}, Python {platform.python_version()}"
    return {
        "machine": machine,
        "date": datetime.now(UTC).date().isoformat(),
        "load": round(os.getloadavg()[0], 1),
    }


def line(row):
    return f"{row['text']}: {aim(row)}"


def aim(row):
    return f"{'<=' if row['at_most'] else '>='} {figure(row['aim'], row['unit'])}"


def figure(number, unit):
    return (f"{number:,.0f} {unit}" if number >= 1000 else f"{number:.3g} {unit}").rstrip()


def between(begin, end, name, text, lines):
    """Return the text of a page, called ``name``, with these lines between its two marks."""
    before, begun, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    assert begun, f"{name} has no {begin}"
    assert ended, f"{name} has no {end}"
    return f"{before}{begin}\n\n{lines}\n\n{end}{after}"
