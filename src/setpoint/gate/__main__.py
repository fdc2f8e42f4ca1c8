"""GATE: the gate's command: ``setpoint gate PATH...``, or ``python -m setpoint.gate`` anywhere.

Exit codes: 0 nothing blocks, 1 a finding blocks, 2 wrong usage, 3 a file or the configuration cannot be
read or parsed, 4 nothing to read, 6 a snapshot cannot be read, 7 a file cannot be written, 10 a baseline
would grow. Only 0 passes.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setpoint.client.snapshot import read_snapshot
from setpoint.declare.loading import bundled_catalogues, load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.errors import (
    EXIT_FINDING,
    EXIT_OK,
    InvalidDocument,
    MissingError,
    SetpointError,
    StorageFull,
    UsageError,
    reason_of,
)
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from setpoint.gate.output_formats import FORMS, Outcome, summary
from setpoint.gate.policy.baseline import compare, read_baseline, write_baseline
from setpoint.gate.policy.config import Config, find_root, load_config
from setpoint.gate.policy.file_selection import relative
from setpoint.gate.policy.suppressions import apply_suppressions
from setpoint.gate.policy.window import deadline, parse_instant, warns_only
from setpoint.gate.rule_pages import page_of
from setpoint.gate.rules import fallback
from setpoint.gate.scan import Scan, scan
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.gate.finding import Finding

NOTHING: tuple[Finding, ...] = ()


def main(
    argv: Sequence[str] | None = None,
    *,
    now: datetime | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run the gate; returns the exit code.

    Args:
        argv: the arguments after the program's name; None means those of the process.
        now: the instant that windows and expiries are judged at; None means the clock's.
        environ: where WARN_ONLY and the settings come from; None means the process's.
    """
    options = _parser().parse_args(argv)
    try:
        if options.explain:
            return _explain(options.explain)
        options.root = find_root(options.root)
        return _run(options, now or datetime.now(UTC), os.environ if environ is None else environ)
    except SetpointError as problem:
        return _refused(problem)
    except OSError as problem:
        # A file that cannot be read has an error of its own: what is left here cannot be written.
        message = f"{problem.filename or 'the output'} cannot be written: {problem.strerror}."
        return _refused(StorageFull(message, hint="name a file that can be written"))


def _explain(rule: str) -> int:
    page = page_of(rule)
    sys.stdout.write(f"{page.code} {page.name}: {page.title}\n\n{page.text}\n")
    return EXIT_OK


def _refused(problem: SetpointError) -> int:
    sys.stderr.write(f"setpoint gate: {problem}\n")
    return problem.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "setpoint gate",
        description="Find hyperparameter literals in source.",
        epilog=(__doc__ or "").partition("\n\n")[2],
    )
    say = parser.add_argument
    say(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="files and folders; default: what the configuration includes",
    )
    say("--root", type=Path, metavar="FOLDER", help="whose pyproject.toml holds; default: the nearest upward")
    say("--format", choices=sorted(FORMS), default="text", help="form of the output")
    say("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    say("--output", type=Path, metavar="FILE", help="write there, and say one line on stdout")
    say("--changed", type=Path, metavar="FILE", help="a list of changed paths: annotated first")
    say(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="forgive what this file lists; default: the configured one",
    )
    say("--update-baseline", action="store_true", help="drop what is no more; refuses growth")
    say("--create-baseline", action="store_true", help="write a first baseline where there is none")
    say("--enforce-from", metavar="INSTANT", help="WARN_ONLY is heard before this instant, which blocks")
    say("--merged-at", metavar="INSTANT", help="WARN_ONLY is heard for 3 x 24 hours from this instant")
    say("--explain", metavar="RULE", help="print the page of a rule, by its code or name, and judge nothing")
    say("--live", type=Path, metavar="SNAPSHOT", help="compare with a snapshot file instead of the seeds")
    return parser


def _run(options: argparse.Namespace, now: datetime, environ: Mapping[str, str]) -> int:
    config = load_config(options.root)
    judge = _judge(options, config, environ)
    scanned = scan(options.paths, options.root, config, judge)
    findings = _in_force(scanned, config, now)
    today = now.astimezone(UTC).date()
    after = apply_suppressions(findings, scanned.suppressions, today, config.budget)
    known_in = options.baseline or (options.root / config.baseline if config.baseline else None)
    if options.update_baseline or options.create_baseline:
        return _rewrite(options, known_in, after.standing, scanned)
    standing, known = after.standing, NOTHING
    if known_in:
        name = relative(known_in, options.root)
        standing, known = compare(after.standing, read_baseline(known_in), name, _given(options))
    until = _until(options, config)
    outcome = Outcome(
        findings=standing,
        failures=tuple(scanned.failures),
        suppressed=after.suppressed,
        known=known,
        files=scanned.files,
        parsed=scanned.parsed,
        outside=scanned.outside,
        warns=warns_only(now, until, environ),
        until=until.isoformat() if until else "",
        changed=_changed(options.changed),
    )
    _say(options, outcome)
    if outcome.failures:
        return InvalidDocument.exit_code
    return EXIT_FINDING if outcome.findings and not outcome.warns else EXIT_OK


def _judge(options: argparse.Namespace, config: Config, environ: Mapping[str, str]) -> Judge:
    settings = Settings.from_environ(environ)
    catalogues = load_catalogues(_at_root(config.catalogues, options.root) or settings.catalogues)
    names = Names.load(catalogues)
    if options.live is not None:
        return Judge(names, read_snapshot(options.live).document, "live")
    seeds = str(options.root / config.seeds) if config.seeds else settings.seeds
    return Judge(names, _seeded(catalogues, seeds))


def _at_root(catalogues: str, root: Path) -> str:
    # What the configuration names is below its own folder, wherever the command runs.
    names = (name.strip() for name in catalogues.split(","))
    return ",".join(str(root / Path(name).expanduser()) if name.endswith(".toml") else name for name in names)


def _seeded(catalogues: Catalogues, folder: str) -> dict[str, Any]:
    if not folder and not {member.name for member in catalogues.members} & set(bundled_catalogues()):
        return {}  # a catalogue of one's own, which nobody has seeded yet
    seeds = load_seeds(folder, catalogues)
    return {key: sourced.value for seed in reversed(seeds) for key, sourced in seed.values.items()}


def _in_force(scanned: Scan, config: Config, now: datetime) -> list[Finding]:
    """Return the findings without what the configuration allows today."""
    if config.fallback_until is not None and now.astimezone(UTC).date() < config.fallback_until:
        return [finding for finding in scanned.findings if finding.rule != fallback.CODE]
    return scanned.findings


def _until(options: argparse.Namespace, config: Config) -> datetime | None:
    enforce_from, merged_at = (
        parse_instant(text) if text else None for text in (options.enforce_from, options.merged_at)
    )
    return deadline((config.enforce_from, enforce_from), (config.merged_at, merged_at))


def _rewrite(
    options: argparse.Namespace, file: Path | None, findings: Sequence[Finding], scanned: Scan
) -> int:
    if file is None:
        raise UsageError("no baseline is named.", hint="give --baseline FILE")
    if scanned.failures:
        first = scanned.failures[0]
        raise InvalidDocument(
            f"{first.path}:{first.line} cannot be judged: {first.why}.",
            hint="correct it, or exclude it in pyproject.toml, with owner and story",
        )
    # Housekeeping is never forgiven.
    kept = [finding for finding in findings if not finding.rule.startswith("SPG9")]
    count = write_baseline(file, kept, _given(options), create=options.create_baseline)
    sys.stdout.write(f"{relative(file, options.root)}: {count} finding(s)\n")
    return EXIT_OK


def _given(options: argparse.Namespace) -> list[str]:
    return [relative(path, options.root) for path in options.paths]


def _changed(file: Path | None) -> frozenset[str]:
    if file is None:
        return frozenset()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as problem:
        raise MissingError(f"{file} cannot be read: {reason_of(problem)}.") from None
    return frozenset(line.strip() for line in lines if line.strip())


def _say(options: argparse.Namespace, outcome: Outcome) -> None:
    text = FORMS[options.format](outcome, options.root)
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{summary(outcome)}\n")


if __name__ == "__main__":
    sys.exit(main())
