"""SERVE: what pages load: the style, the script, the icon; each under an address that names its content.

Guarantees: an address with the right digest never changes what it answers, so that browsers keep it for
good; a page of another build asks for another address.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from setpoint.errors import MissingError
from setpoint.serve.access.rules import public
from setpoint.serve.routes import QueuedRoute

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(tags=["pages"], route_class=QueuedRoute, include_in_schema=False)
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_KEPT = "public, max-age=31536000, immutable"


def asset(name: str) -> str:
    """Return the path of a file, which names its content."""
    return f"/static/{_ASSETS[name][1]}/{name}"


@router.get("/static/{digest}/{name}", summary="What pages load", **public())
async def show_asset(digest: str, name: str) -> Response:
    """Return a file of the Console.

    Raises:
        MissingError: this build has no such file.
    """
    data, known = _ASSETS.get(name, (b"", ""))
    if digest != known:
        raise MissingError("this build has no such file.", hint="reload the page")
    return Response(data, 200, {"Cache-Control": _KEPT}, _KINDS[_suffix(name)])


def _suffix(name: str) -> str:
    return f".{name.rpartition('.')[2]}"


#: Content and digest of each file by its name, read as the process begins: an upgrade lays new ones there.
_ASSETS: Mapping[str, tuple[bytes, str]] = {
    one.name: (data := one.read_bytes(), hashlib.sha256(data).hexdigest()[:16])
    for one in files(__package__).joinpath("static").iterdir()
    if _suffix(one.name) in _KINDS
}
