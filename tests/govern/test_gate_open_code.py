"""False alarms: well-known open code that trains nothing has no finding; the boosters' own code has many."""

import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from setpoint.declare.loading import bundled_catalogues, load_catalogues
from setpoint.govern.gate.config import Config
from setpoint.govern.gate.judge import Judge
from setpoint.govern.gate.names import Names
from setpoint.govern.gate.scan import scan

STANDARD = Path(sysconfig.get_path("stdlib"))
SITE = Path(sysconfig.get_path("purelib"))
#: Packages full of look-alikes: opacities, recursion limits, orders of trees, seeds, budgets.
LOOK_ALIKES = ("PIL", "graphql", "hypothesis", "joblib", "omegaconf", "schemathesis", "shellingham")


@pytest.fixture(scope="module")
def judge():
    return Judge(Names.load(load_catalogues(",".join(bundled_catalogues()))), {})


@pytest.mark.whole_machine  # so many files are parsed by two processes
def test_code_that_trains_nothing_has_no_finding(judge):
    """Over more than 800 files, no finding and no file that cannot be judged."""
    told = scan([SITE / name for name in LOOK_ALIKES if (SITE / name).is_dir()], SITE, Config(), judge)

    assert [f"{f.path}:{f.line} {f.name}" for f in told.findings] == []
    assert told.failures == []
    assert told.files > 800


@pytest.mark.whole_machine  # so many files are parsed by two processes
def test_the_standard_library_has_no_finding(judge):
    """Over more than 500 files, its tests included where they are installed, nothing is found."""
    told = scan([STANDARD], STANDARD, Config(), judge)

    assert [f"{f.path}:{f.line} {f.name}" for f in told.findings] == []
    assert told.files > 500


def test_the_boosters_own_defaults_are_found(judge):
    """The wrappers of the libraries hold their defaults in signatures, which are literals."""
    told = scan([SITE / "lightgbm/sklearn.py"], SITE, Config(), judge)
    found = Counter(finding.name for finding in told.findings)

    assert {"num_leaves", "learning_rate", "n_estimators", "min_child_samples", "reg_alpha"} <= set(found)
