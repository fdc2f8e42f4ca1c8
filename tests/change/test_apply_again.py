"""A change is judged again when it is applied: the catalogues may have changed since it was proposed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from setpoint.change.applying import apply, apply_due
from setpoint.change.changes import read_change
from setpoint.change.documents import read_documents
from setpoint.change.proposals import Proposal, open_and_apply, open_change
from setpoint.declare.catalogue import Catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.errors import InvalidValue, UnknownKey

GAMMA = "CVN_HPO_XGB_5M_GAMMA"


@pytest.fixture
def seeded(database, catalogues):
    values = {key: sourced.value for key, sourced in load_seeds("", catalogues)[0].values.items()}
    with database.transaction(author="ada") as transaction:
        open_and_apply(transaction, catalogues, Proposal(scope="global", reason="seed", set=values))
    return database


def narrowed(catalogues, high):
    """The same catalogues after a release that allows gamma only up to ``high``; None undeclares it."""
    first, second = catalogues.members
    parameters = tuple(
        replace(p, high=high) if (p.name, high is None) == ("gamma", False) else p
        for p in first.parameters
        if (p.name, high) != ("gamma", None)
    )
    return Catalogues((replace(first, parameters=parameters), second))


@pytest.mark.parametrize(("high", "error"), [(0.5, InvalidValue), (None, UnknownKey)])
def test_what_todays_catalogue_refuses_is_not_applied(seeded, catalogues, high, error):
    """A value that was fine when proposed and is not any more leaves the document as it is."""
    with seeded.transaction(author="ada") as transaction:
        change = open_change(transaction, catalogues, Proposal(scope="global", reason="r", set={GAMMA: 0.9}))

    with pytest.raises(error, match=GAMMA), seeded.transaction(author="ada") as transaction:
        apply(transaction, narrowed(catalogues, high), read_change(transaction, change.id))

    assert read_documents(seeded, catalogues)["global"].values[GAMMA] == 0.0
    assert read_change(seeded, change.id).state == "proposed"
    with seeded.transaction(author="ada") as transaction:
        assert apply(transaction, catalogues, read_change(transaction, change.id)) == 2


def test_a_scheduled_change_is_judged_again_too(seeded, catalogues, owner_url):
    """What is due but refused today stays proposed, and says why."""
    later = datetime.now(UTC) + timedelta(hours=1)
    proposal = Proposal(scope="global", reason="r", set={GAMMA: 0.9}, apply_at=later)
    with seeded.transaction(author="ada") as transaction:
        change = open_change(transaction, catalogues, proposal)
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE changes SET apply_at = now() - interval '1 minute' WHERE id = %s", [change.id])

    ((number, said),) = apply_due(seeded, narrowed(catalogues, 0.5), "ada")
    assert (number, said.startswith(f"not applied: {GAMMA} = 0.9")) == (change.id, True)
    assert apply_due(seeded, catalogues, "ada") == [(change.id, "revision 2")]


def test_what_is_applied_at_once_is_written_into_history_alone(seeded, catalogues, owner_url):
    """The table of changes takes no document on the way: ten edits of one key leave it as large as it was."""
    size = "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = 'changes'::regclass"
    with psycopg.connect(owner_url, autocommit=True) as psql:
        before = psql.execute(size).fetchone()[0]
        for value in range(10):
            with seeded.transaction(author="ada") as transaction:
                wanted = Proposal(scope="global", reason="r", set={GAMMA: value / 10})
                assert open_and_apply(transaction, catalogues, wanted).in_force

        assert psql.execute(size).fetchone()[0] == before
