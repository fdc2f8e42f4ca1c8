"""A local server with the layout of the public archive of candles, and faults to order."""

import hashlib
import io
import threading
import zipfile
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MONTHS = ("2024-11", "2024-12", "2025-01")


def first_ms(month):
    return int(datetime.strptime(f"{month}-01 +0000", "%Y-%m-%d %z").timestamp()) * 1000


def month_csv(month):
    """Return an hourly month in the archive's layout: microseconds from 2025 on."""
    begin, unit = first_ms(month), 1000 if month >= "2025" else 1
    days = {"2024-11": 30, "2024-12": 31, "2025-01": 31}[month]
    lines = []
    for hour in range(days * 24):
        open_ms = begin + 3_600_000 * hour
        prices = f"{100 + hour}.00000000,{102 + hour}.0,{99 + hour}.0,{101 + hour}.0,5.5"
        lines.append(f"{open_ms * unit},{prices},{(open_ms + 3_599_999) * unit},550.1,42,2.5,250.2,0\n")
    return "".join(lines)


def zipped(name, text):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return packed.getvalue()


class Archive:
    """A local server with the public archive's layout, and faults to order."""

    def __init__(self):
        self.files, self.requests = {}, []
        #: Faults still to come for a path: an HTTP status, "truncate", "hang up", or a call to make first.
        self.faults = {}
        for symbol in ("BTCUSDT", "ETHUSDT"):
            for month in MONTHS:
                name = f"{symbol}-1h-{month}"
                self.add(
                    f"/data/spot/monthly/klines/{symbol}/1h/{name}.zip",
                    zipped(f"{name}.csv", month_csv(month)),
                )

    def add(self, path, body):
        """Serve a file and its checksum."""
        self.files[path] = body
        line = f"{hashlib.sha256(body).hexdigest()}  {path.rsplit('/', 1)[-1]}\n"
        self.files[f"{path}.CHECKSUM"] = line.encode()

    def answer(self, handler):
        """Answer one request, with the next fault ordered for its path if there is one."""
        self.requests.append(handler.path)
        waiting = self.faults.get(handler.path, [])
        fault = waiting.pop(0) if waiting else None
        body = self.files.get(handler.path)
        if fault == "hang up":
            return
        if callable(fault):
            fault()
        status = fault if isinstance(fault, int) else (200 if body is not None else 404)
        body = body if status == 200 else b"no"
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if fault == "truncate" else body)


@contextmanager
def serving():
    """Serve an archive on the loopback interface for the length of a block."""
    served = Archive()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.answer(self)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def zip_path(month, symbol="BTCUSDT"):
    return f"/data/spot/monthly/klines/{symbol}/1h/{symbol}-1h-{month}.zip"
