"""The lines of a page to copy: each runs, and gives what the page shows."""

import html
import json
import re
import shlex

from setpoint.serve.console.elsewhere import WAYS
from support.browsers import change_in
from support.console_pages import READ, address_of
from support.hints import parsed

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
#: Pages that have no equal elsewhere, and why.
WITHOUT = {
    "/proof": "it proves who sits at the browser",
    "/proof/oidc": "the same, at the provider",
    "/audit/decisions": "each stands with its change, at every door",
    "/runs/{run}/report": "a document of its own, as `setpoint report` writes it",
    "/runs/{run}/charts/{chart}.svg": "a drawing, for whose numbers its page has lines",
}
LINE = re.compile(r'<dt>(Terminal|curl|Python)</dt><dd class="line"><code>(.*?)</code>')


def test_each_page_has_lines_that_run(person, http_as, plane, lived_in, monkeypatch, capsys):
    """Commands parse, curl's address is answered, Python's line prints; a new page has some, or a reason."""
    dan = person("dan")
    monkeypatch.setenv("SETPOINT_URL", plane)
    monkeypatch.setenv("SETPOINT_TOKEN", dan.secret)
    assert {route.path for route in READ} == WAYS.keys() | WITHOUT.keys()
    for path in WAYS:
        route = next(one for one in READ if one.path == path)
        page = dan.get(lived_in.get(path, address_of(route)))
        lines = {kind: html.unescape(text) for kind, text in LINE.findall(page.text)}
        assert lines, (path, page.status_code)
        if "Terminal" in lines:
            parsed(lines["Terminal"])
        if "curl" in lines:
            *_, address = shlex.split(lines["curl"])
            assert http_as("dan").get(address.replace("$SETPOINT_URL", "")).status_code == 200, address
            exec(compile(lines["Python"], path, "exec"), {})  # noqa: S102 - what a reader is told to run
            assert capsys.readouterr().out.strip(), path


def test_what_somebody_typed_reaches_no_shell(person):
    """A search for a command is one quoted word of the line, and escaped in the address."""
    page = person("cy").read("/history", search="$(reboot)'\"; `x`")
    lines = dict(LINE.findall(page))
    assert shlex.split(lines["Terminal"])[-1] == "$(reboot)'\"; `x`"
    assert "$(" not in lines["curl"].replace("$SETPOINT", "")
    assert "`" not in lines["curl"] + lines["Python"]


def opened(page):
    """Return the lines that open the same change, by what runs them."""
    whole = page.partition('id="opening"')[2].partition("</details>")[0]
    return {kind: html.unescape(text) for kind, text in LINE.findall(whole)}


def test_a_change_says_what_opens_the_same_one(person, http_as, plane, setpoint_command, monkeypatch, capfd):
    """The command, curl's body and the line of Python each open a change of the same edits."""
    ada = person("ada")
    http_as("dan").put("/v1/policies/*/*", json={"approvals": 1, "reason": "four eyes"})
    monkeypatch.setenv("SETPOINT_URL", plane)
    monkeypatch.setenv("SETPOINT_TOKEN", ada.secret)
    sheet = "xgb/5m/gamma = 0.3\nxgb/5m/learning_rate_range = 0.04..0.3:log"
    first = change_in(ada.send("/config/draft", {"scope": "global", "sheet": sheet}))
    wanted = http_as("ada").get(f"/v1/changes/{first}").json()
    ada.send(f"/changes/{first}/withdraw", proposal=wanted["proposal_hash"])
    lines = opened(ada.get(f"/changes/{first}").text)

    def newest():
        (found,) = http_as("ada").get("/v1/changes", params={"limit": 1, "state": "all"}).json()["items"]
        whole = http_as("ada").get(f"/v1/changes/{found['id']}").json()
        assert (whole["id"] > first, whole["edits"]) == (True, wanted["edits"])
        http_as("ada").post(f"/v1/changes/{whole['id']}/withdraw")

    words = shlex.split(lines["curl"])
    body = json.loads(words[words.index("-d") + 1])
    sent = http_as("ada").post("/v1/changes", json=body)
    assert sent.status_code == 201, sent.text
    newest()
    exec(compile(lines["Python"], "line", "exec"), {})  # noqa: S102 - what a reader is told to run
    assert capfd.readouterr().out.strip()
    newest()
    monkeypatch.delenv("SETPOINT_URL")  # a command writes to the database alone
    assert setpoint_command(*shlex.split(lines["Terminal"])[1:], "--yes").code == 11
    parsed(lines["Terminal"])


def test_a_restore_says_what_opens_it(person, setpoint_command):
    """By the revision and its keys, so that one of some keys is of the same ones."""
    setpoint_command("set", "xgb/5m/gamma=0.3", "-r", "one", "--yes")
    setpoint_command("set", "xgb/5m/gamma=0.4", "-r", "two", "--yes")
    ada = person("ada")
    change = change_in(ada.send("/history/1/restore", {"words": "back", "key": GAMMA}))
    line = opened(ada.get(f"/changes/{change}").text)["Terminal"]
    assert line == f"setpoint restore 1 --key {GAMMA} --scope global --reason back"
    parsed(line)
