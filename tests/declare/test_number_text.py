"""Numbers as text: one grammar, and no door beside it."""

import ast
import json
import struct
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import setpoint
from setpoint.change.patch import parse_pairs, parse_patch
from setpoint.cli import __main__ as command_line
from setpoint.cli.reach import walk
from setpoint.client.environment import read_environment
from setpoint.declare.document import parse_text
from setpoint.declare.durations import parse_duration
from setpoint.declare.foreign_text import read_json, read_toml
from setpoint.declare.number_text import read_float, read_int
from setpoint.errors import InvalidValue, SetpointError, UsageError
from setpoint.serve.holders import holder_in
from setpoint.settings import Settings
from setpoint.train.labels import parse_variant

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
DEPTH = "CVN_HPO_LGB_5M_MAX_DEPTH"
#: What no grammar of ours reads, whatever Python makes of it.
NO_NUMBERS = [
    "٣",
    "1٣",
    "\uff13",
    "1_0",
    " 1",
    "1 ",
    "+1",
    "01",
    "1.",
    ".5",
    "0x1f",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "",
    "1,5",
]
NO_INTS = [*NO_NUMBERS, "-0", "1.0", "1e1", "9" * 500]
#: What the grammar writes and no float holds.
UNHELD = ["1e-400", "1e400", "-1e999", "3e-324", "9007199254740993", "0.12345678901234567890"]
NO_FLOATS = [*NO_NUMBERS, *UNHELD]

#: Modules and rooms that make numbers of something themselves, and why that is no text from outside.
OWN_READERS = {
    "declare/number_text.py": "the grammar",
    "govern/range_advice.py": "a bound that was declared as a number",
    "notify/networks.py": "an address that the resolver gave",
    "notify/outbox.py": "a column of the database",
    "notify/webhook.py": "the second of the clock",
    "govern/range_suggestions.py": "rounds numbers of trials",
    "govern/trials.py": "a default that was declared as a number",
    "observe/conditions.py": "instants that stand in a declaration",
    "record/metrics.py": "a column of the database",
    "serve/access/sessions.py": "a column of the database",
    "gate": "reads the numbers of source and data that others wrote, to find them; nothing is set from them",
    "externalize": "reads the numbers of Python source as Python does",
    "change/documents.py": "a column of the database",
    "declare/durations.py": "digits that its pattern has found: ASCII, eighteen at most",
    "change/document_texts.py": "an int of a parsed document",
    "change/applying.py": "a column of the database",
    "change/recovery/checks.py": "seconds that were counted",
    "change/verification.py": "a column of the database",
    "cli/market.py": "seeded values and columns of candles",
    "client/adapters/openfeature.py": "names of the type that a flag must have",
    "client/plane/answers.py": "HTTP's own grammar of lengths and statuses: ASCII, bounded",
    "client/plane/event_stream.py": "the event stream's own grammar of retry: ASCII, bounded",
    "client/plane/pace.py": "HTTP's own grammar of Retry-After, zeros in front: ASCII, bounded",
    "client/ranges.py": "a value of a document",
    "declare/foreign_text.py": "TOML's own NaN and infinities, which its readers refuse by name",
    "declare/document.py": "the digits of a float of ours",
    "declare/parameters.py": "an int of a parsed document",
    "observe/logfmt.py": "hexadecimal digits that its pattern has found",
    "serve/access/passwords.py": "a hash that the database keeps: ASCII by its pattern",
    "serve/console": "values of documents, counted seconds, and a ticket that this plane signed",
    "serve/hot": "columns of the database, and a token that this plane signed",
    "serve/logs.py": "the clock of a line of the log",
    "serve/middleware.py": "bytes, whose digits are ASCII",
    "serve/openapi_parts.py": "statuses and schemas of our own",
    "serve/routes.py": "names of our own arguments",
    "store": "versions, process numbers and file names that PostgreSQL, the kernel and this package wrote",
    "train": "what arrays and libraries count; a file's columns are read by polars and judged as candles",
}
_READ, _ASKED = {"int", "float", "Decimal"}, {"isdigit", "isdecimal", "isnumeric", "fromhex"}


def is_number_already(node):
    return isinstance(node, ast.Constant | ast.BinOp | ast.Compare | ast.BoolOp | ast.UnaryOp)


def reads_numbers(tree):
    """Say whether a module makes numbers of something, hands on what does, or asks for any digits."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            if called in _READ and node.args and not is_number_already(node.args[0]):
                return True
            handed = [*node.args, *(word.value for word in node.keywords)]
            if called not in {"isinstance", "issubclass"} and any(
                isinstance(one, ast.Name) and one.id in _READ for one in handed
            ):
                return True
        if isinstance(node, ast.Attribute) and node.attr in _ASKED:
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\\d" in node.value:
            return True  # of other scripts too, in a pattern of text
    return False


def test_no_module_reads_numbers_beside_the_grammar():
    """What makes numbers of text, or asks for digits, stands where its reason is written down."""
    package = Path(setpoint.__file__).parent
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if reads_numbers(ast.parse(path.read_text(encoding="utf-8")))
    }

    def named(path):
        return {path, *map(str, Path(path).parents)} & OWN_READERS.keys()

    assert sorted(path for path in found if not named(path)) == []
    assert {name for path in found for name in named(path)} == OWN_READERS.keys()


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**300), 10**300))
def test_what_a_program_writes_is_read_back(real, whole):
    """A float is read from its shortest text, its 17 digits and its positional text; an int from its own."""
    for text in (repr(real), f"{real:.16e}", format(Decimal(repr(real)), "f")):
        assert struct.pack("d", read_float(text)) == struct.pack("d", real)
    assert read_int(str(whole)) == whole


def test_what_is_no_number_is_refused_with_a_reason():
    """Other scripts, blanks, underscores, signs, names of no number, and what a float would change."""
    for text in NO_INTS:
        with pytest.raises(ValueError, match="no whole number"):
            read_int(text)
    for text in NO_FLOATS:
        with pytest.raises(ValueError, match=r"no number in plain digits|no float holds"):
            read_float(text)


def test_values_are_refused_at_every_door(catalogues):
    """What a float would change is refused of a pair, a file of each form and a variable."""
    doors = {
        "a pair": lambda text: parse_pairs(catalogues, [f"{GAMMA}={text}"]),
        "a range": lambda text: parse_pairs(catalogues, [f"xgb/5m/gamma_range=0.1..{text}"]),
        "CSV": lambda text: parse_patch(f'{GAMMA},"{text}"\n', "csv", catalogues, "p.csv"),
        "JSON": lambda text: parse_patch(f'{{"{GAMMA}": {text}}}', "json", catalogues, "p.json"),
        "TOML": lambda text: parse_patch(f"{GAMMA} = {text}", "toml", catalogues, "p.toml"),
        "a variable": lambda text: read_environment({GAMMA: text}, catalogues),
    }
    own_grammar = {"TOML": {"1_0", " 1", "1 ", "+1", "0x1f"}, "JSON": {" 1", "1 "}, "CSV": {" 1", "1 "}}
    for door, read in doors.items():
        for text in NO_FLOATS:
            if text not in own_grammar.get(door, set()) and not (
                door == "JSON" and text == "9007199254740993"
            ):
                with pytest.raises(SetpointError):
                    pytest.fail(f"{door} reads {text!r} as {read(text)}")
    for text in NO_INTS:
        with pytest.raises(SetpointError):
            parse_pairs(catalogues, [f"{DEPTH}={text}"])
    with pytest.raises(InvalidValue, match=r"no float holds 1e-400; the nearest is 0\.0"):
        parse_pairs(catalogues, [f"{GAMMA}=1e-400"])


def test_settings_durations_and_names_take_plain_numbers(catalogues):
    """A variable of ours, the time of a policy and the name of a labelling take the same numbers."""
    for text in NO_FLOATS:
        if text:
            with pytest.raises(UsageError, match="SETPOINT_LINGER_S"):
                Settings.from_environ({"SETPOINT_LINGER_S": text})
        if text not in {"01", "9007199254740993"}:
            with pytest.raises(UsageError, match="no duration"):
                parse_duration(f"{text}s")
        with pytest.raises(InvalidValue):
            parse_variant(f"ATR{text}_1.5_H4")


def test_a_header_that_names_a_process_takes_plain_numbers():
    """The number of a process is one of ours or refused, before anything else is looked at."""
    for text in [*NO_INTS, "-1", "99999999999"]:
        if text.strip() == text:
            with pytest.raises(UsageError, match="Setpoint-Client"):
                holder_in(f"{'a' * 32}; host=h; pid={text}; run=r", None, None, 0)


def test_json_and_toml_lose_no_number(catalogues):
    """No parser of ours gives 0 or infinity for what was written; a stored document can be mended."""
    for text in UNHELD:
        if text == "9007199254740993":
            continue  # a whole number in both, and as such held
        for read in (lambda text: read_json(f"[{text}]"), lambda text: read_toml(f"a = {text}")):
            with pytest.raises(ValueError, match="no float holds"):
                read(text)
    assert read_toml("a = +1_0.5")["a"] == 10.5

    stored = parse_text(json.dumps({"a": 0.25}).replace("0.25", "0." + "0" * 400 + "1"))["a"]
    with pytest.raises(InvalidValue, match=f"{GAMMA} = nan: not a finite number"):
        catalogues.keys[GAMMA].parameter.check(stored, GAMMA)


def test_every_number_of_the_command_line_is_read_by_the_grammar(capsys):
    """Each argument and option that is a number refuses what Python would read."""
    numbers = [
        (name, parameter)
        for name, command in walk(command_line._commands())
        for parameter in command.params
        if parameter.type_descriptor.annotation in {int, float}
    ]
    assert len(numbers) > 25
    for name, parameter in numbers:
        for text in ("1_0", "٣", " 1"):
            if parameter.opts[0].startswith("-"):
                given_words = [*name.split(), f"{parameter.opts[0]}={text}"]
            else:
                given_words = [*name.split(), text, text]
            assert command_line.run(given_words) == UsageError.exit_code, (name, parameter.name, text)
            assert "plain" in capsys.readouterr().err, (name, parameter.name, text)
