"""`setpoint db backup|backups|prove-backup|restore-backup`: the whole database in one file, and back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import Json, Yes, settings
from setpoint.cli.db import db
from setpoint.cli.output import confirm, out, print_json, table
from setpoint.errors import EXIT_FINDING, EXIT_OK

if TYPE_CHECKING:
    from setpoint.change.policies import Policy
    from setpoint.change.recovery.files import ListedBackup
    from setpoint.change.recovery.restoring import Restored


@db.command()
def backup(
    file: Annotated[
        Path | None,
        typer.Option("--out", help="The file; with --every the folder. Else below SETPOINT_HOME."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Take the place of a file of that name.")
    ] = False,
    every: Annotated[
        str, typer.Option("--every", help="From now on let a plane make one so often: 6h, 1d; or never.")
    ] = "",
    keep: Annotated[int, typer.Option("--keep", help="With --every: how many of those stay.")] = 14,
    due: Annotated[
        bool, typer.Option("--due", help="Make and prove the one that is due by --every, if it is.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Write the whole database to one file with a manifest, complete or not at all.

    It holds no secret that opens anything. With --every a serving plane makes, proves and keeps backups by
    itself; without a plane run --due from a timer.

    Examples: `setpoint db backup`, `setpoint db backup --out setpoint.backup`,
    `setpoint db backup --every 1d --keep 14`
    """
    if every:
        return _plan(every, keep, file, as_json=as_json)
    if due:
        return _make_due(as_json=as_json)
    from setpoint.change.recovery.files import new_backup

    made = new_backup(settings(), file, replace=overwrite)
    if as_json:
        print_json(asdict(made))
    else:
        out.say(f"wrote {made.path} ({_size(made.bytes)}): {made.rows} rows, revision {made.revision}")
        out.say(f"hash {made.hash}")
    return EXIT_OK


def _plan(every: str, keep: int, folder: Path | None, *, as_json: bool) -> int:
    from setpoint.change.recovery.files import folder_of
    from setpoint.change.recovery.schedule import declare_plan, end_plan
    from setpoint.declare.durations import parse_duration

    here = settings()
    if every == "never":
        end_plan(here)
        told: dict[str, object] = {"every_s": None}
        said = "no backup is made by itself any more; those that were made stay"
    else:
        where = (folder or folder_of(here)).absolute()
        declare_plan(here, every_s=parse_duration(every), keep=keep, folder=where)
        told = {"every_s": parse_duration(every), "keep": keep, "folder": str(where)}
        said = f"a serving plane makes one every {every}, proves it, and keeps {keep} in {where}"
    print_json(told) if as_json else out.say(said)
    return EXIT_OK


def _make_due(*, as_json: bool) -> int:
    from setpoint.change.recovery.schedule import back_up_when_due

    done = back_up_when_due(settings())
    if as_json:
        print_json(asdict(done) if done else {"made": None})
    elif done is None:
        out.say("none is due")
    else:
        out.say(f"wrote {done.made.path} ({_size(done.made.bytes)}), {_proven(done.proof.problem)}")
        for path in done.removed:
            out.say(f"removed {path}")
    return EXIT_FINDING if done and done.proof.problem else EXIT_OK


@db.command("backups")
def list_backups(as_json: Json = False) -> None:
    """List the backups that the database records, and the files that lie beside them or below SETPOINT_HOME.

    Example: `setpoint db backups`
    """
    from setpoint.change.recovery.files import list_backups as look

    rows = look(settings())
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    table(
        ("made at", "revision", "size", "restore rehearsed", "file"),
        (
            (
                datetime.fromisoformat(row.made_at),
                row.revision,
                _size(row.bytes),
                "-" if row.proof is None else _proven(row.proof),
                row.path if row.is_there else f"{row.path} ({_elsewhere(row)})",
            )
            for row in rows
        ),
    )


@db.command("prove-backup")
def prove_backup(
    file: Annotated[Path, typer.Argument(help="What `setpoint db backup` wrote.")],
    anchor: Annotated[
        Path | None, typer.Option("--anchor", help="Also hold this anchor, of a time before the backup.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Rehearse a restore on a throw-away server, and verify what came back. Exit code 1: it did not.

    Example: `setpoint db prove-backup setpoint.backup`
    """
    from setpoint.change.recovery.proving import prove_backup as rehearse
    from setpoint.change.verification import read_anchor

    proof = rehearse(settings(), file, read_anchor(anchor) if anchor else None)
    if as_json:
        print_json(asdict(proof))
    else:
        out.say(f"{file}: revision {proof.revision}, {_proven(proof.problem)} ({proof.took_s:.1f} s)")
    return EXIT_FINDING if proof.problem else EXIT_OK


def _proven(problem: str) -> str:
    return problem or "came back whole"


def _elsewhere(row: ListedBackup) -> str:
    return "gone" if row.is_there is False else f"on {row.host}"


def _size(content: int) -> str:
    return f"{content / 1024:.0f} KiB"


@db.command("restore-backup")
def restore_backup(
    file: Annotated[Path, typer.Argument(help="What `setpoint db backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a database that holds something.")
    ] = False,
    anchor: Annotated[
        Path | None, typer.Option("--anchor", help="Also hold this anchor, of a time before the backup.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; kept in the access log.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Bring a backup back, verified before it serves. What it replaces is kept under another name.

    Nobody comes in by what it holds: tokens, sessions and passwords are void, accounts but viewers wait for
    `setpoint accounts confirm`, and changes that were open come back suspended.

    Example: `setpoint db restore-backup setpoint.backup --replace`
    """
    from setpoint.change.recovery.restoring import restore_backup as bring_back
    from setpoint.change.verification import read_anchor
    from setpoint.store.backups.file import reading

    held = read_anchor(anchor) if anchor else None
    with reading(file) as backup:
        told = f"revision {backup.manifest.revision}, made {backup.manifest.made_at}"
    if replace and not yes:
        confirm(f"Replace the database with this backup ({told})?")
    done = bring_back(settings(), file, anchor=held, replace=replace, reason=reason)
    if as_json:
        print_json(asdict(done))
    else:
        _say_restored(done)


def _say_restored(done: Restored) -> None:
    kept = f"; the old database is kept as {done.kept}" if done.kept else ""
    out.say(f"restored revision {done.revision} of {done.made_at}, verified{kept}")
    ended = done.ended
    out.say(f"ended: {len(ended.credentials)} tokens, sessions and one-time logins; every password")
    for said, names in (
        ("wait for `setpoint accounts confirm NAME`", ended.waiting),
        (
            "bring viewers alone until `setpoint accounts provider ISSUER --role ROLE` says otherwise",
            ended.providers,
        ),
        ("closed, incident channels", ended.channels),
        ("came back suspended, changes", ended.changes),
    ):
        if names:
            out.say(f"{said}: {', '.join(names)}")
    for one in done.policies:
        out.say(f"policy of {one.scope}, {one.kind}: {_policy(one.restored)}, before {_policy(one.replaced)}")
    out.say("the first login: `setpoint accounts confirm NAME`, then `setpoint accounts once NAME`")


def _policy(one: Policy | None) -> str:
    return f"{one.approvals} approval(s), cooling off {one.cooling_off_s} s" if one else "none"
