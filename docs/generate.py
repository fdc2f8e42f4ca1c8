"""Write docs/reference/ from the code, so that it cannot say anything else than the code does; and states.

`python docs/generate.py` rewrites the pages; `--check` changes nothing and exits with 1 when a page is
out of date. What only a person can write stands beside them in docs/reference/formats.md. In the readiness
map it writes the state of each row, from the row's evidence: see docs/readiness_states.py.
"""

from __future__ import annotations

import re
import sys
from dataclasses import MISSING, fields
from functools import partial
from importlib import import_module
from inspect import getsource
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main
from grafana_files import written as dashboards
from helm_files import helm_files
from observability_files import FILES
from observability_files import written as observability_file
from readiness_file import FILE, readiness_file
from readiness_states import with_states

from setpoint import errors
from setpoint.cli import __main__ as command_line
from setpoint.cli.app import app
from setpoint.cli.reach import COMMANDS
from setpoint.declare.keys import RANGE_FIELDS
from setpoint.declare.loading import bundled_catalogues, load_catalogue
from setpoint.gate.names import common_words
from setpoint.gate.rule_pages import pages as gate_pages
from setpoint.govern import verdict
from setpoint.observe import events
from setpoint.observe.alerts import EVERY, severities_of
from setpoint.observe.metrics import declared_metrics
from setpoint.observe.training_metrics import RESULT_COLUMNS, RESULT_METRICS, TRADE_METRICS, TRIAL_METRICS
from setpoint.serve.access.rules import ACCOUNT, FLAGS, PUBLIC, ROLES
from setpoint.serve.server import openapi_document
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from setpoint.declare.catalogue import Catalogue, Invariant
    from setpoint.declare.parameters import Parameter

DOCS = Path(__file__).parent
GOLDEN_EVENTS = DOCS.parent / "tests/observe/golden_events.log"
NOTICE = "*Written by `docs/generate.py` from the code. Do not edit it here.*"


def settings_page() -> Iterator[str]:
    """Yield one section for each variable that Setpoint reads about itself."""
    yield "# Settings"
    yield "Setpoint reads these environment variables about itself. Hyperparameters are not settings."
    yield (
        "A path may be relative to the folder in which a command is started, or begin with `~`: it is made "
        "absolute when it is read, so that workers in other folders, planes and schedules see the same file. "
        "An empty variable is as good as none."
    )
    for setting in fields(Settings):
        yield f"## {setting.metadata['variable']}"
        yield setting.metadata["doc"]
        default = setting.default
        shown = "`setpoint` in the user's data folder" if default is None else f"`{default}`"
        yield f"Default: {shown if default != '' else 'empty'}."


def errors_page() -> Iterator[str]:
    """Yield the exit codes, then one section for each error."""
    tree = list(_subclasses(errors.SetpointError))
    yield "# Errors"
    yield (
        "An error has a stable code, an HTTP status and an exit code. Its message says what is wrong, "
        "where, what was expected, and the next step. With `--json` a command prints it as one JSON "
        "object on stderr."
    )
    yield "## Exit codes"
    rows = [
        (errors.EXIT_OK, "success; of a command that changes something: it is in force"),
        (errors.EXIT_FINDING, "a check found something; also an error without a code of its own"),
    ]
    families = [kind for kind in tree if kind.__base__ is errors.SetpointError]
    rows += [
        (kind.exit_code, f"[{kind.code}](#{kind.__name__.lower()}): {_first_line(kind)}") for kind in families
    ]
    rows.append((errors.EXIT_WAITS, "recorded as a change that waits: for approvals, its time or its author"))
    rows.append((errors.EXIT_INTERRUPTED, "stopped by Ctrl-C or SIGTERM"))
    yield _table(("exit code", "meaning"), rows)
    for kind in (errors.SetpointError, *tree):
        yield f"## {kind.__name__}"
        yield _first_line(kind)
        yield _table(
            ("code", "HTTP status", "exit code", "kind of"),
            [(f"`{kind.code}`", kind.http_status, kind.exit_code, _parent(kind))],
        )
        yield f"The next step, where the message knows no better one: {kind.way_out}."


def _parent(kind: type[errors.SetpointError]) -> str:
    base = kind.__base__
    return f"[{base.__name__}](#{base.__name__.lower()})" if base and base is not Exception else "-"


def events_page() -> Iterator[str]:
    """Yield one section for each event, with its fields and a golden line of the test suite."""
    golden = GOLDEN_EVENTS.read_text(encoding="utf-8").splitlines()
    yield "# Events"
    yield (
        "Each event is one logfmt line on stderr, or in the file that "
        "[SETPOINT_EVENTS](settings.md#setpoint_events) names. It starts with `event=` and ends with "
        "`level=` and `ts=`, the time in UTC. A mapping is spread: one pair for each of its items."
    )
    for kind in sorted(
        (k for k in _subclasses(events.Event) if "name" in vars(k)), key=lambda kind: kind.name
    ):
        yield f"## {kind.name}"
        yield _first_line(kind)
        yield f"Level: `{kind.level}`."
        notes = _field_notes(kind)
        yield _table(
            ("field", "type", "default", "note"),
            [
                (f"`{f.name}`", f"`{f.type}`".replace("|", r"\|"), _default(f), notes.get(f.name, ""))
                for f in fields(kind)
            ],
        )
        lines = [line for line in golden if line.startswith(f"event={kind.name} ")]
        yield "\n".join(("```text", *lines, "```"))


def _field_notes(kind: type[events.Event]) -> dict[str, str]:
    """Return the ``#:`` comment above each field."""
    sources = [getsource(base) for base in kind.__mro__ if issubclass(base, events.Event)]
    found = [pair for source in sources for pair in re.findall(r"#: (.+)\n\s+(\w+):", source)]
    return {field: note.replace("``", "`") for note, field in found}


def _default(field: Any) -> str:
    if field.default is not MISSING:
        return f"`{field.default}`"
    return "required" if field.default_factory is MISSING else "empty"


def commands_page() -> Iterator[str]:
    """Yield one section for each command, subcommands included."""
    for module in command_line.MODULES:
        import_module(f"setpoint.cli.{module}")
    root = typer.main.get_command(app)
    yield "# Commands"
    yield root.help or ""
    yield _parameters(root)
    yield "Every command has `--help`. Exit codes are in [errors](errors.md#exit-codes)."
    yield (
        "Each says what it works on. While SETPOINT_URL names a plane, no command writes to a database by "
        "accident: one that would refuses with exit code 2, and one that reads says whose data it shows."
    )
    yield from _commands("setpoint", root)


def _commands(path: str, group: Any) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        yield f"## {path} {name}"
        yield _dedented(command.help or "")
        if hasattr(command, "commands"):
            yield from _commands(f"{path} {name}", command)
        else:
            yield _reach(f"{path} {name}".removeprefix("setpoint "), command)
            yield _parameters(command)


def _reach(name: str, command: Any) -> str:
    work = COMMANDS[name]
    # The table names parameters; people type options, which may be spelled otherwise.
    typed = {parameter.name: parameter.opts[0] for parameter in command.params}
    ways = [f"Works on {work.reach.value}{f' ({work.why})' if work.why else ''}."]
    ways += [f"With `{typed[option]}`: {reach.value}." for option, reach in work.given.items()]
    return " ".join(ways)


def _parameters(command: Any) -> str:
    shown = [p for p in command.params if p.expose_value]
    if not shown:
        return "It takes no options."
    return _table(("argument or option", "default", "meaning"), [_parameter_row(p) for p in shown])


def _parameter_row(parameter: Any) -> tuple[str, str, str]:
    is_argument = type(parameter).__name__ == "TyperArgument"
    names = [parameter.name.upper()] if is_argument else parameter.opts
    plain = parameter.default in {None, "", False} or callable(parameter.default)
    default = "required" if parameter.required else "" if plain else f"`{parameter.default}`"
    return ", ".join(f"`{name}`" for name in names), default, parameter.help or ""


def access_page() -> Iterator[str]:
    """Yield the access matrix: each operation with who may call it, from the OpenAPI document."""
    document = openapi_document()
    yield "# Access"
    yield (
        "Who may call each operation of the HTTP plane. *No role* is an account without any, `flags` a token "
        "for a web page, *anonymous* a request without a credential. What an object allows beyond that is "
        "judged where it is fetched: see [access](../access.md)."
    )
    rows = []
    for path, item in sorted(document["paths"].items()):
        for method, operation in item.items():
            rule = set(operation.get("x-setpoint-roles", document["x-setpoint-roles"]))
            everybody, accounts = rule == set(PUBLIC), rule == set(ACCOUNT)
            allowed = [everybody or accounts or role in rule for role in ROLES]
            marks = [
                "yes" if it else ""
                for it in (*allowed, everybody or accounts, everybody or FLAGS in rule, everybody)
            ]
            rows.append((f"`{method.upper()} {path}`", operation["summary"], *marks))
    yield _table(
        ("operation", "what it does", *(f"`{role}`" for role in ROLES), "no role", f"`{FLAGS}`", "anonymous"),
        rows,
    )


def keys_page() -> Iterator[str]:
    """Yield one section for each parameter of each bundled catalogue, then the invariants."""
    yield "# Keys"
    yield "Bounds are inclusive. A tuned parameter has three more keys: its governed search range."
    for name in bundled_catalogues():
        catalogue = load_catalogue(name)
        yield f"## Catalogue {catalogue.name}"
        yield f"Version {catalogue.version}, {len(catalogue.keys)} keys. {catalogue_title(catalogue)}"
        for part in catalogue.parts:
            values = ", ".join(f"`{value}` as `{token}`" for value, token in part.tokens.items())
            yield f"`<{part.name.upper()}>` is one of {values}."
        yield f"Scope dimensions, later wins: {', '.join(f'`{d}`' for d in catalogue.dimensions) or 'none'}."
        for parameter in catalogue.parameters:
            yield from _parameter(catalogue, parameter)
        yield from _invariants(catalogue)


def catalogue_title(catalogue: Catalogue) -> str:
    """Return the comment that opens a catalogue's file, which says what it is for."""
    return catalogue.text.splitlines()[0].removeprefix("#").strip()


def _parameter(catalogue: Catalogue, parameter: Parameter) -> Iterator[str]:
    yield f"### `{key_pattern(catalogue, parameter)}`"
    yield parameter.doc
    rows = [("type", parameter.type), ("accepts", _accepted(parameter))]
    optional = {
        "unit": parameter.unit,
        "range": f"tuned, so the key is followed by {_RANGES}" if parameter.tuned else "",
        "role": parameter.role.replace("_", " ") if parameter.role != "value" else "",
        "handed to": parameter.passes_to,
        "library name": f"`{parameter.library_name}`" if parameter.library_name else "",
        "library aliases": ", ".join(f"`{alias}`" for alias in parameter.aliases),
        "has effect when": " and ".join(f"`{condition}`" for condition in parameter.effective_when),
        "only for": "; ".join(f"{part} {', '.join(values)}" for part, values in parameter.applies.items()),
    }
    yield _table(("", ""), rows + [(name, text) for name, text in optional.items() if text])


_RANGES = ", ".join(f"`_{field.upper()}`" for field in RANGE_FIELDS)


def api_page() -> Iterator[str]:
    """Yield one section for each operation of the typed API, from its OpenAPI document."""
    document = openapi_document()
    yield "# HTTP API"
    yield (
        "The typed API of the plane, from its OpenAPI document: `GET /openapi.json` has every shape in "
        "full. [The guide](../api.md) says what holds for all of it: credentials, conditions, errors, pages."
    )
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from _operation(document, f"{method.upper()} {path}", operation)


def _referred(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of the OpenAPI document, or the component that it refers to."""
    found = document if "$ref" in part else part
    for name in part.get("$ref", "").split("/")[1:]:
        found = found[name]
    return found


def _operation(document: dict[str, Any], where: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"## {where}"
    yield f"{operation['summary']}. {' '.join(operation['description'].split())}"
    roles = operation.get("x-setpoint-roles", document["x-setpoint-roles"])
    yield f"Roles: {', '.join(f'`{role}`' for role in roles)}."
    rows = [
        (f"`{given['name']}`", given["in"], _schema_text(given["schema"]), given.get("description", ""))
        for given in map(partial(_referred, document), operation.get("parameters", ()))
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    model = document["components"]["schemas"].get(body.get("$ref", "").rpartition("/")[2], {})
    for name, field in model.get("properties", {}).items():
        needed = "body" if name in model.get("required", ()) else "body, optional"
        rows.append((f"`{name}`", needed, _schema_text(field), field.get("description", "")))
    if rows:
        yield _table(("name", "where", "type", "meaning"), rows)
    shapes = [
        f"{status} `{shape.rpartition('/')[2].removesuffix('Shape')}`"
        if (shape := _shape(answer))
        else status
        for status, answer in operation["responses"].items()
    ]
    yield f"Answers: {', '.join(shapes)}."


def _shape(answer: dict[str, Any]) -> str:
    content = answer.get("content", {}).get("application/json", {})
    return str(content.get("schema", {}).get("$ref", ""))


def _schema_text(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        said = [_schema_text(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(said))
    if "$ref" in schema:
        return "object"
    types = schema.get("type", "any")
    plain = [one for one in ([types] if isinstance(types, str) else types) if one != "null"]
    return str(schema.get("format") or " or ".join(plain))


def key_pattern(catalogue: Catalogue, parameter: Parameter) -> str:
    """Return the keys of a parameter as one pattern, such as ``CVN_HPO_XGB_<TIMEFRAME>_GAMMA``."""
    said = []
    for part in catalogue.parts:
        values = parameter.applies.get(part.name, ())
        said.append(part.tokens[values[0]] if len(values) == 1 else f"<{part.name.upper()}>")
    return "_".join((catalogue.prefix, *said, parameter.name.upper()))


def _accepted(parameter: Parameter) -> str:
    if parameter.type == "categorical":
        return ", ".join(f"`{choice}`" for choice in parameter.choices)
    return "`true`, `false`" if parameter.type == "bool" else f"{parameter.low} to {parameter.high}"


def _invariants(catalogue: Catalogue) -> Iterator[str]:
    for invariant in catalogue.invariants:
        yield f"### Invariant {invariant.name}"
        yield f"{_sentence(invariant.message)} Judged over {_judged_over(invariant)}."
        yield f"```text\n{invariant.expression}\n```"


def _judged_over(invariant: Invariant) -> str:
    over = "each tuned parameter's range" if invariant.over == "range" else "each combination of key parts"
    limits = "; ".join(f"{part} {', '.join(values)}" for part, values in invariant.applies.items())
    return f"{over}, only for {limits}" if limits else over


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("setpoint."):
            yield child
            yield from _subclasses(child)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").splitlines()[0].replace("``", "`")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _dedented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join(head + [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows])


def gate_page() -> Iterator[str]:
    """Yield one section for each rule of the gate, then the rule of evidence, from their docstrings."""
    yield "# Gate rules"
    yield "What `setpoint gate` can say; [the gate](../gate.md) says how to run and configure it."
    for page in gate_pages():
        yield f"## {page.code} {page.name}"
        yield page.title.replace("``", "`")
        if page.text:
            yield page.text.replace("``", "`")
    yield "## Which names count where"
    yield (common_words.__doc__ or "").partition("\n\n")[2].strip().replace("``", "`")


def metrics_page() -> Iterator[str]:
    """Yield one section for each number of a unit, of its trading, of a trial and of a plane."""
    yield "# Metrics"
    yield (
        "What a number means, wherever it stands: one name is one number in `finetune_results`, in events, "
        "in the API, on pages. Rows are those of [decision 3](../decisions/0003-judge-rows.md). `y` is 1 on "
        "a BUY row and `p` the probability of BUY; a row is a signal when `p` is at least the threshold."
    )
    for title, place, declared in (
        ("Of a unit", "`training_complete` and `finetune_results`", RESULT_METRICS),
        ("Of a unit's trading", "`finetune_results`", TRADE_METRICS),
        ("Of a trial", "`trial_complete`", TRIAL_METRICS),
    ):
        yield f"## {title}"
        yield f"In {place}."
        for metric in declared:
            yield f"### `{metric.name}`"
            columns = ["`" + name + "`" for name in RESULT_COLUMNS if name == metric.name]
            where = "`" + metric.path + "`" if declared is not TRIAL_METRICS else ""
            rows = [
                ("formula", metric.formula),
                ("sample", metric.sample),
                ("threshold", metric.threshold or "none"),
                ("column", ", ".join(dict.fromkeys([*columns, where]))),
            ]
            yield _table(("", ""), [row for row in rows if row[1]])
    yield from _plane_metrics()
    yield "## Of a verdict"
    yield _dedented((verdict.__doc__ or "").partition("\n\n")[2].replace("``", "`"))


def _plane_metrics() -> Iterator[str]:
    yield "## Of a plane"
    yield (
        "By the name of OpenTelemetry; in Prometheus it has underscores, the unit, and `_total` when it "
        "counts. Numbers of the database are the same from whatever process, and go on after a restart. "
        "`setpoint metrics` tells those of the database and of the home. A label has no other values than "
        "these, whatever anybody sends."
    )
    for metric in declared_metrics():
        yield f"### `{metric.name}`"
        yield metric.help
        rows = [
            ("in Prometheus", f"`{metric.prometheus}`"),
            ("kind", metric.kind),
            *((f"label `{label}`", values) for label, values in metric.labels.items()),
            ("read from", f"the {metric.source}"),
            ("owner", f"`{metric.owner}`"),
        ]
        yield _table(("", ""), rows)


def alerts_page() -> Iterator[str]:
    """Yield one section for each alert, with its thresholds by severity."""
    yield "# Alerts"
    yield (
        "Declared in `src/setpoint/observe/alerts.py` and written out to `deploy/observability`: rules for "
        "Prometheus, the same for Loki where event lines can answer (load one of the two, or people are told "
        "twice), and the routes of an Alertmanager, whose secrets lie in files. Grafana's parser "
        "reads the rules for Loki; what Loki does with them is unproven: there was none to try it."
    )
    for name in dict.fromkeys(alert.name for alert in EVERY):
        yield f"## {name}"
        for alert in severities_of(name):
            yield f"{alert.severity}: {alert.summary}"
            rows = [
                ("in Prometheus", f"`{alert.expression}`"),
                ("for", alert.lasting or "at once"),
                ("in Loki", f"`{alert.loki}`" if alert.loki else alert.no_loki),
                ("told to", f"`{alert.channel}`"),
                ("first", f"`{alert.first}`"),
                ("runbook", f"[{alert.page}](../runbooks/{alert.runbook}#{name})"),
                ("owner", f"`{alert.owner}`"),
                ("to be judged again", alert.expires_at.date().isoformat()),
                ("source", alert.source),
            ]
            yield _table(("", ""), [(what, said.replace("|", r"\|")) for what, said in rows])


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "settings": settings_page,
    "access": access_page,
    "errors": errors_page,
    "events": events_page,
    "metrics": metrics_page,
    "alerts": alerts_page,
    "commands": commands_page,
    "keys": keys_page,
    "api": api_page,
    "gate": gate_page,
}


def render(name: str) -> str:
    """Return one page's text."""
    title, *blocks = PAGES[name]()
    return "\n\n".join((title, NOTICE, *blocks)) + "\n"


def pages() -> dict[Path, str]:
    """Return the text of every page that is written here, wholly or in part."""
    written = {DOCS / "reference" / f"{name}.md": render(name) for name in PAGES}
    known = [
        heading
        for name in ("commands", "api")
        for heading in re.findall(r"^## (.+)$", written[DOCS / "reference" / f"{name}.md"], re.MULTILINE)
    ]
    written |= {DOCS.parent / "deploy/observability" / name: observability_file(name) for name in FILES}
    written |= {DOCS.parent / "deploy/observability" / name: text for name, text in dashboards().items()}
    written[FILE] = readiness_file()
    written |= helm_files(DOCS.parent / "deploy/helm/setpoint")
    readiness = DOCS / "readiness-map.md"
    return written | {readiness: with_states(readiness.read_text(encoding="utf-8"), known)}


def main() -> int:
    """Rewrite the pages, or compare them when ``--check`` is given."""
    old = []
    for page, text in pages().items():
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            old.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(text, encoding="utf-8")
    if not old:
        return 0
    checked = "--check" in sys.argv
    sys.stdout.write(f"{'out of date' if checked else 'wrote'}: {', '.join(old)}\n")
    return 1 if checked else 0


if __name__ == "__main__":
    sys.exit(main())
