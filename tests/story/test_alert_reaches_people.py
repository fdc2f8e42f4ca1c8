"""Keys lose their values: a real Prometheus and Alertmanager tell people, by the shipped rules."""

import json
import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg
import pytest

from setpoint.observe.alerts import WATCHDOG
from setpoint.record.events import Line, record_events
from setpoint.serve.metrics.endpoint import serving_metrics
from setpoint.serve.server import _config, listen
from support.debian_programs import program, running
from support.plane_process import free_port
from support.runbook_steps import PARTS, steps_of
from support.waiting import wait_for

SHIPPED = Path(__file__).parents[2] / "deploy" / "observability"
pytestmark = pytest.mark.real


class Receiver:
    """Takes what an Alertmanager sends, by path: PagerDuty's shape, Slack's, and a dead man's switch's."""

    def __init__(self):
        self.received = defaultdict(list)
        heard = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard[self.path].append(json.loads(body) | {"authorization": self.headers["Authorization"]})
                self.send_response(202)
                self.end_headers()
                self.wfile.write(b'{"status": "success", "dedup_key": "x"}')

            def log_message(self, *_given):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pages(self):
        """What PagerDuty heard: each alert's name and what is to become of it."""
        return [
            (one["event_action"], one["payload"]["summary"].partition(":")[0] if "payload" in one else "")
            for one in self.received["/pagerduty"]
        ]

    def posts(self):
        """The titles that Slack heard."""
        return [one["attachments"][0]["title"] for one in self.received["/slack"]]

    def until(self, is_so):
        """Wait until what was heard is so."""
        wait_for(is_so, "what is to be heard", told=lambda: dict(self.received))


@pytest.fixture
def receiver():
    """A receiver of all of them."""
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Watching(NamedTuple):
    """Where a Prometheus and its Alertmanager answer."""

    prometheus: str
    alertmanager: str


@contextmanager
def alerting(folder, scraped, receiver):
    """Run Debian's Prometheus and Alertmanager on the shipped files, in seconds where these say minutes."""
    secrets = {"pagerduty-key": "a-key", "slack-url": f"{receiver.url}/slack", "switch-token": "alive"}
    for name, secret in secrets.items():
        (folder / name).write_text(secret, encoding="utf-8")
    routes = (SHIPPED / "alertmanager/alertmanager.yml").read_text(encoding="utf-8")
    for shipped, quick in {
        '"/etc/setpoint/alertmanager': f'"{folder}',
        "http://127.0.0.1:9466/alive": f"{receiver.url}/alive",
        'group_wait: "10s"': 'group_wait: "100ms"',
        'group_interval: "1m"': 'group_interval: "1s"',
        'repeat_interval: "1m"': 'repeat_interval: "1s"',
    }.items():
        assert shipped in routes
        routes = routes.replace(shipped, quick)
    paging = f'global:\n  pagerduty_url: "{receiver.url}/pagerduty"\n'
    (folder / "alertmanager.yml").write_text(paging + routes, encoding="utf-8")
    (folder / "rules.yml").write_text(
        (SHIPPED / "prometheus/rules.yml")
        .read_text(encoding="utf-8")
        .replace('interval: "1m"', 'interval: "1s"'),
        encoding="utf-8",
    )
    alerts_port, port = free_port(), free_port()
    config = (SHIPPED / "prometheus/prometheus.yml").read_text(encoding="utf-8")
    for shipped, quick in {
        "127.0.0.1:9093": f"127.0.0.1:{alerts_port}",
        "127.0.0.1:9455": scraped,
        "15s": "1s",
    }.items():
        assert shipped in config
        config = config.replace(shipped, quick)
    (folder / "prometheus.yml").write_text(config, encoding="utf-8")
    alertmanager = [
        program("prometheus-alertmanager"), f"--config.file={folder}/alertmanager.yml",
        "--cluster.listen-address=", f"--storage.path={folder}/am",
        f"--web.listen-address=127.0.0.1:{alerts_port}",
    ]  # fmt: skip
    prometheus = [
        program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
        # What fires in its first seconds is dropped: it knows no Alertmanager yet. It is told again.
        "--rules.alert.resend-delay=1s",
    ]  # fmt: skip
    with (
        running(alertmanager, alerts_port, folder / "alertmanager.log"),
        running(prometheus, port, folder / "prometheus.log"),
    ):
        yield Watching(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{alerts_port}")


def states(watching, name):
    """Return how the Alertmanager holds the alerts of a name."""
    held = httpx.get(f"{watching.alertmanager}/api/v2/alerts", timeout=60).json()
    return {one["status"]["state"] for one in held if one["labels"]["alertname"] == name}


def test_missing_keys_page_somebody_and_the_runbook_ends_it(
    database,
    bundled_seeds,
    setpoint_command,
    settings,
    server,
    clone,
    catalogues,
    owner_url,
    receiver,
    tmp_path,
):
    """Coverage falls, PagerDuty is called, `setpoint seed --apply` mends it, and PagerDuty hears that too.

    Meanwhile Slack is warned that keys are missing, hears nothing of the fallbacks that follow from what was
    paged, and hears of them afterwards; the dead man's switch hears that somebody is there.
    """
    assert setpoint_command("seed", "--apply").code == 0
    of_plane = replace(settings, home=tmp_path, database_url=server.url(clone, login="setpoint_server"))
    with (
        listen("127.0.0.1", 0) as listener,
        serving_metrics(of_plane, catalogues, listener, _config),
        alerting(tmp_path, f"127.0.0.1:{listener.getsockname()[1]}", receiver) as watching,
    ):
        receiver.until(lambda: receiver.received["/alive"])
        assert (receiver.pages(), receiver.posts()) == ([], [])
        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute(
                "UPDATE ftf_config SET base_env = base_env - ARRAY("
                "SELECT k FROM jsonb_object_keys(base_env) AS k WHERE k LIKE 'CVN_HPO_XGB_5M_%') WHERE id = 1"
            )
        receiver.until(lambda: ("trigger", "hp_console_coverage_low") in receiver.pages())
        lines = [
            Line(at, f"event=hpo_fallback_applied key=CVN_HPO_XGB_5M_GAMMA run=r unit=u{at} event_id={at}")
            for at in range(11)
        ]
        with database.transaction() as transaction:
            record_events(transaction, "spool-0001", lines)
        receiver.until(lambda: "WARN hp_console_coverage_incomplete" in receiver.posts())
        receiver.until(lambda: states(watching, "hp_fallback_rate_high") == {"suppressed"})
        rate = "P2 hp_fallback_rate_high"
        was_silent = rate not in receiver.posts()
        told = setpoint_command("seed", "--dry-run")
        assert "CVN_HPO_XGB_5M" in told.out + told.err
        assert setpoint_command("seed", "--apply").code == 0
        receiver.until(lambda: ("resolve", "hp_console_coverage_low") in receiver.pages())
        receiver.until(lambda: rate in receiver.posts())

    assert was_silent
    assert {one["authorization"] for one in receiver.received["/alive"]} == {"Bearer alive"}
    assert {one["routing_key"] for one in receiver.received["/pagerduty"]} == {"a-key"}
    assert [name for action, name in receiver.pages() if action == "trigger"].count(
        "hp_console_coverage_low"
    ) >= 1
    assert {name for _, name in receiver.pages()} == {"hp_console_coverage_low"}


def test_who_watches_is_watched(incident, receiver, tmp_path):
    """While both programs are down the commands tell so, and the switch hears nothing; then it does.

    What the page says to type then tells of the alert that always fires; the call carries its runbook.
    """
    down = f"http://127.0.0.1:{free_port()}"
    incident.read = {"PROMETHEUS": down, "ALERTMANAGER": down}
    told = incident.type(steps_of(WATCHDOG, "Diagnose"))
    heard_before = list(receiver.received["/alive"])
    with alerting(tmp_path, f"127.0.0.1:{free_port()}", receiver) as watching:
        incident.read = {"PROMETHEUS": watching.prometheus, "ALERTMANAGER": watching.alertmanager}
        receiver.until(lambda: receiver.received["/alive"])
        then = [incident.type(steps_of(WATCHDOG, part)) for part in PARTS if part != "Diagnose"]
    (alert,) = receiver.received["/alive"][0]["alerts"]

    assert (told.count("curl: (7)"), heard_before) == (2, [])
    assert "\n".join(then).count(f'"alertname":"{WATCHDOG}"') == 2
    assert alert["annotations"]["runbook_url"] == f"http://127.0.0.1:8455/alerts/{WATCHDOG}"
