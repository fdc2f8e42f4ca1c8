"""`setpoint edit`: a real editor process changes the file; what it saved is proposed."""

import sys
import tomllib
from pathlib import Path

import pytest

import setpoint
from setpoint.declare.toml_text import toml_key, toml_scalar
from setpoint.errors import InvalidDocument

GAMMA = "CVN_HPO_XGB_5M_GAMMA"


@pytest.fixture
def seeded(bundled_seeds, setpoint_command, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return setpoint_command


@pytest.fixture
def editor(monkeypatch, tmp_path):
    """Make the body of a function of (text, n) the editor; ``n`` counts how often it was opened."""

    def use(body):
        script = tmp_path / "editor.py"
        script.write_text(
            "import sys\nfrom pathlib import Path\npath = Path(sys.argv[1])\ntext = path.read_text()\n"
            "opened = Path(__file__).with_suffix('.n')\n"
            "n = int(opened.read_text()) + 1 if opened.exists() else 1\nopened.write_text(str(n))\n"
            "Path(__file__).with_suffix('.seen').write_text(text)\n" + body + "\n"
        )
        monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")

    use.seen = (tmp_path / "editor.seen").read_text
    use.opened = lambda: int((tmp_path / "editor.n").read_text())
    use.kept = lambda: sorted(tmp_path.glob("setpoint-*.toml"))
    return use


def replace(old, new):
    return f"path.write_text(text.replace({old!r}, {new!r}))"


def revisions(command):
    return len(command("history", "--json", "--limit", "99").json)


def test_what_is_saved_is_proposed_and_nothing_else_moves(seeded, editor):
    """One changed line is one edit; the file is gone afterwards."""
    editor(replace(f"\n{GAMMA} = 0.0", f"\n{GAMMA} = 0.5"))
    done = seeded("edit", "XGB_5M", "-r", "less overfitting", "--yes", "--json")

    assert done.code == 0, done.err
    assert done.json["edits"] == [{"op": "replace", "key": GAMMA, "old": 0.0, "new": 0.5}]
    assert seeded("history", "--json").json[0]["change_reason"] == "less overfitting"
    assert not editor.kept()


def test_the_file_says_what_a_person_needs_to_know(seeded, editor):
    """Type, inclusive bounds, unit, meaning and the seed's source stand above each key of the match."""
    editor("")
    done = seeded("edit", "xgb_5m_gamma", "-r", "looking", "--yes")
    lines = editor.seen().splitlines()
    where = lines.index(f"{GAMMA} = 0.0")

    assert done.out.strip() == "nothing changed, nothing proposed"
    assert lines[where - 2] == "# Least loss reduction a split must bring."
    assert lines[where - 1] == "# float: 0.0 to 1000.0 inclusive, in loss; seeded: library default"
    assert set(tomllib.loads(editor.seen())) == {GAMMA} | {
        f"{GAMMA}_RANGE_{f}" for f in ("MIN", "MAX", "SCALE")
    }


@pytest.mark.parametrize(
    "body",
    ["", "path.write_text('')", "path.write_text('# changed my mind\\n')"],
    ids=["as is", "empty", "notes"],
)
def test_an_unchanged_or_emptied_file_does_nothing(seeded, editor, body):
    """As with a commit message, emptying it is how to leave."""
    editor(body)
    before = revisions(seeded)
    done = seeded("edit", "-r", "nothing", "--yes")

    assert (done.code, revisions(seeded)) == (0, before)
    assert not editor.kept()


def test_a_removed_line_removes_its_key_from_the_scope(seeded, editor):
    """What is no longer in the shown part is no longer in the document."""
    assert seeded("set", f"{GAMMA}=0.7", "-s", "symbol=BTCUSDC", "--new", "-r", "own", "--yes").code == 0
    editor(replace(f"\n{GAMMA} = 0.7", "\nCVN_HPO_XGB_5M_SUBSAMPLE = 0.7"))
    done = seeded("edit", "XGB_5M", "-s", "symbol=BTCUSDC", "-r", "other", "--yes", "--json")

    assert [(edit["op"], edit["key"]) for edit in done.json["edits"]] == [
        ("remove", GAMMA),
        ("add", "CVN_HPO_XGB_5M_SUBSAMPLE"),
    ]
    assert "# CVN_HPO_XGB_5M_SUBSAMPLE = 0.8" in editor.seen()


def test_a_wrong_file_is_opened_again_below_its_errors(seeded, editor):
    """The second time the editor sees what was wrong, and a mended text is taken."""
    editor(
        f"if n == 1: {replace(f'{GAMMA} = 0.0', f'{GAMMA} = -1.0')}\n"
        f"else: {replace(f'{GAMMA} = -1.0', f'{GAMMA} = 1.0')}"
    )
    done = seeded("edit", "XGB_5M_GAMMA", "-r", "mended", "--yes", "--json")

    assert done.code == 0, done.err
    assert editor.opened() == 2
    assert "below the hard bound 0.0" in editor.seen().splitlines()[1]
    assert done.json["edits"][0]["new"] == 1.0


@pytest.mark.parametrize("flags", [("--no-retry",), ()], ids=["told not to retry", "saved again as it was"])
def test_a_file_that_stays_wrong_is_kept(seeded, editor, flags):
    """Nobody's text is lost, and nothing is half done."""
    editor(f"if n == 1: {replace(f'{GAMMA} = 0.0', f'{GAMMA} = 5000.0')}")
    before = revisions(seeded)
    done = seeded("edit", "XGB_5M_GAMMA", "-r", "wrong", "--yes", *flags)
    (kept,) = editor.kept()

    assert (done.code, revisions(seeded)) == (3, before)
    assert "above the hard bound 1000.0" in done.err
    assert f"kept in {kept}" in done.err
    assert f"{GAMMA} = 5000.0" in kept.read_text()


def test_a_write_meanwhile_makes_the_save_stale(seeded, editor, monkeypatch):
    """Another revision between opening and saving: a conflict, and the text is kept."""
    monkeypatch.setenv("PYTHONPATH", str(Path(setpoint.__file__).parents[1]))
    other = ["-m", "setpoint.cli", "set", "CVN_HPO_LGB_5M_MAX_DEPTH=5", "-r", "meanwhile", "--yes"]
    editor(
        f"import subprocess\nsubprocess.run([sys.executable, *{other!r}], check=True, capture_output=True)\n"
        + replace(f"{GAMMA} = 0.0", f"{GAMMA} = 0.5")
    )
    done = seeded("edit", "XGB_5M", "-r", "slow typist", "--yes")

    assert done.code == 5
    assert "global is at revision" in done.err
    assert len(editor.kept()) == 1
    assert seeded("get", GAMMA).out.strip() == "0.0"


@pytest.mark.parametrize(
    ("command", "said"), [("false", "ended with 1"), ("no-such-editor", "cannot be started")]
)
def test_an_editor_that_fails_proposes_nothing(seeded, monkeypatch, command, said):
    """The editor is named, and the text is kept."""
    monkeypatch.setenv("EDITOR", command)
    monkeypatch.delenv("VISUAL", raising=False)
    done = seeded("edit", "XGB_5M", "-r", "no editor", "--yes")

    assert done.code == 2
    assert said in done.err
    assert "your text is kept in" in done.err


@pytest.mark.parametrize("value", [0.1, 1.0, 1e-05, 1e300, 5e-324, 1, -3, 2**70, True, 'a"b\\c\n\x7f\x01é😀'])
def test_a_scalar_survives_toml_with_its_type(value):
    """What TOML reads back is the same value of the same type."""
    back = tomllib.loads(f"{toml_key('a key')} = {toml_scalar(value)}")["a key"]

    assert (back, type(back)) == (value, type(value))


def test_toml_has_no_null():
    """What TOML cannot say is refused."""
    with pytest.raises(InvalidDocument):
        toml_scalar(None)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("xgb/5m/gamma", [GAMMA, *(f"{GAMMA}_RANGE_{end}" for end in ("MIN", "MAX", "SCALE"))]),
        ("xgb/5m/gamma_range", [f"{GAMMA}_RANGE_{end}" for end in ("MIN", "MAX", "SCALE")]),
        ("label_moving_share", ["CVN_FTF_LABEL_MOVING_SHARE"]),
    ],
)
def test_an_address_is_taken_as_set_takes_it(seeded, editor, address, shown):
    """What `set` calls a key by opens that key, with its range, and nothing else."""
    editor("")
    assert seeded("edit", address, "-r", "look", "--yes").code == 0
    assert list(tomllib.loads(editor.seen())) == shown


def test_an_address_that_is_none_opens_nothing(seeded, editor):
    """A misspelt address names what is near, and no editor starts."""
    editor("")
    refused = seeded("edit", "xgb/5m/gama", "-r", "look", "--yes")

    assert refused.code == 4
    assert "did you mean xgb/5m/gamma" in refused.err
    assert "kept in" not in refused.err
