"""Every command that a page shows is run, in order, as a reader would; or the page says why not.

What a page shows is what is printed, in its order, hashes of documents included. When a catalogue or a seed
changed, `WRITE_PAGES=1 pytest tests/test_pages.py` writes the hashes anew.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import setpoint
from setpoint.change.identity import os_account
from setpoint.settings import Settings
from setpoint.store.server import embedded
from support.pages import blocks

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGE = Path(setpoint.__file__).parents[1]
PAGES = {page.relative_to(ROOT).as_posix(): page for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))}
#: What a reader of a page has done before its first command, by page.
BEFORE = {
    "README.md": "setpoint seed --apply",
    "docs/access.md": "",
    "docs/change-control.md": "",
    "docs/gate.md": "mkdir -p src/training && echo 'import setpoint' > src/training/train.py",
    "docs/externalize.md": f"cp -r {DOCS}/examples/externalize/before src",
    "docs/own-catalogue.md": f"cp -r {DOCS}/examples/sklearn/. .",
    "docs/tutorial.md": "",
}
#: Pages that need more than a folder and an embedded database, and the tests that run every block of theirs.
ELSEWHERE = {
    "docs/api.md": "tests/serve/test_api_guide.py::test_the_requests_of_the_guide_work",
    "docs/restore-api.md": "tests/serve/test_api_guide.py::test_the_probe_is_asked_as_the_page_says",
    "docs/package.md": "tests/test_release.py::test_the_wheel_alone_installs_and_works",
}
#: Python that is shown as a part of a program; a page that is not named here stores each block as a file.
PYTHON = {
    "README.md": "tests/serve/test_clients_page.py::test_a_block_of_the_page_runs",
    "docs/clients.md": "tests/serve/test_clients_page.py::test_a_block_of_the_page_runs",
    "docs/package.md": "tests/test_release.py::test_the_wheel_alone_installs_and_works",
}
#: What a block needs of somebody else, by variable.
ENVIRON = {
    "SETPOINT_OIDC_ISSUER": "https://www.provider.example",
    "SETPOINT_LINGER_S": "20",
    "COLUMNS": "110",
    # As on a terminal: what is printed first is read first.
    "PYTHONUNBUFFERED": "1",
}


def comparable(text):
    """Return lines with what differs between two machines or two catalogues made equal."""
    text = re.sub(rf"\b{re.escape(os_account())}\b", "ada", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?", "TIME", text)
    # Random, or of an instant: an id of a program or event, a place in the chain. A document's hash stays.
    text = re.sub(
        r"(program-|event_id=|head |anchored revision \d+, |commit )[0-9a-f]{12,64}\b", r"\1HASH", text
    )
    # A catalogue grows: how many keys there are is the catalogue's to know.
    text = re.sub(r"\b\d{3,}\b", "N", text)
    text = re.sub(r"[─-]{3,}", "---", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.fixture
def reader(tmp_path):
    """Run text in bash as a reader would: an empty folder, an embedded database; what is exported stays."""
    folder, programs = tmp_path / "reader", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    for name, arguments in (("setpoint", "-m setpoint.cli "), ("python", "")):
        shim = programs / name
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        shim.chmod(0o755)
    home, exported = tmp_path / "home", []
    environ = {
        **os.environ,
        **ENVIRON,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(PACKAGE),
        "SETPOINT_HOME": str(home),
    }

    def run(text):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", "\n".join((*exported, text))],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        # The page's own home would outlive the test: the reader's stays.
        exported.extend(re.findall(r"^export (?!SETPOINT_HOME).*$", text, re.MULTILINE))
        return done

    run.folder = folder
    yield run
    embedded.stop(Settings(home=home), force=True)


def say_otherwise(page, printed, said):
    """Hold that what the page shows was printed in this order, shortened lines (...) aside."""
    after = 0
    for shown in comparable(said.replace("...\n", "\n")):
        line = with_hashes_of(page, shown, printed) if "WRITE_PAGES" in os.environ else shown
        assert line in printed[after:], (
            f"{page} says {line!r}, but then the command printed {printed[after:]}"
        )
        after = printed.index(line, after) + 1


HASH = re.compile(r"\b[0-9a-f]{12,64}\b")


def with_hashes_of(page, line, printed):
    """Return the printed line that differs in hashes alone; the page is written with its hashes."""
    for real in printed:
        if real != line and HASH.sub("HASH", real) == HASH.sub("HASH", line):
            text = PAGES[page].read_text(encoding="utf-8")
            for old, new in zip(HASH.findall(line), HASH.findall(real), strict=True):
                text = re.sub(rf"\b{old}\b", new, text)
            PAGES[page].write_text(text, encoding="utf-8")
            return real
    return line


@pytest.mark.parametrize("page", BEFORE)
def test_a_page_runs_and_prints_what_it_says(reader, page):
    """Every command of the page ends as stated, and every line of output shown is really printed."""
    assert not BEFORE[page] or reader(BEFORE[page]).returncode == 0
    printed, ran = None, 0
    for block in blocks(PAGES[page]):
        if block.left_out:
            printed = None
        elif block.language == "python" and page not in PYTHON:
            name = block.text.splitlines()[0].removeprefix("# ")
            (reader.folder / name).write_text(block.text)
        elif block.is_typed:
            for typed, said in block.steps():
                done = reader(typed)
                assert done.returncode == block.exit_code, f"{typed}\n{done.stdout}"
                printed, ran = comparable(done.stdout), ran + 1
                say_otherwise(page, printed, said)
        elif block.language == "text" and printed is not None:
            say_otherwise(page, printed, block.text)
    assert ran


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_is_run_or_says_why_not(page):
    """No page shows a command that no test runs; a test that runs it elsewhere is there."""
    shown = [block for block in blocks(PAGES[page]) if block.is_typed and not block.left_out]
    program = [block for block in blocks(PAGES[page]) if block.language == "python" and not block.left_out]

    assert not shown or page in BEFORE or page in ELSEWHERE, f"nothing runs {shown[0].text!r}"
    assert not program or page in BEFORE or page in PYTHON, f"nothing runs {program[0].text!r}"
    for runner in (ELSEWHERE.get(page), PYTHON.get(page)):
        file, _, name = (runner or "").partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8")) if runner else None
        assert not runner or name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_why_a_command_is_not_run(page):
    """A block that a test leaves out names its reason."""
    left_out = [block.comment for block in blocks(PAGES[page]) if block.left_out]

    assert all(re.fullmatch(r"not run: .{10,}", comment) for comment in left_out)
