"""The requests of docs/api.md work, in order, with curl, as a reader would send them."""

import re
import subprocess
from pathlib import Path

from planes import credential

PAGE = Path(__file__).parents[2] / "docs/api.md"
ALIAS = (
    'ask() { curl --silent --show-error --fail-with-body -H "Authorization: Bearer $SETPOINT_TOKEN" "$@"; }\n'
)


def test_the_requests_of_the_guide_work(seeded, http_as, plane, owner_url):
    """Each block of the page is answered with a success."""
    http_as("ada")
    environ = {
        "PATH": "/usr/bin:/bin",
        "SETPOINT_URL": plane,
        "SETPOINT_TOKEN": credential(owner_url, "ada", "token"),
    }
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

    assert len(blocks) >= 6
    for block in blocks:
        done = subprocess.run(
            ["bash", "-c", ALIAS + block],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    assert http_as("cy").get("/v1/config/global").json()["values"]["CVN_HPO_XGB_5M_GAMMA"] == 0.25
