"""The first use of a scope: no door makes one that nobody said is meant."""

import json

from typer.main import get_command

from setpoint.cli import __main__ as command_line
from setpoint.cli.app import app

KEY = "CVN_HPO_XGB_5M_GAMMA"
KNOWN = "symbol=BTCUSDC"
TRAIN = "import xgboost as xgb\n\nxgb.XGBClassifier(learning_rate=0.1)\n"
MOVED = ("--at", "timeframe=5m", "--write", "--propose")
#: The commands that can make a scope, each with a scope of its own that looks like the known one.
COMMANDS = {
    "set": ("set", f"{KEY}=0.5", "--scope", "symbol=BTCUSD1"),
    "edit": ("edit", KEY, "--scope", "symbol=BTCUSD3"),
    "policy set": ("policy", "set", "--approvals", "0", "--kind", "value", "--scope", "symbol=BTCUSD4"),
    "externalize": ("externalize", "train.py", *MOVED, "--scope", "symbol=BTCUSD5"),
    "apply": ("apply", "edited"),
    "import": ("import", "exported"),
}
MADE = {"apply": "symbol=BTCUSD6", "import": "symbol=BTCUSD7"}
#: The same over HTTP: who, method, path and body.
REQUESTS = {
    ("POST", "/v1/changes"): (
        "ada",
        "/v1/changes",
        {"scope": "symbol=BTCUSD8", "base": 0, "set": {KEY: 0.5}},
    ),
    ("PUT", "/v1/policies/{scope}/{kind}"): ("dan", "/v1/policies/symbol=BTCUSD9/value", {"approvals": 0}),
}


def commands_with(option, group, name=()):
    """Return the names of the commands that have an option."""
    for word, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands_with(option, one, (*name, word))
        elif any(option in parameter.opts for parameter in one.params):
            yield " ".join((*name, word))


def folders_of(setpoint_command, server, clone, monkeypatch):
    """Write a folder that was exported where another scope is known, and one with a file of a third."""
    server.administer(f"CREATE DATABASE elsewhere TEMPLATE {clone} STRATEGY file_copy")
    with monkeypatch.context() as patched:
        patched.setenv("SETPOINT_DATABASE_URL", server.url("elsewhere"))
        scope = ("--scope", MADE["import"], "--new")
        assert setpoint_command("set", f"{KEY}=0.5", *scope, "-r", "x", "--yes").code == 0
        assert setpoint_command("export", "exported").code == 0
    server.administer("DROP DATABASE elsewhere WITH (FORCE)")


def test_no_command_makes_a_scope_by_mistake(seeded, server, clone, tmp_path, monkeypatch):
    """With `--yes` each refuses a scope that looks like another, names that, and takes `--new`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISUAL", f"sed -i '$a{KEY} = 0.5'")
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "pyproject.toml").write_text('[tool.setpoint.gate]\ninclude = ["train.py"]\n')
    assert seeded("set", f"{KEY}=0.4", "--scope", KNOWN, "--new", "-r", "x", "--yes").code == 0
    folders_of(seeded, server, clone, monkeypatch)
    assert seeded("export", "edited").code == 0
    document = (tmp_path / f"edited/documents/{KNOWN}.toml").read_text()
    (tmp_path / f"edited/documents/{MADE['apply']}.toml").write_text(document.replace(KNOWN, MADE["apply"]))
    command_line._commands()
    assert set(COMMANDS) == set(commands_with("--new", get_command(app)))

    for name, arguments in COMMANDS.items():
        scope = MADE.get(name, arguments[-1])
        refused = seeded(*arguments, "-r", "x", "--yes")
        assert refused.code == 2, (name, refused.out, refused.err)
        assert f"{scope} was never used before; like it: " in refused.err
        assert KNOWN in refused.err
        assert scope not in seeded("scope", "list").out, name
        meant = seeded(*arguments, "-r", "x", "--yes", "--new")
        assert meant.code == 0, (name, meant.out, meant.err)


def test_no_request_makes_a_scope_by_mistake(seeded, http_as):
    """Each refuses it with a code of its own and what looks like it, and takes `new_scope`."""
    assert seeded("set", f"{KEY}=0.4", "--scope", KNOWN, "--new", "-r", "x", "--yes").code == 0
    document = http_as("cy").get("/openapi.json").json()
    bodies = {
        name
        for name, shape in document["components"]["schemas"].items()
        if "new_scope" in shape.get("properties", {})
    }
    doors = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if any(f'/schemas/{name}"' in json.dumps(operation.get("requestBody")) for name in bodies)
    }
    assert doors == set(REQUESTS)

    for (method, _), (person, path, body) in REQUESTS.items():
        wanted = {**body, "reason": "x"}
        refused = http_as(person).request(method, path, json=wanted)
        assert (refused.status_code, refused.json()["code"]) == (422, "never_used_scope"), refused.text
        assert refused.json()["where"]["near"] == [KNOWN]
        meant = http_as(person).request(method, path, json={**wanted, "new_scope": True})
        assert meant.status_code in {200, 201}, meant.text


def test_nothing_is_removed_from_a_scope_that_is_none(seeded):
    """`unset` makes no scope, so it offers none: it says that there is none, and what is like it."""
    assert seeded("set", f"{KEY}=0.4", "--scope", KNOWN, "--new", "-r", "x", "--yes").code == 0
    done = seeded("unset", KEY, "--scope", "symbol=BTCUSD2", "-r", "x", "--yes")

    assert done.code == 4
    assert f"there is no scope symbol=BTCUSD2; like it: {KNOWN}" in done.err
    assert "setpoint scope list" in done.err
