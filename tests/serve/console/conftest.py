"""People at the Console."""

import pytest

from support.browsers import Person
from support.planes import open_accounts


@pytest.fixture
def person(plane, seeded, owner_url):
    """``person("ada")`` is somebody with a session, at the pages of this test's plane."""
    open_accounts(owner_url)
    opened = {}

    def of(account):
        if account not in opened:
            opened[account] = Person(plane, owner_url, account)
        return opened[account]

    yield of
    for one in opened.values():
        one.close()


@pytest.fixture
def asks_for_approval(http_as, seeded):
    """One other person must approve each change."""
    made = http_as("dan").put("/v1/policies/*/*", json={"approvals": 1, "reason": "four eyes"})
    assert made.status_code == 200, made.text
