"""EXTERNALIZE: every file that externalizing writes, as it is and as it would be.

Guarantees: a source file keeps its encoding, BOM and line ends; what an earlier run recorded stays in seed
files, draft and test. Refuses nothing: what cannot be rewritten leaves the plan.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.seeds import Seed, Sourced, load_seed_file, seed_text
from setpoint.errors import InvalidDocument, SetpointError
from setpoint.externalize.files.draft_catalogue import draft_text
from setpoint.externalize.files.parity_test import Home, parity_text, row, rows_in
from setpoint.externalize.moves.move import Left, MovePlan
from setpoint.externalize.source_text.parsed_files import decoded
from setpoint.externalize.source_text.rewrite import rewritten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from setpoint.declare.catalogue import Catalogue, Catalogues
    from setpoint.externalize.files.draft_catalogue import Draft
    from setpoint.externalize.files.origins import Origins
    from setpoint.externalize.files.project import Project


class Text(NamedTuple):
    """A file before and after, as bytes; None before: it is new."""

    path: Path
    before: bytes | None
    after: bytes


def existing(path: Path) -> str:
    """Return a file's text, nothing when there is none.

    Raises:
        InvalidDocument: it is no text.
    """
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        raise InvalidDocument(f"{path} is not UTF-8.", hint="restore or remove it") from None


def source_texts(root: Path, plan: MovePlan) -> tuple[MovePlan, list[Text]]:
    """Rewrite each file; a file that cannot be rewritten leaves the plan with all its moves."""
    texts, refused = [], {}
    first_party = {entry.stem for folder in ("", "src") for entry in (root / folder).glob("*")}
    for path in plan.paths:
        before = (root / path).read_bytes()
        text, encoding = decoded(before)
        groups = plan.groups.get(path, ())
        covered = frozenset(place for group in groups for place in group.covers)
        replacements = {
            move.place: move.expression
            for move in plan.moves
            if move.path == path and move.place not in covered
        }
        try:
            after = rewritten(text, replacements, [g.merge for g in groups], first_party=first_party)
        except SetpointError as problem:
            refused[path] = problem.message
        else:
            texts.append(Text(root / path, before, after.encode(encoding)))
    moves = tuple(move for move in plan.moves if move.path not in refused)
    left = [
        Left(finding, refused[move.path])
        for move in plan.moves
        if move.path in refused
        for finding in move.findings
    ]
    kept = {path: found for path, found in plan.groups.items() if path not in refused}
    return MovePlan(moves, (*plan.left, *left), kept), texts


def record_texts(
    project: Project, plan: MovePlan, drafts: Sequence[Draft], catalogues: Catalogues, origins: Origins
) -> list[Text]:
    """Return the seed files, the draft catalogue and the generated test with what the plan adds."""
    if not plan.moves:
        return []
    texts = list(_seed_texts(project, plan, catalogues, origins))
    if drafts:
        path = project.root / project.draft
        texts.append(_text(path, draft_text(existing(path), drafts, catalogues)))
    rows = {row(move.where, value, key) for move in plan.moves for key, value in move.sets.items()}
    path = project.root / project.parity
    rows |= set(rows_in(existing(path), project.context))
    names = project.named
    draft = project.draft.as_posix()
    home = Home(
        depth=len(project.parity.parts) - 1,
        catalogues=(*names, draft) if drafts and draft not in names else names,
        seeds=project.seeds.as_posix(),
        context=project.context,
    )
    texts.append(_text(path, parity_text(rows, home)))
    return texts


def _seed_texts(project: Project, plan: MovePlan, catalogues: Catalogues, origins: Origins) -> Iterator[Text]:
    sources: dict[str, list[str]] = {}
    for move in plan.moves:
        for key in move.sets:
            sources.setdefault(key, []).append(origins.source_of(move.path, move.place.line))
    added = {key: Sourced(value, "; ".join(sources[key])) for key, value in plan.sets.items()}
    seeded = _seeded_elsewhere(project, catalogues)
    for member in catalogues.members:
        new = {key: sourced for key, sourced in added.items() if key in member.keys and key not in seeded}
        if not new:
            continue
        path = project.root / project.seeds / seed_name(member, project.scope)
        old = load_seed_file(path, catalogues).values if path.is_file() else {}
        yield _text(path, _HEAD + seed_text(member, Seed(project.scope, new | old)))


_HEAD = (
    "# What the source said, written by `setpoint externalize`: values with file, line and commit.\n"
    "# The command writes it whole each time: notes belong elsewhere.\n"
)


_UNSAFE = re.compile(r"[^\w.-]")


def seed_name(member: Catalogue, scope: str) -> str:
    """Return the name of the seed file that takes a catalogue's values in a scope."""
    overlay = "" if scope == GLOBAL_SCOPE else "-" + _UNSAFE.sub("-", scope)
    return f"externalized-{member.name}{overlay}.toml"


def _seeded_elsewhere(project: Project, catalogues: Catalogues) -> set[str]:
    """Return the keys that the project's other seed files give in this scope: they say them already."""
    own = {seed_name(member, project.scope) for member in catalogues.members}
    found: set[str] = set()
    for file in (project.root / project.seeds).glob("*.toml"):
        if file.name not in own:
            seed = load_seed_file(file, catalogues)
            found |= seed.values.keys() if seed.scope == project.scope else set()
    return found


def _text(path: Path, text: str) -> Text:
    return Text(path, path.read_bytes() if path.is_file() else None, text.encode())
