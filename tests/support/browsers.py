"""A person at the Console without a browser: an HTTP client with a session's cookie that fills forms in."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import httpx

from setpoint.serve.access.rules import SESSION_COOKIE, csrf_token
from support.planes import credential

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A word of a command, which a page keeps whole.
WORD = re.compile(r'<span class="word">(.*?)</span>')
CHANGE = re.compile(r"/changes/(\d+)$")


class Person:
    """Someone at a page: reads it, and sends its forms with the token that the page carries."""

    def __init__(self, plane: str, owner_url: str, account: str) -> None:
        self.secret = credential(owner_url, account)
        self.account = account
        self._client = httpx.Client(base_url=plane, cookies={SESSION_COOKIE: self.secret}, timeout=60)

    def read(self, path: str, status: int = 200, **query: str) -> str:
        """Return a page's text with its entities read, and commands in one piece."""
        found = self._client.get(path, params=query)
        assert found.status_code == status, (found.status_code, found.text[:2000])
        return html.unescape(WORD.sub(r"\1", found.text))

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Return what a page's address answers."""
        return self._client.get(path, headers=headers)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Return what a page's address answers to a request as it is given."""
        return self._client.request(method, path, **more)

    def send(self, path: str, fields: Mapping[str, str] | None = None, **more: str) -> httpx.Response:
        """Send a form of a page."""
        form = {"csrf_token": csrf_token(self.secret), **(fields or {}), **more}
        return self._client.post(path, data=form)

    def close(self) -> None:
        """Leave."""
        self._client.close()


def change_in(answer: httpx.Response) -> int:
    """Return the number of the change that a form led to."""
    assert answer.status_code == 303, html.unescape(answer.text)
    return int(CHANGE.search(answer.headers["location"])[1])


def proposal_in(page: str) -> str:
    """Return the proposal that a page of a change shows, as its forms carry it."""
    return re.search(r'name="proposal" value="([0-9a-f]{64})"', page)[1]
