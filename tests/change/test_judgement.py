"""Judging only what an edit can change finds what judging every context whole finds."""

from collections import Counter
from functools import cache
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.change.contexts import affected_contexts, context_of, resolved
from setpoint.change.documents import Document, read_documents, read_judged
from setpoint.change.identity import Author
from setpoint.change.invariants import rules_of, violations
from setpoint.change.judgement import broken_rules, newly_broken
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.change.seeding import apply_seed
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.store.database import Transaction

HEAD = """
format = 1
name = "tiny"
version = "1.0.0"
prefix = "TINY"
dimensions = ["profile", "symbol"]
[[parts]]
name = "model"
values = { a = "A", b = "B" }
"""
PARAMETER = """
[[parameters]]
name = "{name}"
type = "int"
low = 0
high = 9
tuned = {tuned}
doc = "d"
"""
INVARIANT = """
[[invariants]]
name = "rule{number}"
over = "{over}"
expression = "{expression}"
message = "m"
"""
RULES = [
    ("range", "low < high"),
    ("range", "low <= value && value <= high"),
    ("group", "width < height"),
    ("group", "width + height + depth < 12"),
    ("group", "depth != 3"),
]
KEYS = [
    f"TINY_{model}_{name}"
    for model in "AB"
    for name in ("WIDTH", "WIDTH_RANGE_MIN", "WIDTH_RANGE_MAX", "HEIGHT", "DEPTH")
]
#: 1.0 is no int: a value of another type than the declared one counts as not set.
VALUES = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([0, 1, 2, 3, 5, 8, 9, 1.0]), max_size=4)
OVERLAYS = [f"{dimension}={value}" for dimension in ("profile", "symbol") for value in ("x", "y", "z")]
DOCUMENTS = st.fixed_dictionaries(
    {"global": st.dictionaries(st.sampled_from(KEYS), st.integers(0, 9))},
    optional=dict.fromkeys(OVERLAYS, VALUES),
)


@cache
def system_of(rules):
    """The tiny system with some of the rules."""
    text = HEAD
    text += "".join(PARAMETER.format(name=name, tuned="true") for name in ("width",))
    text += "".join(PARAMETER.format(name=name, tuned="false") for name in ("height", "depth"))
    for number, (over, expression) in enumerate(rules):
        text += INVARIANT.format(number=number, over=over, expression=expression)
    with TemporaryDirectory() as folder:
        path = Path(folder, "tiny.toml")
        path.write_text(text)
        return load_catalogues(str(path))


def documents_of(values):
    return {scope: Document(scope, 1, "", held) for scope, held in values.items()}


def whole_judgement(system, documents, scope, values):
    """Judge every context of a scope with every rule; return the first that breaks one anew."""
    laid = {**documents, scope: Document(scope, None, "", values)}
    for context in affected_contexts(system, laid, scope):
        old = violations(system, resolved(system, documents, context))
        known = {(one.where, one.invariant) for one in old}
        new = violations(system, resolved(system, laid, context))
        fresh = [one for one in new if (one.where, one.invariant) not in known]
        if fresh:
            return context, fresh
    return None


def few_documents(system, documents, scope, touched):
    """Return a scope's own document and those that `read_judged` reads beside it."""
    keys = {key for rule in rules_of(system, touched) for key in rule.keys}
    own = {scope: documents[scope]} if scope in documents else {}
    return own | {
        name: one
        for name, one in documents.items()
        if name != scope and keys and (name == "global" or not keys.isdisjoint(one.values))
    }


SOME_RULES = st.sampled_from([some for n in range(1, len(RULES) + 1) for some in combinations(RULES, n)])


@given(rules=SOME_RULES, before=DOCUMENTS, scope=st.sampled_from(["global", *OVERLAYS]), edits=VALUES)
def test_an_edit_is_judged_as_every_context_whole_would_judge_it(rules, before, scope, edits):
    """The same edits are refused, for the same first context and rules; also from the few documents read."""
    system, documents = system_of(rules), documents_of(before)
    values = {**before.get(scope, {}), **edits}
    expected = whole_judgement(system, documents, scope, values)
    for some in (documents, few_documents(system, documents, scope, edits)):
        found = newly_broken(system, some, scope, values)
        assert (found and (context_of(found[0]), found[1])) == expected


@pytest.fixture
def laid(bundled_seeds, database, catalogues, owner_url):
    """A hundred overlays of two dimensions; each sets a dozen of all keys."""
    apply_seed(database, catalogues, load_seeds("", catalogues), Author("ada", "os-account"), overwrite=False)
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "INSERT INTO ftf_config (scope, base_env) SELECT scope, jsonb_object_agg(key, value) FROM ("
            " SELECT d || '=' || upper(d) || n AS scope, key, value, row_number() OVER (PARTITION BY d, n"
            " ORDER BY md5(key || d || n)) AS place FROM unnest('{symbol,profile}'::text[]) AS d,"
            " generate_series(1, 50) AS n, ftf_config AS f, jsonb_each(f.base_env) AS e (key, value)"
            " WHERE f.id = 1) AS drawn WHERE place <= 12 GROUP BY scope"
        )
    return database


TOUCHED = [
    "CVN_HPO_XGB_5M_GAMMA",
    "CVN_HPO_LGB_5M_NUM_LEAVES",
    "CVN_HPO_CB_1H_DEPTH_RANGE_MAX",
    "CVN_FTF_SEED",
]


def test_the_database_finds_the_documents_that_an_edit_is_judged_by(laid, catalogues):
    """Whatever is edited, in whichever scope: global and the overlays that set a key of a rule, in order."""
    documents = read_documents(laid, catalogues)
    sizes = set()
    for scope in ("global", "symbol=SYMBOL7", "profile=NEW"):
        for touched in ([], *([key] for key in TOUCHED), TOUCHED):
            beside = read_judged(laid, catalogues, scope, touched)
            expected = few_documents(catalogues, documents, scope, touched)
            expected.pop(scope, None)
            assert list(beside.items()) == list(expected.items())
            sizes.add(len(beside))
    assert min(sizes) == 0
    assert 2 < max(sizes) < 80


def test_an_edit_reads_no_overlay_that_cannot_matter(laid, catalogues, monkeypatch):
    """What is asked of the database is as many rows as without all these overlays."""
    read, bound = Counter(), TOUCHED[2]
    fetch = Transaction.fetch_all

    def counted(self, name, **asked):
        rows = fetch(self, name, **asked)
        read[name] += len(rows)
        return rows

    monkeypatch.setattr(Transaction, "fetch_all", counted)
    for scope in ("global", "symbol=SYMBOL7"):
        few = len(read_judged(laid, catalogues, scope, [bound]))
        read.clear()
        proposal = Proposal(scope=scope, reason="few", set={bound: 9})
        with laid.transaction(author="ada") as transaction:
            assert open_and_apply(transaction, catalogues, proposal).in_force
        assert {name: rows for name, rows in read.items() if rows > 1} == {"read_judged": few}
        assert 1 < few < 25


@given(rules=SOME_RULES, before=DOCUMENTS, scope=st.sampled_from(["global", *OVERLAYS]))
def test_what_is_broken_now_is_found_in_every_class_of_contexts(rules, before, scope):
    """No context breaks a rule with values that the classes did not show."""
    system, documents = system_of(rules), documents_of(before)
    found = {str(broken) for _overlays, broken in broken_rules(system, documents, scope)}

    expected = {
        str(broken)
        for context in affected_contexts(system, documents, scope)
        for broken in violations(system, resolved(system, documents, context))
    }
    assert found == expected
