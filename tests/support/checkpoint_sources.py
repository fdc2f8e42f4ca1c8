"""Local servers of the shapes of GitHub, OpenProject and a plane's restore probe, and faults to order.

The shapes are those of the public documentation: GitHub REST 2022-11-28, OpenProject API v3.
"""

import json
import threading
from base64 import b64decode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from setpoint.govern.checkpoints.calendar import SHIPPED

GITHUB_TOKEN, OPENPROJECT_KEY = "ghs_local", "opkey"


class Evidence:
    """What the three servers say; a status in ``faults`` answers in a path's place."""

    def __init__(self):
        #: (number, state, is a pull request)
        self.issues = []
        self.epic = "New"
        #: Statuses of the children; by id from 200 on.
        self.children = []
        self.restore = 200
        self.page_size = 2
        #: By the beginning of a path: a status, "hang up" or a body.
        self.faults = {}
        #: A status without this form of it: "embedded" or "linked".
        self.told_as = "embedded"
        self.may_write = True
        #: What is posted is written, and the answer lost, where a path begins so.
        self.loses = ""
        #: How many of the issues the search knows; None: all.
        self.searchable = None
        #: What issues say of themselves, by number, where it is not the story's.
        self.bodies = {}
        self.comments = {}
        self.requests = []
        self.address = ""
        #: An event that whoever asks OpenProject waits for; None: nobody waits.
        self.waits = None
        #: Set by the first who waits.
        self.asked = threading.Event()

    def slip(self):
        """The Epic stands as on the first day."""
        self.epic, self.children, self.restore = "New", [], 503

    def ship(self):
        """One child is closed and the restore is live."""
        self.epic, self.children, self.restore = "In progress", ["New", "On hold", "Closed"], 200

    def status(self, name):
        if self.told_as == "linked":
            return {"_links": {"status": {"title": name}}}
        return {"_embedded": {"status": {"name": name}}, "_links": {"status": {"title": "another"}}}

    def answer(self, handler, body):
        """Return the status, the headers and the document of an answer."""
        path = urlsplit(handler.path)
        self.requests.append((handler.command, handler.path, handler.headers.get("Authorization", "")))
        for start, fault in self.faults.items():
            if path.path.startswith(start):
                return (fault, {}, {}) if isinstance(fault, int) else (200, {}, fault)
        if path.path == "/health/restore":
            return self.restore, {}, {"status": "live"} if self.restore == 200 else {}
        if path.path.startswith("/api/v3/"):
            if self.waits:
                self.asked.set()
                self.waits.wait(60)
            return self._openproject(handler, path, body)
        return self._github(handler, path, body)

    def _openproject(self, handler, path, body):
        sent = handler.headers.get("Authorization", "").removeprefix("Basic ")
        if sent and b64decode(sent).decode() != f"apikey:{OPENPROJECT_KEY}":
            return 401, {}, {"errorIdentifier": "urn:openproject-org:api:v3:errors:Unauthenticated"}
        if path.path.endswith("/activities"):
            return self._activities(handler, path.path.split("/")[-2], body, may_write=bool(sent))
        if path.path == "/api/v3/work_packages":
            asked = parse_qs(path.query)
            assert json.loads(asked["filters"][0]) == [{"parent": {"operator": "=", "values": ["149"]}}]
            offset = int(asked.get("offset", ["1"])[0])
            first = (offset - 1) * self.page_size
            shown = list(enumerate(self.children, 200))[first : first + self.page_size]
            links = {}
            if first + self.page_size < len(self.children):
                links["nextByOffset"] = {"href": self._with(path, offset + 1, "offset")}
            elements = [{"id": n, "subject": f"child {n}", **self.status(name)} for n, name in shown]
            return 200, {}, {"_type": "WorkPackageCollection", "total": len(self.children), "_links": links,
                             "_embedded": {"elements": elements}}  # fmt: skip
        return 200, {}, {"_type": "WorkPackage", "id": 149, **self.status(self.epic)}

    def _activities(self, handler, package, body, *, may_write):
        kept = self.comments.setdefault(package, [])
        if handler.command == "POST":
            if not (may_write and self.may_write):
                return 403, {}, {"errorIdentifier": "urn:openproject-org:api:v3:errors:MissingPermission"}
            kept.append(body["comment"]["raw"])
            return 201, {}, self._activity(len(kept), body["comment"]["raw"])
        elements = [self._activity(n, raw) for n, raw in enumerate(kept, 1)]
        return 200, {}, {"_type": "Collection", "_embedded": {"elements": elements}, "_links": {}}

    def _activity(self, number, raw):
        return {"_type": "Activity::Comment", "id": number, "comment": {"format": "markdown", "raw": raw},
                "_links": {"self": {"href": f"/api/v3/activities/{number}"}}}  # fmt: skip

    def _with(self, path, number, name):
        kept = [part for part in path.query.split("&") if not part.startswith(f"{name}=")]
        return f"{path.path}?{'&'.join([*kept, f'{name}={number}'])}"

    def _github(self, handler, path, body):
        sent = handler.headers.get("Authorization", "")
        if sent and sent != f"Bearer {GITHUB_TOKEN}":
            return 401, {}, {"message": "Bad credentials"}
        if handler.command == "POST":
            if not (sent and self.may_write):
                return 403, {}, {"message": "Resource not accessible"}
            assert "gate-failure" in body["labels"]
            self.issues.append((len(self.issues) + 1000, "open", False))
            return 201, {}, self._issue(*self.issues[-1])
        asked = parse_qs(path.query)
        page = int(asked.get("page", ["1"])[0])
        known = self.issues[: self.searchable] if path.path.startswith("/search") else self.issues
        first = (page - 1) * self.page_size
        shown = [self._issue(*one) for one in known[first : first + self.page_size]]
        more = first + self.page_size < len(known)
        link = f'<{self.address}{self._with(path, page + 1, "page")}>; rel="next"' if more else ""
        if path.path.endswith("/issues") and path.path.startswith("/repos"):
            assert (asked["labels"], asked["state"]) == (["gate-failure"], ["open"])
            return 200, {"Link": link}, [one for one in shown if one["state"] == "open"]
        return 200, {"Link": link}, {"total_count": len(known), "incomplete_results": False, "items": shown}

    def _issue(self, number, state, is_pull):
        made = {"number": number, "title": "[gate-failure]", "state": state,
                "body": self.bodies.get(number, "CVN-N001-EE-S17"),
                "html_url": f"https://github.test/{number}"}  # fmt: skip
        return made | ({"pull_request": {}} if is_pull else {})


@pytest.fixture(scope="module")
def served_evidence():
    """Evidence that is served for all tests of a module; `evidence` gives it to each as it was at first."""
    with evidence_served() as evidence:
        yield evidence


@pytest.fixture
def evidence(served_evidence):
    """The servers, as on the first day."""
    address = served_evidence.address
    served_evidence.__init__()
    served_evidence.address = address
    served_evidence.slip()
    return served_evidence


@contextmanager
def evidence_served():
    """Yield evidence that is served at its ``address``, as all three sources."""
    evidence = Evidence()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            status, headers, document = evidence.answer(
                self, json.loads(self.rfile.read(length)) if length else None
            )
            if evidence.loses and self.command == "POST" and self.path.startswith(evidence.loses):
                self.close_connection = True
                return
            text = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - as http.server calls it

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    evidence.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield evidence
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def calendar_text(address, merged_at="2026-05-12T00:00:00Z"):
    """The shipped calendar with all three routes at one local address."""
    text = SHIPPED.read_text(encoding="utf-8").replace("2026-05-12T00:00:00Z", merged_at)
    for host in ("api.github.com", "openproject.cvntrade.eu", "console.cvntrade.eu"):
        text = text.replace(f"https://{host}", address)
    return text
