"""What a model holds is told beside what was requested, with the reason for each difference."""

import json
from dataclasses import replace

import pytest

from setpoint.client.result_parsing import parse_unit_entry
from setpoint.client.results import ParamFinding
from setpoint.govern.attested import FINDING_WORDS, attested_parameters
from support.run_reports import entry_of, plan_a_run


@pytest.fixture
def result(database):
    """The result of a really trained LightGBM unit."""
    entry = entry_of(plan_a_run(database))["entry"]
    return parse_unit_entry(json.loads(json.dumps(entry))).result


def test_each_difference_has_its_reason(result, catalogues):
    """A condition that does not hold is named with what is held; what nobody asked, and 32 bits, are told."""
    held = {**result.effective_params, "bagging_freq": 0, "learning_rate": 0.10000000149}
    asked = {**result.model_hyperparams, "bagging_fraction": 0.8, "learning_rate": 0.1}
    findings = (
        ParamFinding("bagging_fraction", 0.8, 0.8, "no_effect"),
        ParamFinding("n_estimators", 20, 7, "differs"),
        ParamFinding("is_unbalance", None, True, "library_chose"),
        ParamFinding("num_leaves_within_depth", None, None, "breaks_invariant"),
    )
    changed = replace(result, effective_params=held, model_hyperparams=asked, findings=findings)
    lines = attested_parameters(changed, catalogues)
    told = {one.param: one for one in lines}

    unmet = "it has an effect only with bagging_freq > 0; here bagging_freq is 0"
    assert told["bagging_fraction"].why == unmet
    assert told["bagging_fraction"].key == "CVN_HPO_LGB_5M_SUBSAMPLE"
    assert (told["n_estimators"].requested, told["n_estimators"].effective) == (20, 7)
    for name, finding in (("n_estimators", "differs"), ("is_unbalance", "library_chose")):
        assert told[name].why == FINDING_WORDS[finding]
    assert told["learning_rate"].why == "the same number, as the library keeps it"
    assert (told["verbosity"].outcome, told["verbosity"].requested) == ("not_requested", None)
    assert told["verbosity"].why == "the library's default, or the harness's"
    assert told["num_iterations"].why == "given to the fit apart from these"
    assert told.keys() == held.keys() | asked.keys() | {one.param for one in findings}
    outcomes = [one.outcome for one in lines]
    assert set(outcomes[:4]) == {one.finding for one in findings}
    assert outcomes[4:] == sorted(outcomes[4:])
