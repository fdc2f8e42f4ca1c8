"""The room `store` is tested on the bundled server and on the oldest supported one."""

from pathlib import Path

import pytest

BUNDLED = ""
OLDEST = "/usr/lib/postgresql/15/bin"
IDS = ["bundled", "15"]


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", [BUNDLED, OLDEST], ids=IDS, indirect=True, scope="session")


@pytest.fixture(scope="session")
def programs(request):
    """A folder of PostgreSQL programs, for tests that start a server of their own; bundled unless asked."""
    folder = getattr(request, "param", BUNDLED)
    if folder and not Path(folder, "postgres").exists():
        pytest.skip(f"PostgreSQL 15 is not installed in {folder}")
    return folder
