"""What stories share: somebody at a terminal of a seeded system."""

import pytest


@pytest.fixture
def incident(
    bundled_seeds, setpoint_command, database, catalogues, owner_url, monkeypatch, request, tmp_path
):
    """A seeded system in which nothing has gone wrong yet."""
    monkeypatch.syspath_prepend(request.config.rootpath / "bench")
    monkeypatch.chdir(tmp_path)
    from support.incidents import Incident

    made = Incident(setpoint_command, database, catalogues, owner_url, monkeypatch, tmp_path)
    with made.stack:
        yield made
