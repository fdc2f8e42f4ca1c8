"""GOVERN: every parameter of a fitted model: what was requested, what it holds, and why the two differ.

Guarantees: each requested parameter and each that the model reports is one line; what the harness found
when it read the model back is told in words. What was not requested is the library's default, or what the
harness passes by itself, such as seed and threads: a model does not say which.
Pure: it reads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.client.results import Result
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.keys import Declared

#: What each finding means.
FINDING_WORDS = {
    "differs": "the model holds another value than was asked",
    "ignored": "asked, but the model does not report it",
    "no_effect": "arrived, but cannot have had an effect with the other values",
    "library_chose": "nobody asked; the library derived it from the data",
    "breaks_invariant": "the trial's values break this rule of the catalogue together",
}
AS_ASKED, NOT_REQUESTED = "as_asked", "not_requested"


class AttestedParameter(NamedTuple):
    """One parameter of a fitted model, by the library's name for it."""

    param: str
    #: The key that governs it; empty where none does.
    key: str
    #: None when nobody asked.
    requested: Any
    #: None when the model does not report it.
    effective: Any
    #: A finding of attestation, ``as_asked``, or ``not_requested``.
    outcome: str
    #: Why it is not simply what was requested; empty where it is.
    why: str


def attested_parameters(result: Result, catalogues: Catalogues) -> list[AttestedParameter]:
    """Return every parameter of a unit's model: first what is not as requested, last the rest."""
    declared = dict(_declared(result, catalogues))
    found = {one.param: one for one in result.findings}
    lines = []
    for param in result.model_hyperparams | result.effective_params | found:
        one = found.get(param)
        requested = one.asked if one else result.model_hyperparams.get(param)
        effective = one.effective if one else result.effective_params.get(param)
        outcome = one.finding if one else AS_ASKED if param in result.model_hyperparams else NOT_REQUESTED
        why = _why(outcome, requested, effective, declared.get(param), result.effective_params)
        key = declared[param].name if param in declared else ""
        lines.append(AttestedParameter(param, key, requested, effective, outcome, why))
    return sorted(lines, key=lambda line: (_RANKS.get(line.outcome, 0), line.param))


#: In which order they are told; a finding of whatever kind comes first.
_RANKS = {AS_ASKED: 1, NOT_REQUESTED: 2}


def _declared(result: Result, catalogues: Catalogues) -> Iterator[tuple[str, Declared]]:
    """Yield what governs a unit's model, by the library's names."""
    passed = (one for one in catalogues.keys.values() if one.parameter.passes_to == result.model)
    for one in (*passed, *catalogues.groups.get((result.model, result.timeframe), ())):
        yield one.parameter.library_name, one


def _why(
    outcome: str, requested: Any, effective: Any, declared: Declared | None, held: Mapping[str, Any]
) -> str:
    if outcome == NOT_REQUESTED:
        return "given to the fit apart from these" if declared else "the library's default, or the harness's"
    if outcome == AS_ASKED:
        return "" if requested == effective else "the same number, as the library keeps it"
    unmet = [one for one in declared.parameter.effective_when if not one.holds(held)] if declared else []
    if outcome == "no_effect" and unmet:
        here = ", ".join(f"{one.name} is {held.get(one.name, 'not reported')}" for one in unmet)
        return f"it has an effect only with {' and '.join(map(str, unmet))}; here {here}"
    return FINDING_WORDS.get(outcome, outcome)
