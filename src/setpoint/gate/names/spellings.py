"""GATE: whose name it is: every spelling of every declared parameter, over all libraries.

``libraries`` knows what the libraries say about themselves (aliases, parameters, positional
signatures); the catalogues say which of those are governed, and by which key.

Guarantees: one spelling has one owner for each library; ``words`` says which spellings need evidence.
Refuses to guess: what the source leaves open stays in angle brackets.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.keys import RANGE_FIELDS
from setpoint.gate.names.common_words import (
    AMBIGUOUS,
    COMMON,
    DISTINCTIVE_WORDS,
    LIBRARY_WORDS,
    PREFIXES,
    SUFFIXES,
    WRAPPER_STEP,
)
from setpoint.gate.names.installed_libraries import CONVENTIONAL, MODULES, Libraries
from setpoint.gate.names.prefilter import pattern_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.catalogue import Catalogue, Catalogues
    from setpoint.declare.parameters import Parameter

_KINDS = {"value": "param", "max_rounds": "rounds", "early_stopping": "early_stopping", "alone": "param"}
#: What sources say for a flag of a catalogue.
_FLAGS = ("False", "True", "false", "true")
#: What the libraries call a parameter that belongs to none of them.
_SPELLED = {"seed": ("random_seed", "random_state")}
#: What parts the steps of a name: a pipeline's, a nested configuration's.
STEPS = re.compile(r"__|[./]")


class Owner(NamedTuple):
    """Who owns a name."""

    #: The parameter's name in the catalogue.
    parameter: str
    #: Model families that it may be of; empty for a parameter of no model.
    families: tuple[str, ...]
    #: The whole key, or its pattern while the model or the timeframe is not known.
    key: str
    #: ``param``, ``rounds`` or ``early_stopping``.
    kind: str
    #: What ``resolve`` takes; a part that is not known yet is the part's own name in angle brackets.
    address: tuple[str, ...]
    #: The declared texts of a categorical, those of a flag.
    choices: tuple[str, ...] = ()
    #: ``range_min`` and so on when the name is that of a range's bound.
    field: str = ""


class _Entry(NamedTuple):
    catalogue: Catalogue
    parameter: Parameter


class Spelling(NamedTuple):
    """A name without what surrounds it: ``XGB_LEARNING_RATE_5M`` is learning_rate of xgb at 5m."""

    base: str
    library: str = ""
    timeframe: str = ""


class Names:
    """Every known name; build it once per run with ``load``."""

    def __init__(self, catalogues: Catalogues, libraries: Libraries) -> None:
        self.catalogues, self.libraries = catalogues, libraries
        # Every keyword and parameter of a parsed file is asked about, and most are asked about often.
        self._distinctive_known: dict[str, bool] = {}
        self._index: dict[tuple[str, str], _Entry] = {}
        #: Some catalogue says whose its parameters are; without one, whoever takes a name of ours takes ours.
        self.names_libraries = False
        for member in catalogues.members:
            for parameter in member.parameters:
                self._declare(_Entry(member, parameter))

    @classmethod
    def load(cls, catalogues: Catalogues) -> Names:
        """Read what the libraries said.

        Raises:
            InvalidDocument: it is missing or cannot be read.
        """
        return cls(catalogues, Libraries.load())

    def _declare(self, entry: _Entry) -> None:
        families = self._families(entry)
        self.names_libraries |= bool(families)
        parameter = entry.parameter
        own = {parameter.name, parameter.library_name or parameter.name, *parameter.aliases}
        if parameter.passes_to:
            own.discard(parameter.name)
        for family in families:
            spelled = self.libraries.spellings_of(parameter.library_name or parameter.name, family)
            for name in own | spelled:
                self._index.setdefault((family, name), entry)
        if not families or parameter.passes_to:
            for name in own if not families else {parameter.name}:
                self._index.setdefault(("", name), entry)
        if not families:
            for library, name in product(self.libraries.aliases, _SPELLED.get(parameter.name, ())):
                self._index.setdefault((library, name), entry)

    def _families(self, entry: _Entry) -> tuple[str, ...]:
        if entry.parameter.passes_to:
            return (entry.parameter.passes_to,)
        first = next(
            (part for part in entry.catalogue.parts if set(part.tokens) & set(self.libraries.aliases)), None
        )
        if first is None:
            return ()
        return tuple(entry.parameter.applies.get(first.name, tuple(first.tokens)))

    def owner(self, name: str, library: str = "", timeframe: str = "") -> Owner | None:
        """Return who owns a spelling, or None.

        Args:
            name: as written; case, leading underscores, dashes and a prefix such as ``xgb_`` do not matter.
            library: ``xgb``, ``lgb`` or ``cb`` when it is known.
            timeframe: such as ``5m`` when it is known.
        """
        if whole := self._whole_key(name):
            return whole
        for spelling in self.spellings(name):
            known = spelling.library or library
            entries = self._entries(spelling.base, known)
            if entries:
                # The parameter that is itself called so speaks first, before those that know it as an alias.
                entries.sort(key=lambda found: found[1].parameter.name != spelling.base)
                return self._owner(entries, spelling.timeframe or timeframe)
        return None

    def is_known(self, name: str) -> bool:
        """Say whether a catalogue owns a spelling of this name."""
        return self.owner(name) is not None

    def is_own(self, name: str) -> bool:
        """Say whether a catalogue calls a model's parameter just so: no alias, no prefix, no suffix."""
        return name.strip("_-").replace("-", "_").lower() in self._own

    @cached_property
    def _own(self) -> frozenset[str]:
        keys = self.catalogues.keys.values()
        return frozenset(declared.parameter.name for declared in keys if declared.key.parts)

    @cached_property
    def own_prefilter(self) -> re.Pattern[bytes]:
        """What every file holds, in lower case, that says one of the catalogues' own names."""
        return pattern_of(self._own)

    def is_of_library(self, name: str) -> bool:
        """Say whether a governed name is a parameter of a library, rather than of the training around it."""
        found = self.owner(name)
        return found is not None and bool(found.families)

    def is_distinctive(self, name: str) -> bool:
        """Say whether a name is a finding without further evidence; see ``words``."""
        known = self._distinctive_known.get(name)
        if known is None:
            found = (
                spelling.base in self._distinctive or self._has(spelling.library, spelling.base)
                for spelling in self.spellings(name)
            )
            known = self._distinctive_known[name] = self._whole_key(name) is not None or any(found)
        return known

    def is_common(self, name: str) -> bool:
        """Say whether a name needs a file that shows training; see ``words``."""
        return any(spelling.base in COMMON and not spelling.library for spelling in self.spellings(name))

    def is_evidence(self, name: str) -> bool:
        """Say whether a name speaks for the ambiguous ones beside it."""
        return self.is_distinctive(name) and not self.is_common(name)

    def shows_training(self, text: str) -> bool:
        """Say whether a file's text holds a library, a prefix or a distinctive name."""
        return self._training.search(text.lower().encode()) is not None

    def undeclared(self, name: str, library: str) -> bool:
        """Say whether a library takes this parameter and no catalogue declares it."""
        return (library, name) not in self._index and not self.libraries.is_plumbing(name, library)

    def nearest(self, name: str, library: str) -> str:
        """Return the hyperparameter that a name is a misspelling of; empty for known and for other names."""
        return self.libraries.nearest(name, library) if self.undeclared(name, library) else ""

    def open_address(self, name: str, library: str) -> tuple[str, ...]:
        """Return the address that an undeclared parameter of a library would have; see ``Owner.address``."""
        for member in self.catalogues.members:
            for position, part in enumerate(member.parts):
                if library in part.tokens:
                    open_parts = [f"<{each.name}>" for each in member.parts]
                    return (*open_parts[:position], library, *open_parts[position + 1 :], name)
        return (library, name)

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        """The catalogues' prefixes with their underscore, such as ``CVN_HPO_``."""
        return tuple(f"{member.prefix}_" for member in self.catalogues.members)

    @cached_property
    def prefilter(self) -> re.Pattern[bytes]:
        """One pattern over a file's bytes, lower-cased: a file without any match has no finding.

        Ambiguous names are not in it: they need evidence, and every evidence is.
        """
        return pattern_of(self._training_words | COMMON)

    @cached_property
    def _training(self) -> re.Pattern[bytes]:
        # English words are no evidence, though they may be in a finding.
        return pattern_of(self._training_words - DISTINCTIVE_WORDS)

    @cached_property
    def _training_words(self) -> frozenset[str]:
        words = {*self._distinctive, *MODULES, *(prefix.lower().rstrip("_") for prefix in self.prefixes)}
        words |= {name for name in CONVENTIONAL if len(name) > 2}  # `cb` is everybody's callback
        words |= {name.lower() for name in self.libraries.classes if WRAPPER_STEP.fullmatch(name.lower())}
        words |= {"suggest_float", "suggest_int", "suggest_categorical", "suggest_uniform"}
        words |= {"suggest_loguniform", "suggest_discrete_uniform"}
        return frozenset(words - COMMON)

    @cached_property
    def _distinctive(self) -> frozenset[str]:
        names = {name for _, name in self._index}
        return frozenset(n for n in names if ("_" in n and n not in AMBIGUOUS) or n in DISTINCTIVE_WORDS)

    def tuned_type(self, parameter: str) -> str:
        """Return the type of a declared parameter that has a governed search range; else nothing."""
        declared = (p for member in self.catalogues.members for p in member.parameters if p.tuned)
        return next((p.type for p in declared if p.name == parameter), "")

    @cached_property
    def timeframes(self) -> frozenset[str]:
        """The values of every part after the first, as code writes them."""
        parts = [part for member in self.catalogues.members for part in member.parts[1:]]
        return frozenset(name.lower() for part in parts for name in part.tokens)

    def spellings(self, name: str) -> Iterator[Spelling]:
        """Yield what a name may stand for, the plainest reading first."""
        *steps, last = STEPS.split(name)
        plain = last.strip("_- ").replace("-", "_").lower()
        yield Spelling(plain, step_library(steps))
        timeframe, library = "", ""
        words = plain.split("_")
        has_library = not LIBRARY_WORDS.keys().isdisjoint(words)
        while len(words) > 1 and (words[0] in PREFIXES or words[0] in self.timeframes):
            word = words.pop(0)
            library, timeframe = self._told(word, library, timeframe)
            yield from self._stripped(words, library, timeframe, has_library=has_library)
        words = plain.split("_")
        while len(words) > 1 and self._says_nothing(words[-1]):
            library, timeframe = self._told(words.pop(), library, timeframe)
            yield from self._stripped(words, library, timeframe, has_library=has_library)

    def _stripped(
        self, words: list[str], library: str, timeframe: str, *, has_library: bool
    ) -> Iterator[Spelling]:
        rest = list(words)
        base = "_".join(rest)
        if base in self._distinctive or (has_library and self._has(library, base)):
            yield Spelling(base, library, timeframe)
        while len(rest) > 1 and self._says_nothing(rest[-1]):
            library, timeframe = self._told(rest.pop(), library, timeframe)
            # A prefix or suffix makes a longer name of an ambiguous word another thing altogether,
            # unless it is a library's own word.
            base = "_".join(rest)
            if base in self._distinctive or (has_library and self._has(library, base)):
                yield Spelling(base, library, timeframe)

    def _has(self, library: str, base: str) -> bool:
        return bool(library) and (library, base) in self._index

    def _says_nothing(self, word: str) -> bool:
        return word in SUFFIXES or word in self.timeframes or bool(PREFIXES.get(word))

    def _told(self, word: str, library: str, timeframe: str) -> tuple[str, str]:
        return PREFIXES.get(word, "") or library, word if word in self.timeframes else timeframe

    def _entries(self, base: str, library: str) -> list[tuple[str, _Entry]]:
        if library and (library, base) in self._index:
            return [(library, self._index[library, base])]
        found = [
            (lib, self._index[lib, base]) for lib in self.libraries.aliases if (lib, base) in self._index
        ]
        if not found and ("", base) in self._index:
            found = [("", self._index["", base])]
        return found

    def _owner(self, entries: list[tuple[str, _Entry]], timeframe: str) -> Owner:
        _, entry = entries[0]
        same = [family for family, other in entries if other.parameter.name == entry.parameter.name]
        keys = []
        for family, other in entries:
            alone = other.parameter.name != entry.parameter.name
            keys.append(_address_and_key(other, [family] if alone else same, timeframe)[1])
        address, _ = _address_and_key(entry, same, timeframe)
        return Owner(
            parameter=entry.parameter.name,
            families=tuple(family for family, _ in entries if family),
            key=" or ".join(dict.fromkeys(keys)),
            kind=_KINDS[entry.parameter.role],
            address=address,
            choices=choices_of(entry.parameter),
        )

    def _whole_key(self, name: str) -> Owner | None:
        upper = name.upper()
        if not upper.startswith(self.prefixes) or upper not in self.catalogues.keys:
            return None
        declared = self.catalogues.keys[upper]
        return Owner(
            parameter=declared.key.parameter,
            families=declared.key.parts[:1],
            key=upper,
            kind=_KINDS[declared.parameter.role],
            address=(*declared.key.parts, declared.key.parameter),
            choices=choices_of(declared.parameter),
            field=declared.key.field if declared.key.field in RANGE_FIELDS else "",
        )


def choices_of(parameter: Parameter) -> tuple[str, ...]:
    """Return the texts that are values of a parameter."""
    return _FLAGS if parameter.type == "bool" else parameter.choices


def step_library(steps: list[str]) -> str:
    """Return the library that the steps before a name say, the nearest first; or an empty text."""
    for step in reversed(steps):
        named = WRAPPER_STEP.fullmatch(step.lower())
        if found := LIBRARY_WORDS.get(named[1] if named else step.lower().strip("_- ")):
            return found
    return ""


def _address_and_key(entry: _Entry, families: list[str], timeframe: str) -> tuple[tuple[str, ...], str]:
    """Fill in the parts of a key that are known; the others stay as their names in angle brackets."""
    address, tokens = [], []
    for position, part in enumerate(entry.catalogue.parts):
        only = entry.parameter.applies.get(part.name, ())
        value = only[0] if len(only) == 1 else ""
        if position == 0:
            value = families[0] if len(families) == 1 else ""
        elif position > 0 and timeframe in part.tokens:
            value = timeframe
        address.append(value or f"<{part.name}>")
        tokens.append(part.tokens.get(value, f"<{part.name.upper()}>"))
    name = entry.parameter.name
    return (*address, name), "_".join((entry.catalogue.prefix, *tokens, name.upper()))
