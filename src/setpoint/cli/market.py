"""`setpoint market`: fetch candles from the public archive, and check candles before they train anything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from setpoint.cli.app import Json, app, catalogues, settings
from setpoint.cli.bars import Bars
from setpoint.cli.output import err, out, print_json, table
from setpoint.declare.seeds import load_seeds
from setpoint.errors import EXIT_FINDING, EXIT_OK, DataError, MissingData, UsageError
from setpoint.orchestrate.market_folder import market_folder, pulled_folder
from setpoint.train.market.file_names import ENDINGS, market_of

if TYPE_CHECKING:
    from setpoint.declare.parameters import Scalar
    from setpoint.train.market.archive import Pulled
    from setpoint.train.market.candles import Candles

market: typer.Typer = typer.Typer(
    name="market",
    help="Candles: fetch them, and check them before they train anything.",
    no_args_is_help=True,
)
app.add_typer(market)

#: Characters of an ISO 8601 time that are its day.
_DAY = 10
Timeframe = Annotated[
    str, typer.Option("--timeframe", "-t", help="Length of a bar. Default: the seeded timeframe of a sweep.")
]


@market.command()
def pull(
    *,
    first: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")],
    last: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM, included.")],
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOLS]...", help="Default: every declared universe, such as BTCUSDC."),
    ] = None,
    timeframe: Timeframe = "",
    folder: Annotated[
        Path | None, typer.Option("--out", "-o", help="Default: `market` in SETPOINT_HOME.")
    ] = None,
    base_url: Annotated[
        str, typer.Option("--base-url", help="Another server with the archive's layout.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Fetch months of candles from Binance's public archive; every file's checksum is verified.

    Ctrl-C is safe: months that arrived stay, and the same command goes on where it stopped.

    Example: `setpoint market pull --from 2024-01 --to 2024-12`
    """
    from setpoint.train.market.archive import ARCHIVE_URL
    from setpoint.train.market.archive import pull as fetch

    target = (folder or pulled_folder(settings())).absolute()
    wanted = list(dict.fromkeys(symbols or _universe()))
    display = _Months(target)
    with display:
        files = fetch(
            wanted,
            timeframe or _seeded_timeframe(),
            first,
            last,
            target,
            base_url=base_url or ARCHIVE_URL,
            on_progress=display.show,
        )
    if as_json:
        print_json({"folder": str(target), "files": [file.name for file in files]})
    else:
        _say_where(target, files)


@market.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="Default: the folder a sweep would use.")] = None,
    timeframe: Timeframe = "",
    last_bars: Annotated[
        int | None,
        typer.Option(help="Check only so many newest bars, as a sweep may use; default: all.", min=0),
    ] = None,
    every_file: Annotated[
        bool, typer.Option("--all", help="Check every candle file instead of the declared universe.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Check candles as a sweep would. Exit code 1 when a sweep would refuse any of them.

    Examples: `setpoint market check`, `setpoint market check ../market --all`
    """
    where = market_folder(str(folder or ""), settings())
    if not where:
        raise UsageError("the synthetic market has no candle files to check.", hint="name a folder")
    if every_file:
        markets = _markets_in(Path(where), timeframe)
    else:
        markets = [(symbol, timeframe or _seeded_timeframe()) for symbol in _universe()]
    still = float(_seeded("market_still_share"))
    rows = [_check(where, symbol, each, last_bars, still) for symbol, each in markets]
    if as_json:
        print_json({"folder": where, "markets": [row._asdict() for row in rows]})
    else:
        _print_checked(where, rows)
    return EXIT_FINDING if any(row.refused for row in rows) else EXIT_OK


class Checked(NamedTuple):
    """One market and what a sweep would say to it; times are the opens of bars, ISO 8601 in UTC."""

    symbol: str
    timeframe: str
    used: str
    bars: int
    first: str
    last: str
    source: str
    findings: list[str]
    refused: bool


def _check(
    folder: str, symbol: str, timeframe: str, last_bars: int | None, max_still_share: float
) -> Checked:
    from setpoint.train.market.candles import load_candles
    from setpoint.train.market.findings import validate

    try:
        candles = load_candles(folder, symbol, timeframe, last_bars)
    except DataError as problem:
        return Checked(symbol, timeframe, "", 0, "", "", "", [f"error: {problem.message}"], refused=True)
    findings = validate(candles, max_still_share=max_still_share)
    return Checked(
        symbol,
        timeframe,
        candles.symbol_used,
        len(candles),
        *_span(candles),
        candles.source,
        [str(finding) for finding in findings],
        any(finding.severity == "error" for finding in findings),
    )


def _span(candles: Candles) -> tuple[str, str]:
    """Return the first and last open; a time that is none is shown as the number it is."""
    return (
        (_instant(int(candles.open_time[0])), _instant(int(candles.open_time[-1])))
        if len(candles)
        else ("", "")
    )


def _instant(milliseconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%MZ}"
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)


def _print_checked(folder: str, rows: list[Checked]) -> None:
    out.say(folder)
    table(
        ("market", "used", "bars", "from", "to", "source", "findings"),
        (
            (
                f"{row.symbol} {row.timeframe}",
                row.used or "-",
                row.bars,
                row.first[:_DAY] or "-",
                row.last[:_DAY] or "-",
                row.source or "-",
                "refused" if row.refused else "warnings" if row.findings else "none",
            )
            for row in rows
        ),
    )
    for row in rows:
        for finding in row.findings:
            line = f"{row.symbol} {row.timeframe}: {finding}"
            err.say(line)


def _universe() -> list[str]:
    """Return the symbols of every declared universe, quoted as they are declared."""
    declared = [list(u) for member in catalogues().members for u in member.universes.values()]
    symbols = list(dict.fromkeys(symbol for universe in declared for symbol in universe))
    if not symbols:
        raise UsageError("no catalogue declares a universe of symbols.", hint="name the symbols")
    return symbols


def _seeded_timeframe() -> str:
    return str(_seeded("timeframe", hint="say --timeframe"))


def _seeded(name: str, hint: str = "give it one in the seed files") -> Scalar:
    """Return the value that a sweep starts with; a database is not opened to fetch or check files."""
    system = catalogues()
    key = system.key_at((name,))
    for seed in load_seeds(settings().seeds, system):
        if key in seed.values:
            return seed.values[key].value
    raise UsageError(f"no seed gives {key} a value.", hint=hint)


def _markets_in(folder: Path, timeframe: str) -> list[tuple[str, str]]:
    named = (market_of(entry.name) for entry in sorted(folder.iterdir()))
    found = dict.fromkeys(market for market in named if market and timeframe in {"", market[1]})
    if not found:
        raise MissingData(
            f"{folder} holds no file named <SYMBOL>-<TIMEFRAME>.{' or .'.join(ENDINGS)}.",
            hint="setpoint market pull --help",
        )
    return list(found)


def _say_where(folder: Path, files: list[Path]) -> None:
    out.say(f"{len(files)} market(s) in {folder}")
    named = settings().market_data
    if folder != pulled_folder(settings()) or named not in {"", str(folder)}:
        out.say(f"  next: export SETPOINT_MARKET_DATA={quote(str(folder))}")
    else:
        out.say("  next: setpoint market check; a sweep finds this folder by itself")


class _Months:
    """A bar on a terminal, one line a month elsewhere; says on Ctrl-C what is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bars = Bars("months", tell_left=True)
        self._done = ""

    def __enter__(self) -> None:
        self._bars.__enter__()

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._bars.__exit__()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            err.say(
                f"stopped after {self._done or 'no'} months; they stay in {self._folder}, "
                "and the same command goes on from there"
            )

    def show(self, step: Pulled) -> None:
        """Draw the state after one more month is held."""
        self._done = f"{step.done} of {step.total}"
        if self._bars.is_drawn:
            self._bars.show(step.done, step.total, f"{step.symbol} {step.month}")
        else:
            how = "held" if step.was_held else "fetched"
            err.say(f"{step.done}/{step.total} {step.symbol} {step.month} {how}")
