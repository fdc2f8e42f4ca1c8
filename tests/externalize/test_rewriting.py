import ast
import re
import sysconfig
from functools import cache
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from setpoint.errors import InvalidError
from setpoint.externalize.source_text.rewrite import Merge, Position, removed_comments, rewritten

READ = 'setpoint.resolve("xgb", "5m", "gamma")'
OTHER = "setpoint.resolve('xgb', '5m', 'gamma')"
GROUP = 'setpoint.pinned().params("lgb", "5m")'


def place(start, end, text):
    """Say a stretch of text as a finding does."""

    def at(offset):
        ends = [found.end() for found in re.finditer(r"\r\n|\r|\n", text) if found.end() <= offset]
        return len(ends) + 1, offset - (ends[-1] if ends else 0) + 1

    return Position(*at(start), *at(end))


def places(text, part):
    """Return where a part stands in a text; a BOM is no column."""
    text = text.removeprefix("\ufeff")
    found = [place(at.start(), at.end(), text) for at in re.finditer(re.escape(part), text)]
    assert found
    return found


def exchanged(text, part, expression=READ):
    return rewritten(text, dict.fromkeys(places(text, part), expression), needs_import=False)


#: A text with the expression ``0.5`` and what it becomes, where that is no plain exchange.
WHERE = {
    "keyword argument": ("f(eta=0.5, b=1)", None),
    "default of a parameter": ("def f(eta=0.5, *, gamma: float = 0.5): ...", None),
    "default of a lambda": ("f = lambda eta=0.5:0.5", None),
    "annotation, decorator, base": ("@f(0.5)\nclass A(b(0.5)):\n    x: f(0.5) = 0.5", None),
    "subscript and slice": ("x[0.5:0.5, 0.5]", None),
    "comprehension": ("x = [0.5 for a in b(0.5) if a > 0.5]", None),
    "parentheses": ("x = (0.5)", None),
    "parentheses over lines": ("x = (\n    # why\n    0.5  # what\n)", None),
    "walrus and await": ("async def f():\n    return (a := 0.5), await g(0.5)", None),
    "guard": ("match a:\n    case 1 if a > 0.5: b = 0.5", None),
    "no newline at the end": ("x = 0.5", None),
    "tab and form feed": ("if a:\n\tx = 0.5\n\x0c\n\x0cy = 0.5\n  \x0cz = 0.5\n", None),
    "form feed inside a string": ('a = """\n\x0c0\n""", 0.5\n', None),
    "line separators that Python counts not": ("x = '\u2028\x1c\x85', 0.5  # \u2029\ny = 0.5\n", None),
    "accents and astral characters": ('é = "é😀🜁", 0.5  # 😀\n', None),
    "CRLF": ("x = (\r\n    0.5,\r\n)\r\n# é\r\n", None),
    "CR alone": ("x = 0.5\ry = 0.5\r", None),
    "mixed line ends": ("x = 0.5\r\ny = 0.5\nz = 0.5\n\r\n", None),
    "encoding declaration": ("# -*- coding: latin-1 -*-\nx = 'é', 0.5\n", None),
    "BOM": ("\ufeffx = 0.5\n", None),
    "space before a colon": ("try:\n    x = 0.5\nexcept (A, B) :\n    x = 0.5\n", None),
    "backslash": ("x = \\\n    0.5 + \\\n    0.5\n", None),
    "semicolons": ("x = 0.5; y = 0.5;\n", None),
    "f-string": ('f"é {0.5:.2f} {0.5!r}" "b"', f'f"é {{{OTHER}:.2f}} {{{OTHER}!r}}" "b"'),
    "f-string in single quotes": ("f'{0.5}'", f"f'{{{READ}}}'"),
    "f-string over lines": ('f"""\n"{a}" {\n0.5\n}"""', f'f"""\n"{{a}}" {{\n{OTHER}\n}}"""'),
    "format specification": ('f"{a:{0.5}}"', f'f"{{a:{{{OTHER}}}}}"'),
    "f-string in a long one": ('f"""{f\'{0.5}\'}"""', f'f"""{{f\'{{{READ}}}\'}}"""'),
    "keyword behind": ("x = 0.5if a else 1", None),
    "string behind a keyword": ('def f():\n    return"x"', f"def f():\n    return {READ}"),
    "negative": ("x = a*-0.5", f"x = a*{READ}"),
    "two lines": ('x = ("a"  # why\n     "b")', f"x = ({READ})"),
    "tuple with its parentheses": ("x = a((1, 2))", f"x = a({READ})"),
    "tuple without parentheses": ("x = 1, 2", f"x = {READ}"),
}
PARTS = {
    "string behind a keyword": '"x"',
    "negative": "-0.5",
    "two lines": '"a"  # why\n     "b"',
    "tuple with its parentheses": "(1, 2)",
    "tuple without parentheses": "1, 2",
}


@pytest.mark.parametrize("name", WHERE)
def test_an_expression_is_exchanged_wherever_it_stands(name):
    """The expression alone changes; every other character of the file stays."""
    text, expected = WHERE[name]
    part = PARTS.get(name, "0.5")

    assert exchanged(text, part) == (expected or text.replace(part, READ))


@pytest.mark.parametrize(
    ("text", "expression", "expected"),
    [
        ("x = 2 * 0.5", "a if b else c", "x = 2 * (a if b else c)"),
        ("f(0.5)", "lambda: 1", "f((lambda: 1))"),
        ("x = 0.5if a else 1", "b", "x = b if a else 1"),
        ('f"{0.5}"', "{**a}", 'f"{ {**a} }"'),
        ("x = 2 ** 0.5", "-a", "x = 2 ** (-a)"),
        ('f"{0.5}"', 'a["é"]', "f\"{a['é']}\""),
    ],
)
def test_an_expression_stays_in_one_piece_among_its_neighbours(text, expression, expected):
    """What could fall apart is written in parentheses, what could melt with a neighbour with a space."""
    assert exchanged(text, "0.5", expression) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("x = 1 + 2 + 3", "2 + 3"),
        ("x = a < b < c", "b < c"),
        ("x = a.gamma", "gamma"),
        ("f(gamma=1)", "gamma"),
        ("gamma = 1", "gamma"),
        ("gamma += 1", "gamma"),
        ("gamma[0] = 1", "gamma[0]"),
        ("def gamma(): ...", "gamma"),
        ("import gamma", "gamma"),
        ("f(*gamma)", "*gamma"),
        ("def f():\n    global gamma", "gamma"),
        ("match a:\n    case 0.5: ...", "0.5"),
        ('x = "a" "b"', '"a"'),
        ('f"{0.5=}"', "0.5"),
        ("x = 10.5", "0.5"),
        ("x = 0.5", "0.5\n"[:2]),
        ("x = '0.5'", "0.5"),
        ("x = 1  # 0.5", "0.5"),
        ("f(0.5, 1)", "0.5, 1"),
        ("x[a:b]", "a:b"),
        ("lr = 0.5", "lr = 0.5"),
    ],
)
def test_what_is_not_exactly_one_expression_is_refused_by_its_place(text, part):
    """A place that is more, less or other than one expression that is read is an error that names it."""
    (at,) = places(text, part)

    with pytest.raises(InvalidError, match=re.escape(f"{at} is not exactly one expression")) as refused:
        rewritten(text, {at: READ})
    assert refused.value.where["place"] == at


@pytest.mark.parametrize(
    "at", [(1, 5, 1, 9), (2, 1, 2, 4), (0, 1, 0, 2), (1, 0, 1, 3), (9, 1, 9, 4), (1, 8, 1, 5)]
)
def test_a_place_outside_the_text_is_refused(at):
    """A line or column that the text does not have is no expression."""
    with pytest.raises(InvalidError, match="not exactly one expression"):
        rewritten("x = 0.5", {Position(*at): READ})


def test_the_place_to_blame_is_named_among_many():
    """One bad place stops the whole rewriting, and the error names that one."""
    text = "a = 0.5\nb = 1 + 2 + 3\nc = 0.5\n"
    (bad,) = places(text, "2 + 3")

    with pytest.raises(InvalidError) as refused:
        rewritten(text, {**dict.fromkeys(places(text, "0.5"), READ), bad: READ})
    assert refused.value.where["place"] == bad


def test_f_strings_that_leave_no_quotes_are_refused():
    """Python 3.11 has no third kind of quotes and no backslash inside an f-string."""
    for text in ("f\"{f'{0.5}'}\"", "f\"{a['b'] + f'{0.5}'}\""):
        (at,) = places(text, "0.5")
        with pytest.raises(InvalidError, match="no quotes are left") as refused:
            rewritten(text, {at: READ})
        assert refused.value.where["place"] == at
    with pytest.raises(InvalidError, match="no quotes are left"):
        exchanged('f"{0.5}"', "0.5", r'a("it\'s")')


@pytest.mark.parametrize("text", ["x = (", "x = 0.5\0", "print 0.5", "x = " + "(" * 300 + "0.5" + ")" * 300])
def test_what_is_no_python_is_refused(text):
    """A text that does not parse is an error, whatever its places are."""
    with pytest.raises(InvalidError, match="no Python"):
        rewritten(text, {Position(1, 5, 1, 8): READ})


def test_what_libcst_cannot_read_is_refused():
    """Python reads a number right behind ``or``, LibCST does not: the file is left, not guessed at."""
    with pytest.raises(InvalidError, match="LibCST cannot read this text"):
        exchanged("x = a or.5", ".5")


def test_places_that_overlap_are_a_mistake_of_the_caller():
    """No text can give way twice."""
    text = "x = [0.5]"
    with pytest.raises(ValueError, match="overlap"):
        rewritten(text, {places(text, "0.5")[0]: READ, places(text, "[0.5]")[0]: READ})


@pytest.mark.parametrize("expression", ["", "a b", "x = 1", "*a"])
def test_what_is_written_must_be_an_expression(expression):
    """Anything else would change the program's form."""
    with pytest.raises(ValueError, match="no expression"):
        exchanged("x = 0.5", "0.5", expression)


LONG = """\
params = {
    "metric": "auc",
    "num_leaves": 31,
    "max_depth": (6),  # deep
    # the rest
    "objective": "binary",
}
"""


def merged(text, first, last, *after, expression=GROUP):
    start, end = text.index("{"), text.rindex("}") + 1
    merge = Merge(place(start, end, text), first, last, expression, after)
    return rewritten(text, {}, [merge], needs_import=False)


def test_neighbouring_items_give_way_to_one_spread():
    """The other items, their order, their lines and their comments stay."""
    assert merged(LONG, 1, 2) == LONG.replace('"num_leaves": 31,\n    "max_depth": (6)', f"**{GROUP}")


def test_items_behind_a_spread_stand_on_lines_of_their_own_where_the_others_do():
    """What a spread must not decide follows it."""
    after = '"n_estimators": trial.params["n_estimators"]'

    assert f"\r\n    **{GROUP},\r\n    {after},  # deep\r\n" in merged(
        LONG.replace("\n", "\r\n"), 1, 2, after
    )
    assert merged('f({"a": 1, "b": 2})', 0, 1, '"c": 3', '"d": 4') == f'f({{**{GROUP}, "c": 3, "d": 4}})'


@pytest.mark.parametrize(
    ("text", "first", "last", "expected"),
    [
        ('{"a": 1}', 0, 0, "{**X}"),
        ('{ "a": 1, }', 0, 0, "{ **X, }"),
        ('{**b, "a": 1, **c}', 1, 1, "{**b, **X, **c}"),
        ('{**b, ("a"): (1), **c}', 0, 1, "{**X, **c}"),
        ('{("a"): 1, "b": (2)}', 1, 1, '{("a"): 1, **X}'),
        ('{"a": {"b": 1}, "c": 2}', 0, 0, '{**X, "c": 2}'),
        ('x = ({"a": 1})', 0, 0, "x = ({**X})"),
    ],
)
def test_a_spread_takes_the_place_of_whole_items(text, first, last, expected):
    """Commas, spaces and parentheses of the items go with them, their neighbours' stay."""
    assert merged(text, first, last, expression="X") == expected


def test_a_spread_inside_an_f_string_has_quotes_that_it_may_have():
    """What is spread is written as any expression there."""
    text = """f'{ {"a": 1}["a"] }'"""
    merge = Merge(places(text, '{"a": 1}')[0], 0, 0, GROUP.replace('"', "'"))

    assert rewritten(text, {}, [merge], needs_import=False) == f"""f'{{ {{**{GROUP}}}["a"] }}'"""


def test_a_spread_of_operators_is_one_expression():
    """Stars bind more tightly than any operator would."""
    assert merged('{"a": 1}', 0, 0, expression="a if b else c") == "{**(a if b else c)}"


def test_an_expression_and_items_of_one_dict_change_together():
    """A merge leaves the other items to be exchanged one by one."""
    text = 'd = {"a": 1, "b": 0.5}\n'
    merge = Merge(places(text, text[4:-1])[0], 0, 0, GROUP)

    assert rewritten(text, {places(text, "0.5")[0]: READ}, [merge]) == (
        f'import setpoint\n\nd = {{**{GROUP}, "b": {READ}}}\n'
    )


def test_what_a_merge_cannot_name_is_refused():
    """A place without a dict is the file's error; items that a dict lacks are the caller's."""
    (at,) = places("x = 0.5", "0.5")
    with pytest.raises(InvalidError, match="not exactly one dict display"):
        rewritten("x = 0.5", {}, [Merge(at, 0, 0, GROUP)])
    for first, last in ((0, 1), (1, 0), (-1, 0)):
        with pytest.raises(ValueError, match="a dict of 1 items has no items"):
            merged('{"a": 1}', first, last)
    with pytest.raises(ValueError, match="no expression"):
        merged('{"a": 1}', 0, 0, "b: : 1")


def test_comments_that_would_be_lost_are_told():
    """A comment between the items goes with them; one above the first or behind the last stays."""
    at = place(LONG.index("{"), LONG.rindex("}") + 1, LONG)

    assert removed_comments(LONG, Merge(at, 1, 2, GROUP)) == ()
    assert removed_comments(LONG, Merge(at, 2, 3, GROUP)) == ("# deep", "# the rest")
    assert removed_comments(LONG, Merge(at, 3, 3, GROUP)) == ()
    assert removed_comments("\ufeffx = (1  # é\n + 2)", Position(1, 6, 2, 5)) == ("# é",)


def test_nothing_to_rewrite_imports_nothing():
    """A file without a place stays as it is."""
    assert rewritten("x = 1\n", {}) == "x = 1\n"


def test_rewriting_is_repeatable():
    """The same input gives the same text, in whatever order the places come."""
    text = "a = 0.5\nb = 0.5\n"
    there = dict.fromkeys(places(text, "0.5"), READ)

    assert rewritten(text, there) == rewritten(text, dict(reversed(there.items())))


@st.composite
def sources(draw):
    """Draw a text and what it must become: statements with ``0.5`` in them among all kinds of blank."""
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    filler = st.sampled_from(
        ["", "# é😀", "\x0c", "   ", "x = 'ß', 1", "\x0cy = 2", '"""\x0c\n0.25 \u2028"""']
    )
    forms = [text for text, expected in WHERE.values() if expected is None and "coding" not in text]
    forms = [form.removeprefix("\ufeff").rstrip("\r\n") for form in forms]
    lines = draw(st.lists(st.one_of(filler, st.sampled_from(forms)), max_size=6))
    lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(forms)))
    body = re.sub(r"\r\n|\r|\n", "\n", "\n".join(lines)).replace("\\\n", "\\\n").replace("\n", end)
    return draw(st.sampled_from(["", "\ufeff"])) + body + draw(st.sampled_from(["", end]))


@settings(max_examples=60, deadline=None)
@given(sources())
@example("f(eta=0.5, b=1)\n\n   \n  ")
def test_every_character_around_the_places_stays(text):
    """Whatever line ends, blanks, comments and characters a file has, the places alone change."""
    assert exchanged(text, "0.5") == text.replace("0.5", READ)


#: Real files of moderate size; one has form feeds at the head of lines.
REAL = (
    "bisect",
    "colorsys",
    "fnmatch",
    "heapq",
    "sched",
    "statistics",
    "textwrap",
    "webbrowser",
    "wave",
    "json/encoder",
)


@cache
def real(name):
    """Return a module's text, and each constant expression of it with its place."""
    text = (Path(sysconfig.get_path("stdlib")) / f"{name}.py").read_bytes().decode()
    found = ast.parse(text)
    lines = re.split(r"(?<=\n)", text)
    inside = {
        id(part)
        for node in ast.walk(found)
        if isinstance(node, ast.JoinedStr | ast.pattern)
        for part in ast.walk(node)
    }

    def column(line, offset):
        return len(lines[line - 1].encode()[:offset].decode()) + 1

    return text, [
        Position(
            node.lineno,
            column(node.lineno, node.col_offset),
            node.end_lineno,
            column(node.end_lineno, node.end_col_offset),
        )
        for node in ast.walk(found)
        if isinstance(node, ast.Constant) and id(node) not in inside
    ]


class Exchanged(ast.NodeTransformer):
    """Exchanges the constants of a tree that stand at given places."""

    def __init__(self, starts):
        self.starts = starts

    def visit_Constant(self, node):
        at = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
        return ast.parse(READ, mode="eval").body if at in self.starts else node


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.data())
def test_real_files_change_at_the_places_alone(data):
    """In files of the standard library the characters outside stay, and the tree changes there alone."""
    text, all_places = real(data.draw(st.sampled_from(REAL)))
    chosen = data.draw(st.sets(st.sampled_from(all_places), min_size=1, max_size=8))

    new = rewritten(text, dict.fromkeys(chosen, READ), needs_import=False)
    with_import = rewritten(text, dict.fromkeys(chosen, READ))

    assert_cut_alone(text, new, sorted(chosen))
    assert_one_line_more(new, with_import)


def assert_cut_alone(text, new, chosen):
    lines = text.splitlines(keepends=True) if "\x0c" not in text else re.split(r"(?<=\n)", text)
    starts = [sum(map(len, lines[:count])) for count in range(len(lines) + 1)]
    pieces, at = [], 0
    for spot in chosen:
        pieces.append(re.escape(text[at : starts[spot.line - 1] + spot.column - 1]))
        at = starts[spot.end_line - 1] + spot.end_column - 1
    pieces.append(re.escape(text[at:]))
    assert re.fullmatch(f" ?{re.escape(READ)} ?".join(pieces), new)

    def bytes_at(line, column):
        return len(lines[line - 1][: column - 1].encode())

    old = {
        (spot.line, bytes_at(spot.line, spot.column), spot.end_line, bytes_at(spot.end_line, spot.end_column))
        for spot in chosen
    }
    assert ast.dump(Exchanged(old).visit(ast.parse(text))) == ast.dump(ast.parse(new))


def assert_one_line_more(without, with_import):
    more = len(with_import) - len(without)
    at = next(i for i, (a, b) in enumerate(zip(without, with_import, strict=False)) if a != b)
    added = next(
        with_import[start : start + more]
        for start in range(at, -1, -1)
        if with_import[start : start + more].strip() == "import setpoint"
        and with_import[:start] + with_import[start + more :] == without
    )
    assert added.count("\n") <= 4
