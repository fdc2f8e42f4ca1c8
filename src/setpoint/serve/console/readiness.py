"""SERVE: the page of readiness files: what each names, what of it is proven, by which command, how old."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fastapi import Request
from starlette.responses import Response

from setpoint.errors import InvalidDocument
from setpoint.govern.checkpoints.records import read_clock
from setpoint.govern.readiness.check import check
from setpoint.govern.readiness.noted import read_noted
from setpoint.govern.readiness.parsing import read_file
from setpoint.govern.readiness.system import System, read_record
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.console.pages import page, router_of
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from setpoint.govern.readiness.check import Checked
    from setpoint.govern.readiness.evidence import Proof
    from setpoint.govern.readiness.noted import NotedProof

router = router_of()
#: Of a folder, how many files are shown: each is judged whenever the page is read.
_MOST = 20


class Judged(NamedTuple):
    """A file as this plane judges it; ``problem`` says why it cannot be read."""

    name: str
    found: Checked | None
    problem: str


class Shown(NamedTuple):
    """A name of a file, with what was found of it."""

    file: str
    kind: str
    name: str
    line: int
    state: str
    at: datetime | None
    command: str
    said: str
    #: What a check in a repository last found of it, and when and by whom that was noted; None for never.
    noted: str | None
    noted_at: datetime | None
    noted_by: str | None


@router.get("/readiness", **access(*ANYONE))
def show_readiness(plane: PlaneOf, request: Request) -> Response:
    """Show each readiness file of SETPOINT_READINESS as it stands in this system now."""
    place = plane.settings.readiness
    paths = _files_of(place)
    judged: list[Judged] = []
    if paths:
        record = read_record(plane.database, plane.catalogues, plane.calendar, plane.settings)
        # Commands and the repository are not a plane's: what rests on them is unknown here, and said to be.
        system = System(at=read_clock(plane.database), commands=None, record=record, repository=None)
        judged = [_judged(path, system) for path in paths]
    noted = read_noted(plane.database)
    proofs = [
        _shown(one.name, proof, noted.get((proof.kind, proof.name)))
        for one in judged
        for proof in (one.found.proofs if one.found else ())
    ]
    return page(
        request,
        "readiness.html",
        tables={"evidence": proofs},
        judged=judged,
        noted=noted,
        is_empty=bool(place),
    )


def _shown(file: str, p: Proof, noted: NotedProof | None) -> Shown:
    told = (noted.state, noted.noted_at, noted.noted_by) if noted else (None, None, None)
    return Shown(file, p.kind, p.name, p.line, p.state, p.at, p.command, p.said, *told)


def _files_of(place: str) -> list[Path]:
    """Return a file, or the first Markdown files of a folder, by name; an empty place has none."""
    if not place:
        return []
    path = Path(place)
    return list(islice(sorted(path.glob("*.md")), _MOST)) if path.is_dir() else [path]


def _judged(path: Path, system: System) -> Judged:
    try:
        return Judged(path.name, check(read_file(path), system), "")
    except InvalidDocument as problem:
        # Where the plane keeps its files is nothing that whoever may read a page needs.
        return Judged(path.name, None, problem.message.replace(str(path), path.name))
