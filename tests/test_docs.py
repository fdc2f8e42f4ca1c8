"""The documentation is true: generated pages, headings, links and states; tests/test_pages.py runs them."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import typer.main

import setpoint
from setpoint import errors
from setpoint.cli import __main__ as command_line
from setpoint.cli.app import app
from setpoint.declare.loading import load_catalogues
from setpoint.observe import events
from setpoint.observe.training_metrics import RESULT_METRICS, TRADE_METRICS, TRIAL_METRICS
from setpoint.serve.server import openapi_document
from setpoint.settings import Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGE = Path(setpoint.__file__).parents[1]
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
EXAMPLES = sorted(path for path in (DOCS / "examples").rglob("*") if path.suffix in {".toml", ".py"})

_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def headings(page):
    """Return a page's headings, without the marks of code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [heading.replace("`", "") for heading in _HEADING.findall(text)]


def anchor(heading):
    """Return the fragment a heading is reached by."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def leaves(kind):
    for child in kind.__subclasses__():
        if child.__module__.startswith("setpoint."):
            yield child
            yield from leaves(child)


def readiness_states():
    """Return the module that computes the states; docs is no package."""
    spec = spec_from_file_location("readiness_states", DOCS / "readiness_states.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands(path, group):
    for name, command in group.commands.items():
        yield f"{path} {name}"
        yield from commands(f"{path} {name}", command) if hasattr(command, "commands") else ()


def test_the_generated_reference_is_up_to_date():
    """What docs/generate.py would write is what is there."""
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "run: python docs/generate.py"


def test_every_setting_has_its_heading():
    """A variable that Setpoint reads is documented."""
    assert {f.metadata["variable"] for f in fields(Settings)} <= set(headings(DOCS / "reference/settings.md"))


def test_every_error_has_its_heading_and_code():
    """An error is documented with the code that scripts match on."""
    page = DOCS / "reference/errors.md"
    text, found = page.read_text(), headings(page)

    for kind in (errors.SetpointError, *leaves(errors.SetpointError)):
        assert found.count(kind.__name__) == 1
        assert f"`{kind.code}`" in text


def test_every_event_has_its_heading_and_a_golden_line():
    """An event is documented with a line as it is written."""
    page = DOCS / "reference/events.md"
    named = [kind.name for kind in leaves(events.Event) if "name" in vars(kind)]

    assert sorted(named) == sorted(set(headings(page)) - {"Events"})
    assert all(f"\nevent={name} " in page.read_text() for name in named)


def test_every_metric_has_its_heading():
    """A number of a unit, of its trading or of a trial is documented once under its name."""
    found = headings(DOCS / "reference/metrics.md")
    declared = [*RESULT_METRICS, *TRADE_METRICS, *TRIAL_METRICS]

    assert all(found.count(metric.name) == 1 for metric in declared)
    assert len(declared) > 20


def test_every_command_has_its_heading():
    """A command, subcommands included, is documented under what a person types."""
    found = headings(DOCS / "reference/commands.md")
    for module in command_line.MODULES:
        import_module(f"setpoint.cli.{module}")
    typed = list(commands("setpoint", typer.main.get_command(app)))

    assert len(typed) > 20
    assert sorted(typed) == sorted(set(found) - {"Commands"})


def test_every_key_has_one_heading():
    """Each declared key, range fields included, falls under exactly one documented pattern."""
    found = [heading for heading in headings(DOCS / "reference/keys.md") if heading.startswith("CVN_")]
    patterns = [re.compile(re.sub(r"<\w+>", "[A-Z0-9]+", heading)) for heading in found]

    for name, declared in load_catalogues(Settings.catalogues).keys.items():
        field = declared.key.field
        value = name.removesuffix(f"_{field.upper()}") if field else name
        assert sum(1 for pattern in patterns if pattern.fullmatch(value)) == 1, name


def test_every_operation_has_its_heading():
    """An operation of the HTTP API is documented under its method and path."""
    paths = openapi_document()["paths"]
    asked = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]

    assert len(asked) > 20
    assert sorted(asked) == sorted(set(headings(DOCS / "reference/api.md")) - {"HTTP API"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page):
    """A link to a file or a heading of ours leads somewhere."""
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, fragment = link.partition("#")
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), link
        if fragment and there.suffix == ".md":
            assert fragment in {anchor(heading) for heading in headings(there)}, link


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_machine(page):
    """No path of somebody's machine and no host of somebody's network is in a page."""
    text = page.read_text(encoding="utf-8")

    assert not re.search(r"(?<![\w.,])/(work|root|home|tmp|Users|opt|mnt)/", text)
    assert not re.search(r"https?://(?!www\.|github\.com|docs\.|data\.binance)[^\s)`]*", text)


#: The bundled catalogues are what these speak of; the page on own catalogues counts those of its example.
COUNTING = [page for page in [*PAGES, ROOT / "CHANGELOG.md"] if page.stem != "own-catalogue"]


@pytest.mark.parametrize("page", COUNTING, ids=lambda page: str(page.relative_to(ROOT)))
def test_counts_of_keys_are_the_catalogues_own(page):
    """A page that says how many keys there are says what the catalogues hold now, so that they may grow."""
    members = load_catalogues(Settings.catalogues).members
    sizes = {member.name: len(member.keys) for member in members}
    text = page.read_text(encoding="utf-8")

    for said in re.findall(r"(?<![\w.,])(\d{2,}) (?:keys|written)\b", text):
        assert int(said) in {*sizes.values(), sum(sizes.values())}, f"{said} keys"
    for name, said in re.findall(r"\b(cvntrade(?:-training)?)(?: [\d.]+:|:| ) *(\d{2,})\b", text):
        assert int(said) == sizes[name], f"{name}: {said}"


def test_only_the_catalogue_and_one_test_count_its_keys():
    """A new key is a line in a catalogue: no code and no other test knows how many there are."""
    sizes = [len(member.keys) for member in load_catalogues(Settings.catalogues).members]
    counted = re.compile(rf"(?<![\w.#-])(?:{sizes[0]}|{sum(sizes)})(?![\w.])")
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    known = {ROOT / "tests/declare/test_keys.py", ROOT / "tests/change/test_seed_parity.py"}

    assert [path for path in sources if path not in known and counted.search(path.read_text())] == []


#: These are paths in the source of the system that the readiness document is about.
THEIRS = {"src/training/", "tests/unit/training_harness/test_hyperparams_seeding_parity.py"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_is_there(page):
    """A page that says where something is does not point into the void."""
    for path in re.findall(r"`((?:src|tests|docs|bench|deploy)/[\w./-]*)`", page.read_text(encoding="utf-8")):
        assert path in THEIRS or (ROOT / path).exists(), path


HERE = "| name | here | {} | {} | ? |\n"


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (HERE.format("`setpoint history`, `tests/test_docs.py`", "-"), "built"),
        (
            HERE.format("`tests/test_docs.py::test_every_setting_has_its_heading`", "a page"),
            "partly built",
        ),
        (HERE.format("`make test`", "-"), "built"),
        (HERE.format("-", "all of it"), "planned"),
        ("| name | - | - | - | ? |\n", "outside"),
    ],
)
def test_the_state_of_a_name_of_the_readiness_document_follows_from_its_evidence(row, state):
    """What is built is shown by a test, a command or a target; what is planned says what is missing."""
    assert readiness_states().with_states(row, ["setpoint history"]) == row.replace("?", state)


@pytest.mark.parametrize(
    "row",
    [
        HERE.format("`tests/test_docs.py::test_that_is_gone`", "-"),
        HERE.format("`tests/gone.py`", "-"),
        HERE.format("`tests/conftest.py`", "-"),
        HERE.format("`setpoint gone`", "-"),
        HERE.format("`make gone`", "-"),
        HERE.format("it works", "-"),
        HERE.format("-", "-"),
        "| name | here | built |\n",
    ],
)
def test_a_name_whose_evidence_is_not_there_has_no_state(row):
    """A claim in the readiness map whose test or command is gone stops the page from being written."""
    with pytest.raises(SystemExit, match="the readiness map: "):
        readiness_states().with_states(row, ["setpoint history"])


def test_module_names_of_the_commands_are_all_assembled():
    """The command line has a module for each name it assembles, so no page misses a command."""
    folder = PACKAGE / "setpoint/cli"
    shared = {
        "columns",
        "rollout_display",
        "effects",
        "__init__",
        "__main__",
        "app",
        "command_modules",
        "reach",
        "output",
        "owner",
        "bars",
        "git_commits",
        "given_texts",
        "help_examples",
        "help_panels",
        "help_types",
        "impact",
        "next_step",
        "value_sources",
        "sweep_display",
        "evidence",
        "change_display",
    }
    modules = {path.stem for path in folder.glob("*.py")} - shared

    assert modules == set(command_line.MODULES)
