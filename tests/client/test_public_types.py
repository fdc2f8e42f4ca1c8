"""Whoever imports setpoint gets types: pyright knows that of every name, attribute, argument and answer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.npm import installed

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
#: Programs of our own, which nobody imports: they are started.
PROGRAMS = {"serve", "gate", "externalize", "cli"}
#: Whose type is somebody else's to say.
FOREIGN = {
    "setpoint.client.adapters.openfeature.SetpointProvider",
    "setpoint.airflow.hook.SetpointHook",
    "setpoint.airflow.sweep.SetpointSweepOperator",
}
MANY = 3000


def test_every_public_symbol_has_a_type_that_every_checker_reads_alike(tmp_path):
    """`pyright --verifytypes`: none unknown, none that is only inferred, outside of what is started."""
    folder = installed(ROOT / "tests/javascript/pyright", tmp_path, "pyright")
    done = subprocess.run(
        [
            folder / "node_modules/.bin/pyright",
            "--verifytypes",
            "setpoint",
            "--ignoreexternal",
            "--outputjson",
        ],
        cwd=tmp_path,
        env=os.environ | {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))},
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    public = [one for one in told if one["isExported"] and one["name"].split(".")[1] not in PROGRAMS]
    wrong = {one["name"] for one in public if not one["isTypeKnown"] or one["isTypeAmbiguous"]}

    assert len(public) > MANY
    assert wrong <= FOREIGN
