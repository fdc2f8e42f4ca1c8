"""GATE: the judgement: is this name owned, is this value a literal, what should stand here instead.

Guarantees: one literal is one finding, whatever number of rules saw it; the message names the key, says
whether the literal equals the value that the key has, and the fix reads that value.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from setpoint.gate.finding import Finding
from setpoint.gate.fixes import line_of, rewrite_of
from setpoint.gate.flow.foreign_callables import stranger
from setpoint.gate.flow.python_source import column_of
from setpoint.gate.names.spellings import Owner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from setpoint.gate.flow.constant_folding import Literal, Written
    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module
    from setpoint.gate.names.spellings import Names
    from setpoint.gate.value_sites import Remark, Slot


_BOUNDS = {"min": "range_min", "low": "range_min", "max": "range_max", "high": "range_max"}


#: Rules of what a file names itself: variables, items, attributes, fields, options, settings.
_STATED = frozenset({"SPG101", "SPG103", "SPG104", "SPG107", "SPG111", "SPG112", "SPG115"})


@dataclass(frozen=True)
class Judge:
    """Turns slots and remarks of any file into findings.

    Args:
        names: every known name.
        values: the values that keys have, from the seeds or from a snapshot.
        source: what the values are called in a message: ``seeded`` or ``live``.
        declared: the configuration names the folders, so every file in scope is declared to be training code.
    """

    names: Names
    values: Mapping[str, Any]
    source: str = "seeded"
    declared: bool = False

    def slot(self, rule: ModuleType, slot: Slot, reading: Reading) -> Iterator[Finding]:
        """Yield the findings of one slot: one for each literal that may fill it."""
        step = reading.of_step(slot.name) if "__" in slot.name.strip("_") else None
        if step is not None:
            slot = slot._replace(library=step.library, certain=step.certain)
        is_said = self.counts(slot.name, reading.module.text)
        if not (slot.certain or slot.address or is_said or self._is_stated(rule.CODE, slot.name)):
            return
        is_ours = bool(slot.address) or not self.names.names_libraries
        taker = "" if is_ours else stranger(slot, reading)
        if taker and not is_said:
            return
        owner = self._owner(slot, reading, taker)
        if owner is None:
            return
        literals = reading.folder.literals(slot.value, owner.choices)
        fix = "" if taker or not literals else _fix(slot, literals, owner, reading)
        for literal in literals:
            message = self.message(slot.name, literal.value, owner, literal.origin, taker)
            found = finding(
                reading.module, literal.place, rule.CODE, owner.key, slot.name, literal.value, message, fix
            )
            agrees = not taker and self.agrees(literal.value, owner)
            yield replace(found, address=owner.address, bound=owner.field, stranger=taker, agrees=agrees)

    def counts(self, name: str, text: str) -> bool:
        """Say whether a name needs no evidence of its own in a file with this text; see ``words``."""
        if not self.names.is_distinctive(name):
            return False
        return self.declared or not self.names.is_common(name) or self.names.shows_training(text)

    def _is_stated(self, rule: str, name: str) -> bool:
        """Say whether training code gives something just that name, which no call does for it."""
        return self.declared and rule in _STATED and self.names.is_own(name)

    def remark(self, rule: ModuleType, remark: Remark, module: Module) -> Finding:
        """Return the finding of a remark."""
        fix = line_of(remark.rewrite, remark.address, module)
        result = finding(
            module, remark.place, rule.CODE, remark.key, remark.name, remark.value, remark.message, fix
        )
        return replace(result, address=remark.address)

    def message(
        self, name: str, value: float | str, owner: Owner, origin: Written | None = None, taker: str = ""
    ) -> str:
        """Say what stands where, which key owns it, and whether the two agree.

        Args:
            name: as the source writes it.
            value: the literal's.
            owner: of the name.
            origin: where it is written when not in place.
            taker: a callable of another package, whose parameter it is.
        """
        sentence = f"{name} = {value}" + (f" (written in {origin})" if origin else "") + " is a literal"
        if taker:
            return f"{sentence}: {owner.key} owns the name, but {taker} takes it, which is of another package"
        return f"{sentence}: {owner.key} owns it{self._compared(value, owner)}"

    def agrees(self, value: float | str, owner: Owner) -> bool:
        """Say whether a literal is the value that each key of its owner has; without any value it is not."""
        held = [self.values[key] for key in _keys(owner, self.values)]
        return bool(held) and all(_same(value, other) for other in held)

    def _compared(self, value: float | str, owner: Owner) -> str:
        held = [self.values[key] for key in _keys(owner, self.values)]
        if not held:
            return f"; it has no {self.source} value"
        if all(_same(value, other) for other in held):
            return f"; the literal equals the {self.source} value"
        shown = sorted({_text(other) for other in held}, key=lambda text: (len(text), text))
        listed = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
        few = listed if len(shown) <= 5 else f"one of {len(shown)} values"
        some = any(_same(value, other) for other in held)
        agrees = "the literal equals one of them" if some else "the literal differs"
        return f"; the {self.source} value is {few}, {agrees}"

    def _owner(self, slot: Slot, reading: Reading, taker: str) -> Owner | None:
        if slot.address:
            return self.addressed(slot.address)
        library = "" if taker else slot.library or self._library_around(slot.value, reading)
        timeframe = self._timeframe_around(slot.value, reading)
        owner = self.names.owner(slot.name, library, timeframe) or self.names.owner(slot.name, "", timeframe)
        return owner and with_field(owner, slot.field or self._bound_said(slot.name, owner), self.names)

    def _bound_said(self, name: str, owner: Owner) -> str:
        """Return the bound that a name says: ``GAMMA_MAX`` is one of gamma's range, and no gamma."""
        about, _, last = name.lower().rpartition("_")
        of = self.names.owner(about) if last in _BOUNDS else None
        return _BOUNDS[last] if of and of.parameter == owner.parameter and not owner.field else ""

    def addressed(self, address: tuple[str, ...]) -> Owner:
        """Return the owner that the source names by address; a part it computes is ``<...>``."""
        key = self.names.catalogues.addresses.get(address)
        if key is not None and (owner := self.names.owner(key)):
            return owner
        found = self.names.owner(address[-1])
        if found:
            return found
        return Owner(address[-1], (), "the key at " + "/".join(address), "param", address)

    def _library_around(self, node: ast.AST, reading: Reading) -> str:
        """Take the library from the names around a value: ``class XGBoostTrainer``, ``lgb_params = ...``."""
        words = " ".join(_names_around(reading.module, node)).lower()
        found = {library for word, library in _LIBRARY_WORDS.items() if word in words}
        if len(found) != 1:
            found = set(reading.module.libraries)
        return found.pop() if len(found) == 1 else ""

    def _timeframe_around(self, node: ast.AST, reading: Reading) -> str:
        known = self.names.timeframes
        for up in (node, *reading.module.ancestors(node)) if node in reading.module.parents else ():
            parent = reading.module.parents.get(up)
            if isinstance(parent, ast.Dict) and up in parent.values:
                key = parent.keys[parent.values.index(up)]
                if isinstance(key, ast.Constant) and key.value in known:
                    return str(key.value)
        return ""


_LIBRARY_WORDS = {"xgb": "xgb", "lgb": "lgb", "lightgbm": "lgb", "catboost": "cb"}


def _names_around(module: Module, node: ast.AST) -> Iterator[str]:
    for up in module.ancestors(node):
        if isinstance(up, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield up.name
        elif isinstance(up, ast.Assign):
            yield from (target.id for target in up.targets if isinstance(target, ast.Name))


def with_field(owner: Owner, field: str, names: Names) -> Owner:
    """Return the owner of a range's bound instead of the value's, when the parameter is tuned."""
    if not field or not names.tuned_type(owner.parameter):
        return owner
    keys = " or ".join(f"{key}_{field.upper()}" for key in owner.key.split(" or "))
    return owner._replace(key=keys, field=field)


def finding(  # noqa: PLR0917 - the fields of a finding, in their order
    module: Module, place: ast.AST, rule: str, key: str, name: str, value: float | str, message: str, fix: str
) -> Finding:
    """Build a finding at a node, its columns counted in characters."""
    line, end_line = place.lineno, place.end_lineno  # type: ignore[attr-defined]
    return Finding(
        path=module.path,
        line=line,
        column=column_of(module, line, place.col_offset),  # type: ignore[attr-defined]
        end_line=end_line,
        end_column=column_of(module, end_line, place.end_col_offset),  # type: ignore[attr-defined]
        rule=rule,
        key=key,
        name=name,
        value=value,
        message=message,
        fix=fix,
        where=module.scope(place).qualname if place in module.parents else "",
    )


def _fix(slot: Slot, literals: list[Literal], owner: Owner, reading: Reading) -> str:
    rewrite = slot.rewrite or rewrite_of(literals, owner, reading)
    return line_of(rewrite, owner.address, reading.module)


def _keys(owner: Owner, values: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for pattern in owner.key.split(" or "):
        if "<" not in pattern:
            found += [pattern] if pattern in values else []
        else:
            matcher = re.compile(re.sub(r"<[A-Z]+>", "[A-Z0-9]+", pattern))
            found += [key for key in values if matcher.fullmatch(key)]
    return found


def _same(literal: float | str, value: object) -> bool:
    if isinstance(literal, bool) or isinstance(value, bool):
        # 1 is no true, though Python calls them equal; data files write true as they like.
        return _truth(literal) is value
    if isinstance(literal, str) and not isinstance(value, str):
        try:
            return float(literal) == value
        except ValueError:
            return False
    return bool(literal == value)


def _truth(literal: float | str) -> bool | None:
    if isinstance(literal, str):
        return {"true": True, "false": False}.get(literal.strip().lower())
    return literal if isinstance(literal, bool) else None


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
