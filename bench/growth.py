"""How cost grows with size: the exponent over three sizes, a verdict in words, and the table of both."""

from math import log

#: The largest exponent that each word stands for: what a factor of ten in size makes of the time.
VERDICTS = ((0.15, "constant"), (0.35, "logarithmic"), (1.15, "linear"))
HEAD = ("operation", "grows with", "sizes", "ms at each", "exponent", "verdict")


def exponent(sizes, seconds):
    """Return the slope of least squares of log time over log size: 0 is constant, 1 is linear."""
    x, y = [log(size) for size in sizes], [log(one) for one in seconds]
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    over = sum((a - x_mean) ** 2 for a in x)
    return sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True)) / over


def steepest(sizes, seconds):
    """Return the exponent, or that of the last step where it is larger: what grows late still grows."""
    return max(exponent(sizes, seconds), exponent(sizes[-2:], seconds[-2:]))


def verdict(sizes, seconds, what):
    """Say how the time grows with ``what``."""
    found = steepest(sizes, seconds)
    word = next((word for limit, word in VERDICTS if found <= limit), "faster than linear")
    return word if word == "constant" else f"{word} in {what}"


def rows(found):
    """Return the lines of the table from seconds by operation and dimension; see ``HEAD``."""
    return [
        (
            name,
            what,
            " / ".join(f"{size:,}" for size in sizes),
            " / ".join(f"{1e3 * one:.3g}" if one < 10 else f"{1e3 * one:,.0f}" for one in seconds),
            f"{steepest(sizes, seconds):.2f}",
            verdict(sizes, seconds, what),
        )
        for (name, what), (sizes, seconds) in found.items()
    ]


def markdown(found):
    """Return the table as a page shows it."""
    lines = [HEAD, ("---",) * len(HEAD), *rows(found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
