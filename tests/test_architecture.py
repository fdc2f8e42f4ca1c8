"""Imports point down: this table is DESIGN's, and an import outside it fails."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import setpoint

PACKAGE = Path(setpoint.__file__).parent

#: What every room may import, besides itself.
OPEN = {"errors", "settings", "file_lock"}
#: What each room may import of Setpoint, besides what is open to all.
ALLOWED = {
    "errors": set(),
    "file_lock": set(),
    "settings": {"declare"},
    "declare": set(),
    "observe": set(),
    "client": {"declare", "observe"},
    "store": set(),
    "change": {"store", "client", "declare", "observe"},
    "record": {"change", "store", "client", "declare", "observe"},
    "notify": {"change", "store", "client", "declare", "observe"},
    "train": {"client", "declare", "observe"},
    "govern": {"record", "change", "client", "declare", "observe"},
    "orchestrate": {"train", "client", "declare", "observe"},  # and govern's pure parts: none is needed yet
    "airflow": {"orchestrate", "train", "client", "declare", "observe"},
    "gate": {
        "client",
        "declare",
        "observe",
    },  # a reader of snapshot files; observe: text as a screen may show it
    "externalize": {"gate", "change", "client", "declare"},
    "serve": {"notify", "govern", "record", "change", "store", "client", "declare", "observe"},
    "cli": {
        "serve",
        "notify",
        "externalize",
        "gate",
        "govern",
        "orchestrate",
        "train",
        "record",
        "change",
        "store",
        "client",
        "declare",
        "observe",
    },
}
#: What the rooms inside a room may import of it, besides themselves; a room that is not named is open.
#: "" is what lies in the room itself.
INSIDE = {
    "store": {"server": set(), "": {"server"}, "backups": {"", "server"}},
    "change": {"": set(), "exchange": {""}, "recovery": {""}, "emergency": {"", "recovery"}},
    "client": {"": {"plane"}, "plane": {""}, "adapters": {""}},
    "train": {"": {"boosters", "engines", "market"}, "boosters": {""}, "engines": {""}, "market": {""}},
    "externalize": {
        "source_text": {""},
        "evidence": {"", "source_text"},
        "moves": {"", "source_text", "evidence"},
        "files": {"", "source_text", "moves"},
        "": {"source_text", "evidence", "moves", "files"},
    },
    "govern": {"": set(), "rollout": {""}, "readiness": {"", "checkpoints"}},
    "serve": {
        "access": {""},
        "hot": {"", "access"},
        "api": {"", "access"},
        "console": {"", "access"},
        "metrics": {""},
        "": {"access", "hot", "api", "console", "metrics"},
    },
}
#: Rooms that import each other for types only are still apart at run time.
TYPES_ONLY = {("govern", "store")}
#: The standard library is all that these rooms may need.
BARE = ("declare", "observe", "client", "gate", "errors", "settings", "file_lock")
THIRD_PARTY = {
    "airflow": {"airflow"},
    "psycopg": {"store"},
    "cel": {"change"},
    "typer": {"cli"},
    "jinja2": {"govern", "serve"},
    "optuna": {"train"},
    "fastapi": {"serve"},
    "argon2": {"serve"},
    "authlib": {"serve"},
    "joserfc": {"serve"},
    "openfeature": {"client"},
    "opentelemetry": {"serve"},
    "prometheus_client": {"serve"},
    "libcst": {"externalize"},
    "vl_convert": {"serve"},
}
#: Modules of a bare room that plug it into somebody else's package: nothing of ours may import them.
ADAPTERS = {"client/adapters/openfeature.py"}

#: Modules that parse JSON or TOML themselves, and why. All others go through `declare/foreign_text.py`:
#: what somebody else wrote may be nested so deep that the parser raises what nobody catches.
OWN_PARSERS = {
    "declare/foreign_text.py": "the one door",
    "gate": "reads any tree's files, and answers for what cannot be judged in `unjudgeable`",
    "externalize": "reads the source that it rewrites, see its parsed_files",
    "train/boosters/xgb.py": "what the library itself just wrote",
    "serve/hot/cache.py": "what this process wrote",
    "record/snapshots.py": "what the database wrote",
    "serve/flag_values.py": "the text of a snapshot that was parsed before",
    "train/reporting.py": "what this process just wrote",
    "store/backups/manifest.py": "of bounded size; catches whatever the parser raises",
    "store/server/layout.py": "its own folder's state; catches it there",
}

#: How many lines a module has at most, and those that have more because they are one thing.
LONGEST = 300
LONG = {
    "change/exchange/plan.py": "what applying a folder would do, and how that is written down and read",
    "change/patch.py": "one grammar of patches",
    "cli/break_glass.py": "one command for each thing that an emergency asks for",
    "cli/change.py": "one command for each step of a change's life",
    "cli/exchange.py": "one command for each way that a folder goes",
    "cli/runs.py": "one command for each look at a run",
    "client/hyperparams.py": "the one object that programs hold",
    "client/plane/connection.py": "one client: its attempts, its sockets and its patience",
    "declare/catalogue.py": "the record of a catalogue",
    "declare/loading.py": "one walk over a catalogue's text",
    "errors.py": "one tree",
    "externalize/evidence/value_takers.py": "one walk over one grammar",
    "gate/flow/constant_folding.py": "one walk over one grammar",
    "gate/flow/python_source.py": "one walk over one grammar",
    "gate/names/spellings.py": "one table of libraries, and who looks in it",
    "gate/rules/data_yaml.py": "one walk over one grammar",
    "observe/alerts.py": "one table",
    "observe/dashboards.py": "one table",
    "observe/metrics.py": "one table",
    "serve/access/oidc.py": "one protocol",
    "serve/access/rules.py": "one judgement",
    "serve/api/runs.py": "what a run reports and is asked for",
    "serve/console/chart_specs.py": "one specification for each chart",
    "serve/console/pages.py": "what every page shares",
    "serve/openapi_parts.py": "one document, made complete",
    "settings.py": "one table",
    "store/database.py": "one class of sessions",
    "store/server/supervisor.py": "one process",
}

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def is_bare(path):
    """Say whether a module must import without site-packages."""
    room = path.split("/")[0].removesuffix(".py")
    return room in BARE and path not in ADAPTERS


@cache
def nodes_of(path):
    """Return every node of a file's syntax tree; most tests here ask each file."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(path):
    """Yield (module, for types only) of every import statement of a file."""
    typing_only = {
        id(inner)
        for node in nodes_of(path)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in typing_only) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module, id(node) in typing_only


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    """No room imports a room above it, and no third-party engine outside its room."""
    room = room_of(path)
    for module, typing_only in imports(path):
        top, *rest = module.split(".")
        if top in THIRD_PARTY:
            assert room in THIRD_PARTY[top], f"{room} imports {module}"
        if top != "setpoint" or room == "__init__" or not rest or rest[0] in {room, *OPEN}:
            continue
        if typing_only and (room, rest[0]) in TYPES_ONLY:
            continue
        assert rest[0] in ALLOWED[room], f"{room} imports {module}"


def test_a_long_module_is_one_thing():
    """A module over 300 lines is split by subject, or LONG says why it is one; nothing else stands there."""
    long = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST
    }

    assert long == LONG.keys()


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        # Importing it lets a wait go on over Ctrl-C; that module takes it back.
        ("polars", "train/frames.py"),
        # Six places took locks of files, each with ends and errors of its own.
        ("fcntl", "file_lock.py"),
    ],
)
def test_one_module_imports_what_needs_care(foreign, ours):
    """One module does with care what nobody should do twice, and all others import that."""
    having = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        for module, _ in imports(path)
        if module.split(".")[0] == foreign
    }

    assert having == {ours}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_settings_reads_our_variables(path):
    """Every SETPOINT_ variable is read in one place."""
    if room_of(path) in {"settings", "client"}:
        return  # client takes the environment as a document; it reads settings through Settings
    read = ('environ.get("SETPOINT', 'environ["SETPOINT', 'getenv("SETPOINT')
    assert not any(text in path.read_text(encoding="utf-8") for text in read)


def test_what_pins_and_reports_needs_no_engine_of_the_harness():
    """`pin`, `run` and `explain` work, and start fast, where nothing that trains is installed."""
    program = (
        "import sys, setpoint.orchestrate.doors, setpoint.cli.pin, setpoint.cli.value_sources;"
        "print(sorted({'numpy', 'polars', 'sklearn', 'optuna', 'xgboost'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def file_of(module):
    """Return the file that a module's name stands for, or None where it is none of ours."""
    path = PACKAGE.parent / module.replace(".", "/")
    found = [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()]
    return found[0] if found else None


def imported_files(path):
    """Yield the files of ours that a file imports, those for types only included."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from filter(None, (file_of(alias.name) for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found = file_of(f"{node.module}.{alias.name}") or file_of(node.module)
                if found:
                    yield found


def inner_room_of(path):
    """Return (room, room inside it) of a file; the second is empty for what lies in the room itself."""
    room, *rest = path.relative_to(PACKAGE).parts
    return room, rest[0] if len(rest) > 1 else ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down_inside_a_room(path):
    """The rooms inside a room have floors too, and its doors never import each other."""
    room, inner = inner_room_of(path)
    for other in imported_files(path):
        their_room, theirs = inner_room_of(other)
        if room in INSIDE and their_room == room and theirs != inner:
            allowed = INSIDE[room][inner]
            assert theirs in allowed, f"{room}/{inner or '.'} imports {other.relative_to(PACKAGE)}"


def test_no_files_import_each_other_in_a_circle():
    """A file can be read after those that it imports: there is no circle, not even for types."""
    below = {path: {found for found in imported_files(path) if found != path} for path in FILES}
    circles = []

    def walk(path, above):
        if path in above:
            circles.append([str(one.relative_to(PACKAGE)) for one in above[above.index(path) :]])
        elif path not in seen:
            seen.add(path)
            for found in below[path]:
                walk(found, [*above, path])

    seen = set()
    for path in FILES:
        walk(path, [])
    assert not circles


def test_what_runs_inside_a_training_process_is_standard_library_only():
    """The client's rooms import in an interpreter without site-packages."""
    modules = [
        ".".join(("setpoint", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in FILES
        if is_bare(path.relative_to(PACKAGE).as_posix())
    ]
    program = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import {', '.join(modules)}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_an_adapter(path):
    """What needs a package that a training process may lack is imported by its user alone."""
    names = {".".join(("setpoint", *Path(adapter).with_suffix("").parts)) for adapter in ADAPTERS}
    here = str(path.relative_to(PACKAGE))
    third_party = {module.split(".")[0] for module, _ in imports(path)} & {"openfeature"}

    assert not {module for module, _ in imports(path)} & names
    assert not third_party or here in ADAPTERS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_small_and_say_their_place(path):
    """A module has under 500 lines and opens with a docstring."""
    text = path.read_text(encoding="utf-8")

    assert text.count("\n") < 500
    assert ast.get_docstring(nodes_of(path)[0])


#: The doors to the terminal: what draws there.
DOORS = {"cli/output.py", "cli/bars.py"}
#: What writes to a terminal past a door, as `owner.name` or as a name alone.
PAST_THE_DOOR = {"print", "typer.echo", "typer.secho", "typer.confirm", "typer.prompt", "rich.print"}
PAST_THE_DOOR |= {
    f"sys.{stream}.{verb}" for stream in ("stdout", "stderr") for verb in ("write", "writelines")
}
#: What reads markup out of a text.
MARKUP = {"from_markup", "render_markup", "render_str"}


def calls(path):
    """Yield (the dotted name, the call) of every call of a file."""
    for node in nodes_of(path):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli").glob("*.py")), ids=lambda path: path.name)
def test_the_command_line_has_one_door_to_the_terminal(path):
    """Only the doors import rich or write, and none of them reads markup: what people wrote stays text."""
    here = f"cli/{path.name}"
    if here not in DOORS:
        assert not [module for module, _ in imports(path) if module.split(".")[0] == "rich"]
    for name, call in calls(path):
        assert name.rpartition(".")[2] not in MARKUP, f"{here}:{call.lineno} reads markup"
        if here not in DOORS and name in PAST_THE_DOOR:
            # `__main__` speaks where no door can be imported, of a module that is missing and how to get it.
            told = {ast.unparse(node) for node in ast.walk(call) if isinstance(node, ast.FormattedValue)}
            plain = all(isinstance(said, ast.Constant | ast.JoinedStr) for said in call.args)
            assert here == "cli/__main__.py", f"{here}:{call.lineno} writes past the door"
            assert plain
            assert told <= {"{missing.name}", "{advice}"}


#: What sends a named query to the database.
QUERIES = {"fetch_one", "fetch_all", "execute", "execute_many"}


def queries_sent(path):
    """Count where a file sends a named query."""
    sent = [
        call
        for name, call in calls(path)
        if name.rpartition(".")[2] in QUERIES and call.args and not name.startswith(("psql.", "cursor."))
    ]
    return len(sent)


def test_doors_ask_rooms_and_never_the_database():
    """Neither commands nor routes call a named query: the room that owns the data has a function for it."""
    doors = [path for path in FILES if room_of(path) in {"cli", "serve"}]
    here = {path.relative_to(PACKAGE).as_posix(): queries_sent(path) for path in doors}
    owners = ("serve/access/", "serve/hot/", "serve/holders.py")

    assert not {path: sent for path, sent in here.items() if sent and not path.startswith(owners)}


#: What of the shared generators is no draw from them: classes with a state of their own.
OWN_STATE = {"random.SystemRandom", "random.Random"} | {
    f"np.random.{name}" for name in ("default_rng", "Generator", "SeedSequence", "PCG64")
}


def test_nobody_draws_from_the_generators_that_belong_to_the_program():
    """A training that seeded ``random`` or NumPy draws the same numbers with us beside it as without us."""
    draws = {
        f"{path.relative_to(PACKAGE).as_posix()}:{call.lineno} {name}"
        for path in FILES
        for name, call in calls(path)
        if name.startswith(("random.", "np.random.", "numpy.random.")) and name.split("(")[0] not in OWN_STATE
    }
    by_name = {
        path.name
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom) and node.module in {"random", "numpy.random"}
    }

    assert not draws | by_name


#: What in the client keeps a thread or a lock without being told of forks, and why that is no liveness.
NOT_TOLD_OF_FORKS = {
    "client/plane/change_listener.py": "its watch is told, and never starts or ends it in a child",
    "client/plane/names.py": "a thread for one look-up, which its caller waits for",
}


def test_what_follows_in_a_thread_is_told_of_forks():
    """A module of the client that starts a thread or holds a lock registers, or says why it need not."""
    found = set()
    for path in FILES:
        inner = str(path.relative_to(PACKAGE))
        calls = (node.func for node in nodes_of(path) if isinstance(node, ast.Call))
        called = {getattr(func, "id", "") or getattr(func, "attr", "") for func in calls}
        if inner.startswith("client/") and called & {"Thread", "Lock", "RLock", "Condition"}:
            found.add(inner)
            assert "tell_forks" in called or inner in NOT_TOLD_OF_FORKS, inner

    assert found >= NOT_TOLD_OF_FORKS.keys()


def test_foreign_text_is_parsed_at_one_door():
    """No module parses JSON or TOML itself, unless its reason is written down; no reason is left over."""
    own = set()
    for path in FILES:
        called = {
            f"{node.func.value.id}.{node.func.attr}"
            for node in nodes_of(path)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        }
        if called & {"json.loads", "json.load", "tomllib.loads", "tomllib.load"}:
            inner = str(path.relative_to(PACKAGE))
            own.add(room_of(path) if room_of(path) in OWN_PARSERS else inner)

    assert own <= OWN_PARSERS.keys(), sorted(own - OWN_PARSERS.keys())
    assert {name for name in OWN_PARSERS if "/" in name} <= own
