"""The operator's commands, run as a person would, each on a database of its own."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

import setpoint
from setpoint.cli.__main__ import run
from setpoint.declare.document import text_hash
from setpoint.declare.seeds import load_seeds
from support.hints import printed_command
from support.waiting import wait_for

GAMMA = "CVN_HPO_XGB_5M_GAMMA"


def edit(url, changes):
    """Somebody lays ``changes`` over the global document by hand, as psql would; null removes a key."""
    with psycopg.connect(url) as session:
        session.execute(
            "UPDATE ftf_config SET base_env = jsonb_strip_nulls(base_env || %s::jsonb) WHERE id = 1",
            [changes],
        )


def test_a_dry_run_shows_what_would_change_and_changes_nothing(setpoint_command):
    """On an empty database a dry run exits with 1, lists values with their sources, and writes nothing."""
    first = setpoint_command("seed", "--dry-run")
    again = setpoint_command("seed", "--dry-run", "--json")

    assert first.code == again.code == 1
    assert "global" in first.out
    assert "(chosen" in first.err
    edits = again.json["scopes"][0]["edits"]
    wanted = {"op": "add", "key": GAMMA, "old": None, "new": 0.0, "kind": "new", "source": "library default"}
    assert wanted in edits


def test_apply_prints_coverage_and_a_dry_run_is_then_clean(seeded, catalogues):
    """After applying, everything is covered and the dry run exits with 0."""
    done = seeded("seed", "--apply")

    assert "nothing to write" in done.out
    n_keys = len(catalogues.members[0].keys)
    assert f"coverage cvntrade: {n_keys} of {n_keys} (100.0 %)" in done.out
    assert seeded("seed", "--dry-run").code == 0


def test_a_deployment_that_seeds_is_judged_by_what_is_covered_then(
    setpoint_command, server, clone, people, monkeypatch
):
    """With --fail-under: 1 while values are missing, 11 while what would cover them waits, then 0."""
    assert setpoint_command("seed", "--dry-run", "--fail-under", "100").code == 1
    assert setpoint_command("policy", "set", "--approvals", "1", "-r", "four eyes", "--yes").code == 0
    first = setpoint_command("seed", "--apply", "--fail-under", "100")
    again = setpoint_command("seed", "--apply", "--fail-under", "100")
    assert (first.code, again.code) == (11, 11), first
    assert first.out == again.out, "the same changes wait"
    assert "coverage cvntrade: 0 of" in first.out

    monkeypatch.setenv("SETPOINT_DATABASE_URL", server.url(clone, login="bo"))
    assert setpoint_command("change", "approve", re.findall(r"change (\d+) waits", first.out)[0]).code == 0
    covered = setpoint_command("seed", "--apply", "--fail-under", "100")
    assert (covered.code, "waits for 1 approval" in covered.out) == (0, True), (
        "an overlay waits, covered or not"
    )


def test_a_value_that_is_missing_fails_a_deployment_only_below_its_bound(seeded, owner_url):
    """What there is to write is shown either way; the coverage alone decides."""
    edit(owner_url, f'{{"{GAMMA}": null}}')
    assert seeded("seed", "--dry-run", "--fail-under", "99").code == 0
    done = seeded("seed", "--dry-run", "--fail-under", "100", "--json")
    assert (done.code, done.json["coverage"]["lowest_pct"] < 100) == (1, True)
    assert seeded("seed", "--apply", "--fail-under", "100").code == 0


def test_overwriting_asks_and_yes_answers(seeded, owner_url, monkeypatch):
    """A tuned value is overwritten only when asked for in words."""
    edit(owner_url, f'{{"{GAMMA}": 1.5}}')
    kept = seeded("seed", "--dry-run")
    assert kept.code == 0
    assert f"kept {GAMMA} = 1.5 (seed: 0.0)" in kept.err

    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert seeded("seed", "--apply", "--force-overwrite").code == 130
    assert seeded("explain", GAMMA, "--json").json["layers"][0]["value"] == 1.5
    assert seeded("seed", "--apply", "--force-overwrite", "--yes").code == 0
    assert seeded("explain", GAMMA, "--json").json["layers"][0]["value"] == 0.0


@pytest.mark.parametrize(
    "arguments", [(), ("--dry-run", "--apply"), ("--force-overwrite",), ("--dry-run", "--force-overwrite")]
)
def test_seed_says_how_it_is_used(setpoint_command, arguments):
    """Without a clear intention nothing happens."""
    done = setpoint_command("seed", *arguments)

    assert done.code == 2
    assert "give either --dry-run or --apply" in done.err


@pytest.mark.parametrize(
    "around",
    [
        ("SETPOINT_CATALOGUES", "cvntrad", 3, "no bundled catalogue"),
        ("SETPOINT_CATALOGUES", "/nowhere/x.toml", 3, "cannot be read"),
        ("SETPOINT_SEEDS", "/nowhere", 3, "/nowhere is no folder of seed files"),
        ("SETPOINT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x?connect_timeout=2", 7, "refused"),
    ],
)
def test_what_is_wrong_around_a_seed_is_named(setpoint_command, monkeypatch, around):
    """A wrong catalogue, seed folder or database changes nothing and says why."""
    variable, value, code, complaint = around
    monkeypatch.setenv(variable, value)
    done = setpoint_command("seed", "--apply")

    assert done.code == code
    assert complaint in done.err


def test_coverage_counts_and_names(seeded, owner_url):
    """A removed key is unseeded, an added one undeclared, and the share decides the exit code."""
    assert seeded("coverage", "--fail-under", "100").code == 0
    edit(owner_url, f'{{"{GAMMA}": null, "CVN_HPO_OBJECTIVE": 1}}')
    done = seeded("coverage", "--fail-under", "100")
    audit = seeded("coverage", "--json")

    assert done.code == 1
    assert GAMMA in done.err
    assert audit.code == 0
    assert audit.json["catalogues"][0]["unseeded"] == [GAMMA]
    assert audit.json["catalogues"][0]["seeded"] == audit.json["catalogues"][0]["declared"] - 1
    assert audit.json["undeclared"] == [{"scope": "global", "key": "CVN_HPO_OBJECTIVE"}]


def test_the_share_of_the_hyperparameters_stands_beside_the_lowest(seeded, owner_url):
    """A missing training setting moves the lowest share, not that of the hyperparameters."""
    edit(owner_url, '{"CVN_FTF_ECE_BINS": null}')
    audit = seeded("coverage", "--json").json

    assert (audit["coverage_of"], audit["coverage_pct"]) == ("cvntrade", 100.0)
    assert audit["lowest_pct"] == audit["catalogues"][1]["coverage_pct"] < 100.0


def test_a_snapshot_is_what_sha256sum_names(seeded, tmp_path, app_url):
    """psql, the snapshot file, and sha256sum agree on one hash."""
    done = seeded("pin", "--out", str(tmp_path / "s.json"), "--json")
    content = json.loads((tmp_path / "s.json").read_text())
    with psycopg.connect(app_url) as session:
        stored, computed = session.execute(
            "SELECT hash, encode(sha256(convert_to(base_env::text, 'UTF8')), 'hex') FROM ftf_config"
            " WHERE id = 1"
        ).fetchone()

    assert done.json["hash"] == content["hash"] == stored == computed == text_hash(content["text"])


def test_a_hand_typed_number_keeps_its_text(seeded, tmp_path, owner_url):
    """Somebody typed 0.10: the hash covers those bytes, and the value is 0.1."""
    edit(owner_url, f'{{"{GAMMA}": 0.10}}')
    seeded("pin", "--out", str(tmp_path / "s.json"))
    content = json.loads((tmp_path / "s.json").read_text())

    assert f'"{GAMMA}": 0.10' in content["text"]
    assert seeded("explain", GAMMA, "--json").json["layers"][0] | {"revision": 0} == {
        "scope": "global",
        "revision": 0,
        "author": "unattributed",
        "value": 0.1,
        "wins": True,
    }


def test_explain_shows_every_layer(seeded):
    """The overlay wins in its own context only."""
    layers = seeded("explain", "tuning_trials", "-c", "profile=demo", "--json").json["layers"]

    assert [(layer["scope"], layer["value"], layer["wins"]) for layer in layers] == [
        ("global", 20, False),
        ("profile=demo", 10, True),
    ]
    assert len(seeded("explain", "tuning_trials", "--json").json["layers"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("explain", "xgb/5m/gama"), 4, "did you mean xgb/5m/gamma"),
        (("explain", "CVN_HPO_XGB_5M_GAMA"), 4, "did you mean CVN_HPO_XGB_5M_GAMMA"),
        (("explain", f"{GAMMA}_RANGE_MIN"), 2, "explain xgb/5m/gamma itself"),
        (("explain", GAMMA, "-c", "asset=BTC"), 3, "use one of: profile, timeframe, symbol"),
        (("explain", GAMMA, "-c", "symbol"), 2, "is not <dimension>=<value>"),
        (("explain", GAMMA, "--snapshot", "/nowhere.json"), 6, "cannot be read"),
        (("pin", "--out", "/proc/nowhere/s.json"), 7, "cannot be written"),
        (("show", "20000101-000000-0000"), 4, "setpoint runs"),
        (("verdict",), 4, "setpoint sweep"),
    ],
)
def test_mistakes_are_answered_with_the_next_step(seeded, arguments, code, complaint):
    """Each mistake has its exit code and says what to do."""
    done = seeded(*arguments)

    assert done.code == code
    assert complaint in done.err
    assert "Traceback" not in done.err


def test_a_document_its_declarations_refuse_is_not_pinned(seeded, owner_url, tmp_path):
    """A value broken by hand stops the pin, and no file is written."""
    edit(owner_url, f'{{"{GAMMA}": "0.1"}}')
    done = seeded("pin", "--out", str(tmp_path / "s.json"))

    assert done.code == 3
    assert f"{GAMMA} = '0.1': expected a float, got str" in done.err
    assert not (tmp_path / "s.json").exists()


def test_keys_are_listed_with_what_they_accept(setpoint_command):
    """Declared keys need no database."""
    listed = setpoint_command("keys", "lgb_5m_max_depth", "--json").json

    assert listed[0]["key"] == "CVN_HPO_LGB_5M_MAX_DEPTH"
    assert (listed[0]["low"], listed[0]["high"], listed[0]["type"]) == (-1, 64, "int")
    assert "CVN_HPO_LGB_5M_MAX_DEPTH_RANGE_SCALE" in setpoint_command("keys", "LGB_5M_MAX").out


def test_the_json_of_an_error_is_on_stderr(setpoint_command):
    """Scripts read errors as JSON too."""
    done = setpoint_command("explain", "xgb/5m/gama", "--json")

    assert json.loads(done.err)["error"]["code"] == "unknown_key"
    assert done.out == ""


# --- run: a command becomes the process, so these are processes


@pytest.fixture
def run_environment(seeded, settings):
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(setpoint.__file__).parents[1]),
        "SETPOINT_HOME": str(settings.home),
        "SETPOINT_DATABASE_URL": settings.database_url,
    }


def setpoint_run(environment, *command, **options):
    argv = [sys.executable, "-m", "setpoint.cli", "run", *command]
    return subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_run_hands_the_values_to_any_program(run_environment, catalogues):
    """The program sees every key as a variable, and the snapshot beside them."""
    done = setpoint_run(run_environment, "-c", "profile=demo", "--", "env")
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    (demo,) = [seed.values for seed in load_seeds("", catalogues) if seed.scope == "profile=demo"]

    assert seen[GAMMA] == "0.0"
    assert seen["CVN_FTF_TUNING_TRIALS"] == str(demo["CVN_FTF_TUNING_TRIALS"].value)
    assert json.loads(Path(seen["SETPOINT_SNAPSHOT"]).read_text())["hash"] == seen["SETPOINT_SNAPSHOT_HASH"]


def test_a_python_program_pins_what_run_exported(run_environment):
    """setpoint.pin() inside finds the file, checks it against the variables, and reads."""
    program = (
        "import setpoint; hp = setpoint.pin({'profile': 'demo'}); print(hp.resolve('xgb', '5m', 'gamma'))"
    )
    done = setpoint_run(run_environment, "-c", "profile=demo", "--", sys.executable, "-c", program)

    assert (done.stdout, done.stderr) == ("0.0\n", "")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("sh", "-c", "exit 7"), 7),
        (("no-such-program",), 127),
        (("/",), 126),
        (("sh", "-c", "kill -9 $$"), -9),
    ],
)
def test_run_passes_the_exit_code_through(run_environment, command, code):
    """The command's end is run's end, signals included."""
    assert setpoint_run(run_environment, "--", *command).returncode == code


def test_run_passes_signals_through(run_environment, tmp_path):
    """A signal to run is a signal to the command."""
    ready = tmp_path / "ready"
    command = ("sh", "-c", f"trap 'exit 42' TERM; touch {ready}; while :; do sleep 0.05; done")
    argv = [sys.executable, "-m", "setpoint.cli", "run", "--", *command]
    with subprocess.Popen(argv, env=run_environment) as process:
        wait_for(ready.exists, "the command", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 42


def test_run_without_a_global_document_runs_nothing(setpoint_command, settings, tmp_path):
    """A program never starts with values that are not there."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(setpoint.__file__).parents[1]),
        "SETPOINT_HOME": str(settings.home),
        "SETPOINT_DATABASE_URL": settings.database_url,
    }
    done = setpoint_run(environment, "--", "touch", str(tmp_path / "started"))

    assert done.returncode == 4
    assert "setpoint seed --apply" in done.stderr
    assert not (tmp_path / "started").exists()


@pytest.fixture
def embedded_home(monkeypatch, tmp_path):
    """A home without a server URL: the embedded server is used, and stopped afterwards."""
    home = tmp_path / "embedded"
    monkeypatch.setenv("SETPOINT_HOME", str(home))
    monkeypatch.setenv("SETPOINT_LINGER_S", "0.2")
    yield home
    from setpoint.settings import Settings
    from setpoint.store.server import embedded

    embedded.stop(Settings(home=home), force=True)


def test_the_database_commands_on_an_embedded_server(embedded_home, tmp_path, capfd):
    """Start, status, psql, backup, restore and stop work from a fresh home on."""
    assert run(["db", "status"]) == 0
    assert "embedded, stopped" in capfd.readouterr().out
    assert run(["seed", "--apply"]) == 0
    assert run(["db", "start"]) == 0
    assert run(["db", "status", "--json"]) == 0
    assert '"state": "running"' in capfd.readouterr().out
    assert run(["db", "psql", "--", "-Atc", "SELECT scope FROM ftf_config ORDER BY id"]) == 0
    assert capfd.readouterr().out == "global\nprofile=demo\n"
    assert run(["db", "psql", "--", "-Atqc", "DELETE FROM ftf_config_history"]) != 0
    file = str(tmp_path / "b.backup")
    for name, role in (("dan", "admin"), ("eve", "config_write")):
        assert run(["accounts", "add", name, "--role", role]) == 0
    assert run(["db", "backup", "--out", file]) == 0
    assert f"wrote {file}" in capfd.readouterr().out
    assert run(["db", "backup", "--out", file]) == 5
    assert run(["db", "backup", "--out", file, "--overwrite", "--json"]) == 0
    hashed = json.loads(capfd.readouterr().out)["hash"]
    assert run(["db", "restore-backup", file]) == 5
    assert run(["db", "restore-backup", file, "--replace", "--yes", "--json"]) == 0
    done = json.loads(capfd.readouterr().out)
    assert (done["hash"], done["kept"][:16]) == (hashed, "setpoint_before_")
    assert run(["db", "restore-backup", file, "--replace", "--yes"]) == 0
    printed = capfd.readouterr().out
    assert "wait for `setpoint accounts confirm NAME`: dan, eve" in printed
    once = printed_command("setpoint accounts once NAME", printed).replace("NAME", "dan").split()[1:]
    assert run(once) == 5
    confirm = printed_command("setpoint accounts confirm %s", capfd.readouterr().err).split()[1:]
    assert run(confirm) == run(once) == 0
    confirm = printed_command("setpoint accounts confirm NAME", printed).replace("NAME", "eve").split()[1:]
    assert run(confirm) == 0
    assert run(["coverage", "--fail-under", "100"]) == 0
    assert run(["db", "migrate"]) == 0
    assert run(["db", "stop"]) == 0
    assert run(["db", "stop"]) == 0
    assert "it was not running" in capfd.readouterr().out


def test_a_reader_that_goes_away_is_no_finding(seeded, run_environment):
    """`setpoint keys | head -1` ends with 0: 1 would say that a check found something."""
    argv = [sys.executable, "-m", "setpoint.cli", "keys"]
    with subprocess.Popen(
        argv, env=run_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        complaint = process.stderr.read()
        assert (process.wait(timeout=60), complaint) == (0, b"")


def test_no_is_an_answer(seeded, monkeypatch):
    """Whoever does not say yes is told that nothing was changed."""
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    done = seeded("set", f"{GAMMA}=0.5", "--reason", "r")

    assert done.code == 130
    assert "nothing was changed" in done.err


def test_the_error_of_a_first_read_stands_alone(seeded, monkeypatch, tmp_path):
    """A missing value is one error with the next step, not the tail of an inner one."""
    import setpoint
    from setpoint.errors import MissingValue

    hp = setpoint.pin(environ={"CVN_HPO_XGB_5M_MAX_DEPTH": "6"})
    with pytest.raises(MissingValue, match="setpoint run -- ") as missing:
        hp.resolve("xgb", "5m", "gamma")
    assert missing.value.__context__ is None
