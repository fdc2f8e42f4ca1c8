"""`setpoint edit`: a part of a document in the editor of your choice, proposed when you save."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import Json, Yes, app, catalogues, database, settings
from setpoint.cli.output import confirm, err, out, print_error
from setpoint.cli.values import New, Reason, Scope, first_use, open_proposal
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.seeds import load_seeds
from setpoint.errors import EXIT_OK, InvalidDocument, InvalidError, MissingError, UsageError, reason_of

if TYPE_CHECKING:
    from setpoint.change.editable_text import Sheet
    from setpoint.change.patch import Patch
    from setpoint.declare.catalogue import Catalogues

DEFAULT_EDITOR = "vi"


@app.command()
def edit(
    reason: Reason,
    match: Annotated[
        str, typer.Argument(help="Show only keys that contain this text, or are at an address, xgb/5m/gamma.")
    ] = "",
    scope: Scope = GLOBAL_SCOPE,
    no_retry: Annotated[
        bool, typer.Option("--no-retry", help="Do not open the file again when it is wrong; exit with 3.")
    ] = False,
    new: New = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Edit a document, or part of it, with `$VISUAL` or `$EDITOR`, and propose what you saved.

    The file shows type, bounds, meaning and the seed's source of each key. It is kept when something goes
    wrong, and its path is printed.

    Examples: `setpoint edit XGB_5M --reason "slower learning"`,
    `setpoint edit xgb/5m/gamma -r "less overfitting"`,
    `setpoint edit GAMMA --scope symbol=BTCUSDC --reason "BTC overfits"`
    """
    from setpoint.change.documents import read_documents
    from setpoint.change.editable_text import sheet

    system = catalogues()
    with database() as opened:
        # Before anybody writes a text for it.
        if question := first_use(opened, system, scope, new=new, yes=yes):
            confirm(question)
        documents = read_documents(opened, system)
    given = sheet(system, documents, scope, match, _sources(system, scope))
    path = _write(given)
    try:
        code = _edited(system, given, path, reason, retry=not no_retry, yes=yes, as_json=as_json)
    except BaseException:
        err.say(f"your text is kept in {path}")
        raise
    path.unlink(missing_ok=True)
    return code


def _edited(
    system: Catalogues, given: Sheet, path: Path, reason: str, *, retry: bool, yes: bool, as_json: bool
) -> int:
    """Open the editor until the text is right, the reader gives up, or the world moved."""
    from setpoint.change.editable_text import with_problem
    from setpoint.change.proposals import NO_DOCUMENT, Proposal

    refused: str | None = None
    while True:
        _open_editor(path)
        text = _read(path)
        try:
            patch = _wanted(system, given, text, refused)
            if patch is None:
                out.say("nothing changed, nothing proposed")
                return EXIT_OK
            proposal = Proposal(
                scope=given.scope,
                reason=reason,
                set=patch.set,
                remove=patch.remove,
                base=given.base or NO_DOCUMENT,
            )
            with database() as opened:
                return open_proposal(opened, system, proposal, yes=yes, as_json=as_json, new=True)
        except (InvalidError, MissingError) as problem:
            if not retry or text == refused:
                raise
            print_error(problem)
            refused = with_problem(text, str(problem))
            path.write_text(refused, encoding="utf-8")


def _wanted(system: Catalogues, given: Sheet, text: str, refused: str | None) -> Patch | None:
    """Return what the text asks for; None when that is nothing."""
    from setpoint.change.editable_text import read_edited, without_problem

    if text == refused:
        raise InvalidDocument("the text was saved as it was refused.", hint="mend it, and propose it again")
    patch = read_edited(system, given, without_problem(text))
    return patch if patch.keys else None


def _sources(system: Catalogues, scope: str) -> dict[str, str]:
    # A system without seed files is edited without their notes.
    with suppress(InvalidDocument):
        for seed in load_seeds(settings().seeds, system):
            if seed.scope == scope:
                return {name: sourced.source for name, sourced in seed.values.items()}
    return {}


def _write(given: Sheet) -> Path:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="setpoint-", suffix=".toml", delete=False
    ) as file:
        file.write(given.text)
    return Path(file.name)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        raise UsageError(f"the edited text cannot be read: {reason_of(problem)}.") from None


def _open_editor(path: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or DEFAULT_EDITOR
    try:
        done = subprocess.run([*shlex.split(command), str(path)], check=False)
    except (OSError, ValueError) as problem:
        raise UsageError(
            f"the editor {command!r} cannot be started: {reason_of(problem)}.",
            hint="set VISUAL or EDITOR to another",
        ) from None
    if done.returncode:
        raise UsageError(
            f"the editor {command!r} ended with {done.returncode}; nothing was proposed.",
            hint="give the same command again, or set VISUAL or EDITOR to another editor",
        )
