"""TRAIN: the plan of a run: what will be trained, from which values, data and code, decided before it starts.

Guarantees: a plan is complete and checked against the data before anything trains; it is written to
the run's folder, and a resumed run follows it to the letter. Refuses a snapshot that lacks a value
some unit will read, data unfit for training or changed since, and more threads than there are cores.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setpoint.client.candle_cache import CandleCache
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.results import Unit
from setpoint.client.run_plan import WEAKEST_FIRST, ChangeArm, Exercise, PlannedCandles, RunPlan, Trigger
from setpoint.client.snapshot import write_atomically
from setpoint.declare.foreign_text import read_json
from setpoint.errors import CorruptSnapshot, MissingData, UnfitData, UsageError, reason_of
from setpoint.settings import SYNTHETIC, Settings
from setpoint.train.market.candles import Candles, candles_in, load_candles
from setpoint.train.market.findings import require_fit
from setpoint.train.market.synthetic import synthetic_candles
from setpoint.train.recipe import Recipe, UnitPlace
from setpoint.train.unit import prepare
from setpoint.train.unit_values import context_of, places_of, require_plan_wide, unit_dimensions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.client.hyperparams_set import HyperparamsSet
    from setpoint.client.run_plan import Source
    from setpoint.errors import DataError

PLAN_FILE, SNAPSHOTS_FILE, JOURNAL_FILE = "plan.json", "snapshots.json", "results.jsonl"
#: How much market is invented when none is given and the values do not say: one year at 5 minutes.
SYNTHETIC_BARS = 105_408
_PACKAGES = ("setpoint", "xgboost-cpu", "lightgbm", "catboost", "optuna", "numpy", "polars", "scikit-learn")


@dataclass(frozen=True)
class Plan(RunPlan):
    """The plan of a run, with what the harness does by it."""

    @property
    def data_label(self) -> Source:
        """The weakest source among the symbols: synthetic, then proxy, then real."""
        sources = {candles.source for candles in self.data.values()}
        return next(label for label in WEAKEST_FIRST if label in sources)

    def write(self, folder: Path) -> None:
        """Write the plan into the run's folder, whole or not at all."""
        write_atomically(folder / PLAN_FILE, json.dumps(asdict(self), indent=1) + "\n")

    def context_of(self, unit: Unit, shared: Mapping[str, str]) -> dict[str, str]:
        """Return the context that a unit resolves in; ``shared`` is the base's."""
        return context_of(unit, self.dimensions, shared)

    def candles(self, symbol: str, recipe: Recipe, home: Path) -> Candles:
        """Load one symbol's bars and hold that they are the planned ones, wherever on this machine they lie.

        They are looked for in the planned folder, in that of this machine's own settings, and among those
        that ``home`` keeps.

        Raises:
            MissingData: there are none.
            UnfitData: there are others: the data changed since the plan was made.
        """
        if not self.market_folder:
            return self._held_to_plan(read_market(symbol, recipe, ""))
        problems: list[DataError] = []
        own = Settings.from_environ().market_data
        folders = (self.market_folder, own if own != SYNTHETIC else "")
        for folder in [one for one in folders if one and Path(one).is_dir()] or folders[:1]:
            try:
                return self._held_to_plan(read_market(symbol, recipe, folder))
            except (MissingData, UnfitData) as problem:
                problems.append(problem)
        planned = self.data[symbol]
        if kept := CandleCache(home).read(planned.hash):
            names = {"symbol_used": planned.symbol_used, "timeframe": recipe.setting("timeframe")}
            return candles_in(kept, planned.bars, symbol=symbol, source=planned.source, **names)
        raise problems[0]

    def _held_to_plan(self, candles: Candles) -> Candles:
        planned = self.data[candles.symbol].hash
        if candles.data_hash != planned:
            raise UnfitData(
                f"the candles of {candles.symbol} changed since run {self.run} was planned "
                f"({planned[:12]}, now {candles.data_hash[:12]}).",
                hint="bring the old data back, or start a new sweep",
            )
        return candles


def read_plan(folder: Path) -> Plan:
    """Read a run's plan.

    Raises:
        CorruptSnapshot: the file is missing or torn.
    """
    try:
        data = dict(read_json((folder / PLAN_FILE).read_text(encoding="utf-8")))
        return Plan(**data | _parsed(data))
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise CorruptSnapshot(
            f"the plan of the run in {folder} cannot be read: {reason_of(problem)}.", hint="start a new sweep"
        ) from None


def _parsed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a plan that JSON does not hold as they are."""
    exercise, evidence, trigger = map(data.get, ("exercise", "evidence", "trigger"))
    return {
        "units": tuple(Unit(*unit) for unit in data["units"]),
        "data": {symbol: PlannedCandles(**candles) for symbol, candles in data["data"].items()},
        "exercise": exercise and Exercise(**exercise),
        "evidence": evidence and ChangeArm(**evidence),
        "trigger": trigger and Trigger(**trigger),
    }


def make_plan(
    values: HyperparamsSet,
    market_folder: str,
    processes: int | None,
    chosen: Mapping[str, str] | None = None,
) -> Plan:
    """Decide a run.

    Args:
        values: what was pinned; the plan covers the base's universe, models and folds.
        market_folder: folder of candles; empty for the synthetic market.
        processes: None for as many as the cores allow.
        chosen: leaves only the units that have this place, by dimension; None for all.

    Raises:
        PlanWideValue: a unit's overlay sets what this function reads from the base.
        MissingValue: a value that the units will read is not there.
        UsageError: processes times threads exceed the cores.
        MissingData, UnfitData: a symbol's candles are missing or would train a wrong model.
        TooLittleData: the shortest market does not hold the declared folds.
    """
    recipe = Recipe(values.base)
    places = places_of(recipe, chosen or {})
    own = _own_values(values, places)
    _require_values(own)
    symbols = dict.fromkeys(place.symbol for place in places)
    candles = {symbol: read_market(symbol, recipe, market_folder) for symbol in symbols}
    still = recipe.setting("market_still_share")
    data = {symbol: _checked(one, still) for symbol, one in candles.items()}
    _require_folds(own, candles)
    threads = recipe.setting("threads")
    now = datetime.now(UTC)
    plan = Plan(
        run=new_run(now),
        started_at=now.isoformat(),
        snapshot_hash=values.base.hash,
        set_hash=values.hash,
        dimensions=list(unit_dimensions(values.catalogues)),
        units=tuple(place.unit(Recipe(_rehearsal(hp)).variant) for place, hp in own.items()),
        market_folder=market_folder,
        data=data,
        universe=recipe.setting("universe"),
        rule=recipe.verdict_rule,
        seed=recipe.setting("seed"),
        threads=threads,
        processes=_processes(processes, threads),
        versions=_versions(),
        git_commit=_git_commit(),
        host=platform.node(),
        read_keys=sorted(values.base.keys_read),
    )
    # Whatever planning reads, now and after any change to this function, units may not have otherwise.
    require_plan_wide(values.base, dict.fromkeys(own.values()), plan.read_keys)
    return plan


def new_run(now: datetime) -> str:
    """Return a fresh id of a run."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def named_run(at: datetime, name: str) -> str:
    """Return the id of a run that has a name elsewhere, which is the same each time it is asked for."""
    return f"{at.astimezone(UTC):%Y%m%d-%H%M%S}-{sha256(name.encode()).hexdigest()[:8]}"


def _own_values(values: HyperparamsSet, places: Iterable[UnitPlace]) -> dict[UnitPlace, Hyperparams]:
    dimensions, shared = unit_dimensions(values.catalogues), values.base.snapshot.context
    return {place: values.for_context(context_of(place, dimensions, shared)) for place in places}


def read_market(symbol: str, recipe: Recipe, market_folder: str) -> Candles:
    """Load one symbol's newest bars, as many as the values say, from a folder or the synthetic market."""
    timeframe, last_bars = recipe.setting("timeframe"), recipe.setting("last_bars")
    if market_folder:
        return load_candles(market_folder, symbol, timeframe, last_bars)
    return synthetic_candles(symbol, timeframe, last_bars or SYNTHETIC_BARS, recipe.setting("seed"))


def cores() -> int:
    """Return the cores this process may use."""
    return len(os.sched_getaffinity(0))


def _rehearsal(hp: Hyperparams) -> Hyperparams:
    """Return the same values on an object of its own: looking ahead is no use of a key."""
    return Hyperparams(hp.snapshot, hp.catalogues)


def _require_values(own: Mapping[UnitPlace, Hyperparams]) -> None:
    """Read what the units will read, so that a missing value stops the run before it costs anything."""
    groups = {(hp.hash, place.model, place.timeframe): hp for place, hp in own.items()}
    for hp in {hp.hash: hp for hp in own.values()}.values():
        for declared in hp.catalogues.groups[()]:
            _rehearsal(hp).resolve(declared.parameter.name)
    for (_, *group), hp in groups.items():
        trial = _rehearsal(hp)
        trial.params(*group)
        trial.rounds(*group)
        trial.ranges(*group)


def _require_folds(own: Mapping[UnitPlace, Hyperparams], candles: Mapping[str, Candles]) -> None:
    """Hold that the shortest market of each set of values holds the folds that they declare."""
    markets: dict[str, tuple[Hyperparams, set[str]]] = {}
    for place, hp in own.items():
        markets.setdefault(hp.hash, (hp, set()))[1].add(place.symbol)
    for hp, symbols in markets.values():
        prepare(min((candles[symbol] for symbol in symbols), key=len), Recipe(_rehearsal(hp)))


def _checked(candles: Candles, max_still_share: float) -> PlannedCandles:
    findings = require_fit(candles, max_still_share=max_still_share)
    return PlannedCandles(
        hash=candles.data_hash,
        source=candles.source,
        symbol_used=candles.symbol_used,
        bars=len(candles),
        findings=[str(finding) for finding in findings],
    )


def _processes(asked: int | None, threads: int) -> int:
    allowed = cores() // threads
    processes = max(allowed, 1) if asked is None else asked
    if not 1 <= processes <= allowed:
        raise UsageError(
            f"{processes} process(es) of {threads} thread(s) on {cores()} cores: "
            "more threads than cores make boosters many times slower.",
            hint=f"use --processes 1 to {allowed}" if allowed else "lower CVN_FTF_THREADS",
        )
    return processes


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "unknown"
    return versions


def _git_commit() -> str:
    """Return the commit of the folder the sweep is started in, marked when it has changes."""
    try:
        head, changes = (
            subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
            for command in (["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain", "-uno"])
        )
    except (OSError, subprocess.SubprocessError):
        return "none"
    return f"{head}-dirty" if changes else head
