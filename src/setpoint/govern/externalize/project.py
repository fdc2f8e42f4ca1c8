"""GOVERN: what `setpoint externalize` would do to one project, worked out in full and not yet done.

Guarantees: nothing is written here. What would be written was proven: the catalogues accept every seed, every
key that the new source reads has the value that the old source had, and each new text parses.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.invariants import judged_catalogues
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.seeds import load_seeds
from setpoint.errors import InvalidContext, InvalidDocument, UsageError
from setpoint.govern.externalize.addresses import parse_at
from setpoint.govern.externalize.drafting import Draft, draft_text, drafted
from setpoint.govern.externalize.literals import Given
from setpoint.govern.externalize.moves import Left, Plan, Unmovable
from setpoint.govern.externalize.origins import Origins
from setpoint.govern.externalize.places import Place
from setpoint.govern.externalize.planning import plan_moves
from setpoint.govern.externalize.reads import handed_at, undeclared_value
from setpoint.govern.externalize.texts import Text, decoded, existing, record_texts, source_texts
from setpoint.govern.gate.config import load_config
from setpoint.govern.gate.judge import Judge
from setpoint.govern.gate.names import Names
from setpoint.govern.gate.rules import environment_read, undeclared
from setpoint.govern.gate.scan import PYTHON, Reader, files_in_scope, relative, scan
from setpoint.govern.gate.suppressions import allowed_readers, apply_suppressions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.govern.gate.evidence import Reading
    from setpoint.govern.gate.finding import Finding


class Project(NamedTuple):
    """Where a project's files are; every path but the root is relative to it."""

    root: Path
    #: As in SETPOINT_CATALOGUES.
    catalogues: str
    #: Folder of seed files, draft catalogue, and generated test.
    seeds: Path
    draft: Path
    parity: Path
    scope: str = GLOBAL_SCOPE

    @property
    def named(self) -> tuple[str, ...]:
        """The catalogues, the draft among them when there is one."""
        names = tuple(name.strip() for name in self.catalogues.split(",") if name.strip())
        is_there = (self.root / self.draft).is_file()
        return (*names, self.draft.as_posix()) if is_there and self.draft.as_posix() not in names else names


@dataclass(frozen=True)
class Prepared:
    """Everything that writing needs."""

    plan: Plan
    texts: tuple[Text, ...]
    #: Catalogues with the draft, and the values that keys had before.
    catalogues: Catalogues
    values: Mapping[str, Scalar]


def prepare(
    project: Project, paths: Sequence[Path], at: Iterable[str], live: Mapping[str, Scalar] | None = None
) -> Prepared:
    """Work out what leaves the source and every file that would be written.

    Args:
        project: where things are.
        paths: files and folders, as the gate takes them.
        at: parts that the source does not say; see ``addresses``.
        live: the values of a snapshot to compare with, instead of the seed files'.

    Raises:
        InvalidContext: the scope names no dimension of the catalogues.
        InvalidDocument: a file in scope cannot be read or parsed, or a seed file is wrong.
        MissingError: a path is not there, or nothing is in scope.
        UsageError: ``at`` names no part, or a path is outside the root.
    """
    paths = [_below(project.root, path) for path in paths]
    catalogues = judged_catalogues(",".join(_anchored(project)))
    _check_scope(project.scope, catalogues)
    seeded = _seeded(project, catalogues)
    values = dict(live) if live is not None else seeded
    source = "seeded" if live is None else "live"
    judge = Judge(Names.load(catalogues), values, source)
    findings, files = _findings(project, paths, judge)
    readings = _Readings(project.root, judge, files)
    origins = Origins(project.root)
    drafts, left = _drafts(findings, readings, origins)
    with tempfile.TemporaryDirectory() as folder:
        widened = _with_drafts(project, drafts.values(), catalogues, Path(folder))
    if drafts:
        # What the draft declares is known in every place now, as it will be the next time.
        judge = Judge(Names.load(widened), values, source)
        findings, left = _merged(_findings(project, paths, judge)[0], drafts, left, readings)
        readings = _Readings(project.root, judge, files)
    given = Given(widened, parse_at(at, widened), values, files)
    told = {one.finding for one in left}
    plan = plan_moves([f for f in findings if f not in told], readings, given, seeded)
    plan, texts = source_texts(project.root, plan)
    kept = _read_by(plan, drafts.values())
    # A use of what is declared now that hands no literal over is no finding any more.
    declared = {(draft.library, draft.name) for draft in kept}
    left = [one for one in left if (*one.finding.address[:1], one.finding.name) not in declared]
    plan = Plan(plan.moves, tuple(sorted((*plan.left, *left))), plan.groups)
    texts += record_texts(project, plan, kept, widened, origins)
    return Prepared(plan, tuple(text for text in texts if text.before != text.after), widened, values)


def _below(root: Path, path: Path) -> Path:
    """Return a path as the root's own: one file has one name, and nothing else is written to."""
    inside = os.path.relpath(path, root)
    if inside == ".." or inside.startswith(f"..{os.sep}"):
        raise UsageError(f"{path} is not below {root.resolve()}.", hint="give its folder with --root")
    return root / inside


def _check_scope(scope: str, catalogues: Catalogues) -> None:
    dimension, _, value = scope.partition("=")
    if scope != GLOBAL_SCOPE:
        catalogues.scopes({dimension: value})
        if not value:
            raise InvalidContext(
                f"scope {scope!r} is not 'global' or <dimension>=<value>.", hint="for example symbol=BTCUSDC"
            )


def _anchored(project: Project) -> list[str]:
    return [str(project.root / name) if name.endswith(".toml") else name for name in project.named]


def _seeded(project: Project, catalogues: Catalogues) -> dict[str, Scalar]:
    """Return what the project's own seed files say in its scope."""
    folder = project.root / project.seeds
    if not any(folder.glob("*.toml")):
        return {}
    by_scope = {seed.scope: seed.values for seed in load_seeds(str(folder), catalogues)}
    found: dict[str, Scalar] = {}
    for scope in (GLOBAL_SCOPE, project.scope):
        found |= {key: sourced.value for key, sourced in by_scope.get(scope, {}).items()}
    return found


def _findings(project: Project, paths: Sequence[Path], judge: Judge) -> tuple[list[Finding], frozenset[str]]:
    """Return what stands in scope, housekeeping aside, and the Python files that may be rewritten."""
    config = load_config(project.root)
    told = scan(paths, project.root, config, judge)
    if told.failures:
        first = told.failures[0]
        raise InvalidDocument(f"{first.path}:{first.line} cannot be judged: {first.why}.")
    found = allowed_readers(told.findings, config.readers, environment_read.CODE)
    today = datetime.now(UTC).date()
    standing = apply_suppressions(found, told.suppressions, today, config.budget).standing
    files = files_in_scope(list(paths), project.root, config)
    own = [file for file in files if file.suffix in PYTHON and not _is_link(file, project.root)]
    python = frozenset(relative(file, project.root) for file in own)
    written = {project.draft.as_posix(), project.parity.as_posix()}
    kept = [f for f in standing if not f.rule.startswith("SPG9") and f.path not in written]
    return [f for f in kept if not f.path.startswith(f"{project.seeds.as_posix()}/")], python - written


def _is_link(file: Path, root: Path) -> bool:
    """Say whether a link below the root leads to a file, which has a name of its own then."""
    below = file.absolute().relative_to(root.absolute())
    return file.resolve() != root.resolve() / below


class _Readings(dict[str, "Reading"]):
    """Python files by path, each parsed when it is first asked for."""

    def __init__(self, root: Path, judge: Judge, files: frozenset[str]) -> None:
        super().__init__()
        self.root, self.reader = root, Reader(root, judge, files)

    def __missing__(self, path: str) -> Reading:
        file = self.root / path
        self[path] = self.reader.reading(decoded(file.read_bytes())[0], path, file)
        return self[path]


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
            source = origins.said(finding.path, finding.line)
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


def _read_by(plan: Plan, drafts: Iterable[Draft]) -> list[Draft]:
    read = {(*move.address.parts[:1], move.address.parameter) for move in plan.moves}
    return [draft for draft in drafts if (draft.library, draft.name) in read]


def _place(finding: Finding) -> Place:
    return Place(finding.line, finding.column, finding.end_line, finding.end_column)


def _with_drafts(
    project: Project, drafts: Iterable[Draft], catalogues: Catalogues, folder: Path
) -> Catalogues:
    text = draft_text(existing(project.root / project.draft), drafts, catalogues)
    if not text:
        return catalogues
    file = folder / "draft.toml"
    file.write_text(text, encoding="utf-8")
    named = [name for name in _anchored(project) if name != str(project.root / project.draft)]
    return judged_catalogues(",".join([*named, str(file)]))
