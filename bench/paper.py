"""Scale on paper: from what a report cost, what so many workers need, and which bound they meet first.

Each report is one request and one transaction, so so many workers with units of so many seconds make
``workers / unit_s`` of each, and need as many cores as a report takes seconds of them.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from claims import between, here
from setpoint.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- simulated: written by `python bench/bench_scale.py` -->", "<!-- simulated: end -->"
WORKERS = (10, 1_000, 10_000)
MILLION = 1_000_000
CORES = len(os.sched_getaffinity(0))
MEASURED = (
    "call",
    "workers",
    "a second",
    "median wait, ms",
    "longest, ms",
    "plane, ms",
    "database, ms",
    "sent again",
)
NEEDED = (
    "workers",
    "requests and results a second",
    "events a second",
    "MB a second",
    "cores of plane",
    "cores of database",
    "a million units take",
)
BOUNDS = ("workers", "bound", "reports a second")


@dataclass(frozen=True)
class Cost:
    """What so many calls of one kind cost, all of them together and at the longest."""

    workers: int
    calls: int
    took_s: float
    #: Sorted.
    waits_s: list
    plane_s: float
    database_s: float
    refused: int
    database_bytes: int
    log_bytes: int
    plane_kb: int

    @property
    def rate(self):
        return self.calls / self.took_s


@dataclass(frozen=True)
class Paper:
    """What is computed from the cost of a report, for units of so many seconds."""

    report: Cost
    #: Reports that were taken when nobody waited between them.
    most_per_s: float
    #: Bytes of a report, its lines, and bytes of these.
    sent: tuple
    #: What comes back in a second of an account's shares, by kind.
    shares: dict
    unit_s: float

    @property
    def plane_s(self):
        return self.report.plane_s / self.report.calls

    @property
    def database_s(self):
        return self.report.database_s / self.report.calls

    def cores(self, workers):
        return workers / self.unit_s * (self.plane_s + self.database_s)

    def needed(self):
        """Return the rows of what so many workers need."""
        size, lines, _ = self.sent
        rates = {workers: workers / self.unit_s for workers in WORKERS}
        return [
            (
                f"{workers:,}",
                f"{rate:,.1f}",
                f"{rate * lines:,.0f}",
                f"{rate * size / 1e6:.2f}",
                f"{rate * self.plane_s:.2f}",
                f"{rate * self.database_s:.2f}",
                span(MILLION / min(rate, self.most_per_s)),
            )
            for workers, rate in rates.items()
        ]

    def bounds(self):
        """Return the rows of bounds, each alone, with how many workers meet it; the lowest first."""
        _, lines, line_bytes = self.sent
        rates = {
            "bytes of events of one account (a quota, as shipped)": self.shares["event_bytes"] / line_bytes,
            "lines of events of one account (a quota, as shipped)": self.shares["event_lines"] / lines,
            "requests of one credential (a setting, as shipped)": Settings.rate_per_credential_s,
            "one core of plane": 1 / self.plane_s,
            "one core of database": 1 / self.database_s,
            f"plane, database and simulated workers together on {CORES} cores": self.most_per_s,
        }
        ordered = sorted(rates.items(), key=lambda one: one[1])
        return [(f"{rate * self.unit_s:,.0f}", what, f"{rate:,.0f}") for what, rate in ordered]


def measured(costs):
    """Return the rows of what was measured, of pins and reports at each level."""
    return [
        (
            what,
            f"{one.workers:,}",
            f"{one.rate:,.0f}",
            f"{1e3 * one.waits_s[len(one.waits_s) // 2]:,.0f}",
            f"{1e3 * one.waits_s[-1]:,.0f}",
            f"{1e3 * one.plane_s / one.calls:.2f}",
            f"{1e3 * one.database_s / one.calls:.2f}",
            f"{one.refused:,}",
        )
        for both in costs
        for what, one in zip(("pin", "report"), both, strict=True)
    ]


def span(seconds):
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} d"


def markdown(head, rows):
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *rows))


def write(costs, paper):
    """Write the tables between the marks of the page."""
    report, (size, lines, line_bytes) = paper.report, paper.sent
    stored, logged = report.database_bytes / report.calls, report.log_bytes / report.calls
    facts = here()
    one = (
        f"A report is one request of {size / 1e3:.1f} kB, with {lines} lines of events of "
        f"{line_bytes / 1e3:.1f} kB. It leaves {stored / 1e3:.1f} kB in the database and "
        f"{logged / 1e3:.1f} kB in its log; a million leave {MILLION * stored / 1e9:.0f} GB. The plane's "
        f"processes held {report.plane_kb / 1024:.0f} MB with {report.workers:,} connections open."
    )
    parts = (
        markdown(MEASURED, measured(costs)),
        one,
        f"Computed from that, for units of {paper.unit_s:g} s:",
        markdown(NEEDED, paper.needed()),
        "Each bound alone:",
        markdown(BOUNDS, paper.bounds()),
        f"Measured on {facts['date']}; {facts['machine']}, load {facts['load']}.",
    )
    text = between(BEGIN, END, PAGE.name, PAGE.read_text(encoding="utf-8"), "\n\n".join(parts))
    PAGE.write_text(text, encoding="utf-8")
