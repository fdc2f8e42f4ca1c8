"""GATE: what the gate says: one finding, with its place, its key and the line that would replace it.

Guarantees: findings sort by place, so that two runs over one tree print the same text.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """One literal, one read or one undeclared name."""

    #: POSIX, relative to the root.
    path: str
    #: All four are 1-based and count characters; the end is exclusive.
    line: int
    column: int
    end_line: int
    end_column: int
    #: Code of the rule, such as ``SPG101``.
    rule: str
    #: The key that owns the value: whole, or a pattern such as ``CVN_HPO_XGB_<TIMEFRAME>_GAMMA``.
    key: str
    #: The name as the source writes it, such as ``eta``.
    name: str
    #: The value after folding; left out of the order, since values of two types do not compare.
    value: int | float | str = field(compare=False)
    message: str
    #: The source line that would replace the finding's own; empty when there is none.
    fix: str
    #: Qualified name of the enclosing function or class; empty at the top of a file.
    where: str
    #: What ``resolve`` takes, a part that the source does not say in angle brackets: ``<timeframe>``.
    address: tuple[str, ...] = field(default=(), compare=False)
    #: ``range_min`` or ``range_max`` when the literal is a bound of the search.
    bound: str = field(default="", compare=False)
    #: The callable of another package whose parameter it is, such as ``sklearn.ensemble.AdaBoostClassifier``.
    stranger: str = field(default="", compare=False)
    #: The literal is the very value that each of its keys has now.
    agrees: bool = field(default=False, compare=False)

    @property
    def said(self) -> str:
        """What stands there, whatever stands around it: ``eta = 0.1``, or the name of what is read."""
        return self.name if self.value == self.name else f"{self.name} = {self.value!r}"
