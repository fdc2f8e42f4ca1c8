"""`GET /metrics`: one process tells what all processes of a plane and the database know."""

import json
import os
import signal
import socket
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import psycopg
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from setpoint.errors import UsageError
from setpoint.serve.metrics.address import listen_address
from setpoint.serve.metrics.endpoint import serving_metrics
from setpoint.serve.server import _config, listen
from setpoint.settings import Settings
from support.plane_process import PlaneProcess, free_port, plane_environ
from support.waiting import wait_for


def scraped(url, **headers):
    """Return every sample of a scrape by name and labels."""
    answer = httpx.get(f"{url}/metrics", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {
        (one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples
    }


def requests_in(found, **labels):
    """Return how many requests with these labels a scrape tells of."""
    return sum(
        value
        for (name, *given), value in found.items()
        if name == "setpoint_http_requests_total" and labels.items() <= dict(given).items()
    )


def scraped_once(url, is_so):
    """Scrape until it is so, and return the answer: what a process counted is told within about a second."""
    return wait_for(lambda: scraped(url), "such counts", until=is_so)


@pytest.fixture(scope="module")
def database_url(server, seeded_template):
    """The URL of a seeded database of this module, as a plane logs in."""
    server.administer(f"CREATE DATABASE scrapes TEMPLATE {seeded_template} STRATEGY file_copy")
    yield server.url("scrapes", login="setpoint_server")
    server.administer("DROP DATABASE scrapes WITH (FORCE)")


@pytest.fixture(scope="module")
def plane(database_url, tmp_path_factory):
    """A plane of two processes that tells metrics, and where."""
    folder, port = tmp_path_factory.mktemp("scrapes"), free_port()
    environ = plane_environ(
        SETPOINT_DATABASE_URL=database_url,
        SETPOINT_HOME=str(folder),
        SETPOINT_METRICS_LISTEN=f"127.0.0.1:{port}",
    )
    process = PlaneProcess(environ, folder / "log", ("serve", "--workers", "2"))
    process.start()
    process.wait()
    yield process, f"http://127.0.0.1:{port}"
    process.kill()


def ask(process, path, times):
    """Ask each time over a connection of its own, so that both processes answer some."""
    for _ in range(times):
        httpx.get(process.url + path, timeout=60)


def test_requests_of_all_processes_are_summed_and_what_each_has_is_not(plane):
    """Forty requests to two processes are forty, scrape after scrape; sessions stand by process."""
    process, url = plane
    both = scraped_once(url, lambda found: found.get(("setpoint_processes",)) == 2)
    before = requests_in(both, door="api", status="4xx")
    ask(process, "/v1/config", 40)
    found = scraped_once(url, lambda found: requests_in(found, door="api", status="4xx") >= before + 40)
    again = scraped(url)
    sessions = {
        tuple(value for _, value in sorted(labels)): count
        for (name, *labels), count in found.items()
        if name == "setpoint_database_sessions"
    }
    durations = {labels[0][1]: value for (name, *labels), value in found.items() if name.endswith("_count")}

    assert requests_in(found, door="api", method="GET", status="4xx") == before + 40
    assert requests_in(again, door="api", status="4xx") == before + 40
    assert {worker for _, worker in sessions} == {"0", "1"}
    assert {state for state, _ in sessions} == {"busy", "idle", "most"}
    assert durations == {door: requests_in(found, door=door) for door in durations}
    assert found["harness_hp_coverage_pct",] == 100.0
    assert not [name for name, *_ in found if name.startswith(("python_", "process_", "otel_", "target"))]


def test_a_process_that_dies_takes_nothing_back(plane):
    """What it counted stays; its sessions are gone until another stands in its place."""
    process, url = plane
    ask(process, "/health/live", 20)
    before = scraped_once(url, lambda found: requests_in(found, door="health", status="2xx") >= 20)
    started = Path(f"/proc/{process.process.pid}/task")
    children = {one for task in started.iterdir() for one in (task / "children").read_text().split()}
    workers = [one for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
    os.kill(int(workers[0]), signal.SIGKILL)
    gone = scraped_once(url, lambda found: found["setpoint_processes",] == 1)
    back = scraped_once(url, lambda found: found["setpoint_processes",] == 2)

    for found in (gone, back):
        assert requests_in(found, door="health") >= requests_in(before, door="health")


def test_the_databases_numbers_go_on_after_a_restart(plane, server):
    """Totals are the database's: the same from whatever process and after every restart."""
    process, url = plane
    event = "event=hpo_fallback_applied key=CVN_HPO_XGB_5M_GAMMA run=r unit=u event_id=1"
    with psycopg.connect(server.url("scrapes", owner=True), autocommit=True) as owner:
        owner.execute("INSERT INTO event_sources (source, account) VALUES ('spool', 'ada')")
        owner.execute(
            "INSERT INTO event_log (source, sequence, name, level, run, unit, event_id, fields, line)"
            " VALUES ('spool', 0, 'hpo_fallback_applied', 'warn', 'r', 'u', '1', %s, %s)",
            [json.dumps({"key": "CVN_HPO_XGB_5M_GAMMA"}), event],
        )
        owner.execute("UPDATE ftf_config SET base_env = base_env - 'CVN_HPO_XGB_5M_GAMMA' WHERE id = 1")
    series = ("harness_hp_fallbacks_total", ("key", "CVN_HPO_XGB_5M_GAMMA"))
    before = scraped_once(url, lambda found: found[series] == 1)
    process.signal(signal.SIGTERM)
    process.ended()
    process.start()
    process.wait()
    after = scraped_once(url, lambda found: "harness_hp_coverage_pct" in {name for name, *_ in found})
    kept = {
        name: value
        for name, value in before.items()
        if name[0].startswith(("harness_", "signals_")) or name[0].endswith("revisions_total")
    }

    assert before["harness_hp_coverage_pct",] < 100
    assert {name: after[name] for name in kept} == kept


@pytest.mark.parametrize("host", ["evil.example", "169.254.1.1"])
def test_a_page_under_another_name_reads_nothing(plane, host):
    """A browser that was told that a name is this machine asks by that name, and is refused."""
    _, url = plane
    answer = httpx.get(f"{url}/metrics", headers={"Host": host})

    assert (answer.status_code, "harness" in answer.text) == (421, False)
    assert httpx.get(f"{url}/v1/config").status_code == 404
    assert httpx.post(f"{url}/metrics").status_code == 405


@pytest.mark.parametrize(
    "given", ["9455", "127.0.0.1:", "nowhere:9455", "127.0.0.1:x", "0.0.0.0:9455", "[::]:1"]
)
def test_an_address_beyond_this_machine_needs_a_token(given, tmp_path):
    """What is no address, or one that a network reaches without a token, is refused before a start."""
    with pytest.raises(UsageError):
        listen_address(Settings(metrics_listen=given))


def test_a_loopback_address_needs_none(tmp_path):
    """With a token any address will do, without one those of this machine."""
    assert listen_address(Settings(metrics_listen="localhost:9455")) == ("127.0.0.1", 9455)
    assert listen_address(Settings(metrics_listen="[::1]:9455")) == ("::1", 9455)
    (tmp_path / "token").write_text("t", encoding="utf-8")
    with_token = Settings(metrics_listen="10.0.0.1:1", metrics_token_file=str(tmp_path / "token"))
    assert listen_address(with_token) == ("10.0.0.1", 1)
    assert listen_address(Settings()) is None


@contextmanager
def told_here(settings, catalogues):
    """Tell metrics from this process; yields the address."""
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()[:2]
        with serving_metrics(settings, catalogues, listener, _config) as link:
            wait_for(Path(link).exists, "the link")
            yield f"http://{host}:{port}"
        assert not Path(link).exists()


def test_a_database_that_is_away_is_told_with_a_token(catalogues, tmp_path):
    """Who has the token reads that the database is away, and no old number; who has none reads nothing."""
    (tmp_path / "token").write_text("secret-of-the-scraper\n", encoding="utf-8")
    settings = Settings(
        home=tmp_path,
        database_url="postgresql://nobody@127.0.0.1:1/setpoint",
        metrics_token_file=str(tmp_path / "token"),
    )
    with told_here(settings, catalogues) as url:
        refused = [
            httpx.get(f"{url}/metrics", headers=headers).status_code
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"})
        ]
        found = scraped(url, authorization="Bearer secret-of-the-scraper")
        (tmp_path / "token").write_text("another\n", encoding="utf-8")
        late = httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer secret-of-the-scraper"})
        (tmp_path / "token").unlink()
        gone = httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer another"})

    assert refused == [401, 401, 401]
    assert found["setpoint_database_up",] == 0
    assert not [name for name, *_ in found if name.startswith(("harness_", "signals_"))]
    assert late.status_code == 401, "the file is read again for each request"
    assert (gone.status_code, "log" in gone.text) == (503, True)


class Collector(BaseHTTPRequestHandler):
    """Takes what is sent in OTLP over HTTP."""

    received: ClassVar = Counter()

    def do_POST(self):
        """Note the names that came."""
        sent = ExportMetricsServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in sent.resource_metrics:
            for scope in resource.scope_metrics:
                self.received.update(metric.name for metric in scope.metrics)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_given):
        """Say nothing."""


def test_a_collector_gets_the_same_numbers(settings, server, clone, catalogues, tmp_path):
    """Sent in OTLP over HTTP each has its own name, dots and all; one that is away holds up nothing."""
    collector = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    sent_to = f"http://127.0.0.1:{collector.server_port}/v1/metrics"
    of_plane = replace(settings, home=tmp_path, database_url=server.url(clone, login="setpoint_server"))
    with told_here(replace(of_plane, otlp_url=sent_to), catalogues) as url:
        scraped(url)
    collector.shutdown()
    collector.server_close()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it never answers
        away = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/metrics"
        with told_here(replace(of_plane, otlp_url=away), catalogues) as url:
            found = scraped(url)

    assert {"harness.hp_coverage_pct", "harness.hp_fallbacks", "setpoint.database_up"} <= set(
        Collector.received
    )
    assert found["setpoint_database_up",] == 1
