"""EXTERNALIZE: what `setpoint externalize` would do to one project, worked out in full and not yet done.

Guarantees: nothing is written here. What would be written was proven: the catalogues accept every seed, every
key that the new source reads has the value that the old source had, and each new text parses.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.change.invariants import judged_catalogues
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.scopes import check_scope
from setpoint.declare.seeds import load_seeds
from setpoint.errors import InvalidDocument, MissingError, UsageError
from setpoint.externalize.addresses import parse_at
from setpoint.externalize.files.file_texts import Text, record_texts, source_texts
from setpoint.externalize.gate_findings import find
from setpoint.externalize.moves.literals import Given
from setpoint.externalize.moves.move import Left, MovePlan
from setpoint.externalize.plan import plan_moves
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.externalize.files.draft_catalogue import Draft
    from setpoint.externalize.files.project import Project


@dataclass(frozen=True)
class Prepared:
    """Everything that writing needs."""

    plan: MovePlan
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
    catalogues = judged_catalogues(project.anchored)
    check_scope(catalogues, project.scope)
    seeded = _seeded(project.root / project.seeds, project.scope, catalogues)
    values, source = (seeded, "seeded") if live is None else (dict(live), "live")
    found = find(project, paths, catalogues, lambda known: Judge(Names.load(known), values, source))
    given = Given(found.catalogues, parse_at(at, found.catalogues), values, found.files)
    left = {one.finding for one in found.left}
    plan = plan_moves([f for f in found.findings if f not in left], found.readings, given, seeded)
    plan, texts = source_texts(project.root, plan)
    kept = _read_by(plan, found.drafts)
    plan = MovePlan(plan.moves, tuple(sorted((*plan.left, *_still_left(found.left, kept)))), plan.groups)
    texts += record_texts(project, plan, kept, found.catalogues, found.origins)
    _prove(project, plan, texts, found.catalogues)
    changed = tuple(text for text in texts if text.before != text.after)
    return Prepared(plan, changed, found.catalogues, values)


def _still_left(left: Sequence[Left], kept: Iterable[Draft]) -> list[Left]:
    """Return what is left but for uses of what is declared now that hand no literal over."""
    declared = {(draft.library, draft.name) for draft in kept}
    return [one for one in left if (*one.finding.address[:1], one.finding.name) not in declared]


def _prove(project: Project, plan: MovePlan, texts: Iterable[Text], catalogues: Catalogues) -> None:
    """Hold that the seed files, as they would be, give every key the value that the source had.

    Raises:
        InvalidDocument: they do not, or cannot be loaded.
    """
    if not plan.moves:
        return
    folder = project.root / project.seeds
    seeds = {file: file.read_bytes() for file in folder.glob("*.toml")}
    seeds |= {text.path: text.after for text in texts if text.path.parent == folder}
    with tempfile.TemporaryDirectory() as name:
        for file, content in seeds.items():
            Path(name, file.name).write_bytes(content)
        found = _seeded(Path(name), project.scope, catalogues)
    wrong = [
        f"{key} would be {found.get(key)}" for key, value in plan.sets.items() if found.get(key) != value
    ]
    if wrong:
        raise InvalidDocument(f"the seed files would not give what the source had: {', '.join(wrong)}.")


def _below(root: Path, path: Path) -> Path:
    """Return a path as the root's own: one file has one name, and nothing else is written to."""
    if not path.exists():
        raise MissingError(f"{path} is not there.", hint="paths are read from where the command runs")
    inside = os.path.relpath(path, root)
    if inside == ".." or inside.startswith(f"..{os.sep}"):
        raise UsageError(f"{path} is not below {root.resolve()}.", hint="give its folder with --root")
    return root / inside


def _seeded(folder: Path, scope: str, catalogues: Catalogues) -> dict[str, Scalar]:
    """Return what a folder's seed files say in a scope; nothing when it has none."""
    if not any(folder.glob("*.toml")):
        return {}
    by_scope = {seed.scope: seed.values for seed in load_seeds(str(folder), catalogues)}
    found: dict[str, Scalar] = {}
    for each in (GLOBAL_SCOPE, scope):
        found |= {key: sourced.value for key, sourced in by_scope.get(each, {}).items()}
    return found


def _read_by(plan: MovePlan, drafts: Iterable[Draft]) -> list[Draft]:
    read = {(*move.address.parts[:1], move.address.parameter) for move in plan.moves}
    return [draft for draft in drafts if (draft.library, draft.name) in read]
