"""CLI: which commands stand together in `setpoint --help`: by what people do; a test holds their places."""

from __future__ import annotations

from typing import Any

#: The parts of the help, in its order, and the commands and groups of commands in each.
PANELS = {
    "Begin": ("demo", "seed", "keys", "coverage", "doctor", "catalogue"),
    "Read and change values": ("get", "explain", "set", "unset", "edit", "scope"),
    "Review and decide": ("change", "rollout", "policy", "freeze"),
    "Look back, and bring back": ("history", "diff", "blame", "restore", "verify", "anchor"),
    "Train and judge": (
        "pin",
        "run",
        "market",
        "sweep",
        "runs",
        "show",
        "verdict",
        "compare",
        "report",
        "baseline",
        "ranges",
    ),
    "Keep literals out of source": ("gate", "externalize"),
    "Documents as a folder": ("export", "import", "plan", "apply"),
    "Serve": (
        "up",
        "serve",
        "metrics",
        "alerts",
        "accounts",
        "tokens",
        "sessions",
        "passkeys",
        "audit",
        "notifications",
    ),
    "Govern": ("checkpoints", "checkpoint", "readiness"),
    "Emergencies": ("rollback", "break-glass", "drill"),
    "Database": ("db",),
}


def arrange(group: Any) -> None:
    """Put the commands of the whole command line under their headings, in the order of ``PANELS``."""
    placed = {name: panel for panel, names in PANELS.items() for name in names}
    for name, command in group.commands.items():
        command.rich_help_panel = placed.get(name)
    order = list(placed)
    group.commands = dict(
        sorted(
            group.commands.items(), key=lambda item: order.index(item[0]) if item[0] in placed else len(order)
        )
    )
