"""Another engine: a review, and edits that a refresh leaves alone, in Debian's Firefox."""

import subprocess

import psycopg
import pytest

from support.debian_programs import program
from support.npm import installed
from support.planes import open_accounts, set_password

pytestmark = pytest.mark.real
PASSWORD = "a long enough password"
ELSEWHERE = """UPDATE ftf_config SET base_env = base_env || '{"CVN_HPO_XGB_1H_GAMMA": 0.625}' WHERE id = 1"""


def test_a_review_and_kept_edits_in_firefox(plane, owner_url, four_eyes, tmp_path, request):
    """The editor proposes, the approver approves; what is typed stays when somebody else writes."""
    open_accounts(owner_url)
    for account in ("ada", "bo"):
        set_password(owner_url, account, PASSWORD)
    folder = installed(request.path.parent / "firefox", tmp_path, "puppeteer")
    command = ["node", "journeys.mjs", plane, PASSWORD, program("firefox-esr")]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as journeys:
        try:
            assert [journeys.stdout.readline() for _ in range(2)] == ["reviewed\n", "typing\n"]
            with psycopg.connect(owner_url) as owner:
                owner.execute(ELSEWHERE)
            _, complaints = journeys.communicate(timeout=60)
        finally:
            journeys.kill()
    assert (journeys.returncode, complaints) == (0, "")
