"""False alarms, counted over everything that is installed; the boosters' own code has many findings."""

import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from setpoint.declare.loading import bundled_catalogues, load_catalogues
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from setpoint.gate.policy.config import Config
from setpoint.gate.scan import scan

STANDARD = Path(sysconfig.get_path("stdlib"))
SITE = Path(sysconfig.get_path("purelib"))
#: Packages whose own parameters these names are: what is found there is no false alarm.
LEARNERS = {"catboost", "lightgbm", "optuna", "setpoint", "sklearn", "xgboost"}
#: False alarms in each other package that is installed, and why each cannot be told from a hyperparameter.
FALSE_ALARMS: dict[str, tuple[int, str]] = {}


@pytest.fixture(scope="module")
def judge():
    return Judge(Names.load(load_catalogues(",".join(bundled_catalogues()))), {})


def installed():
    """Return every installed package and module that learns nothing, wherever it holds Python."""
    found = [path for path in sorted(SITE.iterdir()) if path.name.partition(".")[0] not in LEARNERS]
    found = [
        path for path in found if not path.name.startswith((".", "_")) and not path.name.endswith("-info")
    ]
    return [path for path in found if path.suffix == ".py" or next(path.rglob("*.py"), None)]


@pytest.mark.whole_machine  # so many files are parsed by two processes
def test_false_alarms_over_all_installed_packages(judge):
    """Over every package but the learners, more than 8,000 files, the known false alarms are found."""
    packages = installed()
    told = scan(packages, SITE, Config(), judge)
    found = Counter(finding.path.partition("/")[0] for finding in told.findings)

    assert found == {package: count for package, (count, _) in FALSE_ALARMS.items()}, [
        f"{f.path}:{f.line} {f.name}" for f in told.findings
    ]
    assert told.failures == []
    assert (len(packages) > 80, told.files > 8000, told.parsed > 150) == (True, True, True)


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
