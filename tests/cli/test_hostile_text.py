"""Text from people is text: what they wrote is shown whole, and neither read as markup nor obeyed.

Every registered command that prints what is stored runs here over a database in which every text that a
person, or a failing library, can put there is hostile. A new command stands in one of the two tables or
fails. Not staged: hostile texts that the database or the catalogue refuses (names of accounts, scopes, keys).
"""

import html
import json
import re
from pathlib import Path

import psycopg
import pytest

from setpoint.cli.reach import COMMANDS
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.results import UnitEntry, UnitFailure
from setpoint.observe.printable import printable
from setpoint.record.database_recorder import DatabaseRecorder
from setpoint.train.plan import make_plan
from support.checkpoint_sources import calendar_text, evidence_served
from support.openapi import document_of
from support.sweep_home import ADA, pinned_units, seed_tiny

HOSTILE = (
    "[/]",
    "[hotfix] lower, see list[int]",
    "[red]x[/red] [link=https://a.example]y[/link]",
    "\x1b[2Jgone \x1b]0;title\x07 \x9b31m",
    "cod\u202egnp.exe \u2066x\u2069 \u200bhidden",
    "two\nlines\r\tand back\b\b",
    ":warning: 100% {curly} \\x1b \\[/]",
    "\U000e0041 \x7f \u2028 seen",
    "l" + "o" * 1500 + "ng",
)
GAMMA = "xgb/5m/gamma"
#: Commands that print what is stored: `RUN` is a run, `DONE` one that ended, `OPEN` a change, `TMP` a folder.
SHOWN = {
    "seed": [["seed", "--dry-run"]],
    "coverage": [["coverage"]],
    "doctor": [["doctor"]],
    "metrics": [["metrics"], ["metrics", "--json"]],
    "alerts list": [["alerts", "list"], ["alerts", "list", "--json"]],
    "alerts show": [["alerts", "show", "hp_fallback_rate_high"]],
    "baseline set": [["baseline", "set", "DONE", "-r", text] for text in HOSTILE],
    "baseline list": [["baseline", "list"]],
    "get": [["get", GAMMA]],
    "set": [["set", f"{GAMMA}=0.9", "-r", HOSTILE[0], "--yes"]],
    "change list": [["change", "list", "--state", "all"]],
    "change show": [["change", "show", "OPEN"], ["change", "show", "1"]],
    "change diff": [["change", "diff", "1", "OPEN"]],
    "change impact": [["change", "impact", "OPEN"]],
    "change effects": [["change", "effects", "OPEN"]],
    "change comment": [["change", "comment", "OPEN", "-m", text] for text in HOSTILE],
    "change repeat": [["change", "repeat", "OPEN", "-r", text] for text in HOSTILE],
    "change amend": [["change", "amend", "OPEN", f"{GAMMA}=0.8"]],
    "rollout skip": [
        ["rollout", "skip", "OPEN", "-r", "".join(HOSTILE[:8])],
        ["rollout", "show", "OPEN"],
        ["rollout", "list"],
    ],
    "scope list": [["scope", "list"]],
    "freeze list": [["freeze", "list"]],
    "policy show": [["policy", "show"]],
    "history": [["history"], ["history", GAMMA], ["history", "--search", "gone"]],
    "diff": [["diff", "1", "4"]],
    "blame": [["blame", "XGB_5M"]],
    "restore": [["restore", "1", "--dry-run"]],
    "verify": [["verify"]],
    "explain": [["explain", GAMMA]],
    "break-glass status": [["break-glass", "status"]],
    "checkpoints": [["checkpoints"]],
    "rollback": [["rollback"]],
    "break-glass template": [["break-glass", "template", "drill"]],
    "break-glass channel list": [["break-glass", "channel", "list"]],
    "export": [["export", "TMP/config"]],
    "plan": [["plan", "TMP/config"]],
    "runs": [["runs"]],
    "show": [["show", "RUN"]],
    "verdict": [["verdict", "RUN"]],
    "compare": [["compare", "RUN", "RUN"]],
    "report": [["report", "RUN", "--out", "TMP/report.html"]],
    "ranges advise": [["ranges", "advise", "DONE"]],
    "accounts list": [["accounts", "list"]],
    "tokens list": [["tokens", "list"]],
    "sessions list": [["sessions", "list"]],
    "passkeys list": [["passkeys", "list"]],
    "audit": [["audit"], ["audit", "--csv"]],
    "notifications list": [["notifications", "list"]],
}
#: Commands that print nothing stored, or only what another command above prints through the same function.
OTHERS = {
    "numbers, states and names that the database restricts": (
        "change approve", "change reject", "change propose", "change withdraw", "change apply", "change due",
        "change ask",
        "accounts add", "accounts roles", "accounts disable", "accounts enable", "accounts once",
        "accounts link", "accounts provider", "accounts confirm",
        "accounts limit", "tokens create", "tokens revoke", "tokens rotate", "sessions end",
        "passkeys remove",
        "freeze declare", "freeze end", "anchor", "pin", "sweep",
        "break-glass post-mortem", "break-glass channel declare", "break-glass channel close",
        "checkpoint decide", "checkpoint draft", "notifications retry", "notifications test",
    ),
    "rollouts, as those after `rollout skip` do": (
        "rollout start", "rollout shadow", "rollout override", "rollout promote", "rollout judge",
        "rollout rollback", "rollout list", "rollout show",
    ),
    "declarations, source code and files": (
        "keys", "catalogue types", "gate", "externalize", "market pull", "market check",
        "break-glass validate", "drill",
        "readiness new", "readiness check", "readiness score", "readiness sunset",
    ),
    "edits, as `set` prints them": (
        "edit", "unset", "scope create", "scope retire", "policy set", "import", "apply",
        "break-glass restore", "break-glass set",
    ),
    "nothing, a server's state, or another program's output": (
        "run", "up", "serve", "db status", "db start", "db stop", "db url", "db migrate", "db psql",
        "db backup", "db backups", "db prove-backup", "db restore-backup", "db prune", "demo",
    ),
}  # fmt: skip


def test_every_registered_command_is_covered():
    """A command that is registered runs over hostile texts, or says why it cannot print one."""
    listed = [*SHOWN, *(name for names in OTHERS.values() for name in names)]

    assert sorted(listed) == sorted(COMMANDS)


@pytest.fixture(scope="module")
def evidence():
    """Trackers whose work packages stand in a status that somebody invented."""
    with evidence_served() as served:
        served.epic = HOSTILE[0]
        yield served


@pytest.fixture
def hostile(database, catalogues, bundled_seeds, setpoint_command, evidence, tmp_path, monkeypatch):
    """Run a command over a database full of hostile texts."""
    for number, text in enumerate(HOSTILE):
        assert setpoint_command("set", f"{GAMMA}=0.{number + 1}", "-r", text, "--yes").code == 0
    assert setpoint_command("accounts", "add", "rob", "--role", "robot").code == 0
    for text in filter(str.isprintable, HOSTILE[:-1]):
        assert setpoint_command("tokens", "create", "rob", "--label", text).code == 0, text
    address = "https://chat.example/[red]/"
    declared = setpoint_command(
        "break-glass", "channel", "declare", address, "--responsible", "[/]", "-r", "[/]"
    )
    assert declared.code == 0, declared.err
    for text in HOSTILE:
        window = ("--from", "2099-01-01", "--until", "2099-01-02")
        assert setpoint_command("freeze", "declare", *window, "-r", text).code == 0
    run = recorded(database, catalogues)
    drafted = setpoint_command("set", f"{GAMMA}=0.77", "-r", HOSTILE[1], "--yes", "--draft", "--json").json
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "bench")
    from recording import Recording

    recording = Recording(database, catalogues)
    done = recording.start("done", 1)
    recording.deliver(done, done.units[0], trials=1)
    recording.finish(done)
    named = {"RUN": run, "DONE": "done", "OPEN": str(drafted["change"])}
    calendar = tmp_path / "calendar.toml"
    calendar.write_text(calendar_text(evidence.address))
    monkeypatch.setenv("SETPOINT_CHECKPOINTS", str(calendar))

    def asked(arguments, *more):
        words = [named.get(word, word).replace("TMP", str(tmp_path)) for word in arguments]
        return setpoint_command(*words, *more)

    return asked


def recorded(database, catalogues):
    """Record a run whose units failed with hostile messages; returns its id."""
    seed_tiny(database)
    snapshots = pinned_units(database, catalogues, {"profile": "tiny"})
    plan = make_plan(HyperparamsSet(snapshots, catalogues), "", 1)
    recorder = DatabaseRecorder(database, catalogues, ADA)
    recorder.start(plan, snapshots)
    for unit, text in zip(plan.units, HOSTILE, strict=False):
        failure = UnitFailure("training_error", text)
        recorder.deliver(plan, [UnitEntry(unit, [], {}, failure=failure)])
    return plan.run


def squeezed(text):
    return "".join(text.split())


def test_hostile_text_is_shown_whole_and_never_obeyed(hostile):
    """No command dies of a text, prints a character that a terminal obeys, or leaves a part of it out."""
    said = {}
    for name, calls in SHOWN.items():
        for arguments in calls:
            done = hostile(arguments)
            written = done.out + done.err
            assert done.code in {0, 1}, (arguments, done.err)
            assert written.replace("\n", "").isprintable(), (arguments, ascii(written))
            said[name] = said.get(name, "") + squeezed(written)
    for name in ("history", "change list", "tokens list", "show"):
        kept = filter(str.isprintable, HOSTILE) if name == "tokens list" else HOSTILE
        missing = [text for text in kept if len(text) < 99 and squeezed(printable(text)) not in said[name]]
        assert not missing, (name, missing)
    assert squeezed(HOSTILE[1]) in said["change show"]
    assert "[/]" in said["break-glass channel list"]


def test_json_gives_hostile_text_back_equal_and_never_obeyed(hostile):
    """--json holds the texts as they were stored, in a form that a terminal shows."""
    done = hostile(["history", "--limit", "50", "--json"])

    assert done.out.replace("\n", "").isprintable()
    assert set(HOSTILE) <= {row["change_reason"] for row in json.loads(done.out)}


def test_an_error_shows_what_it_was_given(setpoint_command, bundled_seeds):
    """A message repeats an argument as text, on one line, also where the argument holds lines and NUL."""
    for text in (*HOSTILE, "nul\0"):
        for arguments in (["get", text], ["set", f"{GAMMA}={text}", "-r", "x"], ["show", text], [text]):
            done = setpoint_command(*arguments)
            assert done.code not in {0, 1}
            assert (done.out + done.err).replace("\n", "").isprintable(), (arguments, ascii(done.err))


#: What stands in the paths and queries of routes; what is not named here cannot be filled, and fails.
PLACES = {
    "against": "RUN",
    "scope": "global",
    "revision": "3",
    "change": "2",
    "key": "CVN_HPO_XGB_5M_GAMMA",
    "run": "RUN",
    "name": "rob",
    "hash": "HASH",
    "code": "invalid",
    "from": "1",
    "to": "4",
}
#: Routes whose answer never ends, or that lead elsewhere.
NOT_READ = {"/v1/stream", "/oidc/login", "/oidc/callback"}
#: Bodies whose bytes are hashed, or made of what a catalogue declares: they hold no text that a person wrote.
AS_STORED = {"/v1/snapshot", "/v1/snapshots/{hash}"}


def test_no_route_answers_what_a_terminal_or_a_page_obeys(hostile, http_as, plane):
    """Every GET, pages too, over the same texts: each answer prints, and what is HTML holds them escaped."""
    dan = http_as("dan")
    run = json.loads(hostile(["runs", "--json"]).out)[0]["id"]
    places = PLACES | {"RUN": run, "HASH": dan.get("/v1/snapshot").headers["Setpoint-Snapshot"]}
    found, read = "", 0
    for path, item in document_of(plane)["paths"].items():
        if "get" not in item or path in NOT_READ:
            continue
        asked = {q["name"]: q for q in item["get"].get("parameters", []) if q.get("required")}
        given = {name: places.get(places[name], places[name]) for name in asked}
        query = {name: value for name, value in given.items() if asked[name]["in"] == "query"}
        answer = dan.get(path.format(**given), params=query)
        assert answer.status_code < 500, (path, answer.text)
        shown = answer.text.replace("\n", "")
        assert shown.isprintable() or path in AS_STORED, (path, ascii(answer.text))
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            assert not re.search(r"<(link=|script>)", answer.text), path
        found, read = found + html.unescape(answer.text), read + 1
    assert read > 40
    assert all(json.dumps(text, ensure_ascii=True)[1:-1] in found or text in found for text in HOSTILE)


def test_the_report_shows_what_failed_as_text(hostile, tmp_path):
    """A report is read in a browser and sent on: each message is in it, what does not print as an escape."""
    assert hostile(["report", "RUN", "--out", "TMP/report.html"]).code == 0
    page = (tmp_path / "report.html").read_text()

    assert page.replace("\n", "").isprintable()
    missing = [text for text in HOSTILE if printable(text, keep="\n") not in html.unescape(page)]
    assert not missing


def test_a_new_name_is_refused_where_it_does_not_print(setpoint_command, bundled_seeds, owner_url):
    """Labels, people and scopes become parts of what others read and copy; the database refuses them too."""
    assert setpoint_command("accounts", "add", "rob", "--role", "robot").code == 0
    channel = ("break-glass", "channel", "declare", "https://chat.example/a/", "-r", "x", "--responsible")
    for text in (text for text in (*HOSTILE, "b\u202ei", "z\u200bw") if not text.isprintable()):
        for arguments in (
            ("tokens", "create", "rob", "--label", text),
            (*channel, text),
            ("scope", "create", f"symbol={text}", f"{GAMMA}=0.1", "-r", "x", "--yes"),
        ):
            done = setpoint_command(*arguments)
            assert done.code == 3, (arguments, done.out, done.err)
            assert done.err.replace("\n", "").isprintable()
        with psycopg.connect(owner_url) as owner, pytest.raises(psycopg.errors.CheckViolation):
            owner.execute("INSERT INTO ftf_config (scope, base_env) VALUES (%s, '{}')", [f"symbol={text}"])
