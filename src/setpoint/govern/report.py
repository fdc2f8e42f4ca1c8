"""GOVERN: one recorded run as one HTML file that anyone can read, keep, print and send.

Guarantees: the file needs nothing else, neither network nor script; every chart has its numbers in a
table; what a run recorded as text is shown as text, whatever it holds. Refuses to round twice: every
number is taken from the record or the verdict and rounded once, where it is printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape

from setpoint.change.candidates import read_pair
from setpoint.govern.attested import FINDING_WORDS
from setpoint.govern.axes import Axis
from setpoint.govern.comparison import JudgedRun, judge_run, pair_runs
from setpoint.govern.markup import templates_in
from setpoint.govern.verdict import aggregated
from setpoint.observe.printable import printable_markup
from setpoint.record.result_rows import average_trades, count_findings, read_failures, read_result_lines
from setpoint.record.run_rows import read_units, read_used_contexts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from setpoint.govern.paired import Paired
    from setpoint.govern.verdict import Aggregation, AssetScore, ModelScore
    from setpoint.record.result_rows import FindingCount, RecordedFailure, ResultLine, TradeMeans
    from setpoint.record.run_rows import PinnedContext
    from setpoint.store.database import Database

_DASH, _MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
#: Outcome and cause, as a heading and as one sentence.
_WORDS = {
    "pass": ("Pass", "Every condition of the rule holds for this configuration."),
    "hold: below_pass": (
        "Hold",
        "Too few assets reach the pass mark. Neither promote nor roll back.",
    ),
    "hold: no_skill": (
        "Hold",
        "The mark is reached, but always saying BUY does as well. Neither promote nor roll back.",
    ),
    "rollback": ("Roll back", "A model scores below the rollback floor. Bring the earlier revision back."),
    "insufficient_data": (
        "Insufficient data",
        "Too few assets have a result for every declared fold. Nothing can be judged yet.",
    ),
}
#: How many units of a model a chart draws; of more every so-manieth. The table has each.
MOST_POINTS = 2000
#: How many folds the chart over them draws; of more every so-manieth.
MOST_FOLDS = 60
#: What the beginning of every report holds.
REPORT_MARK = '<meta name="generator" content="setpoint report">'


@dataclass(frozen=True, kw_only=True)
class RunReport(JudgedRun):
    """One run with what its report shows of each unit."""

    timeframe: str
    #: The snapshots of the run by context, the base first, and how many units train with each.
    contexts: list[tuple[PinnedContext, int]]
    #: In the order of asset, model and fold.
    lines: list[ResultLine]
    trades: list[TradeMeans]
    findings: list[FindingCount]
    failures: list[RecordedFailure]
    #: Of a change's candidate: the run of what stands, and how it does pair by pair; None of other runs.
    against: PairedWith | None


class PairedWith(NamedTuple):
    """The run that a run is held against, pair by pair."""

    run: str
    paired: Paired


def read_report(database: Database, run: str) -> RunReport:
    """Read what the report of a run shows; ``latest`` names the newest.

    Raises:
        UnknownRun: there is none.
    """
    judged = judge_run(database, run)
    first = read_units(database, judged.run, limit=1)
    return RunReport(
        **vars(judged),
        timeframe=first[0].timeframe if first else "",
        contexts=read_used_contexts(database, judged.run),
        lines=read_result_lines(database, judged.run),
        trades=average_trades(database, judged.run),
        findings=count_findings(database, judged.run),
        failures=read_failures(database, judged.run),
        against=_against(database, judged.run),
    )


def _against(database: Database, run: str) -> PairedWith | None:
    pair = read_pair(database, run)
    return PairedWith(pair.against, pair_runs(database, *pair)) if pair else None


def render(view: RunReport) -> str:
    """Return the report of a run as one self-contained HTML document."""
    rule = view.verdict.rule
    models = _models(view)
    heading, sentence = _WORDS[str(view.verdict)]
    scores = [*(fold for model in models for line in model.assets for fold in line.folds)]
    baselines = [a.always_buy for m in view.verdict.models for a in m.scored if a.always_buy is not None]
    both = [score for row in view.lines for score in (row.f1_buy_val, row.f1_buy_test)]
    aucs = [row.auc_val for row in view.lines]
    return _TEMPLATES.get_template("report.html").render(
        view=view,
        row=view.row,
        verdict=view.verdict,
        rule=rule,
        heading=heading,
        sentence=sentence,
        models=models,
        score_axis=Axis.over([*scores, *baselines, rule.pass_f1, rule.rollback_f1]),
        test_axis=Axis.over(both or [rule.pass_f1]),
        auc_axis=Axis.over([*aucs, 0.5]),
        unit_rows=_unit_rows(view.lines),
        contexts=view.contexts,
        data=view.row.plan["data"],
        fallbacks=dict(view.row.fallbacks or {}),
        finding_words=FINDING_WORDS,
    )


def _models(view: RunReport) -> list[_Model]:
    lines: dict[str, list[ResultLine]] = {score.model: [] for score in view.verdict.models}
    for line in view.lines:
        lines[line.model].append(line)
    return [
        _Model(
            score,
            lines[score.model],
            [one for one in view.trades if one.model == score.model],
            [one for one in view.findings if one.model == score.model],
            view.verdict.rule.aggregation,
        )
        for score in view.verdict.models
    ]


def _unit_rows(lines: Iterable[ResultLine]) -> Markup:
    """Return the rows of the table of units: of a large run there are many, and a template takes its time."""
    rows, before = [], None
    for one in lines:
        place = (one.symbol, one.model)
        begins = ' class="next"' if before not in {None, place} else ""
        before = place
        numbers = (one.f1_buy_val, one.always_buy_f1_val, one.f1_buy_test, one.auc_val)
        cells = (*map(_number, numbers), one.n_trees_used, _number(one.threshold), one.trial_id)
        named = f'<th scope="row">{_text(one.symbol)}</th><td>{_text(one.model)}</td><td>{one.fold}</td>'
        made = f"<td><code>{_text(one.model_hash[:12])}</code></td>"
        rows.append(f"<tr{begins}>{named}<td>{'</td><td>'.join(map(str, cells))}</td>{made}</tr>\n")
    return Markup("".join(rows))  # noqa: S704 - numbers, and texts through `_text`


@lru_cache(maxsize=4096)
def _text(text: str) -> str:
    """Return a text as a page shows it, through the door that templates have."""
    return str(escape(printable_markup(text)))


class AssetLine(NamedTuple):
    """One model on one asset; a score of the verdict beside what it is made of."""

    score: AssetScore
    #: f1_buy_val of each fold that has a result and that is drawn, by fold.
    folds: list[float]
    #: Aggregated over the folds as the score is, None while the asset has no score.
    f1_test: float | None
    always_buy_test: float | None


class FoldLine(NamedTuple):
    """The area under the ROC curve of one model in one fold, over all assets that have a result."""

    fold: int
    assets: int
    mean: float
    low: float
    high: float
    #: The units that a chart draws.
    shown: list[ResultLine]


@dataclass(frozen=True)
class _Model:
    """One model as the page shows it: its score with every result behind it."""

    score: ModelScore
    #: In the order of assets and folds.
    rows: list[ResultLine]
    trades: list[TradeMeans]
    findings: list[FindingCount]
    aggregation: Aggregation

    @property
    def name(self) -> str:
        return self.score.model

    @cached_property
    def assets(self) -> list[AssetLine]:
        by_symbol: dict[str, list[ResultLine]] = {}
        for row in self.rows:
            by_symbol.setdefault(row.symbol, []).append(row)
        return [self._asset(score, by_symbol.get(score.symbol, [])) for score in self.score.assets]

    def _asset(self, score: AssetScore, rows: list[ResultLine]) -> AssetLine:
        whole = rows if score.f1 is not None else []
        return AssetLine(
            score,
            [row.f1_buy_val for row in rows[:: self._every]],
            aggregated(self.aggregation, (row.f1_buy_test for row in whole)),
            aggregated(self.aggregation, (row.always_buy_f1_test for row in whole)),
        )

    @property
    def f1_test(self) -> float | None:
        return aggregated(self.aggregation, (line.f1_test for line in self.assets))

    @property
    def always_buy_test(self) -> float | None:
        return aggregated(self.aggregation, (line.always_buy_test for line in self.assets))

    @cached_property
    def folds(self) -> list[FoldLine]:
        by_fold: dict[int, list[ResultLine]] = {}
        for row in self.rows:
            by_fold.setdefault(row.fold, []).append(row)
        return [self._fold(fold, rows) for fold, rows in sorted(by_fold.items())]

    def _fold(self, fold: int, rows: list[ResultLine]) -> FoldLine:
        aucs = [row.auc_val for row in rows]
        return FoldLine(fold, len(aucs), fmean(aucs), min(aucs), max(aucs), rows[:: self._every])

    @property
    def drawn_folds(self) -> list[FoldLine]:
        """The folds that a chart draws."""
        return self.folds[:: _step(self.folds, MOST_FOLDS)]

    @property
    def shown(self) -> list[ResultLine]:
        """The units that a chart draws."""
        return self.rows[:: self._every]

    @property
    def _every(self) -> int:
        return _step(self.rows, MOST_POINTS)


def _step(drawn: Sequence[object], most: int) -> int:
    """Return which so-manieth is drawn, so that no more than the most are."""
    return max(1, ceil(len(drawn) / most))


def _number(value: float | None, digits: int = 3) -> str:
    return _DASH if value is None else f"{value:.{digits}f}".replace("-", _MINUS)


def _signed(value: float | None, digits: int = 3) -> str:
    return _DASH if value is None else f"{value:+.{digits}f}".replace("-", _MINUS)


def _percent(value: float | None) -> str:
    return _DASH if value is None else f"{100 * value:.3f} %".replace("-", _MINUS)


def _moment(value: datetime | None) -> str:
    return _DASH if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _scalar(value: object) -> str:
    """Return a parameter's value as it is, so that 0.800000011920929 is not shown as the 0.8 it is not."""
    return _DASH if value is None else repr(value) if isinstance(value, float) else str(value)


_TEMPLATES = templates_in(
    Path(__file__).with_name("templates"),
    {"number": _number, "signed": _signed, "percent": _percent, "moment": _moment, "scalar": _scalar},
)
