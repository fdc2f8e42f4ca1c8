"""SERVE: what would be wrong with edits while they are typed, by key, in the words of declaration or rule.

Guarantees: what is found here is what proposing them would refuse, over the draft that they would go into.
Writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.contexts import context_name, context_of
from setpoint.change.documents import read_documents
from setpoint.change.judgement import judged
from setpoint.change.patch import Patch, read_texts
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import diff
from setpoint.errors import InvalidDocument, SetpointError
from setpoint.serve.console.drafts import draft_of, typed_anew

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.serve.console.forms import Form
    from setpoint.store.database import Transaction

Problems = dict[str, list[str]]


def problems_of(transaction: Transaction, catalogues: Catalogues, account: str, form: Form) -> Problems:
    """Return what is wrong with what was typed, by key; empty when nothing is."""
    scope = form.get("scope", GLOBAL_SCOPE)
    try:
        texts, removed = typed_anew(transaction, catalogues, form)
    except SetpointError as problem:
        return {"": [problem.message]}
    problems: Problems = {}
    patch = Patch({}, removed)
    for key, text in texts:
        try:
            patch = patch.joined(read_texts([(key, text)], catalogues, "what was typed"))
        except InvalidDocument as problem:
            problems[key] = [problem.message.partition("\n  - ")[2] or problem.message]
        except SetpointError as problem:
            problems[key] = [problem.message]
    for key, broken in _broken(transaction, catalogues, account, scope, patch):
        problems.setdefault(key, []).append(broken)
    return problems


def _broken(
    transaction: Transaction, catalogues: Catalogues, account: str, scope: str, patch: Patch
) -> list[tuple[str, str]]:
    """Return every rule that a patch over a person's draft newly breaks, at each key that it reads."""
    documents = read_documents(transaction, catalogues)
    old: Mapping[str, Scalar] = documents[scope].values if scope in documents else {}
    draft = draft_of(transaction, account, scope)
    edits = {edit.key: edit.new for edit in draft.edits} if draft else {}
    edits |= patch.set | dict.fromkeys(patch.remove)
    values = {key: value for key, value in {**old, **edits}.items() if value is not None}
    touched = [edit.key for edit in diff(old, values)]
    found = []
    for one in judged(catalogues, documents, scope, values, touched):
        if one.after and not one.before:
            where = context_name(context_of(one.overlays))
            said = f"{one.rule.invariant.name}: {one.rule.invariant.message}"
            said = said if where == scope else f"{said} (in {where})"
            found += [(key, said) for key in one.rule.keys if key in patch.keys]
    return list(dict.fromkeys(found))
