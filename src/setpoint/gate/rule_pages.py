"""GATE: the page of each rule: its docstring, and those of the gate's housekeeping.

Guarantees: every code that the gate can say has one page; docs/reference/gate.md is made of them.
"""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import MissingError
from setpoint.gate.rules import RULES

if TYPE_CHECKING:
    from types import ModuleType


#: A module's docstring may begin with its place in the house, its code and its name.
_OPENS = re.compile(r"GATE: SPG\d+ ``[\w-]+``: ")


class Page(NamedTuple):
    """What a person reads about one code."""

    code: str
    name: str
    title: str
    text: str


#: What the gate says about files, comments and its own baseline.
HOUSEKEEPING = (
    Page(
        "SPG900",
        "not-judged",
        "A file, or a cell of a notebook, cannot be read, decoded or parsed.",
        "The gate exits with 3, before and after its instant alike: what it cannot judge it does not pass.",
    ),
    Page(
        "SPG901",
        "incomplete-suppression",
        "A suppression lacks its reason, owner or expiry.",
        'Write `# setpoint: allow SPG101 reason="..." owner=... until=2027-01-31`, with a rule or a key.',
    ),
    Page(
        "SPG902",
        "unused-suppression",
        "A suppression suppresses nothing.",
        "The finding is gone, or stands on another line. Remove the comment.",
    ),
    Page(
        "SPG903",
        "expired-suppression",
        "A suppression is past its day.",
        "`until` is inclusive, in UTC. Move the value into the control plane, or have its owner renew it.",
    ),
    Page(
        "SPG904",
        "suppression-budget",
        "There are more suppressions than the configuration allows.",
        "`suppression-budget` counts every suppression comment of the scanned files.",
    ),
    Page(
        "SPG905",
        "stale-baseline",
        "The baseline forgives a finding that is no more.",
        "Run with `--update-baseline`: it only ever removes lines.",
    ),
)


def pages() -> tuple[Page, ...]:
    """Return the pages of all rules and of the housekeeping, in order of their codes."""
    found = [_page(rule) for rule in (*RULES, *_data_rules())]
    return tuple(sorted({page.code: page for page in (*found, *HOUSEKEEPING)}.values()))


def page_of(rule: str) -> Page:
    """Return the page of a rule by its code or its name, in any case.

    Raises:
        MissingError: no rule is called so.
    """
    found = {name: page for page in pages() for name in (page.code.lower(), page.name)}
    if rule.lower() not in found:
        listed = ", ".join(f"{page.code} {page.name}" for page in pages())
        raise MissingError(f"no rule is called {rule!r}.", hint=f"there are {listed}")
    return found[rule.lower()]


def _data_rules() -> tuple[ModuleType, ...]:
    # The data rules import the judge, which imports us.
    from setpoint.gate.rules import data_json, data_lines, data_toml, data_yaml  # noqa: PLC0415

    return (data_json, data_lines, data_toml, data_yaml)


def _page(rule: ModuleType) -> Page:
    title, _, text = cleandoc(rule.__doc__ or "").partition("\n\n")
    opening = _OPENS.sub("", " ".join(title.split()))
    return Page(rule.CODE, rule.NAME, f"{opening[:1].upper()}{opening[1:]}", text)
