"""TRAIN: no parameter reaches a library under a name it does not know.

XGBoost answers an unknown name with a warning and LightGBM with a log line; both then train with
their default. Given two spellings of one parameter, both pick one silently. So every name is held
against the library's own list first. Refuses unknown names (offering the nearest), second spellings
(naming the canonical one) and names that the adapter sets itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from setpoint.errors import ParameterRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.declare.parameters import Scalar
    from setpoint.train.boosters.shape import Binned


@dataclass(frozen=True)
class Spelling:
    """The names one library knows."""

    library: str
    #: Every accepted spelling to its canonical name, the one a fitted model reports.
    canonical: Mapping[str, str]
    #: Canonical names that say what the task and the machine are; the adapter alone sets them.
    owned: frozenset[str]

    def check(self, params: Mapping[str, Scalar]) -> None:
        """Refuse any name that is not canonical and free to be set.

        Raises:
            ParameterRefused: see the module.
        """
        seen: dict[str, str] = {}
        for name in params:
            canonical = self._known(name)
            if canonical in seen:
                raise self._refusal(name, f"{seen[canonical]} and {name} are one parameter", canonical)
            seen[canonical] = name
        for canonical, name in seen.items():
            if canonical in self.owned:
                raise self._refusal(name, f"{name} is set by the harness", "", "leave it out")
            if canonical != name:
                raise self._refusal(name, f"{name} is another spelling of {canonical}", canonical)

    def _known(self, name: str) -> str:
        if name in self.canonical:
            return self.canonical[name]
        near = get_close_matches(name, self.canonical)
        hint = (
            f"did you mean {', '.join(near)}?" if near else "look the name up in the library's documentation"
        )
        raise self._refusal(name, f"{name} is no parameter of {self.library}", "", hint)

    def _refusal(self, name: str, problem: str, canonical: str, hint: str = "") -> ParameterRefused:
        return ParameterRefused(
            f"{self.library}: {problem}.", hint=hint or f"give {canonical} alone", parameter=name
        )


def check_bins(library: str, binned: Binned, params: Mapping[str, Scalar], binning: frozenset[str]) -> None:
    """Refuse a fit whose binning parameters are not those its shared data was binned with.

    CatBoost would ignore the change and echo the new value; LightGBM would bin again for each trial.

    Raises:
        ParameterRefused: names the first parameter that differs.
    """
    for name in sorted(binning & (params.keys() | binned.binning.keys())):
        asked, made = params.get(name), binned.binning.get(name)
        if asked != made:
            raise ParameterRefused(
                f"{library}: {name} = {asked}, but the shared data was binned with {made}.",
                hint="bin the data again with the new value",
                parameter=name,
            )


def typed(text: str, asked: Scalar | None) -> Scalar:
    """Read a value that a library reports as text: as the type of what was asked, else by its look."""
    if isinstance(asked, bool):
        return {"0": False, "1": True, "false": False, "true": True}.get(text.lower(), text)
    for kind in (float,) if isinstance(asked, float) else (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
