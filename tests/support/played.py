"""A project's Python files run with stand-ins for all that is missing, and everything they did on record.

What two versions of one project did can then be compared: every call of a stand-in with its arguments, every
value bound at the top of a file, every default, class attribute and dict, and what each function does when it
is called with stand-ins. Only Setpoint itself is real, pinned to the given values.
"""

from __future__ import annotations

import builtins
import dataclasses
import importlib
import inspect
import os
import re
import sys
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import setpoint
from setpoint.client import pinning
from setpoint.client.environment import environment_snapshot, to_text
from setpoint.externalize.files.project import Project
from setpoint.externalize.files.project_write import write
from setpoint.externalize.preparation import Prepared, prepare

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

    from setpoint.declare.parameters import Scalar

#: The standard library's own that no case needs a stand-in for.
_REAL = frozenset({
    "__future__", "abc", "collections", "dataclasses", "decimal", "enum", "functools", "json", "math", "os",
    "setpoint", "typing",
})  # fmt: skip
_INT = re.compile(r"\bint (-?\d+)\b")
#: What an interpreter notes of a class; 3.13 notes its line, which moving a value may move.
_OF_THE_INTERPRETER = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__module__",
        "__doc__",
        "_abc_impl",
        "__firstlineno__",
        "__static_attributes__",
    }
)
#: Writing and waiting are recorded, not done.
_RECORDED = frozenset({"print", "open", "input", "exec", "eval", "__import__"})


class Played(NamedTuple):
    """What a project did; equal records mean equal behaviour as far as stand-ins can see it."""

    #: Each call of a stand-in, and each failure, in their order.
    calls: tuple[str, ...]
    #: By file, what its top level binds.
    values: dict[str, dict[str, Any]]

    def without_kinds(self) -> Played:
        """Return the same with each int as the float that equals it."""
        return Played(tuple(map(_as_floats, self.calls)), _as_floats(self.values))

    @property
    def fails(self) -> bool:
        """Whether a file could not be run to its end."""
        return any(call.startswith("fails ") for call in self.calls)


def _as_floats(said: Any) -> Any:
    return _INT.sub(lambda found: f"float {float(found[1])}", repr(said))


class StandIn:
    """Whatever a file misses: it may be called, read, compared and computed with, and says so."""

    def __init__(self, name: str, record: list[str]) -> None:
        self.__dict__.update(_name=name, _record=record)

    def __repr__(self) -> str:
        return self._name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return StandIn(f"{self._name}.{name}", self._record)

    def __setattr__(self, name: str, value: object) -> None:
        self._record.append(f"{self._name}.{name} = {told(value)}")

    def __call__(self, *args: object, **kwargs: object) -> Any:
        if self._name.rpartition(".")[2].startswith("suggest_"):
            args, kwargs = (), _suggestion(self._name, *args, **kwargs)
        said = [told(arg) for arg in args] + [f"{name}={told(value)}" for name, value in kwargs.items()]
        self._record.append(f"{self._name}({', '.join(map(str, said))})")
        if len(args) == 1 and not kwargs and isinstance(args[0], FunctionType | type):
            return args[0]  # a decorator
        if isinstance(kwargs.get("low"), int | float):
            return kwargs["low"]  # a suggestion lies within its range, as Optuna's does
        return StandIn(f"{self._name}()", self._record)

    def __setitem__(self, key: object, value: object) -> None:
        self._record.append(f"{self._name}[{told(key)}] = {told(value)}")

    def __getitem__(self, key: object) -> Any:
        return StandIn(f"{self._name}[{told(key)}]", self._record)

    def __await__(self) -> Iterator[Any]:
        yield from ()
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter([StandIn(f"{self._name}[each]", self._record)])

    def keys(self) -> list[str]:
        return []

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def __hash__(self) -> int:
        return hash(self._name)

    def __bool__(self) -> bool:
        return True

    def __mro_entries__(self, _bases: object) -> tuple[type, ...]:
        return ()

    def _computed(self, other: object = "") -> Any:
        return StandIn(f"({self._name} with {told(other)})", self._record)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _computed
    __pow__ = __rpow__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __or__ = __ror__ = _computed
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __matmul__ = __and__ = __invert__ = _computed


def _suggestion(_name: str, *args: object, **kwargs: object) -> dict[str, object]:
    """Return a suggestion's arguments as Optuna understands them, however they are spelled."""
    said = dict(zip(("name", "low", "high", "step"), args, strict=False)) | kwargs
    if not said.get("log"):
        said.pop("log", None)
    if _name.endswith("float"):
        said |= {bound: float(said[bound]) for bound in ("low", "high") if isinstance(said.get(bound), int)}
    return dict(sorted(said.items()))


def told(value: object, depth: int = 0) -> Any:  # noqa: PLR0911 - one for each kind of value
    """Return what can be compared of a value; a number's kind is part of it."""
    if depth > 6:
        return "..."
    if isinstance(value, dict):
        return [(told(key, depth + 1), told(each, depth + 1)) for key, each in value.items()]
    if isinstance(value, list | tuple):
        return [type(value).__name__, *(told(each, depth + 1) for each in value)]
    if isinstance(value, type):
        attributes = {name: each for name, each in vars(value).items() if name not in _OF_THE_INTERPRETER}
        return ["class", value.__qualname__, told(attributes, depth + 1)]
    if isinstance(value, FunctionType):
        return ["function", value.__name__, told([value.__defaults__, value.__kwdefaults__], depth + 1)]
    if dataclasses.is_dataclass(value) or isinstance(value, dataclasses.Field):
        slots = getattr(value, "__dict__", {}) or {"default": getattr(value, "default", None)}
        return [type(value).__name__, told(slots, depth + 1)]
    if isinstance(value, int | float | str | bytes | bool | None.__class__ | StandIn):
        return f"{type(value).__name__} {value!r}"
    return type(value).__name__


def project_at(root: Path) -> Project:
    """Return a project with the bundled catalogues and every file where the command puts it."""
    made = Path("hyperparameters")
    return Project(
        root, "cvntrade,cvntrade-training", made / "seeds", made / "draft.toml", Path("tests/test_moved.py")
    )


def placed(root: Path, files: Mapping[str, str | bytes]) -> Project:
    """Write a project's files."""
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return project_at(root)


def moved(project: Project, *at: str) -> Prepared:
    """Externalize a project, and return what was done."""
    prepared = prepare(project, [project.root], at or ("timeframe=5m", "model=xgb"))
    write(prepared, project)
    return prepared


def play(root: Path, paths: list[str], prepared: Prepared, monkeypatch: Any) -> Played:
    """Run files as modules under the values that a plan wrote."""
    values: dict[str, Scalar] = {**prepared.values, **prepared.plan.sets}
    with monkeypatch.context() as patched:
        for key, value in values.items():
            patched.setenv(key, to_text(value))
        snapshot = environment_snapshot(os.environ, prepared.catalogues)
        patched.setattr(pinning, "_pinned", setpoint.Hyperparams(snapshot, prepared.catalogues))
        return _Player(root, patched).play(paths)


def _awaited(coroutine: Coroutine[Any, None, Any]) -> Any:
    """Run to its end what waits for stand-ins alone."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    return "waits"


class _Missing(dict[str, Any]):
    """Builtins in which every other name is a stand-in."""

    def __init__(self, names: Mapping[str, Any], record: list[str]) -> None:
        super().__init__(names)
        self.record = record

    def __missing__(self, name: str) -> StandIn:
        if name.startswith("__"):
            raise KeyError(name)
        return StandIn(name, self.record)


class _Player:
    def __init__(self, root: Path, patched: Any) -> None:
        self.root, self.patched = root, patched
        self.record: list[str] = []
        self.modules: dict[str, ModuleType] = {}
        names = {name: each for name, each in vars(builtins).items() if name not in _RECORDED}
        self.builtins = _Missing({**names, "__import__": self._import}, self.record)
        self.builtins |= {"hp": pinning.pinned(), "resolve": setpoint.resolve, "os": os}

    def play(self, paths: list[str]) -> Played:
        for path in paths:
            self._module(path)
        values = {}
        for path, module in sorted(self.modules.items()):
            bound = {name: value for name, value in vars(module).items() if name[:2] != "__"}
            bound.pop("setpoint", None)
            for value in list(bound.values()):
                self._call_all(value)
            values[path] = {name: told(value) for name, value in bound.items()}
        return Played(tuple(self.record), values)

    def _module(self, path: str) -> ModuleType:
        if path not in self.modules:
            module = self.modules[path] = ModuleType(path)
            self.patched.setitem(sys.modules, path, module)  # where dataclasses look for it
            vars(module)["__builtins__"] = self.builtins
            self._done(self._compiled(path), vars(module))
        return self.modules[path]

    def _compiled(self, path: str) -> CodeType:
        return compile((self.root / path).read_bytes(), path, "exec", dont_inherit=True)

    def _done(self, code: CodeType, namespace: dict[str, Any]) -> None:
        try:
            exec(code, namespace)  # noqa: S102 - the cases of this repository's own corpus
        except Exception as problem:  # noqa: BLE001 - the failure is what is recorded
            self.record.append(f"fails {type(problem).__name__}: {problem}")

    def _call_all(self, value: Any) -> None:
        if isinstance(value, type) and value.__module__ not in _REAL | {"builtins"}:
            for each in list(vars(value).values()):
                self._call_all(each)
            return
        if not isinstance(value, FunctionType) or value.__globals__.get("__builtins__") is not self.builtins:
            return
        parameters = inspect.signature(value).parameters.values()
        given = [each for each in parameters if each.default is each.empty and each.kind in {0, 1}]
        named = [each for each in parameters if each.default is each.empty and each.kind == 3]
        stand_in = {each.name: self._argument(each.name) for each in (*given, *named)}
        try:
            result = value(
                *(stand_in[each.name] for each in given), **{e.name: stand_in[e.name] for e in named}
            )
            result = _awaited(result) if inspect.iscoroutine(result) else result
            self.record.append(f"{value.__qualname__} returns {told(result)}")
        except Exception as problem:  # noqa: BLE001 - the failure is what is recorded
            self.record.append(f"{value.__qualname__} raises {type(problem).__name__}: {problem}")

    def _argument(self, name: str) -> Any:
        real = {"timeframe": "5m", "hp": pinning.pinned()}
        return real[name] if name in real else StandIn(name, self.record)

    def _import(self, name: str, *rest: Any) -> Any:
        names, level = (*rest[2:], (), 0)[:2]
        parts = name.split(".")
        for stem in ("/".join(parts), "/".join([*parts, "__init__"])):
            if (self.root / f"{stem}.py").is_file() and not level:
                module = self._module(f"{stem}.py")
                return module if names or len(parts) == 1 else StandIn(parts[0], self.record)
        if parts[0] in _REAL and not level:
            return importlib.import_module(name if names else parts[0])
        return StandIn(name if names else parts[0], self.record)
