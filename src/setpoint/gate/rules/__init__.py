"""GATE: the rules, one file each, registered here by hand and in order of their codes.

A rule has ``CODE``, ``NAME``, ``NODES`` (the types of node it looks at) and ``find(node, reading)``,
which yields slots or remarks and neither prints nor changes anything. Its docstring is its page.
"""

from __future__ import annotations

from setpoint.gate.rules import (
    assigned,
    data_text,
    environment_default,
    environment_read,
    fallback,
    field,
    formatted,
    item,
    keyword,
    lookup_default,
    mapping,
    option,
    pairs,
    parameter_default,
    positional,
    returned,
    set_by_name,
    suggested,
    undeclared,
    unpacked,
)

RULES = (
    assigned,
    unpacked,
    item,
    mapping,
    pairs,
    lookup_default,
    set_by_name,
    keyword,
    positional,
    parameter_default,
    field,
    option,
    suggested,
    fallback,
    environment_default,
    formatted,
    returned,
    environment_read,
    undeclared,
    data_text,
)

#: Rules that may find several literals in one text.
TEXTS = (formatted, data_text)
