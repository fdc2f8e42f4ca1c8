"""What the plane's tests share."""

import httpx
import pytest

from planes import credential


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
