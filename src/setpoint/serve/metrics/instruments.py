"""SERVE: the declared metrics as instruments of OpenTelemetry, as text for Prometheus and to a collector.

Guarantees: a name is told as ``Metric.prometheus`` says; a number that is not known now has no series,
rather than its last value. The instruments of a plane are in no global registry.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, generate_latest

import setpoint
from setpoint.observe.metrics import declared_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opentelemetry.sdk.metrics.export import MetricReader

    from setpoint.observe.metrics import Metric, Samples

#: What a scrape is sent as.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SCOPE = "setpoint"


class Instruments:
    """Every declared metric as an instrument.

    Args: read: returns the samples of those that are read; asked for each of them, so it keeps its answer a
    while. readers: of OpenTelemetry, which push somewhere.
    """

    def __init__(self, read: Callable[[], Samples], readers: Iterable[MetricReader] = ()) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        prometheus = PrometheusMetricReader(
            disable_target_info=True, scope_info_enabled=False, registry=self._registry
        )
        self._provider = MeterProvider(
            [prometheus, *readers],
            resource=Resource({"service.name": "setpoint", "service.version": setpoint.__version__}),
            shutdown_on_exit=False,
        )
        self._counters: dict[Metric, Counter] = {}
        self._histograms: dict[Metric, Histogram] = {}
        for metric in declared_metrics():
            self._declare(metric)

    def _declare(self, metric: Metric) -> None:
        meter = self._provider.get_meter(_SCOPE, setpoint.__version__)
        given = {"name": metric.name, "unit": metric.unit, "description": metric.help}
        if metric.kind == "histogram":
            self._histograms[metric] = meter.create_histogram(
                **given, explicit_bucket_boundaries_advisory=metric.bounds
            )
        elif metric.source == "processes" and metric.kind == "counter":
            self._counters[metric] = meter.create_counter(**given)
        elif metric.kind == "counter":
            meter.create_observable_counter(callbacks=[partial(self._observe, metric)], **given)
        else:
            meter.create_observable_gauge(callbacks=[partial(self._observe, metric)], **given)

    def _observe(self, metric: Metric, _options: CallbackOptions) -> Iterator[Observation]:
        for sample in self._read().get(metric, ()):
            yield Observation(sample.value, dict(sample.labels))

    def add(self, metric: Metric, amount: float, labels: Mapping[str, str]) -> None:
        """Count something that happened in a process of the plane."""
        self._counters[metric].add(amount, labels)

    def record(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        """Note one value of a histogram."""
        self._histograms[metric].record(value, labels)

    def text(self) -> str:
        """Return all of them in the text format of Prometheus."""
        with self._lock:
            return generate_latest(self._registry).decode()

    def close(self) -> None:
        """End what pushes."""
        self._provider.shutdown()
