"""EXTERNALIZE: which learners a file uses, so that no value is moved to the key of another one's.

Guarantees: a package that is not known to train nothing counts as a learner, and so does what an import by
name may load. A file with more than one learner is refused whole.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

from setpoint.gate.names.installed_libraries import MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.externalize.source_text.parsed_files import Readings
    from setpoint.gate.flow.library_evidence import Reading
    from setpoint.gate.flow.python_source import Module

#: Packages that train nothing, or only what they are handed: a search, a recorder, a reader of files.
_TRAINS_NOTHING = frozenset({
    "absl", "airflow", "attr", "attrs", "boto3", "click", "decouple", "dotenv", "duckdb", "dynaconf",
    "environ", "environs", "fastapi", "fire", "fsspec", "jsonargparse", "luigi", "tyro",
    "httpx", "hyperopt", "hypothesis", "loguru", "matplotlib", "mlflow", "numba", "numpy", "omegaconf",
    "optuna", "pandas", "plotly", "polars", "psutil", "psycopg", "pyarrow", "pydantic",
    "pydantic_settings", "pytest", "requests", "rich", "scipy", "seaborn", "setpoint", "shap", "skopt",
    "sqlalchemy", "structlog", "tabulate", "toml", "tomli", "tqdm", "typer", "typing_extensions", "wandb",
    "yaml", "ConfigSpace",
})  # fmt: skip
#: Modules of scikit-learn without a learner: they measure, prepare data, or search for a given model.
_SKLEARN = frozenset({
    "base", "compose", "datasets", "exceptions", "experimental", "impute", "metrics", "model_selection",
    "pipeline", "preprocessing", "utils",
})  # fmt: skip
_BY_NAME = frozenset({"import_module", "__import__", "instantiate", "locate"})


def learners(reading: Reading) -> frozenset[str]:
    """Return the learners of a file: our libraries by their own short names, others by what is imported."""
    module = reading.module
    calls = [node for node in module.nodes if isinstance(node, ast.Call)]
    found = {*module.libraries, *filter(None, map(reading.library, calls))}
    by_name = (node for node in calls if _called(node) in _BY_NAME)
    found |= {f"what line {node.lineno} imports by name" for node in by_name}
    return frozenset(found | set(_foreign(reading)))


def second_learner(reading: Reading) -> str:
    """Return why a file is refused whole: more than one learner, or another one than ours; or nothing."""
    found = learners(reading)
    foreign = sorted(found - set(MODULES.values()))
    if foreign:
        return f"{foreign[0]} may be a learner with parameters of the same names: the file stays whole"
    if len(found) > 1:
        return (
            f"the file trains with {' and '.join(sorted(found))}: split it, so that each value has one taker"
        )
    return ""


def trains_nothing(dotted: str) -> bool:
    """Return whether a dotted name is of the standard library or of a package without models."""
    head, _, rest = dotted.partition(".")
    if head == "sklearn":
        return rest.partition(".")[0] in _SKLEARN
    return head in sys.stdlib_module_names or head in _TRAINS_NOTHING


def around(path: str, readings: Readings) -> frozenset[str]:
    """Return the learners of a file and of every file that imports connect it with, in either direction.

    Raises:
        Unmovable: one of them cannot be parsed.
    """
    seen, todo, found = {path}, [path], set[str]()
    while todo:
        at = todo.pop()
        found |= learners(readings[at])
        fresh = {*_imported(readings[at]), *importers(at, readings)} - seen
        seen |= fresh
        todo += sorted(fresh)
    return frozenset(found)


def importers(path: str, readings: Readings) -> Iterator[str]:
    """Yield the files that import a file, or from it; raises as ``around``."""
    own = path.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2]
    yield from (m.path for m in readings.naming(path) if any(own in _parts(d) for d in m.imports.values()))


def _imported(reading: Reading) -> Iterator[str]:
    for dotted in reading.module.imports.values():
        found = reading.folder.imports.constant(f"{dotted}.own", reading.module)
        if found is not None:
            yield found[0].path


def _foreign(reading: Reading) -> Iterator[str]:
    module: Module = reading.module
    for dotted in module.imports.values():
        head = dotted.partition(".")[0]
        if not head or head in MODULES or trains_nothing(dotted):
            continue
        # A folder of the project hides a package of the same name, as Python finds it first.
        if reading.folder.imports.constant(f"{dotted}.own", module) is None:
            yield dotted


def _parts(dotted: str) -> list[str]:
    return dotted.lstrip(".").split(".")


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")
