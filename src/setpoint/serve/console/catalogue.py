"""SERVE: the pages of the catalogue: what may be set, what it means, where it is used, and who read it last.

Guarantees: what is declared is shown as its catalogue declares it; filters and search are in the address, and
a page costs what it lists, however many keys there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from fastapi import Path, Request
from starlette.responses import Response

from setpoint.change.documents import read_documents
from setpoint.change.impact import bounds_of
from setpoint.change.invariants import rules_of
from setpoint.declare.addresses import key_of
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.keys import range_keys
from setpoint.record.coverage import last_reads, read_keys
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.console.pages import LISTED_DENSE, Words, page, router_of, with_parts
from setpoint.serve.console.tables import most_rows
from setpoint.serve.responses import cursor, place_of
from setpoint.serve.routes import LONGEST_NAME, PlaneOf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from setpoint.change.documents import Document
    from setpoint.change.impact import Bounds
    from setpoint.declare.catalogue import Catalogue, Catalogues
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Parameter, Scalar
    from setpoint.record.coverage import LastRead
    from setpoint.store.database import Transaction

router = router_of()
#: What a value is to training: searched by tuning, given as it is, or a number of rounds.
KINDS = ("tuned", "fixed", "rounds")
STATES = ("set", "unset", "unread")


@dataclass(frozen=True)
class Entry:
    """A declared key as it is listed: what it means, what stands in global, and who read it last."""

    key: str
    address: str
    catalogue: str
    doc: str
    type: str
    low: int | float | None
    high: int | float | None
    choices: Sequence[str]
    unit: str
    kind: str
    library_name: str
    aliases: Sequence[str]
    invariants: Sequence[str]
    value: Scalar | None
    range: Bounds | None
    #: Overlays that set it.
    overlays: Sequence[str]
    last_read: LastRead | None


@router.get("/catalogue", **with_parts(access(*ANYONE)))
def show_catalogue(
    plane: PlaneOf,
    request: Request,
    search: Words = "",
    catalogue: Words = "",
    kind: Words = "",
    state: Words = "",
    after: Words = "",
) -> Response:
    """List declared keys with their meaning: of a catalogue, parts, a kind or state, or with a text."""
    catalogues = plane.catalogues
    parts = {name: request.query_params.get(name, "") for name in catalogues.part_values}
    start = place_of(after or None) or 0
    with plane.database.transaction() as transaction:
        documents = read_documents(transaction, catalogues)
        wanted = _of_state(transaction, documents, state)
        found = (
            one
            for member in catalogues.members
            if catalogue in {"", member.name}
            for one in _keys_of(member, parts)
            if kind in {"", kind_of(one.parameter)} and wanted(one.name) and _has(one, search.strip().lower())
        )
        listed = list(islice(found, start, start + most_rows(request, LISTED_DENSE)))
        entries = list(entries_of(transaction, catalogues, documents, listed))
    return page(
        request,
        "catalogue.html",
        tables={"keys": entries},
        entries=entries[:LISTED_DENSE],
        members=catalogues.members,
        part_values=catalogues.part_values,
        chosen={**parts, "catalogue": catalogue, "kind": kind, "state": state, "search": search},
        kinds=KINDS,
        states=STATES,
        start=start,
        following=cursor(start + LISTED_DENSE) if len(entries) > LISTED_DENSE else "",
    )


@router.get("/catalogue/{key:path}", **access(*ANYONE))
def show_parameter(
    plane: PlaneOf, request: Request, key: Annotated[str, Path(max_length=LONGEST_NAME)]
) -> Response:
    """Show how a key is declared, the rules that name it, and every key of the same declaration."""
    catalogues = plane.catalogues
    declared = catalogues.declared(key_of(catalogues, key))
    own = catalogues.declared(catalogues.key_at((declared.address,)))
    member = next(one for one in catalogues.members if one.name == own.catalogue)
    with plane.database.transaction() as transaction:
        documents = read_documents(transaction, catalogues)
        same = [one for one in _keys_of(member, {}) if one.parameter is own.parameter]
        entries = list(entries_of(transaction, catalogues, documents, same))
    rules = rules_of(catalogues, [own.name, *range_keys(own.name)])
    return page(
        request,
        "parameter.html",
        tables={"keys": entries},
        declared=own,
        parameter=own.parameter,
        member=member,
        rules=rules,
        kind=kind_of(own.parameter),
        entries=entries,
    )


def kind_of(parameter: Parameter) -> str:
    """Return what a value of a parameter is to training."""
    if parameter.role in {"max_rounds", "early_stopping"}:
        return "rounds"
    return "tuned" if parameter.tuned else "fixed"


def entries_of(
    transaction: Transaction,
    catalogues: Catalogues,
    documents: Mapping[str, Document],
    listed: Sequence[Declared],
) -> Iterator[Entry]:
    """Yield what is said of some declared keys."""
    stands = documents[GLOBAL_SCOPE].values if GLOBAL_SCOPE in documents else {}
    reads = last_reads(transaction, [one.name for one in listed])
    for one in listed:
        parameter = one.parameter
        rules = rules_of(catalogues, [one.name, *range_keys(one.name)])
        yield Entry(
            key=one.name,
            address=one.address,
            catalogue=one.catalogue,
            doc=parameter.doc,
            type=parameter.type,
            low=parameter.low,
            high=parameter.high,
            choices=parameter.choices,
            unit=parameter.unit,
            kind=kind_of(parameter),
            library_name=parameter.library_name,
            aliases=parameter.aliases,
            invariants=tuple(dict.fromkeys(rule.invariant.name for rule in rules)),
            value=stands.get(one.name),
            range=bounds_of(stands, one.name) if parameter.tuned else None,
            overlays=tuple(
                scope
                for scope, document in documents.items()
                if scope != GLOBAL_SCOPE and one.name in document.values
            ),
            last_read=reads.get(one.name),
        )


def _keys_of(member: Catalogue, parts: Mapping[str, str]) -> Iterator[Declared]:
    """Yield the keys of values, without the fields of ranges, that have the given values of parts."""
    names = [part.name for part in member.parts]
    asked = {name: value for name, value in parts.items() if value}
    if not asked.keys() <= set(names):
        return
    places = [(names.index(name), value) for name, value in asked.items()]
    for one in member.keys.values():
        if not one.key.field and all(one.key.parts[place] == value for place, value in places):
            yield one


def _has(declared: Declared, text: str) -> bool:
    parameter = declared.parameter
    said = (declared.name, declared.address, parameter.doc, parameter.library_name, *parameter.aliases)
    return not text or any(text in one.lower() for one in said)


def _of_state(
    transaction: Transaction, documents: Mapping[str, Document], state: str
) -> Callable[[str], bool]:
    """Return what says whether a key is in a state; any key is in none."""
    stands = documents[GLOBAL_SCOPE].values if GLOBAL_SCOPE in documents else {}
    if state == "unread":
        read = read_keys(transaction) or frozenset()
        return lambda key: key not in read
    if state in {"set", "unset"}:
        return lambda key: (key in stands) == (state == "set")
    return lambda _key: True
