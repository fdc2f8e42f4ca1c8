"""A plane that misbehaves as it is told, and what a program that asks it is given."""

import pytest

from setpoint.client.plane import connection
from support.misbehaving_plane import SEED, small_plane


@pytest.fixture(scope="module")
def shared():
    with small_plane() as served:
        yield served


@pytest.fixture
def small(shared, monkeypatch):
    """The plane as at first; whoever asks it waits a minute at most, and hardly between two attempts."""
    monkeypatch.setattr(connection, "_PATIENT", connection.Patience(60.0, 60.0, 60.0, 2, 0.001, 0.01))
    shared.__dict__ |= {"document": dict(SEED), "revision": 1, "token": "", "context": None}
    shared.faults.clear()
    shared.requests.clear()
    return shared


@pytest.fixture
def environ(small, tmp_path):
    return {
        "SETPOINT_URL": small.url,
        "SETPOINT_CATALOGUES": "cvntrade",
        "SETPOINT_HOME": str(tmp_path / "home"),
        "SETPOINT_EVENTS": str(tmp_path / "events.log"),
        "SETPOINT_PLANE_TIMEOUT_S": "60",
    }
