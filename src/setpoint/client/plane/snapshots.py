"""RESOLVE: the newest snapshot of a context, from the plane.

Guarantees: a snapshot that leaves here was received whole, has the hash and the ETag that name it, was made
for exactly the context that was asked for, and fits the catalogues of this process. Only such an answer
replaces the last known good one. Refuses, and leaves the last known good one alone: another hash, a body
that is no snapshot (a page of a captive portal), another context, an older state of the plane than the one
already seen.

**When is the last known good answer used instead?** Only when the plane is *out of reach*: no connection, a
timeout, an answer cut in transit, 429 or any 5xx, each after its retries. That is said in one
``last_known_good_used`` line. An answer that arrived and is *wrong* is never papered over: it stops the pin,
because somebody must look; so does 401, 403 and any other refusal.
"""

from __future__ import annotations

import os
import re
import socket
import time
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode

from setpoint.client.environment import check_agreement
from setpoint.client.fallbacks import this_program
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.plane.last_known_good import confirm, etag_of, keep, place, recall, require_young
from setpoint.client.snapshot import parse_snapshot
from setpoint.declare.number_text import read_int
from setpoint.errors import CorruptSnapshot, HashMismatch, InvalidContext, StaleRevision, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.client.plane.connection import Plane
    from setpoint.client.plane.last_known_good import Kept
    from setpoint.client.plane.messages import Answer
    from setpoint.client.snapshot import Snapshot
    from setpoint.declare.catalogue import Catalogues
    from setpoint.observe.event_log import EventLog
    from setpoint.settings import Settings

_NOT_MODIFIED = 304
_OUR_ETAG = re.compile(r'(?:W/)?("[0-9a-f]{32}")')


class Held(NamedTuple):
    """Values that were verified, and what the plane said about them."""

    hyperparams: Hyperparams
    etag: str
    #: The newest revision the plane knew when it answered; None when it did not say.
    revision: int | None
    #: When the plane last confirmed them, in seconds since 1970.
    confirmed_at: float
    #: False when these are the last known good ones.
    is_confirmed: bool = True


class PlaneSource:
    """Fetches one context's snapshot from one plane, again and again; for one thread at a time."""

    def __init__(
        self,
        plane: Plane,
        context: Mapping[str, str],
        catalogues: Catalogues,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        events: EventLog,
    ) -> None:
        self.plane: Plane = plane
        self.context: dict[str, str] = dict(context)
        self._catalogues, self._environ = catalogues, environ
        self.events = events
        self._reader = this_program(settings.run)
        self._file = place(settings.home, plane.url, context)
        self._oldest_s = settings.last_known_good_age_s

    def pin(self, run: str = "") -> Held:
        """Return the newest values; with the plane out of reach, and a warning, the last known good ones.

        Raises:
            PlaneUnavailable: out of reach, and nothing is kept that could be trusted.
            IntegrityError, InvalidContext, ForbiddenError: see the module; never papered over.
        """
        kept = recall(self._file, self.plane.url, self.context)
        headers = {"Setpoint-Client": client_header(run)}
        try:
            held = self._fetch(kept.etag if kept else "", headers)
        except UnavailableError as problem:
            if kept is None:
                problem.hint = f"{problem.hint}; nothing that it confirmed earlier is kept here".removeprefix(
                    "; "
                )
                raise
            return self._instead(kept, problem)
        if held is not None:
            return held
        if kept is None:
            raise CorruptSnapshot(f"{self.plane.url} says 304 to a request that named no version.")
        confirm(self._file)
        origin = f"plane {self.plane.url}, unchanged"
        return Held(
            self._judged(replace(kept.snapshot, origin=origin)), kept.etag, kept.revision, time.time()
        )

    def refetch(self, held: Held, at_least: int | None) -> Held:
        """Return newer values than ``held``, or ``held`` itself, confirmed.

        Args:
            held: the newest verified values.
            at_least: a revision that the answer must know.

        Raises:
            UnavailableError: out of reach.
            StaleRevision: the answer knows less than an earlier one did.
            IntegrityError, InvalidContext, ForbiddenError: the answer is wrong, or the plane refuses.
        """
        newer = self._fetch(held.etag, {}, at_least, held.revision)
        if newer is not None:
            return newer
        confirm(self._file)
        known = max((n for n in (held.revision, at_least) if n is not None), default=None)
        return held._replace(confirmed_at=time.time(), revision=known, is_confirmed=True)

    def _fetch(
        self, etag: str, headers: Mapping[str, str], at_least: int | None = None, seen: int | None = None
    ) -> Held | None:
        """Return verified values, or None for "not modified"; ``seen`` is the newest revision known here."""
        query = self.context | ({} if at_least is None else {"at_least": str(at_least)})
        path = "/v1/snapshot" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        sent = {**headers, "If-None-Match": etag} if etag else headers
        answer = self.plane.request("GET", path, headers=sent)
        if answer.status == _NOT_MODIFIED:
            return None
        snapshot, body = received_snapshot(answer, self.plane.url, self.context)
        revision = _revision(answer)
        if revision is not None and seen is not None and revision < seen:
            raise StaleRevision(
                f"{self.plane.url} answers with revision {revision}, after {seen}.",
                hint="if a backup was restored, restart this process to take the older values",
            )
        held = Held(self._judged(snapshot), etag_of(body), revision, time.time())
        keep(self._file, self.plane.url, body, revision)
        return held

    def _judged(self, snapshot: Snapshot) -> Hyperparams:
        hyperparams = Hyperparams(snapshot, self._catalogues, self.events, self._reader)
        check_agreement(self._environ, snapshot, self._catalogues)
        return hyperparams

    def _instead(self, kept: Kept, problem: UnavailableError) -> Held:
        age_sec = int(time.time() - kept.confirmed_at)
        require_young(age_sec, self._oldest_s, problem)
        from setpoint.observe.events import LastKnownGoodUsed  # noqa: PLC0415 - on no other day

        origin = f"last known good of {self.plane.url}, confirmed {age_sec} s ago"
        held = Held(self._judged(replace(kept.snapshot, origin=origin)), *kept[1:], is_confirmed=False)
        self.events.emit(
            LastKnownGoodUsed(
                plane=self.plane.url, snapshot=kept.snapshot.hash, age_sec=age_sec, reason=problem.code
            )
        )
        return held


def received_snapshot(answer: Answer, url: str, context: Mapping[str, str]) -> tuple[Snapshot, str]:
    """Verify an answer and return its snapshot with the body's text.

    Raises:
        CorruptSnapshot, HashMismatch: the body is no snapshot, or not the one its headers name.
        InvalidContext: it was made for another context.
    """
    origin = f"plane {url}"
    body = received_text(answer, origin)
    snapshot = parse_snapshot(body, origin)
    named = _OUR_ETAG.fullmatch(answer.headers.get("etag", ""))
    if (named and named[1] != etag_of(body)) or answer.headers.get(
        "setpoint-snapshot", snapshot.hash
    ) != snapshot.hash:
        raise HashMismatch(
            f"{origin}: the body is not the one that its ETag and Setpoint-Snapshot name.", hint=WHO_ANSWERS
        )
    if dict(snapshot.context) != dict(context):
        raise InvalidContext(
            f"{origin} was asked for {dict(context) or 'no context'}, "
            f"and answers for {dict(snapshot.context) or 'no context'}.",
            hint=WHO_ANSWERS,
        )
    return snapshot, body


def received_text(answer: Answer, origin: str) -> str:
    """Return the body of an answer that holds a snapshot or a set of them.

    Raises:
        CorruptSnapshot: it is no JSON text.
    """
    try:
        body = answer.body.decode()
    except UnicodeDecodeError:
        raise CorruptSnapshot(f"{origin} answers with bytes that are no text.", hint=WHO_ANSWERS) from None
    kind = answer.headers.get("content-type", "no content type")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise CorruptSnapshot(f"{origin} answers with {kind}, no snapshot.", hint=WHO_ANSWERS)
    return body


WHO_ANSWERS = "check that SETPOINT_URL is the plane's own address and no proxy answers in its place"


def client_id() -> str:
    """Return the 32 digits that name this process to the plane; a fork has its own."""
    return _client_id(os.getpid())


def client_header(run: str = "") -> str:
    """Return the value of ``Setpoint-Client``: who pins."""
    return f"{client_id()}; host={host()}; pid={os.getpid()}; run={re.sub(r'[^!-:<-~]', '', run)}"


def host() -> str:
    """Return this machine's name, in characters that a header may hold."""
    return re.sub(r"[^\w.-]", "_", socket.gethostname(), flags=re.ASCII)


@cache
def _client_id(_pid: int) -> str:
    return os.urandom(16).hex()


def _revision(answer: Answer) -> int | None:
    with suppress(ValueError):
        return read_int(answer.headers.get("setpoint-revision", ""))
    return None
