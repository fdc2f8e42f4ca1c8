"""A small plane on the loopback interface that speaks the contract from one snapshot, and faults to order."""

import json
import socket
import threading
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.client.snapshot_set import set_of
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds

CATALOGUES = load_catalogues("cvntrade")
SEED = {key: sourced.value for key, sourced in load_seeds("", CATALOGUES)[0].values.items()}
GAMMA = "CVN_HPO_XGB_5M_GAMMA"
TOKEN = "spt_this_is_the_secret_of_a_test"


def snapshot_of(document, context=None, revision=1, catalogues=CATALOGUES):
    text = canonical_text(document)
    layer = SnapshotLayer("global", revision, text_hash(text), "ada")
    return Snapshot(text, text_hash(text), catalogues.identities, context or {}, (layer,))


def etag_of(body):
    return f'"{sha256(body).hexdigest()[:32]}"'


class SmallPlane:
    """One document in the scope ``global``, whatever the context; a ``token`` is asked for when it is set."""

    def __init__(self):
        self.document, self.revision, self.token = dict(SEED), 1, ""
        #: What is answered instead, path by path, first come first served: a call that takes the handler.
        self.faults = defaultdict(list)
        #: (method, path, query, headers) of each request.
        self.requests = []
        self.holders = {}
        self.context = None
        self.is_up = True
        self.is_streaming = True
        self.changed = threading.Condition()
        self.connections = set()

    def change(self, **values):
        """Make a revision and tell the streams."""
        with self.changed:
            self.document |= values
            self.revision += 1
            self.changed.notify_all()

    def asked(self, path, method="GET"):
        return [request for request in self.requests if request[:2] == (method, path)]

    def body(self, context):
        made = snapshot_of(self.document, context if self.context is None else self.context, self.revision)
        return made.to_json().encode()

    def answer(self, handler):
        parts = urlsplit(handler.path)
        query = dict(parse_qsl(parts.query))
        size = int(handler.headers.get("Content-Length") or 0)
        handler.sent = handler.rfile.read(size)
        self.requests.append((handler.command, parts.path, dict(query), dict(handler.headers)))
        if waiting := self.faults[parts.path]:
            fault = (
                waiting[0] if len(waiting) == 1 and getattr(waiting[0], "stays", False) else waiting.pop(0)
            )
            fault(handler)
        elif self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            refuse(handler, 401, "unauthenticated", "this token is unknown.")
        elif parts.path == "/v1/snapshot":
            query.pop("at_least", None)
            self.snapshot(handler, query)
        elif parts.path == "/v1/snapshot-sets":
            self.snapshot_set(handler, json.loads(handler.sent)["contexts"])
        elif parts.path == "/v1/stream":
            self.stream(handler)
        elif parts.path.startswith("/v1/holders/"):
            self.holders[parts.path.rpartition("/")[2]] = json.loads(handler.sent)
            reply(handler, 204)
        else:
            reply(handler, 200, json.dumps({"sent": handler.sent.decode()}).encode())

    def snapshot(self, handler, context):
        body = self.body(context)
        headers = {
            "Content-Type": "application/json",
            "ETag": etag_of(body),
            "Setpoint-Revision": str(self.revision),
            "Setpoint-Snapshot": json.loads(body)["hash"],
        }
        same = handler.headers.get("If-None-Match") == headers["ETag"]
        reply(handler, 304 if same else 200, b"" if same else body, **headers)

    def snapshot_set(self, handler, contexts):
        made = set_of(snapshot_of(self.document, context, self.revision) for context in contexts)
        headers = {"Content-Type": "application/json", "Setpoint-Snapshot-Set": made.hash}
        reply(handler, 200, made.to_json().encode(), **headers)

    def stream(self, handler):
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        told = int(handler.headers.get("Last-Event-ID") or self.revision)
        handler.wfile.write(f"retry: 50\nid: {told}\n: hello\n\n".encode())
        while self.is_up and self.is_streaming:
            with self.changed:
                self.changed.wait(0.1)
                newest = self.revision
            text = ": beat\n\n" if newest == told else ""
            for revision in range(told + 1, newest + 1):
                data = json.dumps({"type": "refetchEvaluation", "revision": revision, "scope": "global"})
                text += f"id: {revision}\nevent: message\ndata: {data}\n\n"
            told = newest
            handler.wfile.write(text.encode())


def reply(handler, status, body=b"", **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    if status not in {204, 304} and "Content_Length" not in headers:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def refuse(handler, status, code, detail, **headers):
    problem = {"type": f"/problems/{code}", "status": status, "code": code, "detail": detail} | {
        "hint": "do better",
        "where": {"key": GAMMA},
    }
    body = json.dumps(problem).encode()
    reply(handler, status, body, Content_Type="application/problem+json", X_Request_ID="r-1", **headers)


def status(number, **headers):
    """A fault: answer with a bare status."""
    return lambda handler: reply(handler, number, b"<html>no", Content_Type="text/html", **headers)


def body(text, content_type="application/json", **headers):
    """A fault: answer 200 with another body."""
    return lambda handler: reply(handler, 200, text.encode(), Content_Type=content_type, **headers)


def hang_up(handler):
    """A fault: close without a word."""
    handler.close_connection = True


def cut(handler):
    """A fault: promise more than is sent."""
    handler.close_connection = True
    reply(handler, 200, b'{"format": ', Content_Type="application/json", Content_Length="5000")


def drip(handler):
    """A fault: one byte of a header at a time, for ever."""
    handler.close_connection = True
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.05)
    except OSError:
        pass  # the client had enough


def for_ever(fault):
    """The fault stays."""

    def again(handler):
        fault(handler)

    again.stays = True
    return again


@contextmanager
def small_plane(port=0, tls=None):
    """Serve on the loopback interface for the length of a block."""
    plane = SmallPlane()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            try:
                plane.answer(self)
            except OSError:
                self.close_connection = True  # the client went away

        def log_message(self, *args):
            pass

        def handle(self):
            plane.connections.add(self.connection)
            with suppress(OSError):  # reset by the client, by the fault proxy, or by the end of the block
                super().handle()
            plane.connections.discard(self.connection)

    for method in ("PUT", "POST", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.do_GET)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *args):
            pass  # a client that hangs up in its handshake

    with Server(("127.0.0.1", port), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        plane.port = server.server_port
        plane.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield plane
        finally:
            plane.is_up = False
            with plane.changed:
                plane.changed.notify_all()
            server.shutdown()
            thread.join()
            for connection in tuple(plane.connections):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
