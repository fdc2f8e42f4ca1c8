"""SERVE: drafts: the edits that a person collects on pages, laid over one change that is not proposed yet.

Guarantees: a person has one such draft for a scope; it stands in the database, so that they find it on
another machine. Only what was typed anew counts: a value that somebody else wrote meanwhile is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.changes import list_changes, read_change
from setpoint.change.decisions import Amendment, amend_over
from setpoint.change.history import read_full_revision
from setpoint.change.patch import Patch, read_texts
from setpoint.change.proposals import Proposal, open_change
from setpoint.errors import InvalidValue
from setpoint.serve.console.shown import typed_text
from setpoint.serve.responses import number_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.change.changes import Change
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.serve.console.forms import Form
    from setpoint.store.database import Transaction

#: What a draft says until its author says why.
UNSAID = "draft, its reason is not written yet"
SOURCE = "console"
#: Characters of a reason.
MOST_REASON = 2000
#: What the names of a form's fields begin with that hold the value of a key.
VALUE = "value:"
#: How many drafts of a person and scope are looked through for the one that edits go into.
_LOOKED_THROUGH = 10


def lay_over(transaction: Transaction, catalogues: Catalogues, account: str, scope: str, form: Form) -> int:
    """Lay what a form typed over its author's draft, or open one; return its number. Committed by the caller.

    Raises:
        InvalidValue: nothing was typed anew, or a line of a pasted sheet is no key and value.
        InvalidDocument: names every key whose value is none.
        As ``open_change`` and ``amend_over``.
    """
    return lay(transaction, catalogues, account, scope, _typed(transaction, catalogues, form))


def lay(
    transaction: Transaction,
    catalogues: Catalogues,
    account: str,
    scope: str,
    patch: Patch,
    why: str = "",
    evidence: tuple[str, ...] = (),
) -> int:
    """Lay a patch over a person's draft, or open one; what it is for, and rests on, is added to the draft's.

    Raises:
        As ``open_change`` and ``amend_over``.
    """
    draft = draft_of(transaction, account, scope)
    if draft is not None:
        said = draft.reason if draft.reason != UNSAID else ""
        reason = ". ".join(filter(None, (said, why)))[:MOST_REASON] if why else ""
        runs = (*draft.evidence, *evidence)
        amendment = Amendment(patch, reason, draft.apply_at, evidence=runs)
        return amend_over(transaction, catalogues, draft, amendment).id
    wanted = Proposal(
        scope=scope,
        set=patch.set,
        remove=patch.remove,
        reason=why[:MOST_REASON] or UNSAID,
        draft=True,
        evidence=evidence,
        source=SOURCE,
    )
    return open_change(transaction, catalogues, wanted).id


def draft_of(transaction: Transaction, account: str, scope: str) -> Change | None:
    """Return the newest draft of a person for a scope that edits can be laid over."""
    found = list_changes(transaction, state="draft", scope=scope, author=account, limit=_LOOKED_THROUGH)
    opened = (read_change(transaction, one.id) for one in found)
    return next((one for one in opened if not one.restores and not one.is_policy), None)


def typed_anew(
    transaction: Transaction, catalogues: Catalogues, form: Form
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Return what was typed anew, against the revision that was shown: keys and texts, and keys emptied.

    Raises:
        InvalidValue: a line of a pasted sheet is no key and value.
    """
    texts = list(_sheet_texts(form.raw("sheet")))
    removed: list[str] = []
    shown = _shown(transaction, catalogues, form)
    for key, text in form.starting(VALUE):
        if text.strip() == typed_text(shown.get(key)):
            continue
        if text.strip():
            texts.append((key, text))
        else:
            removed.append(key)
    return texts, tuple(removed)


def _typed(transaction: Transaction, catalogues: Catalogues, form: Form) -> Patch:
    """Return what was typed anew.

    Raises:
        InvalidDocument: names every key whose value is none.
        InvalidValue: nothing was typed.
    """
    texts, removed = typed_anew(transaction, catalogues, form)
    if not texts and not removed:
        raise InvalidValue("nothing was changed.", hint="type a value, or leave the editing")
    return read_texts(texts, catalogues, "what was typed").joined(Patch({}, removed))


def _shown(transaction: Transaction, catalogues: Catalogues, form: Form) -> Mapping[str, Scalar]:
    number = number_in(form.get("revision"))
    return read_full_revision(transaction, catalogues, number).values if number else {}


def _sheet_texts(text: str) -> list[tuple[str, str]]:
    """Read lines of a key and a value: of a spreadsheet (tabs), CSV, or ``KEY = VALUE``."""
    texts = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        separator = next((one for one in ("\t", "=", ",") if one in line), None)
        if separator is None:
            raise InvalidValue(f"{line.strip()!r} is no key and value.", hint="write KEY = VALUE, one a line")
        name, _, value = line.partition(separator)
        texts.append((name.strip(), value.strip().strip('"')))
    return texts
