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


@pytest.fixture
def typed(server, clone, people, setpoint_command, monkeypatch):
    """``typed("bo", "change", ...)``: a command as one of several people, each with a login of their own."""

    def command(person, *words, code=0):
        monkeypatch.setenv("SETPOINT_DATABASE_URL", server.url(clone, login=person))
        done = setpoint_command(*words)
        assert done.code == code, (words, done.out, done.err)
        return done

    return command
