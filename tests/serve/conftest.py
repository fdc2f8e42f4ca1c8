"""What the plane's tests share."""

from dataclasses import replace

import httpx
import pytest

from planes import credential, serving_plane


@pytest.fixture
def token_of(http_as, plane, owner_url):
    """``token_of("bo")`` is an HTTP client with an API token of Bo's instead of a session."""
    opened = []

    def client_of(account):
        http_as(account)
        headers = {"X-API-Key": credential(owner_url, account, "token")}
        opened.append(httpx.Client(base_url=plane, headers=headers, timeout=20))
        return opened[-1]

    yield client_of
    for client in opened:
        client.close()


@pytest.fixture
def another_plane(settings, catalogues, server, clone):
    """Serve this test's database from a second server, which yields its URL."""
    served = replace(settings, database_url=server.url(clone, login="setpoint_server"))
    return lambda: serving_plane(served, catalogues)
