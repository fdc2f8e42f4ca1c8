"""What a batch of results or events costs depends on the batch; judges are kept by what they judge by."""

import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from setpoint.change.invariants import violations
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.seeds import load_seeds
from setpoint.errors import InvalidValue
from setpoint.record.events import Delivered, Line, record_events
from setpoint.record.judges import Judges
from setpoint.record.results import record_units
from setpoint.store.database import Transaction
from support.counted_statements import Counting
from support.planes import credential, open_accounts
from support.sweep_home import seed_tiny

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from recording import Recording

BATCH = 20
#: Rows of some tables that a transaction has read so far: each one by one, or through an index.
READ = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS rows FROM pg_stat_xact_user_tables
WHERE relname LIKE %s
"""


def test_a_batch_costs_the_same_in_a_run_of_any_size(database, catalogues, owner_url):
    """At 4,000 units it takes as many statements as at 40, and reads no more rows, statistics being young.

    Both go to the month of their trials, which the first one makes.
    """
    seed_tiny(database)
    recording = Recording(database, catalogues)
    found = {}
    for size in (2 * BATCH, 4000):
        plan = recording.start(f"run-{size}", size)
        recording.deliver_all(plan, plan.units[: size // 2], trials=1)
        batch = [recording.entry(plan, unit, trials=3) for unit in plan.units[-BATCH:]]
        with psycopg.connect(owner_url, row_factory=dict_row) as connection:
            counting = Counting(connection)
            receipts = record_units(counting, catalogues, plan.run, batch)
            found[size] = (counting.statements, connection.execute(READ, ["finetune%"]).fetchone()["rows"])
            assert connection.execute("SELECT FROM finetune_trials_rest").fetchall() == []
        assert [receipt.state for receipt in receipts] == ["recorded"] * BATCH
    small, large = found.values()
    assert small[0] == large[0] == 2
    assert large[1] <= small[1]  # of the small one PostgreSQL reads all, which is less than an index


def test_a_batch_of_events_reads_no_other_events(database, owner_url):
    """Neither new lines nor lines sent again read what came before; statistics are young."""
    open_accounts(owner_url)
    robot = credential(owner_url, "robot", "token")

    def delivered(*batches):
        """Deliver lines as the robot; returns what became of each batch, and how many rows that read."""
        with psycopg.connect(owner_url, row_factory=dict_row) as connection:
            connection.execute("SELECT set_config('setpoint.credential', %s, true)", [robot])
            told = []
            for source, first, number in batches:
                lines = [Line(at, f"event=a run=r event_id={at}") for at in range(first, first + number)]
                told.append(record_events(Transaction(connection), source, lines))
            return told, connection.execute(READ, ["event_%"]).fetchone()["rows"]

    delivered(*((f"spool-{number:04}", 1000 * number, 10) for number in range(1, 101)))
    fresh, at_once = delivered(("spool-0002", 10**6, BATCH), ("spool-0999", 0, BATCH))
    again, repeated = delivered(("spool-0001", 1000, BATCH))

    assert [one.accepted for one in fresh] == [BATCH, BATCH]
    assert again == [Delivered(BATCH - 10, 10, ())]
    assert at_once <= 3 * BATCH  # of each line its source, and a few
    assert repeated <= 3 * BATCH


@pytest.fixture(scope="module")
def document(catalogues):
    return {key: sourced.value for key, sourced in load_seeds("", catalogues)[0].values.items()}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"num_leaves": 63, "max_depth": 4},
        {"num_leaves": 15, "max_depth": 4, "learning_rate": 1},
        {"n_estimators": 40, "no_parameter": "x"},
    ],
    ids=str,
)
def test_a_judge_finds_what_judging_the_document_finds(catalogues, document, params):
    """A suggestion is judged as if it stood in its part of the document, and again from what is kept."""
    judges, text = Judges(), canonical_text(document)
    declared = {one.parameter.name: one for one in catalogues.groups["lgb", "5m"]}
    part = {one.name: document[one.name] for one in declared.values()}
    part |= {declared[n].name: declared[n].parameter.coerce(v) for n, v in params.items() if n in declared}

    for read in (lambda: text, pytest.fail):
        judge = judges.of(catalogues, text_hash(text), read).of("lgb", "5m")
        assert judge.broken_by(params) == list(violations(catalogues, part, part))


def test_a_suggestion_that_is_no_value_is_refused(catalogues, document):
    """Beyond the hard bounds, or of another type, whatever the rules say."""
    judge = Judges().of(catalogues, "h", lambda: canonical_text(document)).of("lgb", "5m")

    for wrong in ({"max_depth": 10**6}, {"learning_rate": "fast"}):
        with pytest.raises(InvalidValue):
            judge.broken_by(wrong)


def test_judges_are_kept_up_to_a_bound(catalogues, document):
    """The snapshot used longest ago is read again; what it says is its own text's, never another's."""
    texts = {
        str(number): canonical_text(document | {"CVN_HPO_LGB_5M_NUM_LEAVES": 10 + number})
        for number in range(3)
    }
    judges, read = Judges(most_values=2 * len(document)), []

    def leaves(digest):
        def text():
            read.append(digest)
            return texts[digest]

        return judges.of(catalogues, digest, text).document["CVN_HPO_LGB_5M_NUM_LEAVES"]

    assert [leaves(digest) for digest in "0101202"] == [10, 11, 10, 11, 12, 10, 12]
    assert read == ["0", "1", "2", "0"]
