"""The plane while its database is away: says so, writes nothing, and goes on when it is back."""

import httpx
import pytest

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def lost(server, clone):
    """``lost(True)`` takes this test's database away, as far as the plane can tell; False gives it back."""

    def lose(away):
        server.administer(f"ALTER DATABASE {clone} ALLOW_CONNECTIONS {not away}")
        if away:
            ours = f"datname = '{clone}'"
            server.administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")  # noqa: S608 - a name of our making

    yield lose
    lose(False)


def test_a_lost_database_is_503_until_it_is_back(seeded, http_as, plane, lost):
    """Reads and writes are 503 with Retry-After, the process lives, and all is well without a restart."""
    cy, ada = http_as("cy"), http_as("ada")
    tag = cy.get("/v1/config/global").headers["ETag"]
    edit = {"json": {"set": {KEY: 0.07}, "reason": "x"}, "headers": {"If-Match": tag, "Idempotency-Key": "k"}}
    ada.get("/v1/scopes")

    lost(True)
    for answer in (
        cy.get("/v1/config/global"),
        ada.patch("/v1/config/global", **edit),
        cy.get("/v1/history"),
        httpx.get(f"{plane}/health/ready"),
        httpx.get(f"{plane}/health/restore"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable"), answer.text
        assert int(answer.headers["Retry-After"]) >= 1
    assert httpx.get(f"{plane}/health/live").status_code == 200

    lost(False)
    assert cy.get("/v1/config/global").headers["ETag"] == tag
    assert ada.patch("/v1/config/global", **edit).status_code == 200
    assert httpx.get(f"{plane}/health/ready").status_code == 200
