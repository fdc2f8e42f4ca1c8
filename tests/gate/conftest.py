"""The gate over small trees, with the bundled catalogues and seeds."""

import pytest

from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from setpoint.gate.policy.config import Config
from setpoint.gate.scan import scan


@pytest.fixture(scope="session")
def judge():
    catalogues = load_catalogues("cvntrade,cvntrade-training")
    seeds = load_seeds("", catalogues)[0].values
    return Judge(Names.load(catalogues), {key: sourced.value for key, sourced in seeds.items()})


@pytest.fixture
def gate(tmp_path, judge):
    """Write files and return what the scan of them says; they are declared to be training code."""

    def run(text="", config=None, *, declared=True, **files):
        for path, content in {"train.py": text, **files}.items():
            file = tmp_path / path.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        return scan([tmp_path], tmp_path, config or Config(include=(".",) if declared else ()), judge)

    return run
