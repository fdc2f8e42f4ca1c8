"""GATE: what the installed libraries say of themselves, as ``docs/generate_gate_names.py`` wrote it down.

Guarantees: nothing of a library is imported; a file that cannot be read stops the gate.
"""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.errors import InvalidDocument, reason_of
from setpoint.gate.names.common_words import PLUMBING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = Path(__file__).with_name("names.json")
#: What scripts call the libraries when they import them as the libraries' own guides do.
CONVENTIONAL = {"xgb": "xgboost", "lgb": "lightgbm", "lgbm": "lightgbm", "cb": "catboost"}
MODULES = {"xgboost": "xgb", "lightgbm": "lgb", "catboost": "cb"}
#: What trains in any module of a library, or of another project's module for it: ``xgboost.dask.train``.
_TRAINS = re.compile(r"(?:Classifier|Regressor|Ranker|Booster|\b(?:train|cv))\Z")
#: How alike, 0 to 1, a misspelt name is to what was meant, and how long a name whose letters changed places.
_CLOSE, _SHORTEST = 0.88, 5


class Libraries:
    """Aliases, parameters and callables of each library."""

    def __init__(self, libraries: Mapping[str, Mapping[str, object]]) -> None:
        #: By library: what an alias stands for.
        self.aliases: dict[str, dict[str, str]] = {}
        self.parameters: dict[str, frozenset[str]] = {}
        #: How a fit runs: what no result depends on.
        self.operational: dict[str, frozenset[str]] = {}
        #: What else the library's own calls take: data, callbacks, a cluster's client.
        self.others: dict[str, frozenset[str]] = {}
        #: Positional parameters of each known callable, by its dotted name.
        self.signatures: dict[str, tuple[str, ...]] = {}
        self._library_of: dict[str, str] = {}
        for library, facts in libraries.items():
            self._learn(library, facts)

    @classmethod
    def load(cls, path: Path = _FILE) -> Libraries:
        """Read the names file.

        Raises:
            InvalidDocument: it is missing or not a names file.
        """
        try:
            libraries = json.loads(path.read_text(encoding="utf-8"))["libraries"]
            return cls(libraries)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise InvalidDocument(
                f"{path.name} cannot be read as a names file: {reason_of(problem)}.",
                hint="write it again from the installed libraries",
            ) from None

    def _learn(self, library: str, facts: Mapping[str, object]) -> None:
        aliases: dict[str, str] = dict(facts["aliases"])  # type: ignore[call-overload]
        callables: dict[str, list[str]] = dict(facts["callables"])  # type: ignore[call-overload]
        self.aliases[library] = aliases
        self.operational[library] = frozenset(facts["operational"])  # type: ignore[call-overload]
        self.others[library] = frozenset(facts["others"])  # type: ignore[call-overload]
        self.parameters[library] = frozenset({*facts["parameters"], *aliases})  # type: ignore[misc]
        for name, positional in callables.items():
            self.signatures[name] = tuple(positional)
            self._library_of[name] = library

    def library_of(self, callable_name: str) -> str:
        """Return the library of a callable's dotted name, or an empty text."""
        found = self._library_of.get(callable_name)
        if found is None:
            found = self.classes.get(callable_name.rpartition(".")[2], "")
            if not found and _TRAINS.search(callable_name):
                found = next((MODULES[part] for part in callable_name.split(".") if part in MODULES), "")
        return found

    def signature_of(self, callable_name: str) -> tuple[str, ...]:
        """Return the positional parameters of a known callable, or nothing."""
        known = self.signatures.get(callable_name)
        if known is None:
            known = self._signature_by_class.get(callable_name.rpartition(".")[2], ())
        return known

    def is_parameter(self, name: str, library: str) -> bool:
        """Say whether a library has a parameter of this name."""
        return name in self.parameters[library]

    def is_plumbing(self, name: str, library: str) -> bool:
        """Say whether a name says how a fit runs, or what no hyperparameter is."""
        spellings = {name, self.aliases[library].get(name, name)}
        return not spellings.isdisjoint(PLUMBING | self.operational[library])

    def nearest(self, name: str, library: str) -> str:
        """Return the library's hyperparameter that a name is a misspelling of; empty for other names."""
        known, plain = self.parameters[library] | self.others[library], name.lower()
        close = get_close_matches(plain, known, 1, _CLOSE) or sorted(
            other for other in known if len(other) >= _SHORTEST and sorted(other) == sorted(plain)
        )
        found = close[0] if close and name not in known else ""
        is_other = {found, self.aliases[library].get(found, found)} & self.others[library]
        return "" if not found or is_other or self.is_plumbing(found, library) else found

    def spellings_of(self, name: str, library: str) -> frozenset[str]:
        """Return what a library calls the parameter that a name means there, aliases included."""
        aliases = self.aliases.get(library, {})
        canon = aliases.get(name, name)
        return frozenset({canon, *(alias for alias, target in aliases.items() if target == canon)})

    @cached_property
    def classes(self) -> dict[str, str]:
        """Library by class name, whatever module it is imported from."""
        return {name.rpartition(".")[2]: lib for name, lib in self._library_of.items() if _is_class(name)}

    @cached_property
    def _signature_by_class(self) -> dict[str, tuple[str, ...]]:
        return {name.rpartition(".")[2]: given for name, given in self.signatures.items() if _is_class(name)}


def _is_class(name: str) -> bool:
    return name.rpartition(".")[2][:1].isupper()
