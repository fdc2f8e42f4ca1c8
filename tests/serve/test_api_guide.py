"""The requests of docs/api.md work, in order, with curl, as a reader would send them; so does the probe."""

import subprocess
from pathlib import Path

from support.pages import blocks
from support.planes import credential

PAGE = Path(__file__).parents[2] / "docs/api.md"
ALIAS = (
    'ask() { curl --silent --show-error --fail-with-body -H "Authorization: Bearer $SETPOINT_TOKEN" "$@"; }\n'
)


def in_bash(text, plane, token):
    return subprocess.run(
        ["bash", "-c", text],
        env={"PATH": "/usr/bin:/bin", "SETPOINT_URL": plane, "SETPOINT_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_probe_is_asked_as_the_page_says(seeded, plane):
    """Each command of the restore API's page is answered with a success, without a token."""
    (block,) = (block for block in blocks(PAGE.with_name("restore-api.md")) if block.is_typed)
    done = in_bash(block.text, plane, "")

    assert done.returncode == 0, done.stderr
    assert "live" in done.stdout


def test_the_requests_of_the_guide_work(seeded, http_as, plane, owner_url):
    """Each block of the page is answered with a success."""
    http_as("ada")
    token = credential(owner_url, "ada", "token")
    asked = [block.text for block in blocks(PAGE) if block.is_typed]

    assert len(asked) >= 6
    for block in asked:
        done = in_bash(ALIAS + block if not block.startswith("alias") else ALIAS, plane, token)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    assert http_as("cy").get("/v1/config/global").json()["values"]["CVN_HPO_XGB_5M_GAMMA"] == 0.25
