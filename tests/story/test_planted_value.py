"""A planted bad value meets its canary: real trainings of a real candidate, and nobody has to look."""

import subprocess

import pytest

from support.sweep_home import seed_tiny

#: Two pairs of sweeps, with as many processes as there are cores.
pytestmark = pytest.mark.whole_machine

CONTEXT = ("--context", "profile=tiny")
WHY = ("--scope", "profile=tiny", "--reason", "as planted", "--yes")
#: With these nothing is bought any more.
PLANTED = {"CVN_FTF_THRESHOLD_LOW": 0.9, "CVN_FTF_THRESHOLD_HIGH": 0.95}
RATE = "CVN_HPO_LGB_5M_LEARNING_RATE"


@pytest.fixture(autouse=True)
def committed(monkeypatch, tmp_path):
    """Work in a folder that is committed: evidence from a dirty one does not count."""
    monkeypatch.chdir(tmp_path)
    for words in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m first"):
        subprocess.run(["git", *words.split()], check=True)


def canary_of(typed, *edits):
    """Propose values that Bo approves, and let a robot train their canary; returns it and what was said."""
    typed("ada", "set", *edits, *WHY, code=11)
    change = str(typed("ada", "change", "list", "--json").json[0]["id"])
    typed("ada", "rollout", "skip", change, "--reason", "values move", *CONTEXT)
    typed("ada", "rollout", "start", change, "canary", *CONTEXT)
    typed("bo", "change", "approve", change, "--yes", code=11)
    typed("robot", "sweep", "--change", change, *CONTEXT, "--data", "synthetic", "--json")
    return change, typed("ada", "rollout", "judge").out


def test_a_planted_value_ends_its_canary_and_a_good_one_is_promoted(typed, database, bundled_seeds):
    """The first is rejected by its verdict and was in force for nobody; the second waits for a person."""
    seed_tiny(database)
    typed("ada", "set", "CVN_FTF_VERDICT_MIN_SKILL=-1.0", *WHY)  # an invented market has nothing to find
    typed("ada", "policy", "set", "--approvals", "1", "--reason", "four eyes", "--yes")
    typed("ada", "seed", "--apply")

    planted, said = canary_of(typed, *(f"{key}={value}" for key, value in PLANTED.items()))
    shown = typed("cy", "change", "show", planted, "--json").json
    assert "rollback" in said
    assert (shown["state"], shown["applied_revision"]) == ("rejected", None)
    assert "0.9" not in typed("cy", "get", "CVN_FTF_THRESHOLD_LOW", *CONTEXT).out

    good, said = canary_of(typed, f"{RATE}=0.09")
    assert "pass" in said
    assert "0.09" not in typed("cy", "get", RATE, *CONTEXT).out
    typed("ada", "rollout", "promote", good)
    assert "0.09" in typed("cy", "get", RATE, *CONTEXT).out
