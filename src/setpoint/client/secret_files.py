"""CLIENT: a file that holds one secret and nothing else, as mounted into a container.

Guarantees: whoever reads one says the same when it cannot be read, and never what it holds.
"""

from __future__ import annotations

from pathlib import Path

from setpoint.errors import UsageError

MOST_BYTES = 2**16


def read_secret(path: str, named: str) -> str:
    """Return the secret of a file, without blanks around it.

    Args:
        path: of the file.
        named: what names it, a setting as a rule.

    Raises:
        UsageError: it cannot be read, or holds none.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode().strip()
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is no text"
        raise UsageError(
            f"{path}, which {named} names, cannot be read: {reason}.",
            hint="name a file that holds the secret alone and that this account may read",
        ) from None
    if not text or len(content) > MOST_BYTES:
        said = f"{path}, which {named} names, holds no secret."
        raise UsageError(said, hint="write the secret alone into it")
    return text
