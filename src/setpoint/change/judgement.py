"""CHANGE: judge documents by the invariants, in every context in which they lie over each other.

Guarantees: what it finds is what judging each context whole would find; only rules that read a key at hand
are judged, once for each class of contexts that has other values for them. ``validate`` alone refuses; else
whoever asks decides what a broken rule means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.contexts import ContextClasses, context_name, context_of
from setpoint.change.documents import Document, check_values, invariants_broken
from setpoint.change.invariants import Violation, rules_of
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import diff
from setpoint.declare.scopes import check_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from setpoint.change.contexts import Overlays
    from setpoint.change.invariants import Rule
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar

    Documents = Mapping[str, Document]


class Judged(NamedTuple):
    """A rule in one class of contexts: how the documents as they are break it, and how they would."""

    overlays: Overlays
    rule: Rule
    before: Violation | None
    after: Violation | None


def judged(
    catalogues: Catalogues,
    documents: Documents,
    scope: str,
    values: Mapping[str, Scalar],
    touched: Collection[str],
) -> Iterator[Judged]:
    """Yield every rule that reads a touched key where new values of a scope make a difference to it.

    Args:
        catalogues: whose rules.
        documents: as they are.
        scope: of the new values.
        values: the whole new document of the scope.
        touched: the keys that differ.
    """
    rules = rules_of(catalogues, touched)
    laid = {**documents, scope: Document(scope, None, "", values)}
    classes = ContextClasses(catalogues, laid, scope, {key for rule in rules for key in rule.keys})
    for rule in rules:
        for overlays in classes.of(rule.keys):
            before, after = (_laid_over(some, overlays, rule.keys) for some in (documents, laid))
            if _differ(before, after):
                yield Judged(overlays, rule, rule.broken_by(before), rule.broken_by(after))


def newly_broken(
    catalogues: Catalogues,
    documents: Documents,
    scope: str,
    values: Mapping[str, Scalar],
    touched: Collection[str] | None = None,
) -> tuple[Overlays, list[Violation]] | None:
    """Return the first context in which a scope's new values break a rule that its old ones do not.

    With the rules that they newly break there; None when there is no such context. ``touched`` are the keys
    that differ, where the caller knows.
    """
    if touched is None:
        old = documents[scope].values if scope in documents else {}
        touched = {edit.key for edit in diff(old, values)}
    found: dict[Overlays, list[Violation]] = {}
    for one in judged(catalogues, documents, scope, values, touched):
        if one.after and not one.before:
            found.setdefault(one.overlays, []).append(one.after)
    if not found:
        return None
    places = {known: place for place, known in enumerate({**documents, scope: None}, start=1)}
    return min(found.items(), key=lambda one: [places.get(overlay, 0) for overlay in one[0]])


def validate(
    catalogues: Catalogues,
    documents: Mapping[str, Document],
    scope: str,
    values: Mapping[str, Scalar],
    edited: Collection[str] | None = None,
) -> None:
    """Judge a scope's new document as every affected context would resolve it.

    Only what the change touches is checked for type and bounds, and only newly broken invariants count,
    so that a fault that is there already does not stop the change that mends another. ``edited`` are keys
    without which the documents are the same, where the caller knows.

    Raises:
        UnknownKey, InvalidValue, InvariantViolated, InvalidContext: names the scope or context.
    """
    check_scope(catalogues, scope)
    old = documents[scope].values if scope in documents else {}
    touched = {edit.key for edit in diff(_only(old, edited), _only(values, edited))}
    check_values(catalogues, {key: values[key] for key in sorted(touched) if key in values})
    found = newly_broken(catalogues, documents, scope, values, touched)
    if found:
        overlays, broken = found
        raise invariants_broken(context_name(context_of(overlays)), broken)


def broken_rules(
    catalogues: Catalogues,
    documents: Documents,
    scope: str,
    is_sound: Callable[[str, Scalar], bool] = lambda _key, _value: True,
) -> Iterator[tuple[Overlays, Violation]]:
    """Yield every rule that is broken where a scope takes part, with the first context of each class.

    A value that is not sound counts as not set.
    """
    rules = rules_of(catalogues)
    classes = ContextClasses(catalogues, documents, scope, {key for rule in rules for key in rule.keys})
    for rule in rules:
        for overlays in classes.of(rule.keys):
            values = _laid_over(documents, overlays, rule.keys)
            broken = rule.broken_by({key: value for key, value in values.items() if is_sound(key, value)})
            if broken:
                yield overlays, broken


def _laid_over(documents: Documents, overlays: Overlays, keys: Collection[str]) -> dict[str, Scalar]:
    """Return what a context resolves some keys to."""
    layers = [documents[scope].values for scope in (GLOBAL_SCOPE, *overlays) if scope in documents]
    return {key: layer[key] for layer in layers for key in keys if key in layer}


def _differ(before: Mapping[str, Scalar], after: Mapping[str, Scalar]) -> bool:
    return before != after or any(type(before[key]) is not type(value) for key, value in after.items())


def _only(values: Mapping[str, Scalar], keys: Collection[str] | None) -> Mapping[str, Scalar]:
    return values if keys is None else {key: values[key] for key in keys if key in values}
