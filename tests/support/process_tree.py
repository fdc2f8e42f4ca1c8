"""Processes below another one, what they run, and whether they live."""

from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Return the process ids below one."""
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]
    return [found for child in children for found in (child, *descendants(child))]


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that ended and that nobody asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command_of(pid: int) -> bytes:
    """Return what a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()
