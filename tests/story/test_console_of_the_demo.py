"""`setpoint demo --console`: two people with the passwords that it printed play a whole review."""

import os
import re
from contextlib import contextmanager
from pathlib import Path

import httpx

from support.browsers import change_in, proposal_in
from support.plane_process import PlaneProcess, plane_environ

LINE = re.compile(r"log in as (\w+) +with the password (\S+) +\((\w+)\)")


def test_two_people_play_a_review_on_what_the_demo_left(tmp_path):
    """An empty home is seeded, it is proposed and approved; on a terminal the passwords stay in sight."""
    reader, terminal = os.openpty()
    plane = PlaneProcess(
        plane_environ(SETPOINT_HOME=str(tmp_path)),
        Path(os.ttyname(terminal)),
        arguments=("demo", "--console"),
    )
    process = plane.start()
    try:
        printed = ""
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, os.read(reader, 4000)
            printed += line
        plane.wait()
        people = {name: (password, role) for name, password, role in LINE.findall(printed)}
        assert {name: role for name, (_, role) in people.items()} == {
            "editor": "config_write",
            "approver": "approver",
        }
        with entered(plane.url, people, "editor") as editor, entered(plane.url, people, "approver") as other:
            draft = {"scope": "global", "sheet": "xgb/5m/gamma = 0.3", **token(editor)}
            number = change_in(editor.post("/config/draft", data=draft))
            page = editor.get(f"/changes/{number}").text
            form = {"proposal": proposal_in(page), "words": "less overfitting", **token(editor)}
            assert editor.post(f"/changes/{number}/propose", data=form).status_code == 303
            form = {"proposal": proposal_in(other.get(f"/changes/{number}").text), **token(other)}
            assert other.post(f"/changes/{number}/approve", data=form).status_code == 303
            assert "Applied as revision" in editor.get(f"/changes/{number}").text
    finally:
        plane.kill()
    os.write(terminal, b"end\n")
    assert os.read(reader, 4000) == b"end\r\n", "no line of the log"


@contextmanager
def entered(url, people, name):
    """Log in with the printed password."""
    with httpx.Client(base_url=url, timeout=60) as client:
        form = {"account": name, "password": people[name][0]}
        assert client.post("/login", data=form).status_code == 303
        yield client


def token(client):
    """The token that forms of this session carry."""
    return {"csrf_token": re.search(r'name="csrf_token" value="(\w+)"', client.get("/").text)[1]}
