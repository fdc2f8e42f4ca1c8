"""The lines of a page to copy: each runs, and gives what the page shows."""

import html
import re
import shlex

from setpoint.serve.console.elsewhere import WAYS
from support.console_pages import READ, address_of
from support.hints import parsed

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
