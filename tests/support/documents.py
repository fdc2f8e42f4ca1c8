"""Documents and changes for tests, through the same two functions as every write of the application."""

import json

#: Arguments of the query open_change that most tests do not care about.
PLAIN = {
    "is_policy": False,
    "set": "{}",
    "remove": [],
    "restores": None,
    "keys": None,
    "reason": "because",
    "source": "test",
    "catalogues": [],
    "apply_at": None,
    "draft": False,
    "traceparent": None,
    "evidence": None,
}

#: What `list_changes` is asked for every change with.
EVERY_CHANGE = {
    "state": None,
    "scope": None,
    "author": None,
    "waits_for": None,
    "trace": None,
    "before": None,
    "limit": 1000,
}


def propose(reader, scope="global", **given):
    """Open a change over the documents as they are now, or over what is given; returns its row."""
    return reader.fetch_one("open_change", **(over(reader, scope) | PLAIN | {"scope": scope} | given))


def revisions(reader):
    """Return every revision as an export tells it, oldest first."""
    rows = reader.fetch_all("export_history", after=0, up_to=2**62, limit=None)
    return [json.loads(row["content"]) for row in rows]


def over(reader, scope):
    """The base that an honest client would send for a change of ``scope``."""
    row = reader.fetch_one("read_scope", scope=scope)
    return {"base_revision": row and row["revision"]}


def apply(reader, change):
    """Apply a change as it was read; returns its row."""
    return reader.fetch_one("apply_change", id=change["id"], proposal_hash=change["proposal_hash"])


def write_document(reader, text, scope="global"):
    """Make ``text`` the scope's whole document; returns the row of the document."""
    old = reader.fetch_one("read_scope", scope=scope)
    gone = sorted(json.loads(old["text"]).keys() - json.loads(text).keys()) if old else []
    change = propose(reader, scope, set=text, remove=gone)
    if change["id"] is not None:  # what stands already opens no change
        apply(reader, change)
    return reader.fetch_one("read_scope", scope=scope)
