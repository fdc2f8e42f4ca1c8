"""The gate passes its own examination, and the examination can fail."""

import pytest

from setpoint.declare.loading import bundled_catalogues, load_catalogues
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from support.gate_examination import Case, cases, examine


@pytest.fixture(scope="module")
def judge():
    return Judge(Names.load(load_catalogues(",".join(bundled_catalogues()))), {})


def test_every_form_is_caught_and_nothing_else(judge):
    """Over the whole corpus nothing is missed and nothing is alarmed without cause."""
    score = examine(judge)

    assert score.hits
    assert (score.missed, score.false_alarms) == ((), ())
    assert (score.recall, score.precision) == (1.0, 1.0)


def test_the_corpus_is_large_enough_to_mean_something():
    """At least 90 cases find something, 60 find nothing, 7 are refused, and no form is told twice."""
    corpus = list(cases())

    assert sum(bool(case.finds) for case in corpus) >= 90
    assert sum(not case.finds and not case.fails for case in corpus) >= 60
    assert sum(case.fails for case in corpus) >= 7
    assert len({(case.family, case.form) for case in corpus}) == len(corpus)


@pytest.mark.parametrize(
    ("case", "missed", "false_alarms"),
    [
        (Case("silent", "rate = 1\n", finds=("1 learning_rate",)), ("1 learning_rate",), ()),
        (Case("loud", "learning_rate = 0.1\n"), (), ("1 learning_rate",)),
        (
            Case("beside", "\nlearning_rate = 0.1\n", finds=("1 learning_rate",)),
            ("1 learning_rate",),
            ("2 learning_rate",),
        ),
        (
            Case("other", "max_bin_share = learning_rate = 0.1\n", finds=("1 gamma",)),
            ("1 gamma",),
            ("1 learning_rate",),
        ),
        (Case("refused", "learning_rate = = 1\n"), (), ("refused",)),
        (Case("accepted", "learning_rate = None\n", fails=True), ("refused",), ()),
    ],
    ids=lambda value: value.form if isinstance(value, Case) else None,
)
def test_a_wrong_gate_fails_the_examination(judge, monkeypatch, case, missed, false_alarms):
    """A finding that is missing, elsewhere, of another name, or too many costs recall or precision."""
    monkeypatch.setattr("support.gate_examination.cases", lambda: iter([case]))

    score = examine(judge)

    assert tuple(what for _, what in score.missed) == missed
    assert tuple(what for _, what in score.false_alarms) == false_alarms
    assert (score.recall < 1) == bool(missed)
    assert (score.precision < 1) == bool(false_alarms)
