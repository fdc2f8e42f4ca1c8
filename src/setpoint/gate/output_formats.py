"""GATE: what the gate says, in the four forms that readers take: text, JSON, SARIF, annotations.

Guarantees: the JSON is exactly ``{"findings": [{path, line, column, rule, key, message, fix}]}``; SARIF
keeps what is suppressed or forgiven, as such; annotations never pass the limit of ten a step without
saying how many there are. What does not print, in a file's name or its source, is printed as an escape, which
JSON reads; nothing in a message is a link of SARIF's.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import setpoint
from setpoint.gate.flow.python_source import lines_of
from setpoint.gate.policy.baseline import fingerprint
from setpoint.gate.rule_pages import pages
from setpoint.observe.printable import printable, printable_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from setpoint.gate.finding import Finding
    from setpoint.gate.policy.suppressions import Suppression
    from setpoint.gate.rule_pages import Page
    from setpoint.gate.scan import Failure

#: GitHub shows ten annotations of a level for one step and drops the rest; one is kept for the summary.
ANNOTATIONS = 10
#: How much of a line is shown, in characters.
_SHOWN = 160
_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


class Outcome(NamedTuple):
    """What a run of the gate found, whatever form it is printed in."""

    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]
    suppressed: tuple[tuple[Finding, Suppression], ...]
    #: Forgiven by the baseline.
    known: tuple[Finding, ...]
    files: int
    parsed: int
    #: Files below the given paths that the configuration leaves out.
    outside: int
    #: Findings are only warned about, until the instant that ``until`` says.
    warns: bool
    until: str = ""
    #: Files of the change under review, whose findings come first.
    changed: frozenset[str] = frozenset()


def as_text(outcome: Outcome, root: Path) -> str:
    """Return each finding with its line of source and the line that would replace it, then a summary."""
    blocks = [_block(finding, root) for finding in outcome.findings]
    blocks += [f"{f.path}:{f.line}: cannot be judged: {f.why}" for f in outcome.failures]
    return printable("\n".join([*blocks, summary(outcome)]), keep="\n") + "\n"


def _block(finding: Finding, root: Path) -> str:
    lines = [f"{finding.path}:{finding.line}:{finding.column}: {finding.rule} {finding.message}"]
    source = _source_line(root / finding.path, finding.line)
    if source.strip():
        width = finding.end_column - finding.column if finding.end_line == finding.line else 1
        # A notebook or a JSON file may be one line: what stands around the finding is enough.
        start = max(0, finding.column - 1 - _SHOWN // 2) if len(source) > _SHOWN else 0
        shown = source[start : start + _SHOWN].replace("\t", " ")
        before = finding.column - 1 - start
        lines.append(f"    {finding.line:>5} | {shown}")
        lines.append(f"          | {' ' * before}{'^' * max(min(width, _SHOWN - before), 1)}")
    if finding.fix:
        lines.append(f"      fix | {finding.fix}")
    return "\n".join(lines)


def _source_line(file: Path, line: int) -> str:
    try:
        lines = lines_of(file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return lines[line - 1] if 0 < line <= len(lines) else ""


def summary(outcome: Outcome) -> str:
    """Say in one line what was found, and what that means now."""
    line = f"{_count(len(outcome.findings), 'finding')} in {_count(outcome.files, 'file')}"
    line += f", {outcome.parsed} of them parsed"
    if outcome.outside:
        line += f"; {_count(outcome.outside, 'file')} out of scope"
    if outcome.suppressed:
        line += f"; {len(outcome.suppressed)} suppressed"
    if outcome.known:
        line += f"; {len(outcome.known)} in the baseline"
    if outcome.failures:
        line += f"; {_count(len(outcome.failures), 'file')} could not be judged, which fails"
    elif outcome.findings:
        line += f"; they warn until {outcome.until}" if outcome.warns else "; they block"
    return f"{line}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def as_json(outcome: Outcome, _root: Path) -> str:
    """Return the findings as one document; a file that cannot be judged is a finding without a key."""
    findings = [
        {
            "path": f.path,
            "line": f.line,
            "column": f.column,
            "rule": f.rule,
            "key": f.key,
            "message": f.message,
            "fix": f.fix,
        }
        for f in outcome.findings
    ]
    findings += [
        {"path": f.path, "line": f.line, "column": 1, "rule": FAILED, "key": "", "message": f.why, "fix": ""}
        for f in outcome.failures
    ]
    return printable_json(json.dumps({"findings": findings}, indent=2, ensure_ascii=False)) + "\n"


FAILED = "SPG900"


def as_sarif(outcome: Outcome, _root: Path) -> str:
    """Return a SARIF 2.1.0 log; what is suppressed stays in it, with who answers for it."""
    level = "warning" if outcome.warns else "error"
    results = [_result(finding, level) for finding in outcome.findings]
    results += [_result(f, level, _in_source(comment)) for f, comment in outcome.suppressed]
    forgiven = {"kind": "external", "status": "accepted", "justification": "in the baseline"}
    results += [_result(f, level, forgiven) for f in outcome.known]
    results += [_failure_result(failure) for failure in outcome.failures]
    used = {result["ruleId"] for result in results}
    used_pages = [page for page in pages() if page.code in used]
    index = {page.code: number for number, page in enumerate(used_pages)}
    results = [{**result, "ruleIndex": index[result["ruleId"]]} for result in results]
    driver = {
        "name": "setpoint-gate",
        "version": setpoint.__version__,
        "rules": [_rule(page) for page in used_pages],
    }
    invocation = {"executionSuccessful": not outcome.failures}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "invocations": [invocation]}
    log = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [{**run, "results": results}]}
    return printable_json(json.dumps(log, indent=2, ensure_ascii=False)) + "\n"


def _rule(page: Page) -> dict[str, Any]:
    # No address: the pages belong to the release that is installed, and ``help`` carries them whole.
    return {
        "id": page.code,
        "name": page.name,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.text},
        "help": {"text": page.text, "markdown": page.text},
    }


def _result(finding: Finding, level: str, suppression: dict[str, Any] | None = None) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": level,
        "message": {"text": _plain(finding.message)},
        "locations": [{"physicalLocation": {"artifactLocation": _location(finding.path), "region": region}}],
        "partialFingerprints": {"setpointGate/v1": fingerprint(finding)},
        "properties": {"key": finding.key, "fix": finding.fix},
    }
    return result if suppression is None else {**result, "suppressions": [suppression]}


def _location(path: str) -> dict[str, str]:
    """Return a path as a URI reference: below the root, or absolute where the file lies elsewhere."""
    if path.startswith("/"):
        return {"uri": PurePosixPath(path).as_uri()}
    return {"uri": quote(os.fsencode(path)), "uriBaseId": "%SRCROOT%"}


def _plain(message: str) -> str:
    """Return a message that holds no link of SARIF's (section 3.11.6): source code is full of brackets."""
    return re.sub(r"[\\\[\]]", r"\\\g<0>", message) if "](" in message else message


def _in_source(comment: Suppression) -> dict[str, Any]:
    justification = f"{comment.reason} (owner {comment.owner}, until {comment.until})"
    return {"kind": "inSource", "status": "accepted", "justification": justification}


def _failure_result(failure: Failure) -> dict[str, Any]:
    place = {"artifactLocation": _location(failure.path), "region": {"startLine": failure.line}}
    return {
        "ruleId": FAILED,
        "level": "error",
        "message": {"text": _plain(f"cannot be judged: {failure.why}")},
        "locations": [{"physicalLocation": place}],
    }


def as_annotations(outcome: Outcome, _root: Path) -> str:
    """Return GitHub workflow commands: failures, then changed files, then the rest, and how many in all."""
    level = "warning" if outcome.warns else "error"
    ordered = sorted(outcome.findings, key=lambda f: (f.path not in outcome.changed, _weight(f), f))
    lines = [
        _command("error", f.path, f.line, 1, FAILED, f"cannot be judged: {f.why}") for f in outcome.failures
    ]
    lines += [_command(level, f.path, f.line, f.column, f.rule, _with_fix(f)) for f in ordered]
    if len(lines) > ANNOTATIONS:
        hidden = len(lines) - (ANNOTATIONS - 1)
        more = f"{hidden} more are not shown here: GitHub shows {ANNOTATIONS} a step. {summary(outcome)}"
        lines = [*lines[: ANNOTATIONS - 1], f"::{level} title=setpoint gate::{_escaped(more)}"]
    return printable("\n".join([*lines, summary(outcome)]), keep="\n") + "\n"


def _weight(finding: Finding) -> int:
    # A wrong value in the code now weighs more than one that happens to agree, housekeeping least.
    if finding.rule.startswith("SPG9"):
        return 2
    return 1 if finding.agrees else 0


def _with_fix(finding: Finding) -> str:
    return f"{finding.message}\nfix: {finding.fix}" if finding.fix else finding.message


def _command(  # noqa: PLR0917 - the parts of a workflow command, in their order
    level: str, path: str, line: int, column: int, rule: str, message: str
) -> str:
    where = f"file={_property(path)},line={line},col={column},title={_property(f'setpoint gate {rule}')}"
    return f"::{level} {where}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


FORMS: dict[str, Callable[[Outcome, Path], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_annotations,
}
