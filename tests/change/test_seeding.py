import psycopg
import pytest

from setpoint.change.documents import pin_snapshot, read_documents
from setpoint.change.identity import Author
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.change.seeding import apply_seed, plan_seed
from setpoint.declare.document import canonical_text, parse_text, text_hash
from setpoint.declare.seeds import Seed, Sourced, load_seeds
from setpoint.errors import (
    InvalidContext,
    InvalidDocument,
    InvalidValue,
    InvariantViolated,
    UnknownKey,
    UnknownScope,
)
from support.documents import revisions

ADA = Author("ada", "os-account")
LR = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def seeds(catalogues):
    return load_seeds("", catalogues)


@pytest.fixture
def seeded(database, catalogues, seeds):
    apply_seed(database, catalogues, seeds, ADA, overwrite=False)
    return database


def tune(database, catalogues, remove=(), **values):
    """Ada tunes values of the global document."""
    with database.transaction(author="ada") as transaction:
        return open_and_apply(
            transaction, catalogues, Proposal(scope="global", reason="tuned", set=values, remove=remove)
        )


def history(database):
    return revisions(database)[::-1]


def test_the_first_seed_makes_revision_1_with_author_reason_and_catalogues(seeded, catalogues):
    """Seeding an empty database is one attributed revision for each scope."""
    overlay, base = history(seeded)

    assert (base["id"], base["scope"], base["updated_by"], base["change_reason"]) == (
        1,
        "global",
        "ada",
        "seed",
    )
    assert (base["proof"], base["source"]) == ("os-account", "seed")
    assert [c["hash"] for c in base["catalogues"]] == [m.hash for m in catalogues.members]
    assert len(base["diff"]) == len(catalogues.keys)
    assert overlay["scope"] == "profile=demo"


def test_seeding_twice_writes_nothing(seeded, catalogues, seeds):
    """The second time there is nothing to do, and no revision is made."""
    plans, revisions = apply_seed(seeded, catalogues, seeds, ADA, overwrite=False)

    assert revisions == {}
    assert not any(plan.edits for plan in plans)
    assert len(history(seeded)) == 2


def test_a_tuned_value_is_never_overwritten(seeded, catalogues, seeds):
    """Seeding after tuning keeps the tuned value and reports it."""
    tune(seeded, catalogues, **{LR: 0.09})
    plans, revisions = apply_seed(seeded, catalogues, seeds, ADA, overwrite=False)

    assert revisions == {}
    assert [str(edit) for edit in plans[0].kept] == [f"~ {LR} = 0.09 -> 0.08"]
    assert read_documents(seeded, catalogues)["global"].values[LR] == 0.09


def edited(seeds, **values):
    """The seeds as their files would say them after an edit of some values."""
    base = seeds[0].values | {key: Sourced(value, "edited") for key, value in values.items()}
    return (Seed("global", base), *seeds[1:])


def test_a_default_that_changed_is_new_and_not_tuned(seeded, catalogues, seeds):
    """Over a value that seeding alone wrote, the file's new value is applied; over anybody else's never."""
    tune(seeded, catalogues, CVN_HPO_XGB_5M_GAMMA=0.5)
    wanted = edited(seeds, **{LR: 0.07, "CVN_HPO_XGB_5M_GAMMA": 0.25})
    plan = plan_seed(seeded, catalogues, wanted, overwrite=False)[0]

    assert (plan.new, [str(edit) for edit in plan.new_defaults]) == ((), [f"~ {LR} = 0.08 -> 0.07"])
    assert [str(edit) for edit in plan.tuned] == ["~ CVN_HPO_XGB_5M_GAMMA = 0.5 -> 0.25"]
    assert (plan.edits, plan.kept) == (plan.new_defaults, plan.tuned)

    apply_seed(seeded, catalogues, wanted, ADA, overwrite=False)
    values = read_documents(seeded, catalogues)["global"].values
    assert (values[LR], values["CVN_HPO_XGB_5M_GAMMA"]) == (0.07, 0.5)
    assert not any(plan.edits for plan in plan_seed(seeded, catalogues, wanted, overwrite=False))
    again = plan_seed(seeded, catalogues, edited(seeds, **{LR: 0.06}), overwrite=False)[0]
    assert [edit.key for edit in again.new_defaults] == [LR]


def test_a_value_that_a_person_put_back_is_theirs(seeded, catalogues, seeds):
    """Whoever sets the old default again has decided: a new default does not replace it."""
    tune(seeded, catalogues, **{LR: 0.09})
    tune(seeded, catalogues, **{LR: 0.08})
    plan = plan_seed(seeded, catalogues, edited(seeds, **{LR: 0.07}), overwrite=False)[0]

    assert (plan.new_defaults, [edit.key for edit in plan.tuned]) == ((), [LR])


def test_overwriting_is_recorded_as_such(seeded, catalogues, seeds):
    """With overwrite the seed's value comes back, and the revision says that it overwrote."""
    tune(seeded, catalogues, **{LR: 0.09})
    _, revisions = apply_seed(seeded, catalogues, seeds, ADA, overwrite=True)
    newest = history(seeded)[0]

    assert {scope: made.revision for scope, made in revisions.items()} == {"global": newest["id"]}
    assert newest["change_reason"] == "seed: overwrite tuned values"
    assert newest["diff"] == [{"key": LR, "op": "replace", "old": 0.09, "new": 0.08}]


def test_a_missing_key_is_added_and_nothing_else(seeded, catalogues, seeds):
    """Seeding repairs a document that lost a key."""
    tune(seeded, catalogues, remove=(LR,))
    plans = plan_seed(seeded, catalogues, seeds, overwrite=False)

    assert [str(edit) for edit in plans[0].edits] == [f"+ {LR} = 0.08"]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({LR: "0.1"}, InvalidValue),
        ({LR: 5.0}, InvalidValue),
        ({"CVN_HPO_XGB_5M_NEW": 1}, UnknownKey),
        ({LR: 0.5}, InvariantViolated),
    ],
    ids=["wrong type", "out of bounds", "undeclared", "breaks an invariant"],
)
def test_a_wrong_seed_changes_nothing(database, catalogues, seeds, values, error):
    """One wrong value stops the whole seed: no document, no history, no catalogue."""
    wrong = seeds[0].values | {key: Sourced(value, "test") for key, value in values.items()}

    with pytest.raises(error):
        apply_seed(database, catalogues, (Seed("global", wrong), seeds[1]), ADA, overwrite=False)
    assert history(database) == []
    assert database.fetch_all("export_catalogues") == []


def test_an_overlay_is_judged_over_the_global_document(seeded, catalogues):
    """Values that are valid alone can break an invariant together: the resolved result is judged."""
    overlay = Seed("symbol=BTCUSDC", {"CVN_HPO_LGB_5M_MAX_DEPTH": Sourced(4, "test")})

    with pytest.raises(InvariantViolated, match="leaves_fit_the_depth"):
        apply_seed(seeded, catalogues, (overlay,), ADA, overwrite=False)
    assert "symbol=BTCUSDC" not in read_documents(seeded, catalogues)


def test_a_violation_that_is_there_already_does_not_block(seeded, catalogues, seeds, owner_url):
    """Only newly broken invariants stop a seed: not the one that somebody made by hand."""
    with psycopg.connect(owner_url) as psql:
        psql.execute(
            "UPDATE ftf_config SET base_env = base_env || %s WHERE id = 1",
            ['{"CVN_HPO_LGB_5M_MAX_DEPTH": 4}'],
        )
    tune(seeded, catalogues, remove=(LR,))

    assert apply_seed(seeded, catalogues, seeds, ADA, overwrite=False)[1]


def test_the_document_has_one_text_and_one_hash(seeded, catalogues, seeds):
    """What Setpoint writes, PostgreSQL stores byte for byte: the same text, the same hash."""
    row = seeded.fetch_one("read_scope", scope="global")
    ours = canonical_text({key: sourced.value for key, sourced in seeds[0].values.items()})

    assert row["text"] == ours
    assert row["hash"] == text_hash(ours)


def test_pinning_merges_scopes_in_the_catalogues_order(seeded, catalogues):
    """Profile is overridden by symbol, whatever the order they are named in."""
    for scope, trials in (("profile=night", 7), ("symbol=BTCUSDC", 9)):
        seed = Seed(scope, {"CVN_FTF_TUNING_TRIALS": Sourced(trials, "test")})
        apply_seed(seeded, catalogues, (seed,), ADA, overwrite=False)
    context = {"symbol": "BTCUSDC", "profile": "night"}
    snapshot = pin_snapshot(seeded, catalogues, context)

    assert parse_text(snapshot.text)["CVN_FTF_TUNING_TRIALS"] == 9
    assert [layer.scope for layer in snapshot.layers] == ["global", "profile=night", "symbol=BTCUSDC"]
    assert [layer.keys["CVN_FTF_TUNING_TRIALS"] for layer in snapshot.layers] == [20, 7, 9]
    assert snapshot.hash == text_hash(snapshot.text)


def test_pinning_before_seeding_says_what_to_do(database, catalogues):
    """An empty database gives no empty snapshot."""
    with pytest.raises(UnknownScope, match="setpoint seed --apply"):
        pin_snapshot(database, catalogues, {})


def test_a_context_with_an_unknown_dimension_is_refused(seeded, catalogues):
    """Contexts are spelled as the catalogue declares them."""
    with pytest.raises(InvalidContext, match="use one of: profile, timeframe, symbol"):
        pin_snapshot(seeded, catalogues, {"asset": "BTCUSDC"})


HEAD = 'format = 1\ncatalogue = "cvntrade"\nscope = "global"\n[[values]]\n'


def test_an_integer_is_a_float_in_a_seed_as_in_a_document(tmp_path, catalogues):
    """`1` for a float loses nothing; `1.5` for an int, and `true` for a number, stay wrong."""
    (tmp_path / "seed.toml").write_text(HEAD + 'parameter = "gamma"\nvalue = 1\nsource = "s"')
    values = load_seeds(str(tmp_path), catalogues)[0].values
    assert [type(sourced.value) for sourced in values.values()] == [float] * len(values)

    for wrong in ("true", str(10**400)):
        (tmp_path / "seed.toml").write_text(HEAD + f'parameter = "gamma"\nvalue = {wrong}\nsource = "s"')
        with pytest.raises(InvalidDocument, match=r"no float|expected a float"):
            load_seeds(str(tmp_path), catalogues)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not toml", "cannot be read"),
        ('format = 1\ncatalogue = "cvntrad"\nscope = "global"', "for the catalogue 'cvntrad'"),
        ('format = 2\ncatalogue = "cvntrade"\nscope = "global"', "this release reads 1"),
        ('format = 1\ncatalogue = "cvntrade"\nscope = "asset=BTC"', "is no scope: neither global nor"),
        (
            HEAD + 'parameter = "gamma"\nvalue = 0.1',
            "does not say its source",
        ),
        (
            HEAD + 'parameter = "gama"\nvalue = 0.1\nsource = "s"',
            "covers no declared key",
        ),
        (
            HEAD + 'parameter = "gamma"\nvalue = "0.1"\nsource = "s"',
            "expected a float, got str",
        ),
    ],
)
def test_a_half_valid_seed_file_is_refused_whole(tmp_path, catalogues, text, complaint):
    """Every way of getting a seed file wrong is named, and nothing of it is used."""
    (tmp_path / "seed.toml").write_text(text)

    with pytest.raises(InvalidDocument, match=complaint):
        load_seeds(str(tmp_path), catalogues)
