"""Clients that two stock generators make of the OpenAPI document: they read, write, restore, see errors."""

import json
import os
import subprocess
import venv
from pathlib import Path

import httpx
import pytest

from support import npm
from support.planes import credential

GENERATOR = "openapi-python-client==0.29.1"
KEY = "CVN_HPO_XGB_5M_GAMMA"
JAVASCRIPT = Path(__file__).parents[1] / "javascript"
ERRORS = [
    [401, "unauthenticated"],
    [404, "unknown_scope"],
    [403, "forbidden"],
    [422, "invalid_request"],
    [412, "precondition_failed"],
]


def run(command, **more):
    """Run a command to its end and return what it printed; its failure is the test's."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **more)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def installed(command, **more):
    """Install something; without a package registry the test is skipped, on CI it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **more)
    if done.returncode:
        assert not os.environ.get("CI"), done.stderr
        pytest.skip("the stock generators could not be installed: no package registry")


@pytest.fixture
def asked(seeded, http_as, plane, owner_url, tmp_path):
    """What a script is to do, and the document that clients are made of."""
    http_as("ada")
    (tmp_path / "openapi.json").write_bytes(httpx.get(f"{plane}/openapi.json", timeout=60).content)
    return {"url": plane, "token": credential(owner_url, "ada", "token"), "key": KEY, "value": 0.25}


def holds(found, asked):
    """Hold that a script read, wrote and restored, and that its client knew each error."""
    assert found["edited"] == found["restored"] == "applied"
    assert found["before"] == found["after"] != asked["value"]
    assert found["flags"] > 400
    assert found["errors"] == ERRORS
    assert found["etag"].startswith('"')


@pytest.mark.real
def test_a_stock_generator_of_python_clients(asked, tmp_path):
    """openapi-python-client reads the whole document without a warning, and its client works."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    installed([python, "-m", "pip", "install", "-q", GENERATOR])
    folder = tmp_path / "client"
    said = run(
        [
            tmp_path / "venv/bin/openapi-python-client",
            *("generate", "--path", tmp_path / "openapi.json", "--output-path", folder),
        ]
    )
    assert "WARNING" not in said
    script = Path(__file__).parents[1] / "support/use_generated_client.py"
    environ = {**os.environ, "PYTHONPATH": str(folder)}

    holds(json.loads(run([python, script], input=json.dumps(asked), env=environ)), asked)


@pytest.mark.real
def test_a_stock_generator_of_typescript_clients(asked, tmp_path):
    """@hey-api/openapi-ts makes a client that tsc takes in its strict mode, and that works."""
    npm.installed(JAVASCRIPT, tmp_path, "the stock generator")
    made = ["-i", "openapi.json", "-o", "made", "-c", "@hey-api/client-fetch"]
    run(["npx", "openapi-ts", *made], cwd=tmp_path)
    run(["npx", "tsc", "-p", "tsconfig.json"], cwd=tmp_path)

    holds(json.loads(run(["node", "use_generated_client.mjs"], input=json.dumps(asked), cwd=tmp_path)), asked)
