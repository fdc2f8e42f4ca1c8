"""What the plane sends is HTML as its standard has it, whatever a browser would make of it."""

import json
import subprocess

import httpx
import pytest

from setpoint.serve.access.rules import SESSION_COOKIE
from support.lived_in import addresses, live_in
from support.npm import installed
from support.planes import credential

pytestmark = pytest.mark.real
#: Addresses of nothing.
MISSING = ("/nothing-here", "/runs/none")


def test_every_page_is_valid_html(database, seeded, http_as, plane, owner_url, tmp_path, request):
    """No page breaks a rule of the standard or of accessible markup, read or refused."""
    values = live_in(database, http_as)
    folder = installed(request.path.parent / "html", tmp_path, "html-validate")
    read = {}
    with httpx.Client(base_url=plane, cookies={SESSION_COOKIE: credential(owner_url, "dan")}) as dan:
        for number, address in enumerate([*addresses(values), *MISSING]):
            answer = dan.get(address, headers={"Accept": "text/html"})
            assert answer.status_code == (404 if address in MISSING else 200), address
            (folder / f"page{number}.html").write_text(answer.text, encoding="utf-8")
            read[f"page{number}.html"] = address
    report = folder / "report.json"  # a pipe loses what node has not sent when it exits
    with report.open("w") as output:
        command = ["npx", "html-validate", "--formatter", "json", *read]
        subprocess.run(command, cwd=folder, stdout=output, timeout=120, check=False)
    judged = json.loads(report.read_text(encoding="utf-8"))
    found = {
        (read[page["filePath"].rpartition("/")[2]], one["ruleId"], one["message"], one["line"])
        for page in judged
        for one in page["messages"]
    }
    assert len(read) > 10
    assert not found
