"""The real Prometheus at a real plane: every panel of every dashboard shows something."""

import secrets
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from setpoint.observe.dashboards import DASHBOARDS
from setpoint.observe.event_log import unit_name
from setpoint.observe.events import (
    CoverageAudited,
    EffectiveParamMismatch,
    HpoFallbackApplied,
    TrainingComplete,
    TrainingStarted,
)
from setpoint.record.baselines import set_baseline
from setpoint.record.events import Line, record_events
from support.debian_programs import program, running
from support.plane_process import PlaneProcess, free_port, plane_environ
from support.planes import credential, open_accounts
from support.waiting import wait_for

pytestmark = pytest.mark.real
UNIT = {"symbol": "BTCUSDC", "model": "xgb", "timeframe": "5m", "variant": "v", "fold": 0}
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: setpoint
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def events():
    """Return what a training tells: it began, fell back, held another value, scored, and ended."""
    given = {"learning_rate": 0.08, "max_depth": 6}
    name = unit_name(**UNIT)
    return (
        CoverageAudited(
            run="r1",
            coverage_pct=100.0,
            lowest_pct=100.0,
            unseeded=0,
            lacking=0,
            triggered_by="mae",
            asserted_by="airflow",
        ),
        TrainingStarted(run="r1", snapshot="abc", trial=0, hyperparameters=given, **UNIT),
        HpoFallbackApplied(
            model="xgb",
            timeframe="5m",
            param="gamma",
            key="CVN_HPO_XGB_5M_GAMMA",
            fallback=0.0,
            run="r1",
            unit=name,
            snapshot="abc",
            event_id=f"{name} gamma",
        ),
        EffectiveParamMismatch(run="r1", trial=0, param="p", asked=1, effective=2, finding="differs", **UNIT),
        TrainingComplete(
            run="r1",
            snapshot="abc",
            trial=0,
            best_iteration=120,
            n_trees_used=121,
            training_time_sec=3.0,
            **UNIT,
        ),
    )


def fill(database, owner_url, ran):
    """Record a complete run with its baseline, events as a spool delivers them, and a change that waits."""
    ran("first")
    lines = [Line(place, one.line(datetime.now(UTC))) for place, one in enumerate(events())]
    with database.transaction(author="ada") as transaction:
        set_baseline(transaction, "first", "before the change")
        record_events(transaction, "spool-0001", lines)
    open_accounts(owner_url)


@pytest.fixture
def prometheus(seeded, server, clone, owner_url, ran, tmp_path):
    """A Prometheus that scrapes a plane at work; yields its address."""
    fill(seeded, owner_url, ran)
    told_at, asked_at = free_port(), free_port()
    environ = plane_environ(
        SETPOINT_DATABASE_URL=server.url(clone, login="setpoint_server"),
        SETPOINT_HOME=str(tmp_path),
        SETPOINT_METRICS_LISTEN=f"127.0.0.1:{told_at}",
    )
    plane = PlaneProcess(environ, tmp_path / "log", ("serve",))
    plane.start()
    try:
        plane.wait()
        (tmp_path / "prometheus.yml").write_text(CONFIG.format(port=told_at), encoding="utf-8")
        command = [
            program("prometheus"),
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/series",
            f"--web.listen-address=127.0.0.1:{asked_at}",
        ]
        with running(command, asked_at, tmp_path / "prometheus.log"), worker(plane.url, owner_url):
            yield f"http://127.0.0.1:{asked_at}"
    finally:
        plane.kill()


@contextmanager
def worker(url, owner_url):
    """Hold a snapshot, follow revisions, and ask what is refused, as people and programs do."""
    headers = {"Authorization": f"Bearer {credential(owner_url, 'cy')}"}
    client = f"{secrets.token_hex(16)}; host=worker; pid=1; run=first"
    with (
        httpx.Client(base_url=url, headers=headers, timeout=60) as asking,
        asking.stream("GET", "/v1/stream"),
    ):
        assert asking.get("/v1/snapshot", headers={"Setpoint-Client": client}).status_code == 200
        assert asking.get("/v1/runs/none").status_code == 404
        yield


def test_no_panel_is_empty(prometheus):
    """Each query of each panel has an answer once a plane was scraped a few times."""
    asked = {
        (board.uid, panel.title, query.expression)
        for board in DASHBOARDS
        for panel in board.panels
        for query in panel.queries
    }
    lacking = asked

    def look():
        nonlocal lacking
        lacking = {one for one in lacking if not answered(prometheus, one[2])}
        return lacking

    wait_for(look, "an answer to each", until=lambda lacking: not lacking)


def answered(prometheus, expression):
    """Return what Prometheus answers to a query now."""
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": expression}, timeout=60).json()
    assert answer["status"] == "success", answer
    return answer["data"]["result"]
