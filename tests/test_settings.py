"""Settings that are paths: every one names the same file to every process, and says what is wrong with it."""

import os
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

import setpoint
from setpoint.change.verification import read_anchor
from setpoint.cli.__main__ import run
from setpoint.client.plane.connection import Plane
from setpoint.client.snapshot import read_snapshot
from setpoint.client.snapshot_set import read_snapshot_set
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.errors import EXIT_OK, SetpointError, UsageError
from setpoint.govern.checkpoints.calendar import load_calendar
from setpoint.govern.checkpoints.sources import open_sources
from setpoint.govern.readiness.parsing import read_file
from setpoint.notify.targets import read_targets
from setpoint.orchestrate.market_folder import market_folder
from setpoint.serve.access.oidc import Provider
from setpoint.serve.metrics.address import listen_address
from setpoint.settings import Settings
from setpoint.store.database import Database
from setpoint.store.server.binaries import bin_folder

SEEDS = Path(setpoint.__file__).parent / "declare/seeds"
PATHS = {one.metadata["variable"]: one for one in fields(Settings) if "whole" in one.metadata}
#: Words in the description of a setting that is a path.
_OF_PATHS = re.compile(r"\b([Ff]ile|[Ff]older|[Pp]ath|[Pp]aths)\b")
#: Settings that only speak of a path.
NO_PATHS = {
    "SETPOINT_SNAPSHOT_HASH", "SETPOINT_SNAPSHOT_SET_HASH", "SETPOINT_PUBLIC_URL", "SETPOINT_TOKEN",
}  # fmt: skip


def test_a_setting_that_is_a_path_is_declared_as_one():
    """A setting whose description speaks of a file or a folder is a path, unless it stands in the list."""
    spoken = {one.metadata["variable"] for one in fields(Settings) if _OF_PATHS.search(one.metadata["doc"])}

    assert spoken - NO_PATHS <= PATHS.keys()
    assert not NO_PATHS & PATHS.keys()


@pytest.mark.parametrize("variable", PATHS)
def test_a_path_names_the_same_file_in_every_folder(variable, tmp_path, monkeypatch):
    """However it is typed, it is absolute from its first reading, and in what a command hands on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    whole = {
        "my data/a.toml": tmp_path / "my data/a.toml",
        "./data.toml": tmp_path / "data.toml",
        "data/": tmp_path / "data",
        "~/a.toml": tmp_path / "me/a.toml",
        " a.toml\n": tmp_path / "a.toml",
        "/etc/a.toml": Path("/etc/a.toml"),
    }
    name = PATHS[variable].name
    for given, path in whole.items():
        read = Settings.from_environ({variable: given})
        assert str(getattr(read, name)) == str(path), given
        assert str(getattr(Settings(**{name: type(getattr(read, name))(given)}), name)) == str(path), given
        monkeypatch.setenv(variable, given)
        run(["keys", "xgb/5m/gamma"])
        assert os.environ[variable] == str(path), given
        assert read.to_environ()[variable] == str(path), given


@pytest.mark.parametrize("variable", PATHS)
def test_a_path_without_a_meaning_is_none_or_refused(variable, tmp_path, monkeypatch):
    """Empty and blank are as good as not set; nobody's home and a folder that is gone are said."""
    unset = getattr(Settings.from_environ({}), PATHS[variable].name)
    for blank in ("", "  ", "\n"):
        assert getattr(Settings.from_environ({variable: blank}), PATHS[variable].name) == unset
    with pytest.raises(UsageError, match=f"{variable}='~nobody-here/a.toml': nobody's home"):
        Settings.from_environ({variable: "~nobody-here/a.toml"})
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match=f"{variable}='a.toml': the folder"):
        Settings.from_environ({variable: "a.toml"})


def test_words_among_paths_stay_words(tmp_path, monkeypatch):
    """A bundled catalogue and the invented market are named by a word, which no folder changes."""
    monkeypatch.chdir(tmp_path)
    read = Settings.from_environ(
        {"SETPOINT_CATALOGUES": "cvntrade, own/more.toml", "SETPOINT_MARKET_DATA": "synthetic"}
    )

    assert read.catalogues == f"cvntrade,{tmp_path}/own/more.toml"
    assert market_folder("", read) == ""
    assert Settings.from_environ({"SETPOINT_SEEDS": "synthetic"}).seeds == f"{tmp_path}/synthetic"


def test_a_home_that_nobody_knows_is_said(monkeypatch):
    """An account without a home folder is told which setting gives it one; a relative data folder is none."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 9)

    assert Settings.from_environ({"HOME": "/h", "XDG_DATA_HOME": "x"}).home == Path(
        "/h/.local/share/setpoint"
    )
    with pytest.raises(UsageError, match="SETPOINT_HOME is not set"):
        Settings.from_environ({})


def _all_of(settings):
    return load_catalogues(settings.catalogues)


#: How each path is read by what needs it. EVENTS is written to, and what is wrong is said once on stderr.
READ = {
    "SETPOINT_HOME": Database.open,
    "SETPOINT_POSTGRES_BIN": bin_folder,
    "SETPOINT_CATALOGUES": _all_of,
    "SETPOINT_SEEDS": lambda settings: load_seeds(settings.seeds, _all_of(settings)),
    "SETPOINT_MARKET_DATA": lambda settings: market_folder("", settings),
    "SETPOINT_SNAPSHOT": lambda settings: read_snapshot(settings.snapshot),
    "SETPOINT_SNAPSHOT_SET": lambda settings: read_snapshot_set(settings.snapshot_set),
    "SETPOINT_METRICS_TOKEN_FILE": lambda settings: listen_address(
        replace(settings, metrics_listen="[::]:1")
    ),
    "SETPOINT_NOTIFY": lambda settings: read_targets(settings.notify),
    "SETPOINT_ANCHOR_FILE": lambda settings: read_anchor(Path(settings.anchor_file)),
    "SETPOINT_OIDC_CLIENT_SECRET_FILE": Provider,
    "SETPOINT_CHECKPOINTS": lambda settings: load_calendar(settings.checkpoints),
    "SETPOINT_READINESS": lambda settings: read_file(Path(settings.readiness)),
    "SETPOINT_GITHUB_TOKEN_FILE": lambda settings: open_sources(load_calendar(), settings),
    "SETPOINT_OPENPROJECT_TOKEN_FILE": lambda settings: open_sources(load_calendar(), settings),
    "SETPOINT_TOKEN_FILE": lambda settings: Plane.from_settings(settings).request("GET", "/"),
}
#: What is good enough, or is judged later by what is read from it.
FITS = {"SETPOINT_HOME": {"nothing", "folder"}, "SETPOINT_MARKET_DATA": {"folder"}}


def test_every_path_has_a_reader_here():
    """A new setting that is a path says here how it is read."""
    assert READ.keys() | {"SETPOINT_EVENTS"} == PATHS.keys()


@pytest.mark.parametrize("variable", READ)
def test_a_wrong_file_is_named_with_what_is_wrong(variable, tmp_path):
    """Nothing there, a file that is no text, a folder: an error names the path and a next step."""
    (tmp_path / "file").write_bytes(b"\xff\x00\xfe")
    (tmp_path / "folder").mkdir()
    for kind in {"nothing", "file", "folder"} - FITS.get(variable, set()):
        environ = {"SETPOINT_HOME": str(tmp_path / "home"), "SETPOINT_URL": "http://127.0.0.1:1"}
        settings = Settings.from_environ({**environ, variable: str(tmp_path / kind)})
        with pytest.raises(SetpointError, match=re.escape(str(tmp_path / kind))) as refused:
            READ[variable](settings)
        assert refused.value.hint, kind
        assert "Errno" not in refused.value.message


def test_a_demo_never_invents_a_market_for_one_that_was_named(tmp_path, monkeypatch, capsys):
    """A misspelt folder of candles ends the demo before it seeds anything; so does one that is a file."""
    monkeypatch.setenv("SETPOINT_MARKET_DATA", str(tmp_path / "misspelt"))

    assert run(["demo"]) == UsageError.exit_code
    assert "misspelt" in capsys.readouterr().err
    assert run(["demo", f"--data={__file__}"]) == UsageError.exit_code
    assert not list(Settings.from_environ().home.glob("postgres/*"))


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["export", ""], "an empty text"),
        (["pin", "--out", " "], "an empty text"),
        (["pin", "--out=~nobody-here/x.json"], "nobody's home"),
        (["externalize", "src", ""], "an empty text"),
    ],
)
def test_an_option_that_is_a_path_is_read_as_a_setting_is(command, problem, capsys):
    """An empty text, which would be the folder one stands in, and nobody's home are refused."""
    assert run(command) == UsageError.exit_code
    assert problem in capsys.readouterr().err


def test_an_option_may_begin_with_a_tilde(tmp_path, monkeypatch):
    """A shell leaves `--out=~/x` as it is: it means the same as `--out ~/x`."""
    monkeypatch.setenv("HOME", str(tmp_path))

    assert run(["pin", f"--seeds={SEEDS}", "--out=~/x.json"]) == EXIT_OK
    assert read_snapshot(tmp_path / "x.json").hash
