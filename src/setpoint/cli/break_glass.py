"""`setpoint break-glass`: write when the application is down, and owe for it."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, Yes, app, catalogues, database, settings
from setpoint.cli.output import confirm, err, out, print_json, table
from setpoint.cli.values import Scope, print_edits
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import canonical_text, parse_text
from setpoint.declare.foreign_text import read_json
from setpoint.declare.number_text import held_float
from setpoint.errors import EXIT_FINDING, EXIT_OK, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from setpoint.change.emergency.break_glass import Emergency, Preview, Written
    from setpoint.change.emergency.obligations import Obligation
    from setpoint.store.database import Transaction

glass: typer.Typer = typer.Typer(
    help="Emergencies: write straight to PostgreSQL, without catalogue or policy, and owe for it.",
    no_args_is_help=True,
)
app.add_typer(glass, name="break-glass")


class Because(StrEnum):
    """Why the ordinary way cannot be taken."""

    CONSOLE_DOWN = "console-down"
    DATA_DAMAGED = "data-damaged"


class Failed(StrEnum):
    """What failed of a Console whose restore probe says that it is live."""

    SERVER_ERROR = "5xx"
    NETWORK = "network"
    AUTHENTICATION = "authentication"


Incident = Annotated[str, typer.Option("--incident", help="The incident's id, as its channel names it.")]
ApprovedBy = Annotated[
    str, typer.Option("--approved-by", help="URL of the responsible person's message in a declared channel.")
]
BecauseOf = Annotated[Because, typer.Option("--because", help="Why the ordinary way cannot be taken.")]
PlaneAsked = Annotated[
    str, typer.Option("--plane", help="For console-down: the plane whose restore probe to ask from here.")
]
WhatFailed = Annotated[
    Failed | None,
    typer.Option("--failed", help="What failed; needed for console-down while the probe says live."),
]


@glass.command()
def restore(
    revision: Annotated[int, typer.Argument(help="The revision to bring back.")],
    incident: Incident,
    approved_by: ApprovedBy,
    because: BecauseOf,
    failed: WhatFailed = None,
    plane: PlaneAsked = "",
    scope: Scope = GLOBAL_SCOPE,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Bring a revision back, straight in PostgreSQL. **Emergency only**: else use `setpoint restore`.

    Needs neither server, Console nor catalogue. Opens obligations with deadlines.

    Example:
    `setpoint break-glass restore 12 --incident INC-42 --approved-by URL --because data-damaged`
    """
    from setpoint.change.emergency import break_glass

    def write(session: Transaction, emergency: Emergency, seen: Preview) -> Written:
        return break_glass.restore(session, emergency, scope, revision, seen.base)

    def look(session: Transaction) -> Preview:
        return break_glass.preview_restore(session, revision)

    emergency = _claim(incident, approved_by, because, failed, plane)
    return _write(emergency, scope, look, write, yes=yes, as_json=as_json)


@glass.command("set")
def set_values(
    incident: Incident,
    approved_by: ApprovedBy,
    because: BecauseOf,
    pairs: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE.")] = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", help="Remove this key. May be repeated.")
    ] = None,
    failed: WhatFailed = None,
    plane: PlaneAsked = "",
    scope: Scope = GLOBAL_SCOPE,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Set values, straight in PostgreSQL. **Emergency only**: else use `setpoint set`.

    Keys are full names that some revision held, values of the type they had there: no catalogue is read.

    Example:
    `setpoint break-glass set KEY=0.1 --incident INC-42 --approved-by URL --because console-down`
    """
    from setpoint.change.emergency import break_glass

    removed = unset or []
    if not (pairs or removed):
        raise UsageError("there is nothing to set.", hint="give KEY=VALUE, or --unset KEY")
    wanted = _parse_pairs(pairs or [])

    def write(session: Transaction, emergency: Emergency, seen: Preview) -> Written:
        return break_glass.set_values(session, emergency, scope, wanted, removed, base=seen.base)

    def look(session: Transaction) -> Preview:
        return break_glass.preview_set(session, scope, wanted, removed)

    emergency = _claim(incident, approved_by, because, failed, plane)
    return _write(emergency, scope, look, write, yes=yes, as_json=as_json)


def _claim(incident: str, approved_by: str, because: Because, failed: Failed | None, plane: str) -> Emergency:
    """Return the claim, with what the restore probe answers to it here."""
    from setpoint.change.emergency.break_glass import Emergency
    from setpoint.change.emergency.restore_probe import ask_probe

    probe = ask_probe(plane) if plane and because is Because.CONSOLE_DOWN else None
    if probe is not None:
        err.say(f"the restore probe says: {probe}")
    return Emergency(incident, approved_by, because, failed, probe)


def _write(
    emergency: Emergency,
    scope: str,
    look: Callable[[Transaction], Preview],
    write: Callable[[Transaction, Emergency, Preview], Written],
    *,
    yes: bool,
    as_json: bool,
) -> int:
    """Look in one transaction and write in another, over what was seen: nobody waits for an answer."""
    from setpoint.change.emergency.break_glass import emergency_session

    with emergency_session(settings()) as session:
        seen = look(session)
    if not as_json:
        print_edits(seen.edits)
    if not yes:
        confirm(f"Write this to {scope} without validation or policy?")
    with emergency_session(settings()) as session:
        made = write(session, emergency, seen)
    if as_json:
        print_json({"incident": emergency.incident, "scope": scope, **made._asdict()})
        return EXIT_OK
    out.say(f"{scope}: revision {made.revision}, {made.hash[:12]}, unvalidated")
    for owed in (
        f'within 1 h, an ordinary write: setpoint set ... --reason "{emergency.reason}"',
        f"within 1 h: setpoint break-glass validate --incident {emergency.incident}",
        f"within 24 h: setpoint break-glass post-mortem --incident {emergency.incident} --url ...",
    ):
        out.say(f"owed {owed}")
    return EXIT_OK


@glass.command()
def status(
    incident: Annotated[str, typer.Option("--incident", help="Only this incident.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many; what was met comes last.")] = 200,
    as_json: Json = False,
) -> int:
    """List obligations, overdue and breached ones first. Exit code 1 when one is overdue or breached.

    Example: `setpoint break-glass status`
    """
    from setpoint.change.emergency.obligations import breaches, list_obligations

    with database(remind=False) as opened:
        rows = list_obligations(opened, incident or None, of_break_glass=True, limit=limit)
    breached = breaches(rows)
    if as_json:
        print_json(rows)
    elif not rows:
        out.say("nothing is owed")
    else:
        table(
            ("obligation", "incident", "kind", "scope", "revision", "due (UTC)", "state", "by", "owed by"),
            (
                (
                    row.id,
                    row.incident,
                    row.kind,
                    row.scope,
                    row.revision,
                    f"{row.due_at:%Y-%m-%d %H:%M}",
                    _state(row),
                    row.met_by or "",
                    f"{row.person} (disabled: take it over)" if row.left_behind else row.person or "",
                )
                for row in rows
            ),
        )
        for line in breached:
            out.say(f"breached, {line}")
    return EXIT_FINDING if breached or any(row.overdue for row in rows) else EXIT_OK


def _state(row: Obligation) -> str:
    if row.met_at is not None:
        return "met" + (" late" if row.met_late else "") + (" after a breach" if row.breach else "")
    return " ".join(("OVERDUE",) * row.overdue + ("BREACHED",) * bool(row.breach)) or "open"


@glass.command("post-mortem")
def post_mortem(
    incident: Incident,
    url: Annotated[str, typer.Option("--url", help="Where it was filed.")],
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Say where the post-mortem of an incident was filed.

    Example: `setpoint break-glass post-mortem --incident INC-42 --url URL`
    """
    from setpoint.change.emergency.obligations import file_post_mortem
    from setpoint.change.identity import author_of

    with database() as opened:
        in_time = file_post_mortem(opened, author_of(opened), incident, url)
    if as_json:
        print_json({"incident": incident, "url": url, "in_time": in_time})
    else:
        out.say(f"{incident}: post-mortem filed{'' if in_time else ', late'}")


@glass.command()
def validate(incident: Incident, _yes: AsksNothing = False, as_json: Json = False) -> int:
    """Judge what break-glass wrote by today's catalogues. Exit code 1 when what stands is not sound.

    Example: `setpoint break-glass validate --incident INC-42`
    """
    from setpoint.change.emergency.break_glass import validate as judge
    from setpoint.change.identity import author_of

    system = catalogues()
    with database() as opened:
        found = judge(opened, system, author_of(opened), incident)
    if as_json:
        print_json({"sound": found.sound, "standing": found.standing, "revisions": found.revisions})
        return EXIT_OK if found.sound else EXIT_FINDING
    for revision, problems in found.revisions.items():
        state = f"{len(problems)} problem(s)" if problems else "sound"
        out.say(f"revision {revision}: {state}")
        _print_problems(problems)
    if not found.sound:
        out.say("what stands now is not sound, so the validation stays owed:")
        _print_problems(found.standing)
    return EXIT_OK if found.sound else EXIT_FINDING


def _print_problems(problems: Sequence[str], shown: int = 20) -> None:
    for problem in problems[:shown]:
        out.say(f"  {problem}")
    if len(problems) > shown:
        out.say(f"  ... and {len(problems) - shown} more; --json lists all")


def _parse_pairs(pairs: list[str]) -> str:
    """Return what to set as the text of a JSON object, its numbers as they were typed."""
    wanted: list[str] = []
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not (key and separator):
            raise UsageError(f"{pair!r} is not KEY=VALUE.", hint="give the key's name, = and the value")
        if not text:
            raise UsageError(
                f"{key} is given an empty value: that removes nothing.", hint=f"--unset {key} removes a key"
            )
        wanted.append(f"{json.dumps(key)}: {_json_scalar(text)}")
    document = "{" + ", ".join(wanted) + "}"
    canonical_text(parse_text(document, "what to set", held_float))
    return document


def _json_scalar(text: str) -> str:
    """Return a text as JSON: a number or a truth value as it is, anything else as a string."""
    try:
        value = read_json(text)
    except ValueError:
        return json.dumps(text)
    return text if isinstance(value, int | float) else json.dumps(text)
