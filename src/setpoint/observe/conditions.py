"""OBSERVE: when an alert fires, declared once: written out for Prometheus, and judged over numbers read now.

Guarantees: both are of the same declaration, so that neither moves alone; the real promtool agrees with what
is judged here on both sides of every threshold. Judged is an instant: what must last, lasts in Prometheus
alone. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from setpoint.observe.metrics import Metric, Samples

#: Of an alert's values a line shows so many.
_SHOWN = 3
_DAY_S = 24 * 60 * 60
_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda value, bound: value < bound,
    ">": lambda value, bound: value > bound,
    "==": lambda value, bound: value == bound,
}


class Present(NamedTuple):
    """A value that a condition looks at now, and whether the condition holds for it."""

    labels: Mapping[str, str]
    value: float
    holds: bool
    #: Of the value, where it is no metric's.
    unit: str = ""


class Judgement(NamedTuple):
    """What an alert looks at in the samples of an instant, and what follows."""

    present: list[Present]
    #: Why these samples cannot say whether it fires; empty: they can.
    by_prometheus: str = ""
    #: For how long it must hold before it fires.
    lasting: str = ""

    @property
    def holding(self) -> list[Present]:
        """The values for which it fires."""
        return [one for one in self.present if one.holds]

    @property
    def fires(self) -> bool | None:
        """True where it would fire, as soon as it lasted; None: Prometheus alone knows."""
        return None if self.by_prometheus else bool(self.holding)

    @property
    def said(self) -> str:
        """The same for a person."""
        if self.by_prometheus:
            return f"judged by Prometheus: {self.by_prometheus}"
        if self.holding:
            return f"fires once it lasts {self.lasting}" if self.lasting else "fires"
        return "silent" if self.present else "silent: there is no value"

    @property
    def now(self) -> str:
        """The values for which it fires, or else all that it looks at, some of them for a person."""
        values = self.holding or self.present
        shown = [f"{one.value:g}{_said(one.labels, one.unit)}" for one in values[:_SHOWN]]
        return ", ".join(shown) + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")


class Condition(Protocol):
    """When something is wrong."""

    @property
    def expression(self) -> str:
        """What Prometheus evaluates: it has a value where the condition holds."""

    @property
    def text(self) -> str:
        """The same for a person."""

    def present(self, samples: Samples, at: datetime) -> list[Present]:
        """Return what it looks at, of the samples of an instant."""


@dataclass(frozen=True)
class After:
    """Days after an instant that a metric tells, in seconds since 1970: the first included, the last not."""

    metric: Metric
    first: int
    end: int | None = None

    @property
    def expression(self) -> str:
        """What Prometheus evaluates."""
        end = f" < {self.end * _DAY_S}" if self.end else ""
        return f"on () (vector(time()) - max({self.metric.prometheus}) >= {self.first * _DAY_S}{end})"

    @property
    def text(self) -> str:
        """The days in words."""
        end = f" until day {self.end}" if self.end else ""
        return f"from day {self.first} after {self.metric.prometheus}{end}"

    def holds(self, samples: Samples, at: datetime) -> bool:
        """Say whether an instant lies in them; never where nobody tells what they are counted from."""
        begun = max((sample.value for sample in samples.get(self.metric, ())), default=None)
        if begun is None:
            return False
        passed_s = at.timestamp() - begun
        return passed_s >= self.first * _DAY_S and (not self.end or passed_s < self.end * _DAY_S)


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A metric on the wrong side of a bound; one that has no value is on none."""

    metric: Metric
    side: Literal["<", ">", "=="]
    #: A number, or the metric that tells it.
    bound: float | Metric
    #: What it may be at most, where what is above is another rule's.
    most: float | None = None
    #: The extreme value that counts, of all series or of those that agree in ``by``; empty: each series.
    extreme: Literal["", "max", "min"] = ""
    by: tuple[str, ...] = ()
    #: The days on which it counts; None: always.
    after: After | None = None
    #: Labels that a series must have to be looked at.
    only: Mapping[str, str] = field(default_factory=dict)

    @property
    def expression(self) -> str:
        """What Prometheus evaluates."""
        group = f" by ({', '.join(self.by)}) " if self.by else ""
        wanted = ", ".join(f'{label}="{value}"' for label, value in self.only.items())
        name = self.metric.prometheus + (f"{{{wanted}}}" if wanted else "")
        written = f"{self.extreme}{group}({name})" if self.extreme else name
        written += f" {self.side} {self._written_bound()}"
        if self.most is not None:
            written += f" <= {self.most:g}"
        return f"{written} and {self.after.expression}" if self.after else written

    @property
    def text(self) -> str:
        """The metric and its bound."""
        said = f"{self.metric.prometheus} {self.side} {self._named_bound()}"
        if self.most is not None:
            said += f" and <= {self.most:g}"
        said += "".join(f", {label} {value}" for label, value in self.only.items())
        return f"{said}, {self.after.text}" if self.after else said

    def present(self, samples: Samples, at: datetime) -> list[Present]:
        """Return the values that count, each with its labels."""
        bound = self._bound(samples)
        counts = not self.after or self.after.holds(samples, at)
        return [
            Present(labels, value, counts and bound is not None and self._holds(value, bound))
            for labels, value in self._values(samples)
        ]

    def _values(self, samples: Samples) -> list[tuple[Mapping[str, str], float]]:
        own = [
            sample
            for sample in samples.get(self.metric, ())
            if all(sample.labels.get(label) == value for label, value in self.only.items())
        ]
        if not self.extreme:
            return [(sample.labels, sample.value) for sample in own]
        groups: dict[tuple[str, ...], list[float]] = {}
        for sample in own:
            groups.setdefault(tuple(sample.labels[one] for one in self.by), []).append(sample.value)
        chosen = min if self.extreme == "min" else max
        return [(dict(zip(self.by, group, strict=True)), chosen(of)) for group, of in groups.items()]

    def _holds(self, value: float, bound: float) -> bool:
        return _HOLDS[self.side](value, bound) and (self.most is None or value <= self.most)

    def _bound(self, samples: Samples) -> float | None:
        if isinstance(self.bound, (int, float)):
            return self.bound
        return max((sample.value for sample in samples.get(self.bound, ())), default=None)

    def _written_bound(self) -> str:
        if isinstance(self.bound, (int, float)):
            return f"{self.bound:g}"
        return f"on () group_left () max({self.bound.prometheus})"

    def _named_bound(self) -> str:
        return f"{self.bound:g}" if isinstance(self.bound, (int, float)) else self.bound.prometheus


@dataclass(frozen=True)
class Absent:
    """A metric that has no value at all, of those that always have one."""

    metrics: tuple[Metric, ...]

    @property
    def expression(self) -> str:
        """What Prometheus evaluates; the label ``metric`` names the one that is absent."""
        names = (one.prometheus for one in self.metrics)
        return " or ".join(f'label_replace(absent({name}), "metric", "{name}", "", "")' for name in names)

    @property
    def text(self) -> str:
        """How many of them there are."""
        return f"any of {len(self.metrics)} metrics is absent"

    def present(self, samples: Samples, at: datetime) -> list[Present]:  # noqa: ARG002 - as every condition
        """Return those that are absent; what is there is not worth a line."""
        absent = (one.prometheus for one in self.metrics if not samples.get(one))
        return [Present({"metric": name}, 1, holds=True) for name in absent]


@dataclass(frozen=True)
class Since:
    """An instant that has passed."""

    instant: datetime

    @property
    def expression(self) -> str:
        """What Prometheus evaluates."""
        return f"vector(time()) >= {_seconds(self.instant)}"

    @property
    def text(self) -> str:
        """From when on."""
        return f"from {self.instant:%Y-%m-%d}"

    def present(self, samples: Samples, at: datetime) -> list[Present]:  # noqa: ARG002 - as every condition
        """Return how many days are left."""
        return [Present({}, (self.instant - at).days, at >= self.instant, "days left")]


@dataclass(frozen=True)
class Always:
    """Nothing is wrong: it fires as long as somebody evaluates it."""

    expression: str = "vector(1)"
    text: str = "always"

    def present(self, samples: Samples, at: datetime) -> list[Present]:  # noqa: ARG002 - as every condition
        """Return nothing to look at."""
        return [Present({}, 1, holds=True)]


def _said(labels: Mapping[str, str], unit: str) -> str:
    named = f" ({' '.join(labels.values())})" if labels else ""
    return f" {unit}{named}" if unit else named


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())
