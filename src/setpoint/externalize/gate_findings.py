"""EXTERNALIZE: what the gate found in a project, with the parameters that nobody declared drafted.

Guarantees: a file that cannot be judged fails the whole; what is suppressed and what externalizing itself
wrote is left out; each literal is considered once, whichever rules saw it.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.invariants import judged_catalogues
from setpoint.errors import InvalidDocument
from setpoint.externalize.files.draft_catalogue import Draft, draft_text, drafted
from setpoint.externalize.files.file_texts import existing
from setpoint.externalize.files.origins import Origins
from setpoint.externalize.moves.move import Left
from setpoint.externalize.moves.reads import handed_at, undeclared_value
from setpoint.externalize.source_text.parsed_files import Readings
from setpoint.externalize.source_text.text_positions import Position
from setpoint.externalize.unmovable import Unmovable
from setpoint.gate.policy.config import Config, load_config
from setpoint.gate.policy.file_selection import PYTHON, files_in_scope, relative
from setpoint.gate.policy.suppressions import apply_suppressions
from setpoint.gate.rules import undeclared
from setpoint.gate.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.externalize.files.project import Project
    from setpoint.gate.finding import Finding
    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.judgement import Judge


class Found(NamedTuple):
    """What the gate found, once the parameters that nobody declared are drafted."""

    findings: list[Finding]
    left: list[Left]
    readings: Readings
    files: frozenset[str]
    drafts: tuple[Draft, ...]
    #: The drafts' included.
    catalogues: Catalogues
    origins: Origins


def find(
    project: Project,
    paths: Sequence[Path],
    catalogues: Catalogues,
    judging: Callable[[Catalogues], Judge],
) -> Found:
    """Run the gate, and once more when it found parameters that a draft can declare.

    Args:
        project: where things are.
        paths: files and folders below its root.
        catalogues: the project's, an earlier draft's included.
        judging: makes the judge of some catalogues.

    Raises:
        InvalidDocument: a file in scope cannot be read or parsed.
        MissingError: a path is not there, or nothing is in scope.
    """
    judge, origins = judging(catalogues), Origins(project.root)
    findings, files = _findings(project, paths, judge)
    everything = _python(files_in_scope([project.root], project.root, Config()), project.root)
    readings = Readings(project.root, judge, files, everything)
    drafts, left = _drafts(findings, readings, origins)
    if not drafts:
        return Found(findings, left, readings, files, (), catalogues, origins)
    with tempfile.TemporaryDirectory() as folder:
        widened = _with_drafts(project, drafts.values(), catalogues, Path(folder))
    # What the draft declares is known in every place now, as it will be the next time.
    judge = judging(widened)
    findings, left = _merged(_findings(project, paths, judge)[0], drafts, left, readings)
    readings = Readings(project.root, judge, files, everything)
    return Found(findings, left, readings, files, tuple(drafts.values()), widened, origins)


def _findings(project: Project, paths: Sequence[Path], judge: Judge) -> tuple[list[Finding], frozenset[str]]:
    """Return what stands in scope, housekeeping aside, and the Python files that may be rewritten."""
    config = load_config(project.root)
    result = scan(paths, project.root, config, judge)
    if result.failures:
        first = result.failures[0]
        raise InvalidDocument(
            f"{first.path}:{first.line} cannot be judged: {first.why}.",
            hint="correct it, or exclude it in pyproject.toml, with owner and story",
        )
    today = datetime.now(UTC).date()
    standing = apply_suppressions(result.findings, result.suppressions, today, config.budget).standing
    python = _python(files_in_scope(list(paths), project.root, config), project.root)
    written = {project.draft.as_posix(), project.parity.as_posix()}
    kept = [f for f in standing if not f.rule.startswith("SPG9") and f.path not in written]
    return [f for f in kept if not f.path.startswith(f"{project.seeds.as_posix()}/")], python - written


def _python(files: Iterable[Path], root: Path) -> frozenset[str]:
    return frozenset(
        relative(file, root) for file in files if file.suffix in PYTHON and not _is_link(file, root)
    )


def _is_link(file: Path, root: Path) -> bool:
    """Say whether a link below the root leads to a file, which has a name of its own then."""
    below = file.absolute().relative_to(root.absolute())
    return file.resolve() != root.resolve() / below


def _drafts(
    findings: Iterable[Finding], readings: Mapping[str, Reading], origins: Origins
) -> tuple[dict[Finding, Draft], list[Left]]:
    """Return the declarations that undeclared parameters call for, and the findings that cannot have one."""
    drafts, left = {}, []
    for finding in findings:
        if finding.rule != undeclared.CODE or not finding.path.endswith(tuple(PYTHON)):
            continue
        reading = readings[finding.path]
        try:
            _, value = undeclared_value(finding, reading)
            source = origins.source_of(finding.path, finding.line)
            drafts[finding] = drafted(finding.address[0], finding.name, value, source, reading.names)
        except Unmovable as reason:
            left.append(Left(finding, str(reason)))
    return drafts, left


def _merged(
    found: Iterable[Finding], drafts: Iterable[Finding], left: Iterable[Left], readings: Mapping[str, Reading]
) -> tuple[list[Finding], list[Left]]:
    """Join what is found with the draft and what called for it; each literal is considered once."""
    asked = {handed_at(finding, readings[finding.path]): finding for finding in drafts}
    fresh = [finding for finding in found if (finding.path, _place(finding)) not in asked]
    known = {(finding.path, _place(finding)) for finding in fresh}
    still = [one for one in left if handed_at(one.finding, readings[one.finding.path]) not in known]
    return [*asked.values(), *fresh], still


def _place(finding: Finding) -> Position:
    return Position(finding.line, finding.column, finding.end_line, finding.end_column)


def _with_drafts(
    project: Project, drafts: Iterable[Draft], catalogues: Catalogues, folder: Path
) -> Catalogues:
    text = draft_text(existing(project.root / project.draft), drafts, catalogues)
    if not text:
        return catalogues
    file = folder / "draft.toml"
    file.write_text(text, encoding="utf-8")
    own = str(project.at(project.draft))
    named = [name for name in project.anchored.split(",") if name != own]
    return judged_catalogues(",".join([*named, str(file)]))
