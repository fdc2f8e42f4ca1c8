"""SERVE: tokens for browsers: they read flags, asked by the dimensions that they name, and nothing else.

Whoever opens a page can read its token. Guarantees: a limited token has the one role ``flags``, which the
rules of flags and of their stream name and no other rule; a context is held to its dimensions wherever one of
these reads it; the database takes no act at all from its holder. What a limit says is read here alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import ForbiddenError, InvalidValue
from setpoint.serve.access.rules import ANYONE, FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from setpoint.declare.catalogue import Catalogues

#: Who may evaluate flags and hear that they changed.
FLAG_READERS = (*ANYONE, FLAGS)


def require_context(dimensions: Sequence[str] | None, context: Iterable[tuple[str, str]]) -> None:
    """Hold a context to what a credential is limited to; None is no limit.

    Raises:
        ForbiddenError: it names another dimension, or another value of one.
    """
    if dimensions is None:
        return
    for name, value in context:
        if name not in dimensions and f"{name}={value}" not in dimensions:
            raise ForbiddenError(
                f"this token asks by {', '.join(dimensions) or 'no dimension'}, not by {name}={value}.",
                hint="leave it out of the context, or make a token with that --dimension",
            )


def require_dimensions(dimensions: Iterable[str], catalogues: Catalogues) -> list[str]:
    """Return what a token is to be limited to: a dimension, or one value of it as ``symbol=BTCUSDC``.

    Raises:
        InvalidValue: no catalogue declares the dimension, or its value cannot be.
    """
    found = sorted(set(dimensions))
    for one in found:
        name, equals, value = one.partition("=")
        if name not in catalogues.dimensions or (equals and not value):
            raise InvalidValue(
                f"{one!r} is no dimension of the catalogues, nor a value of one.",
                hint=f"name some of {', '.join(catalogues.dimensions)}, such as symbol=BTCUSDC",
            )
        if value:
            catalogues.scopes({name: value})
    return found
