"""Pages of other origins: those that an operator names may ask with a token, and nobody with a cookie."""

from dataclasses import replace

import httpx
import pytest

from setpoint.errors import UsageError
from setpoint.serve.cross_origin import origins_in
from support.planes import clients, credential, serving_plane

APP, OTHER = "https://app.example", "https://evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
PATHS = ("/v1/config/global", "/ofrep/v1/evaluate/flags", "/v1/stream", "/health/live", "/nothing")


@pytest.fixture
def open_plane(seeded, served, catalogues, owner_url):
    """A plane that one origin may ask, and a token and a session of Ada's."""
    settings = replace(served, cors_origins=f"{APP}, http://localhost:5173")
    with serving_plane(settings, catalogues) as url, clients(url, owner_url) as as_:
        as_("ada")
        yield url, credential(owner_url, "ada", "token"), credential(owner_url, "ada")


def grants(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def test_a_preflight_of_a_declared_origin_is_answered_for_every_address(open_plane, plane):
    """Without a credential; another origin, and every origin where none is declared, is granted nothing."""
    url, _, _ = open_plane
    for path in PATHS:
        answer = httpx.options(url + path, headers={"Origin": APP, **PREFLIGHT})
        told = grants(answer)
        assert (answer.status_code, told["access-control-allow-origin"]) == (204, APP), path
        assert "PATCH" in told["access-control-allow-methods"]
        assert {"authorization", "if-match"} <= set(told["access-control-allow-headers"].split(", "))
        assert "access-control-allow-credentials" not in told
        for host, origin in ((url, OTHER), (url, "null"), (url, f"{APP}.evil.example"), (plane, APP)):
            assert not grants(httpx.options(host + path, headers={"Origin": origin, **PREFLIGHT})), origin


def test_a_page_reads_with_a_token_and_never_with_a_cookie(open_plane):
    """Answers and refusals alike may be read, the ETag too; a session's cookie counts as nothing."""
    url, token, session = open_plane
    bearer = {"Origin": APP, "Authorization": f"Bearer {token}"}
    read = httpx.get(f"{url}/v1/config/global", headers=bearer)
    with httpx.stream("GET", f"{url}/v1/stream", headers=bearer, timeout=60) as stream:
        assert grants(stream)["access-control-allow-origin"] == APP
    cookie = {"Cookie": f"setpoint_session={session}"}
    here = httpx.get(f"{url}/v1/me", headers=cookie)
    there = httpx.get(f"{url}/v1/me", headers={"Origin": APP, **cookie})

    assert (read.status_code, grants(read)["access-control-allow-origin"]) == (200, APP)
    assert "etag" in grants(read)["access-control-expose-headers"]
    assert "Origin" in read.headers["Vary"]
    assert (here.status_code, there.status_code) == (200, 401)
    assert grants(there)["access-control-allow-origin"] == APP
    assert not grants(httpx.get(f"{url}/v1/config/global", headers=bearer | {"Origin": OTHER}))


@pytest.mark.parametrize("setting", ["*", "app.example", "https://app.example/", "https://a.example,null"])
def test_what_is_no_origin_is_refused_at_the_start(setting):
    """A star, a path or a bare host would never be what a browser sends, or would let everybody in."""
    with pytest.raises(UsageError, match="is no origin"):
        origins_in(setting)
