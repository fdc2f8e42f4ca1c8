"""Every page of the Console, found in its routes."""

from __future__ import annotations

import re

from setpoint.serve import console
from setpoint.serve.console.pages import PageRoute

PAGES = [route for router in console.ROUTERS for route in router.routes if isinstance(route, PageRoute)]
#: What anybody may ask for on the way in and out.
PUBLIC_PAGES = [
    route for router in console.ROUTERS for route in router.routes if not isinstance(route, PageRoute)
]
READ = console.pages_to_read()


def address_of(route: PageRoute) -> str:
    """Return an address of a page: its numbers are 1, its names and credentials are of nothing."""
    path = route.path.replace("{id}", "999999")
    return re.sub(r"\{\w+\}", "none", re.sub(r"\{(change|revision|unit)\}", "1", path))
