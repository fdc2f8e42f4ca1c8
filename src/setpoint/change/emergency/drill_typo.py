"""CHANGE: a typo for the drill: a wrong value that every rule lets pass, applied the ordinary way.

Guarantees: the value is one that its declaration and every invariant accept, as a real typo that got
through would be, and no value of ours: it comes from the declared bounds and choices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.documents import read_documents
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import InvalidError, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.document import Edit
    from setpoint.declare.parameters import Parameter, Scalar
    from setpoint.store.database import Database


def apply_typo(database: Database, catalogues: Catalogues) -> Edit:
    """Change one value of the global document to another that is accepted; returns the edit.

    Raises:
        MissingError: no key has another acceptable value.
    """
    values = read_documents(database, catalogues)[GLOBAL_SCOPE].values
    for key, value in values.items():
        declared = catalogues.keys.get(key)
        for wrong in _others(declared.parameter, value) if declared else ():
            proposal = Proposal(scope=GLOBAL_SCOPE, reason="drill: a typo", set={key: wrong})
            try:
                with database.transaction(author="drill") as transaction:
                    return open_and_apply(transaction, catalogues, proposal).outcome.edits[0]
            except InvalidError:
                continue
    raise MissingError("no key of the global document has another value that passes every rule.")


def _others(parameter: Parameter, value: Scalar) -> Iterator[Scalar]:
    for candidate in (parameter.low, parameter.high, *parameter.choices):
        other = parameter.coerce(candidate)
        if isinstance(other, int | float | str) and type(other) is type(value) and other != value:
            yield other
