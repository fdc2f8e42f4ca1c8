"""The gate fails closed: what it cannot read, does not find or is not asked is not passed."""

import json
import os
from datetime import UTC, datetime

import pytest

from setpoint.errors import InvalidDocument, MissingError
from setpoint.gate.__main__ import main
from setpoint.gate.policy.config import Config, Exclusion, find_root, load_config
from setpoint.gate.policy.file_selection import files_in_scope

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TABLE = "[tool.setpoint.gate]\n"
EXCLUDE = '[[tool.setpoint.gate.exclude]]\nowner = "ada"\nstory = "S18"\npath = '


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder to write into, which the gate runs in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def gate(*arguments, environ=None):
    return main(list(map(str, arguments)), now=NOW, environ=environ or {})


def write(folder, files):
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_a_folder_that_cannot_be_listed_fails(tree, capsys):
    """A folder deeper than the system reads is a failure, and not an empty one."""
    (tree / "clean.py").write_text("rate = 1\n")
    top = os.open(tree, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=top)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=top)
        os.close(top)
        top = below
    os.close(top)

    assert gate() == 3
    assert "cannot be judged: cannot be read: File name too long" in capsys.readouterr().out
    (tree / "pyproject.toml").write_text(f"{TABLE}{EXCLUDE}'{'d' * 200}'\n")
    assert gate() == 0


@pytest.mark.parametrize("path", ["conf.json", "conf.yaml", "conf.ini", "conf.toml", ".env", "train.py"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_a_file_in_wide_characters_fails(tree, path, encoding):
    """A coding that tears names apart, with a mark at its beginning or without one, hides nothing."""
    text = '{"learning_rate": 0.1}' if path == "conf.json" else "learning_rate: 0.1"
    write(tree, {path: text.encode(encoding)})

    assert gate() == 3


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("conf.json", r'{"learning\u005frate": 0.1}'),
        ("conf.yaml", r'"\u006Cearning_rate": 0.1'),
        ("train.py", r'params["\u006Cearning_rate"] = 0.1'),
    ],
)
def test_an_escape_hides_no_name(tree, path, text):
    """A name is read as its reader will read it, an escaped letter included."""
    write(tree, {path: text})

    assert gate() == 1


@pytest.mark.parametrize(
    "text",
    [
        "[tool.setpoint.gaet]\ninclude = ['src']\n",
        "[tool.setpoint.gate]\n[tool.setpoint.Gate]\n",
        "[tool.setpoint]\ngate = 'x'\n",
        "[tool]\nsetpoint = 'x'\n",
        "[tool.setpoint.gate",
        b"\xff",
    ],
)
def test_a_table_that_is_not_the_gates_is_refused(tree, text, capsys):
    """A misspelt table, or a gate that is none, would silently be no configuration."""
    write(tree, {"pyproject.toml": text, "train.py": "rate = 1\n"})

    assert gate() == 3
    assert "setpoint gate: " in capsys.readouterr().err


def test_a_pyproject_that_cannot_be_read_is_not_taken_for_none(tree):
    """What is there and cannot be read might say anything."""
    (tree / "pyproject.toml").mkdir()

    with pytest.raises(InvalidDocument, match=r"pyproject\.toml cannot be read"):
        load_config(tree)


def test_the_configuration_is_found_from_below(tree, monkeypatch, capsys):
    """In any folder the nearest table upward holds; paths are read from here, and told from there."""
    write(
        tree,
        {
            "pyproject.toml": f"{TABLE}include = ['src/training']\nbaseline = 'known.jsonl'\n",
            "known.jsonl": "",
            "src/pyproject.toml": "[project]\nname = 'x'\n",
            "src/training/fit.py": "learning_rate = 0.1\n",
            "src/other/fit.py": "learning_rate = 0.1\n",
        },
    )
    monkeypatch.chdir(tree / "src/other")

    assert find_root() == tree
    for paths in ((), ("../training",), ("../training/fit.py",), (tree / "src/training/fit.py",)):
        assert gate("--json", *paths) == 1
        assert [f["path"] for f in json.loads(capsys.readouterr().out)["findings"]] == ["src/training/fit.py"]
    assert gate("--root", ".", "--json", "fit.py") == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["path"] == "fit.py"


def test_without_a_table_the_root_is_here(tree, monkeypatch):
    """A pyproject.toml of somebody else above draws no root; a folder that is given must be one."""
    write(tree, {"pyproject.toml": "[project]\nname = 'x'\n", "src/a.py": ""})
    monkeypatch.chdir(tree / "src")

    assert find_root() == tree / "src"
    with pytest.raises(MissingError, match="nowhere is no folder"):
        find_root(tree / "nowhere")


def test_what_the_configuration_names_is_beside_it(tree, monkeypatch, capsys):
    """Catalogues and seeds are those of the root, wherever it runs; files of an option are from here."""
    own = (
        'format = 1\nname = "own"\nversion = "1.0.0"\ntitle = "Own"\nprefix = "OWN"\n'
        '[[parts]]\nname = "model"\nvalues = { xgb = "XGB" }\n'
        '[[parameters]]\nname = "warmth"\ntype = "float"\nlow = 0.0\nhigh = 1.0\ndoc = "How warm."\n'
    )
    seed = 'format = 1\ncatalogue = "own"\nscope = "global"\n'
    seed += '[[values]]\nparameter = "warmth"\nvalue = 0.5\nsource = "a test"\n'
    write(
        tree,
        {
            "pyproject.toml": f"{TABLE}catalogues = 'conf/own.toml'\nseeds = 'conf/seeds'\n",
            "conf/own.toml": own,
            "conf/seeds/own.toml": seed,
            "src/fit.py": "OWN_XGB_WARMTH = 0.5\n",
        },
    )
    monkeypatch.chdir(tree / "src")

    assert gate("fit.py") == 1, capsys.readouterr().err
    assert "equals the seeded value" in capsys.readouterr().out
    assert gate("../src/fit.py", "--create-baseline", "--baseline", "known.jsonl") == 0
    assert capsys.readouterr().out == "src/known.jsonl: 1 finding(s)\n"
    assert (tree / "src/known.jsonl").is_file()
    assert gate("fit.py", "--baseline", "known.jsonl") == 0
    write(tree, {"src/fit.py": "pass\n"})
    assert gate("../src/fit.py", "--baseline", "../src/known.jsonl") == 1
    assert "src/known.jsonl:1:1: SPG905" in capsys.readouterr().out


def test_only_what_packaging_leaves_is_skipped(tree):
    """A package called build, or a folder dist further down, is source as any other."""
    source = ("build/__init__.py", "src/build/fit.py", "src/app/dist/fit.py")
    write(tree, dict.fromkeys((*source, "dist/fit.py", ".venv/fit.py", "src/node_modules/x/fit.py"), ""))

    assert files_in_scope([], tree, Config()) == sorted(tree / path for path in source)


def test_each_folder_must_hold_something(tree, capsys):
    """One included folder that is empty is a failure though its neighbour has files; so is a given one."""
    write(tree, {"src/a.py": "", "docs/a.md": "", "pyproject.toml": f"{TABLE}include = ['src', 'docs']\n"})

    assert gate() == 4
    assert "docs holds no file that the gate reads" in capsys.readouterr().err
    assert gate("src", "docs") == 4
    assert gate("src") == 0


def test_an_exclusion_must_name_something(tree, capsys):
    """An exclusion that outlived its folder would wait for the next one of that name."""
    write(tree, {"src/a.py": "", "src/old_one/b.py": "", "src/gone.py": ""})
    write(tree, {"docs/a.md": ""})
    for path in ("docs", "src/old_one/", "src/old_*", "src/gone.py"):
        write(tree, {"pyproject.toml": f"{EXCLUDE}'{path}'\n"})
        assert gate() == 0
    (tree / "src/gone.py").unlink()

    assert gate() == 4
    assert "the exclusion 'src/gone.py' names nothing" in capsys.readouterr().err
    with pytest.raises(MissingError, match="names nothing"):
        files_in_scope([], tree, Config(exclude=(Exclusion("src/new_*", "ada", "S18"),)))


def test_one_file_is_read_once(tree, capsys):
    """Named relatively, absolutely, through its folder or through another one, a file is the same."""
    write(tree, {"src/fit.py": "learning_rate = 0.1\n", "other/a.py": ""})

    gate("src", "src/fit.py", tree / "src/fit.py", "other/../src/fit.py")
    assert "1 finding in 1 file" in capsys.readouterr().out


def test_the_summary_says_what_is_out_of_scope(tree, capsys):
    """Files that were named and that the configuration leaves out are counted aloud."""
    write(tree, {"src/a.py": "", "tests/a.py": "", "tests/b.py": "", "pyproject.toml": "[x]\n"})
    write(tree, {"pyproject.toml": f"{TABLE}include = ['src']\n"})
    gate("src", "tests")
    assert "0 findings in 1 file, 0 of them parsed; 2 files out of scope." in capsys.readouterr().out
    gate("src")
    assert "out of scope" not in capsys.readouterr().out


@pytest.mark.parametrize("key", ["enforce-from", "merged-at"])
def test_a_flag_does_not_outlive_the_configured_instant(tree, key):
    """An instant in the configuration can be brought forward by a flag, and never put off."""
    write(
        tree,
        {"train.py": "learning_rate = 0.1\n", "pyproject.toml": f"{TABLE}{key} = 2020-01-01T00:00:00Z\n"},
    )
    warn = {"WARN_ONLY": "1"}
    assert gate("--enforce-from", "2099-01-01T00:00:00Z", environ=warn) == 1
    assert gate("--merged-at", "2099-01-01T00:00:00Z", environ=warn) == 1

    write(tree, {"pyproject.toml": f"{TABLE}{key} = 2099-01-01T00:00:00Z\n"})
    assert gate(environ=warn) == 0
    assert gate("--enforce-from", "2020-01-01T00:00:00Z", environ=warn) == 1
    assert gate("--merged-at", "2020-01-01T00:00:00Z", environ=warn) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--baseline", "nowhere/known.jsonl", "--create-baseline"), 7, "known.jsonl cannot be written"),
        (("--output", "nowhere/said.txt"), 7, "said.txt cannot be written"),
        (("--baseline", "wrong.jsonl"), 3, "line 1 is no entry"),
        (("--baseline", "latin.txt"), 3, "cannot be read"),
        (("--changed", "latin.txt"), 4, "cannot be read"),
        (("--live", "nowhere.json"), 6, "nowhere.json"),
        (("--merged-at", "9999-12-31T23:59:59Z"), 2, "is not an instant"),
        (("--enforce-from", "0001-01-01T00:00:00+01:00"), 2, "is not an instant"),
        (("x" * 300,), 4, "is not there"),
    ],
)
def test_a_wrong_argument_is_no_finding(tree, arguments, code, said, capsys):
    """Exit code 1 is kept for findings: what cannot be done ends with a code and words of its own."""
    entry = dict.fromkeys(["where", "rule", "key", "said", "fingerprint"], "") | {"path": 1}
    write(tree, {"train.py": "learning_rate = 0.1\n", "wrong.jsonl": json.dumps(entry), "latin.txt": b"\xe4"})

    assert gate(*arguments) == code
    assert said in capsys.readouterr().err
