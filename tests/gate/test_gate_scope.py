"""What the gate reads, what it keeps for later, and by whose clock."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from setpoint.gate.__main__ import main
from setpoint.gate.judgement import Judge
from setpoint.gate.policy.config import Config, Exclusion, under
from setpoint.gate.scan import scan

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LITERAL = "learning_rate = 0.5\n"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder to write into, which the gate runs in."""
    monkeypatch.chdir(tmp_path)

    def write(**files):
        for path, text in files.items():
            file = tmp_path / path.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


@pytest.fixture(params=["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def far_zone(request, monkeypatch):
    """A machine whose own day is not that of UTC for half of it."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def run(*arguments, now=NOW):
    return main([*map(str, arguments)], now=now, environ={})


@pytest.mark.parametrize(
    ("pattern", "path", "lies"),
    [
        ("src/legacy", "src/legacy/deep/old.py", True),
        ("src/legacy/", "src/legacy/old.py", True),
        ("src/legacy", "src/legacy2/old.py", False),
        ("src/legacy", "other/src/legacy/old.py", False),
        ("src/*/old.py", "src/legacy/old.py", True),
        ("src/*_test.py", "src/fit_test.py", True),
        ("src/*_test.py", "src/fit.py", False),
        (".", "anything.py", True),
    ],
)
def test_a_path_of_the_configuration_is_a_file_a_folder_or_a_pattern(pattern, path, lies):
    """A folder holds all below it and nothing beside it; a star stands for anything."""
    assert under(path, pattern) is lies


def test_an_exclusion_may_be_a_pattern(gate):
    """Files that a pattern names are left out, their neighbours are not."""
    config = Config(include=(".",), exclude=(Exclusion("src/*_old.py", "ada", "S1"),))
    told = gate("x = 1", config, **{"src/a_old.py": LITERAL, "src/b.py": LITERAL})

    assert [found.path for found in told.findings] == ["src/b.py"]


def test_hidden_folders_are_nobodys_source(tree, capsys):
    """Neither `.git` nor `.venv` is read below a folder; a hidden file is, and so is what is asked for."""
    tree(
        **{".venv/fit.py": LITERAL, ".git/fit.py": LITERAL, "src/.cache/fit.py": LITERAL, "fit.py": "x = 1\n"}
    )

    assert run() == 0
    assert "in 1 file," in capsys.readouterr().out
    assert run(".venv/fit.py") == 1
    tree(**{".env": "XGB_LEARNING_RATE=0.5\n"})
    assert run() == 1


@pytest.mark.parametrize("paths", [["out"], ["out", "out/fit.py"], ["out/fit.py", "out"]])
def test_a_folder_outside_the_scope_fails_files_alone_do_not(tree, paths):
    """A hook names what changed, wherever it lies; whoever names a folder expects it to be read."""
    root = tree(**{"in/fit.py": "x = 1\n", "out/fit.py": LITERAL})
    (root / "pyproject.toml").write_text('[tool.setpoint.gate]\ninclude = ["in"]\n')

    assert run(*paths) == 4
    assert run("out/fit.py") == 0
    assert run("out/fit.py", "in") == 0


def test_a_baseline_never_forgives_housekeeping(tree, capsys):
    """A faulty suppression stays a finding, whatever a first baseline takes in."""
    tree(**{"fit.py": f"{LITERAL}num_leaves = 37  # setpoint: allow SPG101\n"})
    run("--create-baseline", "--baseline", "known.jsonl")
    capsys.readouterr()

    assert run("--baseline", "known.jsonl") == 1
    said = capsys.readouterr().out
    assert said.count(": SPG901 ") == 1
    assert "1 finding in" in said
    assert "; 2 in the baseline" in said


@pytest.mark.parametrize("how", ["--create-baseline", "--update-baseline"])
def test_no_baseline_is_written_over_a_file_that_cannot_be_judged(tree, how):
    """What was not read could hold anything: the baseline stays as it was, or is not begun."""
    root = tree(**{"fit.py": LITERAL})
    if how == "--update-baseline":
        run("--create-baseline", "--baseline", "known.jsonl")
    before = (root / "known.jsonl").read_bytes() if (root / "known.jsonl").exists() else None
    tree(**{"fit.py": "x = 1\n", "broken.py": "learning_rate = = 1\n"})

    assert run(how, "--baseline", "known.jsonl") == 3
    assert ((root / "known.jsonl").read_bytes() if before else None) == before
    assert (root / "known.jsonl").exists() == (how == "--update-baseline")


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        (datetime(2026, 11, 23, 0, 0, 1, tzinfo=UTC), True),
        (datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 24, 1, 59, tzinfo=timezone(timedelta(hours=2))), True),
        (datetime(2026, 11, 24, 0, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 23, 22, 0, tzinfo=timezone(timedelta(hours=-2))), False),
    ],
)
def test_days_end_at_midnight_in_utc(tree, far_zone, now, holds):
    """A suppression holds through its day and a fallback until its day, in UTC, wherever the gate runs."""
    allow = '# setpoint: allow SPG101 reason="x" owner=ada until=2026-11-23'
    root = tree(**{"fit.py": f"learning_rate = 0.5  {allow}\n"})
    assert run(now=now) == (0 if holds else 1)

    (root / "pyproject.toml").write_text("[tool.setpoint.gate]\nfallback-until = 2026-11-24\n")
    tree(**{"fit.py": "hp.resolve('xgb', '5m', 'gamma', fallback=0.5)\n"})
    assert run(now=now) == (0 if holds else 1)


def test_a_literal_agrees_only_when_every_key_that_may_own_it_has_it(gate):
    """One value of many is no agreement: in another timeframe the model would be another one."""
    one, other, none = gate(
        "class XgbTrainer:\n"
        "    a = {'5m': {'learning_rate': 0.08}}\n"
        "    b = {'5m': {'learning_rate': 0.5}}\n"
        "xgb_learning_rate = 0.08\n"
    ).findings
    whole = "; the literal equals the seeded value"

    assert (one.agrees, other.agrees, none.agrees) == (True, False, False)
    assert [whole in found.message for found in (one, other, none)] == [True, False, False]


def test_a_key_without_a_value_agrees_with_nothing(tmp_path, judge):
    """Where nothing is seeded there is nothing to agree with."""
    (tmp_path / "fit.py").write_text("xgb_learning_rate_5m = 0.08\n")
    (found,) = scan([], tmp_path, Config(), Judge(judge.names, {})).findings

    assert "has no seeded value" in found.message
    assert not found.agrees


def test_the_line_for_a_bound_reads_the_governed_range(gate):
    """A bound of a search is replaced by the range, never by the value."""
    for found in gate("trial.suggest_float('learning_rate', 0.01, 0.3)").findings:
        assert ".range(" in found.fix
        assert "resolve" not in found.fix


def test_a_constant_below_src_is_found_from_outside_it(gate):
    """A script beside `src` imports what stands in it, as an installed package."""
    told = gate(
        **{
            "scripts/fit.py": "from settings.rates import LR\nfit(learning_rate=LR)",
            "src/settings/rates.py": "LR = 0.5",
        }
    )

    assert [(found.path, found.name, found.value) for found in told.findings] == [
        ("scripts/fit.py", "learning_rate", 0.5)
    ]


@pytest.mark.parametrize(
    "read",
    [
        "os.environb[b'CVN_HPO_XGB_5M_GAMMA']",
        "os.environb.get(b'CVN_HPO_XGB_5M_GAMMA')",
        "os.getenvb(b'CVN_HPO_XGB_5M_GAMMA')",
        "b'CVN_HPO_XGB_5M_GAMMA' in os.environb",
    ],
)
def test_the_environment_in_bytes_is_the_environment(gate, read):
    """A governed variable is read past the resolver in bytes too; another one is nobody's business."""
    found = gate(f"import os\n{read}\n{read.replace('CVN_HPO_XGB_5M_GAMMA', 'HOME')}").findings

    assert [(one.rule, one.line, one.name) for one in found] == [("SPG201", 2, "CVN_HPO_XGB_5M_GAMMA")]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("xgb.XGBClassifier(**{'scale_pos_weight': w})", "scale_pos_weight"),
        ("xgb.train({'xgb_max_bin': b}, rows)", "xgb_max_bin"),
    ],
)
def test_an_undeclared_parameter_is_seen_in_what_is_spread_and_by_our_own_name_for_it(gate, call, name):
    """Keywords in a spread dict are keywords; a key's own name is none that the library knows."""
    found = gate(f"import xgboost as xgb\n{call}").findings

    assert [(one.rule, one.name) for one in found if one.rule == "SPG301"] == [("SPG301", name)]
