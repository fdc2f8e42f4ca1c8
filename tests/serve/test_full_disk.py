"""A disk without a byte left: writing stops and says why, reading goes on, and nothing is lost."""

import httpx
import pytest

from setpoint.serve.api import health, restore
from setpoint.serve.hot import cache
from support.faults import small_disk as mounted
from support.waiting import wait_for

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def small_disk(bundled_seeds, server, clone, tmp_path):
    """A disk of 64 MiB that holds this test's database and nothing else; ``fill`` leaves no byte of it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, 64):
        rest = disk / "rest"
        (disk / "space").mkdir(mode=0o700)
        server.administer(f"CREATE TABLESPACE {clone}_space LOCATION '{disk}/space'")
        server.administer(f"ALTER DATABASE {clone} SET TABLESPACE {clone}_space")

        def fill():
            with rest.open("wb", buffering=0) as file:
                for piece in (b"x" * 65536, b"x"):
                    try:
                        while file.write(piece):
                            pass
                    except OSError:
                        continue

        yield fill, rest.unlink
        rest.unlink(missing_ok=True)
        server.administer(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608 - a name of our making
            f" WHERE datname = '{clone}'"
        )
        server.administer(f"ALTER DATABASE {clone} SET TABLESPACE pg_default")
        server.administer(f"DROP TABLESPACE {clone}_space")


def test_a_full_disk_stops_writing_and_not_reading(
    small_disk, plane, http_as, another_plane, monkeypatch, caplog
):
    """Snapshots never asked for, history and readiness are 200; writes and their probes 503, and say disk."""
    monkeypatch.setattr(health, "WRITTEN_KEPT_S", 0)
    monkeypatch.setattr(restore, "PROBE_KEPT_S", 0)
    monkeypatch.setattr(cache, "KEEP_AGAIN_S", 0.1)
    fill, free = small_disk
    cy, ada = http_as("cy"), http_as("ada")
    edit = {"set": {KEY: 0.07}, "reason": "x" * 1900}
    assert httpx.get(f"{plane}/health/write").json()["status"] == "writable"

    def patch():
        tag = ada.get("/v1/config/global").headers["ETag"]
        return ada.patch("/v1/config/global", json=edit, headers={"If-Match": tag})

    fill()
    # What lies free within files that are there already is written to first.
    for number in range(10_000):
        edit["set"][KEY] = round(0.07 + number / 10_000, 4)
        if (refused := patch()).status_code != 200:
            break
    for answer in (refused, httpx.get(f"{plane}/health/write"), httpx.get(f"{plane}/health/restore")):
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_full"), answer.text
        assert "disk" in answer.json()["detail"]
        assert int(answer.headers["Retry-After"]) >= 1

    found = cy.get("/v1/snapshot?symbol=NEVERASKED&profile=demo")
    digest = found.headers["Setpoint-Snapshot"]
    made = cy.post("/v1/snapshot-sets", json={"contexts": [{"symbol": "ANOTHER"}]})
    assert (found.status_code, made.status_code) == (200, 200)
    wait_for(lambda: "event=snapshots_not_kept code=storage_full" in caplog.text, "the line that tells of it")
    assert cy.get(f"/v1/snapshots/{digest}").content == found.content
    assert httpx.get(f"{plane}/health/ready").status_code == 200
    for path in ("/v1/history", "/v1/config/global", "/v1/changes", "/v1/me"):
        assert cy.get(path).status_code == 200, path

    free()
    assert patch().status_code == 200
    assert httpx.get(f"{plane}/health/write").status_code == 200
    with another_plane() as other:
        path = f"{other}/v1/snapshots/{digest}"
        wait_for(lambda: cy.get(path).status_code, "the snapshot, kept", until=200)
