"""States in which a program, or no command alone, prints a hint; each method returns what is printed."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import setpoint
from setpoint.change.anchoring import renew_anchor
from setpoint.change.emergency import break_glass
from setpoint.change.exchange.history_import import import_history
from setpoint.change.verification import write_anchor
from setpoint.cli import demo
from setpoint.client.plane.refusals import unreachable
from setpoint.declare.loading import load_catalogues
from setpoint.errors import SetpointError
from setpoint.settings import Settings
from setpoint.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from support.market_server import Archive
    from support.sweep_home import Done

GAMMA = "xgb/5m/gamma"
#: More edits than a post-mortem shows.
LONG = 60
GAMMA_KEY = "CVN_HPO_XGB_5M_GAMMA"
DOWN = "postgresql://nobody@127.0.0.1:1/nothing"
#: A database as a build before the first release left it.
UNSQUASHED = Path(__file__).parents[1] / "store/unsquashed_database.sql"
EMERGENCY = [
    "--incident",
    "INC-2",
    "--approved-by",
    "https://chat.example/p2",
    "--because",
    "data-damaged",
    "--yes",
]
OWN = """
format = 1
name = "own"
version = "1.0.0"
prefix = "OWN"

[[parameters]]
name = "threshold"
type = "float"
low = 0.0
high = 1.0
doc = "Above it there is a signal."
"""


def refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """Return what an error of ours prints."""
    with pytest.raises(SetpointError) as refused:
        call(*arguments, **named)
    return str(refused.value)


@dataclass
class Stage:
    """One seeded database with its plane, an archive of candles, and the working folder."""

    command: Callable[..., Done]
    server: Any
    patch: pytest.MonkeyPatch
    screen: pytest.CaptureFixture[str]
    folder: Path
    #: What the last `setpoint run` exported.
    exported: dict[str, str]
    http_as: Callable[[str], httpx.Client]
    archive: Archive
    #: What a reader of a hint knows of the state: put into what they type.
    names: dict[str, str] = field(default_factory=dict)

    def done(self, *arguments: str) -> Done:
        """Run a command that must work."""
        done = self.command(*arguments)
        assert done.code in {0, 11}, (arguments, done.err)
        return done

    # In a training process

    def missing_in_the_database(self) -> str:
        self.done("unset", GAMMA, "-r", "x", "--yes")
        return refusal(self.pinned, "xgb", "5m", "gamma")

    def pinned(self, *address: str) -> Any:
        self.done("pin", "--out", "made.json")
        return setpoint.pin(environ={"SETPOINT_SNAPSHOT": "made.json"}).resolve(*address)

    def missing_in_a_bare_environment(self) -> str:
        environ = {GAMMA_KEY: "0.5"}
        return refusal(lambda: setpoint.pin(environ=environ).resolve("xgb", "5m", "learning_rate"))

    def a_file_of_another_context(self) -> str:
        self.done("pin", "--out", "made.json")
        return refusal(setpoint.pin, {"profile": "demo"}, environ={"SETPOINT_SNAPSHOT": "made.json"})

    def a_set_of_other_contexts(self) -> str:
        self.done("run", "--contexts", "profile=demo", "--", "true")
        return refusal(setpoint.pin, {"symbol": "BTCUSDC"}, environ=self.exported)

    def an_environment_that_disagrees(self) -> str:
        self.done("pin", "--out", "made.json")
        environ = {"SETPOINT_SNAPSHOT": "made.json", GAMMA_KEY: "0.77"}
        return refusal(setpoint.pin, environ=environ)

    def a_choice_out_of_range(self) -> str:
        hp = setpoint.pin(environ={"SETPOINT_SNAPSHOT": "made.json"})
        return refusal(hp.params, "xgb", "5m", chosen={"learning_rate": 0.9})

    def a_plane_out_of_reach(self) -> str:
        return str(unreachable("http://plane.example", OSError("refused"), 3))

    def a_catalogue_without_the_harness(self) -> str:
        (self.folder / "own.toml").write_text(OWN, encoding="utf-8")
        with self.patch.context() as patched:
            patched.setenv("SETPOINT_CATALOGUES", "own.toml")
            return self.command("sweep", "--data", "synthetic").err

    # Files that were written

    def an_exported_document(self) -> str:
        self.done("export", "config")
        return (self.folder / "config/documents/global.toml").read_text(encoding="utf-8")

    def an_edited_export(self) -> str:
        self.done("export", "edited")
        document = self.folder / "edited/documents/global.toml"
        text = document.read_text(encoding="utf-8")
        document.write_text(re.sub("(SUBSAMPLE = ).*", r"\g<1>0.75", text, count=1), encoding="utf-8")
        return self.command("export", "edited").err

    def an_export_that_lost_a_file(self) -> str:
        self.done("export", "lost")
        Path("lost/history/1.json").unlink()
        return self.command("export", "lost").err

    def an_export_of_another_database(self) -> str:
        self.done("export", "other")
        head = self.folder / "other/head.json"
        found = json.loads(head.read_text(encoding="utf-8"))
        head.write_text(json.dumps({**found, "revision": found["revision"] + 1}), encoding="utf-8")
        return self.command("export", "other").err

    def a_database_that_was_filled_meanwhile(self) -> str:
        self.done("export", "config")
        return refusal(
            import_history, Settings.from_environ(), load_catalogues("cvntrade"), self.folder / "config"
        )

    def a_stub(self) -> str:
        self.done("catalogue", "types", "--out", "typings")
        return (self.folder / "typings/setpoint/__init__.pyi").read_text(encoding="utf-8")

    def an_anchor_that_history_left(self) -> str:
        anchor = self.folder / "kept.json"
        with Database.open(Settings.from_environ()) as database:
            write_anchor(database, anchor)
            kept = json.loads(anchor.read_text(encoding="utf-8"))
            anchor.write_text(json.dumps({**kept, "chain": "0" * 64}), encoding="utf-8")
            return refusal(renew_anchor, database, anchor)

    def a_file_that_is_no_backup(self) -> str:
        (self.folder / "no.backup").write_text("no backup")
        return self.command("db", "restore-backup", "no.backup", "--yes").err

    # Candles

    def a_sweep_without_candles(self) -> str:
        host = self.archive.url
        self.names["archive"] = f"--from 2024-11 --to 2024-11 --timeframe 1h --base-url {host}"
        return self.command("sweep").err

    def a_folder_without_candles(self) -> str:
        (self.folder / "candles").mkdir()
        return self.command("market", "check", "candles", "--all").err

    def a_market_that_the_folder_lacks(self) -> str:
        return self.command("sweep", "--data", "candles").err

    def pulled_candles(self) -> str:
        return self.done("market", "pull", "BTCUSDT", *self.names["archive"].split()).out

    def the_end_of_a_demo(self) -> str:
        self.screen.readouterr()
        demo._next_steps(Path("report.html"))
        return self.screen.readouterr().out

    # On a plane

    def a_flag_that_nobody_set(self) -> str:
        self.done("unset", GAMMA, "-r", "x", "--yes")
        asked = self.http_as("cy").post(f"/ofrep/v1/evaluate/flags/{GAMMA_KEY}", json={"context": {}})
        return str(asked.json()["errorDetails"])

    def a_caller_without_a_role(self) -> str:
        return self.wanting("stranger")

    def a_caller_beyond_their_limit(self) -> str:
        self.done("accounts", "limit", "ada", "--role", "config_write", "--scope", "symbol=*")
        return self.wanting("ada")

    def a_token_that_is_none(self) -> str:
        plane = str(self.http_as("cy").base_url).rstrip("/")
        return refusal(setpoint.pin, environ={"SETPOINT_URL": plane, "SETPOINT_TOKEN": "spt_none"})

    def a_provider_that_nobody_believes(self) -> str:
        issuer = ("--issuer", "https://issuer.example", "--subject", "4711")
        return self.command("accounts", "link", "cy", *issuer).err

    def a_change_whose_author_is_shut_out(self) -> str:
        opened = self.proposal("ada", apply_at="2999-01-01T00:00:00Z")
        self.names["change"] = str(opened.json()["change"])
        self.done("accounts", "disable", "ada", "-r", "x")
        return self.command("change", "apply", self.names["change"]).err

    def wanting(self, person: str) -> str:
        """Return the hint of what refuses a person a change of global."""
        refused = self.proposal(person)
        assert refused.status_code == 403, refused.text
        return str(refused.json()["hint"])

    def proposal(self, person: str, **more: str) -> httpx.Response:
        tag = self.http_as("cy").get("/v1/config/global").headers["ETag"]
        body = {"set": {GAMMA_KEY: 0.55}, "reason": "x", **more}
        return self.http_as(person).patch("/v1/config/global", json=body, headers={"If-Match": tag})

    # Emergencies

    def an_emergency_that_is_none(self) -> str:
        bored = break_glass.Emergency("INC-2", "https://chat.example/p2", "bored")

        def restore() -> None:
            with break_glass.emergency_session(Settings.from_environ()) as session:
                break_glass.restore(session, bored, "global", 1)

        return refusal(restore)

    def an_emergency_of_many_edits(self) -> str:
        self.done(
            "break-glass", "channel", "declare", "https://chat.example/", "--responsible", "bo", "-r", "x"
        )
        self.done("export", "config")
        values = tomllib.loads((self.folder / "config/documents/global.toml").read_text())["values"]
        numbers = {key: value for key, value in values.items() if type(value) in {int, float}}
        pairs = [f"{key}={value + 1}" for key, value in list(numbers.items())[:LONG]]
        self.done("break-glass", "set", *pairs, *EMERGENCY)
        return self.done("break-glass", "template", "post-mortem", "--incident", "INC-2").out

    # Databases: from each on the commands work on that one

    def a_database_without_tables(self) -> str:
        self.turn_to("without_tables")
        return self.command("history").err

    def a_server_that_is_down(self) -> str:
        self.patch.setenv("SETPOINT_DATABASE_URL", DOWN)
        return self.command("history").err

    def a_database_of_an_older_build(self) -> str:
        owner = self.turn_to("older_build")
        with psycopg.connect(owner) as connection:
            connection.execute(UNSQUASHED.read_text(encoding="utf-8"))  # type: ignore[arg-type]
        printed = self.command("history").err
        self.turn_to("empty")
        self.done("db", "migrate")
        return printed

    def turn_to(self, database: str) -> str:
        """Make a database, and have the commands work on it; returns its owner's URL."""
        self.server.administer(f"CREATE DATABASE {database}")
        self.names[f"database {database}"] = database
        owner = str(self.server.url(database, owner=True))
        self.patch.setenv("SETPOINT_DATABASE_URL", self.server.url(database))
        self.patch.setenv("SETPOINT_MIGRATE_URL", owner)
        return owner

    def clear(self) -> None:
        """Drop the databases that were made."""
        for made in [name for key, name in self.names.items() if key.startswith("database ")]:
            self.server.administer(f"DROP DATABASE {made} WITH (FORCE)")
