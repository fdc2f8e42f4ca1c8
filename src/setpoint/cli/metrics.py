"""`setpoint metrics`: what a plane's `/metrics` tells of the database, without a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.cli.app import Json, app, catalogues, database, settings
from setpoint.cli.output import out, print_json, warn
from setpoint.errors import UnavailableError

if TYPE_CHECKING:
    from setpoint.observe.metrics import Sample


@app.command()
def metrics(as_json: Json = False) -> None:
    """Print every number of the database and of this machine, in the text format of Prometheus.

    For node_exporter write it beside its folder of text files and move it there, so that nobody reads half
    of it. A database out of reach is a number too: setpoint_database_up is 0, and what the database alone
    knows is absent. Numbers of requests are the plane's own.

    Examples: `setpoint metrics`, `setpoint metrics --json`
    """
    samples = read_samples()
    if as_json:
        print_json([_row(sample) for sample in samples])
        return
    from setpoint.observe.metrics import by_metric
    from setpoint.serve.metrics.instruments import Instruments

    found = by_metric(samples)
    instruments = Instruments(lambda: found)
    out.lines(instruments.text())
    instruments.close()


def read_samples() -> list[Sample]:
    """Return the samples of every metric but those of a plane's processes."""
    from setpoint.govern.checkpoints.calendar import load_calendar
    from setpoint.govern.checkpoints.samples import merge_sample, read_stored_samples
    from setpoint.observe.metrics import DATABASE_UP, Sample
    from setpoint.record.metrics import read_here

    calendar = load_calendar(settings().checkpoints)
    here = [*read_here(settings()), merge_sample(calendar)]
    try:
        with database(remind=False) as opened:
            return [*read_stored_samples(opened, catalogues(), calendar, settings()), *here]
    except UnavailableError as problem:
        warn(f"the database was not read: {problem.message}")
        return [Sample(DATABASE_UP, 0), *here]


def _row(sample: Sample) -> dict[str, object]:
    metric = sample.metric
    return {
        "name": metric.name,
        "prometheus": metric.prometheus,
        "kind": metric.kind,
        "labels": dict(sample.labels),
        "value": sample.value,
    }
