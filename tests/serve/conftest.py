"""Planes to ask and to stream from, clients of them, and revisions written by hand."""

from dataclasses import replace

import httpx
import psycopg
import pytest

from support.live_planes import live_plane
from support.planes import credential, open_accounts, serving_plane

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def plane_settings(server, clone, settings):
    """What a plane of this test's database reads."""
    return replace(settings, database_url=server.url(clone, login="setpoint_server"))


@pytest.fixture
def client_of(owner_url):
    """``client_of(url, "cy")`` is an HTTP client of a plane with a session of that account."""
    opened = []
    open_accounts(owner_url)

    def client(url, account="cy", lives_s=3600):
        headers = {"Authorization": f"Bearer {credential(owner_url, account, lives_s=lives_s)}"}
        opened.append(httpx.Client(base_url=url, headers=headers, timeout=60))
        return opened[-1]

    yield client
    for one in opened:
        one.close()


@pytest.fixture
def lively(plane_settings):
    """A plane in this process that beats five times a second."""
    with live_plane(plane_settings, beat_s=0.2) as served:
        yield served


@pytest.fixture
def cy(lively, client_of):
    """A client of that plane that may only read."""
    return client_of(lively.url)


@pytest.fixture
def write(owner_url):
    """``write(value)`` changes one key by SQL and returns the revision; ``scope`` may be an overlay."""
    with psycopg.connect(owner_url, autocommit=True) as owner:

        def written(value, scope="global", key=KEY):
            (revision,) = (
                owner.execute(
                    "UPDATE ftf_config SET base_env = base_env || jsonb_build_object(%s::text, %s::numeric)"
                    " WHERE scope = %s RETURNING revision",
                    [key, str(value), scope],
                ).fetchone()
                or owner.execute(
                    "INSERT INTO ftf_config (scope, base_env)"
                    " VALUES (%s, jsonb_build_object(%s::text, %s::numeric)) RETURNING revision",
                    [scope, key, str(value)],
                ).fetchone()
            )
            return revision

        yield written


@pytest.fixture
def token_of(http_as, plane, owner_url):
    """``token_of("bo")`` is an HTTP client with an API token of Bo's instead of a session."""
    opened = []

    def client_of(account):
        http_as(account)
        headers = {"X-API-Key": credential(owner_url, account, "token")}
        opened.append(httpx.Client(base_url=plane, headers=headers, timeout=60))
        return opened[-1]

    yield client_of
    for client in opened:
        client.close()


@pytest.fixture
def another_plane(plane_settings, catalogues):
    """Serve this test's database from a second server, which yields its URL; ``changed`` are settings."""
    return lambda **changed: serving_plane(replace(plane_settings, **changed), catalogues)
