# ruff: noqa: E501 - one form is one table row
"""YAML: what a real parser accepts is read by the gate's own reader, to the same names and numbers."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from setpoint.declare.loading import bundled_catalogues, load_catalogues
from setpoint.gate.formats.data_files import findings_in_data
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from setpoint.gate.scan import Reader
from setpoint.gate.unjudgeable import Unjudgeable

JUDGE = Judge(Names.load(load_catalogues(",".join(bundled_catalogues()))), {})
READER = Reader(Path(), JUDGE)
KEYS = ("learning_rate", "max_depth", "num_leaves", "colsample_bytree", "early_stopping_rounds")

#: Valid documents, a few lines each, by the form that they have.
FORMS = {
    "a double-quoted text over lines": 'a: "one\n  two\n\n  three"\nlearning_rate: 0.1',
    "a double-quoted text with escaped line ends": 'a: "one \\\n  two\\\n  \\  three"\nlearning_rate: 0.1',
    "escaped quotes over lines": 'a: "one \\"\n  two: \\" {"\nlearning_rate: 0.1',
    "a double-quoted text of its own lines": 'a:\n  "one\n  - two: ["\nlearning_rate: 0.1',
    "a single-quoted text over lines": "a: 'it''s\n  two: {\n  '\nlearning_rate: 0.1",
    "quoted texts in a list": "- \"a\n  b\"\n- 'c\n  d'\n- learning_rate: 0.1",
    "a quoted key": '"learning_rate": 0.1\n\'max_depth\' : 6',
    "an escaped key": '"learning\\x5frate": 0.1\nlearning_rate: 0.1',
    "an escaped value": 'learning_rate: "\\x30.1"\nmax_depth: 6',
    "a plain text over lines": "a: one\n  two\n\n  three\nlearning_rate: 0.1",
    "a plain text that goes on with indicators": "a: one\n  [two\n  {three\n  - four\n  'five\nlearning_rate: 0.1",
    "a plain text of its own lines": "a:\n   one\n  two\nlearning_rate: 0.1",
    "a plain text in a list": "-\n one\n two\n- three\n  four\n- learning_rate: 0.1",
    "a plain text with quotes and brackets": "a: it's [x] {y} \"z\nb: x:y#z\nlearning_rate: 0.1",
    "a plain document over lines": "one\ntwo 'three\n--- \nlearning_rate: 0.1",
    "literal and folded texts": "a: |\n  [ {\n  ' \"\nb: >\n  { '\n\n   deeper\nlearning_rate: 0.1",
    "block texts with indicators": "a: |2-\n    [\n   {\nb: >+1\n '\n\nc: |-  # why\n  \"\nd: >-2\n   [\nlearning_rate: 0.1",
    "a block text in a list": "- |\n [\n  {\n- >-\n '\n- - |\n   \"\n  - learning_rate: 0.1",
    "a block text at the root": "--- |\n  [ '\n...\n--- >\n  { \"\n---\nlearning_rate: 0.1",
    "a comment behind a block text": "a: |\n    [\n  # it's\nlearning_rate: 0.1",
    "an empty block text": "a: |\nb: >-\nlearning_rate: 0.1",
    "anchors and aliases": "a: &x [1, 2]\nb: *x\nc: &y\n  learning_rate: 0.1\nd: *y",
    "an anchor on a key": "&a learning_rate: 0.1\n&b max_depth : &c 6",
    "an alias as a key": "a: &x k\n*x : 1\nlearning_rate: 0.1",
    "a merge": "a: &x {max_depth: 6}\nb:\n  <<: *x\n  learning_rate: 0.1",
    "tags of the language": "a: !!str 'x\n  y'\n!!str learning_rate: !!float 0.1\nmax_depth: !!int '6'",
    "tags of one's own": "a: !mine {b: 'x\n  y'}\nb: !ref &r\n  learning_rate: 0.1\nc: !x\n- !y \"\n  z\"",
    "a tag on a parameter": "learning_rate: !vault 0.1\nmax_depth: ! 6",
    "a tag in angle brackets": "a: !<tag:example.org,2002:x> {b: 1}\nlearning_rate: !<tag:yaml.org,2002:float> 0.1",
    "a directive of tags": "%TAG !e! tag:example.org,2002:\n---\na: !e!x [1]\nlearning_rate: 0.1",
    "complex keys": "? a\n: 1\n? learning_rate\n: 0.1\n? [b, c]\n: {d: '{'}\n? - e\n: - f\nmax_depth: 6",
    "a block text as a key": "? |\n  [\n: 1\nlearning_rate: 0.1",
    "a complex key without a value": "? a\n? b\nlearning_rate: 0.1",
    "a complex key of a mapping": "? max_depth: 6\n: learning_rate: 0.1",
    "a flow collection over lines": "a: [1,\n  {b: 'x\n   y',\n\n   c: \"]\"},\n  ]\nlearning_rate: 0.1",
    "comments in a flow collection": "a: [ # it's {\n  1, # ]\n  2 ]  # \"\nlearning_rate: 0.1",
    "plain texts in a flow collection": "a: [it's, x#y, a:b, http://x.y, -1, x y\n  z, ?x, -x]\nlearning_rate: 0.1",
    "JSON": '{"a":[1,2],"b":{"learning_rate":0.1},"c":"{","max_depth":6}',
    "pairs in a list": "a: [b: 1, learning_rate: 0.1, c]\nmax_depth: 6",
    "an explicit key in a flow collection": "{? a : 1, ? learning_rate : 0.1}",
    "keys without values": "a: {b, c: , learning_rate: 0.1}\nd:\nmax_depth:  # later\n  6",
    "a flow collection as a key": "[a, b]: 1\n{c: 2}: 3\nlearning_rate: 0.1",
    "a list at its key's indentation": "a:\n- 1\n- b: 2\n  learning_rate: 0.1\nmax_depth: 6",
    "lists in lists": "- - a\n  - - b\n    - learning_rate: 0.1\n- max_depth: 6",
    "comments everywhere": "# it's\na: # [\n  # {\n  b: 1 # \"\n    # '\nlearning_rate: # |\n  0.1",
    "documents": "%YAML 1.1\n--- # one\na: 1\n...\n# two\n---\nlearning_rate: 0.1\n--- {max_depth: 6}\n--- 'x\n  y'\n---\n...",
    "lines that end otherwise": "a: 'x\r\n  y'\r\nlearning_rate: 0.1\r\n",
    "separators of other alphabets": "a: 'x\u2028y \x85'\nlearning_rate: 0.1",
    "keys with signs": "-a: 1\n?b: 2\n:c: 3\nd e: 4\nf'g: 5\nlearning_rate: 0.1",
    "a text that looks like a document's mark": "a: ---x\nb: |\n  ---\n  ...\nlearning_rate: 0.1",
}  # fmt: skip
#: Valid by YAML 1.2, and refused by PyYAML, which follows 1.1.
LATER = {
    "an empty key": ": 1\nlearning_rate: 0.1",
    "tabs between tokens": "a:\t1\n-x: \t'y\t\n\tz'\nlearning_rate:\t0.1\t# now\n\t\nb: 6",
    "a tab before a flow collection": "\t[1,\n\t2]\n---\nlearning_rate: 0.1",
    "a plain text that begins with a colon": "{a: [:x], learning_rate: 0.1}",
}


def found(text):
    """Return the (name, value) of each finding in a YAML file."""
    return {(one.name, float(one.value)) for one in findings_in_data(text, "a.yaml", JUDGE, READER.python)}


def pairs(node):
    """Yield (name, value) of each parameter in a tree of YAML nodes, whatever tags it has."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(value, yaml.ScalarNode) and key.value in KEYS:
                yield key.value, float(value.value)
            yield from pairs(key)
            yield from pairs(value)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from pairs(each)


@pytest.mark.parametrize("form", FORMS)
def test_valid_yaml_is_read_as_a_parser_reads_it(form):
    """No valid form stops the gate, and behind each one the next parameter is found with its value."""
    wanted = {pair for tree in yaml.compose_all(FORMS[form], yaml.SafeLoader) for pair in pairs(tree)}

    assert wanted, "the parser finds a parameter, or the form shows nothing"
    assert found(FORMS[form]) == wanted


@pytest.mark.parametrize("form", LATER)
def test_yaml_of_the_later_version_is_read(form):
    """What only YAML 1.2 allows does not stop the gate either."""
    assert found(LATER[form]) == {("learning_rate", 0.1)}


TEXTS = st.text("ab'\"\\{}[]#:,&*!|>%@`?- \n\té", max_size=25).map(lambda text: f"x{text}z")
NUMBERS = st.integers(1, 500) | st.floats(0.001, 500).map(lambda number: round(number, 4))
TREES = st.recursive(
    TEXTS | st.none() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS[2:]) | TEXTS, inner | NUMBERS, max_size=4)
    ),
    max_leaves=12,
)


def numbers(tree):
    """Yield (name, value) of each parameter in a tree of Python's own."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in KEYS and isinstance(value, int | float) and not isinstance(value, bool):
                yield key, float(value)
            yield from numbers(value)
    elif isinstance(tree, list):
        for each in tree:
            yield from numbers(each)


@given(
    tree=TREES,
    flow=st.sampled_from([None, True, False]),
    style=st.sampled_from([None, "'", '"', "|", ">"]),
    width=st.sampled_from([10, 20, 80]),
    indent=st.integers(2, 6),
    explicit=st.booleans(),
    unicode=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_whatever_a_writer_writes_is_read(tree, flow, style, width, indent, explicit, unicode):
    """Any tree in any style, width and indentation that PyYAML writes gives its parameters, and nothing else."""
    text = yaml.safe_dump(
        tree, default_flow_style=flow, default_style=style, width=width, indent=indent,
        explicit_start=explicit, allow_unicode=unicode,
    )  # fmt: skip

    assert found(text) == set(numbers(tree)), text


@given(st.text("ab01 \n\t'\"\\{}[]#:,&*!|>%@`?-.", max_size=60))
@settings(max_examples=400, deadline=None)
def test_what_is_no_yaml_fails_and_never_crashes(text):
    """Any characters end in findings or in a failure with a line of the text; what a parser accepts ends in findings."""
    try:
        list(yaml.compose_all(text, yaml.SafeLoader))
    except yaml.YAMLError:
        is_valid = False
    else:
        is_valid = True
    line = refusal(text)

    assert line == 0 or (not is_valid and line <= text.count("\n") + 1)


def refusal(text):
    """Return the line of a failure; 0 when the text is read."""
    try:
        found(text)
    except Unjudgeable as refused:
        return refused.line
    return 0
