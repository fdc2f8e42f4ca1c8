"""DECLARE: how people and code name keys: by their names, or by their addresses.

    CVN_HPO_XGB_5M_GAMMA                 a key's name
    xgb/5m/gamma                         its address: the values of its parts and the parameter
    l2                                   the address of a key without parts
    xgb/5m/gamma_range                   the three keys of its range, by either name

Guarantees: every command and every call reads names through here, so that one text means one key. What
is declared wins over what an ending would mean. Refuses to guess: a text that is near is named, not taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from setpoint.declare.keys import SEPARATOR, range_keys
from setpoint.errors import UnknownKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Protocol

    from setpoint.declare.keys import Declared

    class Catalogues(Protocol):
        """What names are read against; see ``catalogue.Catalogues``."""

        @property
        def keys(self) -> Mapping[str, Declared]:
            """Every declared key by name."""

        @property
        def addresses(self) -> Mapping[tuple[str, ...], str]:
            """Key name by address."""

        @property
        def groups(self) -> Mapping[tuple[str, ...], tuple[Declared, ...]]:
            """The declared values of each combination of parts."""

        def declared(self, name: str) -> Declared:
            """Return the declaration of a key, or raise ``UnknownKey``."""

        def key_at(self, address: tuple[str, ...]) -> str:
            """Return the key's name at an address, or raise ``UnknownKey``."""


#: What stands for the three keys of a range, after the key of its parameter.
RANGE = "_RANGE"
#: So few names are listed whole where none is near.
FEW = 12
#: How alike two names must be for one to be meant, from 0 to 1.
_LIKE = 0.6


#: What people call what addresses name short.
CALLED = {"lgb": "lightgbm", "xgb": "xgboost", "cb": "catboost"}


class Named(NamedTuple):
    """What a text names: a key, or the range of that key's parameter."""

    key: str
    is_range: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that documents hold for it."""
        return range_keys(self.key) if self.is_range else (self.key,)


def named(catalogues: Catalogues, text: str) -> Named:
    """Return what a text names.

    Raises:
        UnknownKey: nothing is declared under that name; names the nearest.
    """
    key = find_key(catalogues, (text,))
    if key is None and text.upper().endswith(RANGE):
        return Named(key_of(catalogues, text[: -len(RANGE)]), is_range=True)
    return Named(key or key_of(catalogues, text))


def key_of(catalogues: Catalogues, text: str) -> str:
    """Return the key that a text names; raises as ``named``."""
    return catalogues.declared(text).name if _is_name(text) else catalogues.key_at((text,))


def past_keys_of(catalogues: Catalogues, text: str) -> tuple[str, ...]:
    """Return the keys that a text names in a history, which holds keys that are declared no longer.

    Raises:
        UnknownKey: it is an address, and nothing is declared there.
    """
    try:
        return named(catalogues, text).keys
    except UnknownKey:
        if _is_name(text):
            return (text,)
        raise


def matching(catalogues: Catalogues, text: str) -> Callable[[str], bool]:
    """Return what says whether a key is meant by ``text``: an address, its beginning, or a part of a name.

    A whole address means its key and its range, ``..._range`` the range alone; any other text means the
    keys below that address, else every key that contains it, in any case, else those of ``keys_called``.
    """
    key = find_key(catalogues, (text,))
    if key is not None:
        return {key, *range_keys(key)}.__contains__
    if text.upper().endswith(RANGE):
        key = find_key(catalogues, (text[: -len(RANGE)],))
        if key is not None:
            return set(range_keys(key)).__contains__
    wanted = tuple(text.split(SEPARATOR))
    below = {name for name, one in catalogues.keys.items() if one.key.parts[: len(wanted)] == wanted}
    if below:
        return below.__contains__
    if any(text.upper() in name for name in catalogues.keys):
        return lambda name: text.upper() in name
    return {
        key for one in keys_called(catalogues, text) for key in (one.name, *range_keys(one.name))
    }.__contains__


def keys_called(catalogues: Catalogues, text: str) -> list[Declared]:
    """Return every key of a value that has all words of ``text``, in any order: in its name or its meaning.

    A word is found at the beginning of one, in any case; those that have all of them in the name come first.
    """
    wanted = [f" {word}" for word in map(_spoken, text.split()) if word]
    found: dict[bool, list[Declared]] = {True: [], False: []}
    for name, declared in catalogues.keys.items():
        parameter = declared.parameter
        known = filter(None, map(CALLED.get, declared.key.parts))
        called = f" {_spoken(' '.join((name, *known, parameter.library_name, *parameter.aliases)))}"
        meant = f"{called} {_spoken(parameter.doc)}"
        if wanted and not declared.key.field and all(word in meant for word in wanted):
            found[all(word in called for word in wanted)].append(declared)
    return found[True] + found[False]


def _spoken(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def declared_like(catalogues: Catalogues, text: str) -> list[Declared]:
    """Return every declared key that ``text`` means; see ``matching``.

    Raises:
        UnknownKey: none; names the nearest.
    """
    is_meant = matching(catalogues, text)
    found = [declared for name, declared in catalogues.keys.items() if is_meant(name)]
    if not found:
        named(catalogues, text)  # which says what is near
    return found


def find_key(catalogues: Catalogues, address: tuple[str, ...]) -> str | None:
    """Return the key at an address, in words or in one text, or by its name; None when there is none."""
    words = tuple(map(str, address))
    found = catalogues.addresses.get(words)
    if found is None and len(words) == 1:
        (text,) = words
        found = catalogues.addresses.get(tuple(text.split(SEPARATOR)))
        if found is None and text in catalogues.keys:
            found = text
    return found


def unknown_address(catalogues: Catalogues, address: Sequence[object]) -> UnknownKey:
    """Return the error that nothing is declared at an address, with what may have been meant."""
    spelled = SEPARATOR.join(map(str, address))
    return UnknownKey(f"no catalogue declares {spelled}.", hint=meant_by(catalogues, spelled), key=spelled)


def unknown_group(catalogues: Catalogues, parts: Sequence[object]) -> UnknownKey:
    """Return the error that no key has these parts, with what may have been meant."""
    spelled, groups = SEPARATOR.join(map(str, parts)), [group for group in catalogues.groups if group]
    if not parts:
        problem = "every key of these catalogues has parts, and none is given."
    elif find_key(catalogues, tuple(map(str, parts))):
        problem = f"{spelled} is one key, not a group of them: read it with resolve()."
    else:
        problem = f"no catalogue declares {spelled!r}."
    if not groups:
        return UnknownKey(problem, hint="keys have no parts here: leave them out", key=spelled)
    known = [SEPARATOR.join(group) for group in groups]
    return UnknownKey(problem, hint=meant(near(spelled, known), known, few=len(known)), key=spelled)


def near(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are like a name, nearest first; else in another case or order of words."""
    from difflib import get_close_matches  # noqa: PLC0415 - for whoever mistyped, and nobody else

    names = list(known)
    same = [one for one in names if _words(one) == _words(name)]
    folded: Mapping[str, str] = {one.casefold(): one for one in names}
    return same or [folded[one] for one in get_close_matches(name.casefold(), folded, n=3, cutoff=_LIKE)]


def near_addresses(words: Sequence[str], known: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the known addresses that are like this one: of the same parameter first, whatever its parts."""
    spelled, addresses = SEPARATOR.join(words), list(known)
    found = near(spelled, map(SEPARATOR.join, addresses))
    if any(_words(one) == _words(spelled) for one in found):
        return found
    parameters = near(words[-1], dict.fromkeys(address[-1] for address in addresses))[:1]
    alike = [SEPARATOR.join(address) for address in addresses if address[-1] in parameters]
    return sorted(alike, key=lambda one: -_likeness(spelled, one))[:3] or found


def meant_by(catalogues: Catalogues, text: str) -> str:
    """Return the next step for somebody who named a key that is not declared."""
    alike = near_addresses(text.split(SEPARATOR), catalogues.addresses)
    nearest = (near(text, catalogues.keys) or alike) if _is_name(text) else alike
    return meant(nearest, map(SEPARATOR.join, catalogues.addresses))


def meant(nearest: Sequence[str], known: Iterable[str], few: int = FEW) -> str:
    """Return the next step for somebody whose name is not known: what is near, else what there is."""
    if nearest:
        return f"did you mean {', '.join(nearest)}?"
    names = list(known)
    if len(names) <= few:
        return f"use one of: {', '.join(names)}"
    return "list the declared keys with `setpoint keys`"


def _is_name(text: str) -> bool:
    return SEPARATOR not in text and text.isupper()


def _words(text: str) -> list[str]:
    return sorted(text.casefold().split(SEPARATOR))


def _likeness(one: str, other: str) -> float:
    from difflib import SequenceMatcher  # noqa: PLC0415 - see ``near``

    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio()
