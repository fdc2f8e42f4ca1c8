"""Every link of every page leads somewhere, and the menu leads to each section as it is."""

import html
import re
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

from setpoint.serve.console.pages import PLACES
from support.console_pages import PAGES, PUBLIC_PAGES, READ, address_of
from support.planes import ACCOUNTS

#: Links of one page that differ in their values alone: so many of them are followed.
FOLLOWED = 3


def route_of(path):
    """Return the route of a page's address; None when it is the API's, or a file."""
    found = (route for route in (*PAGES, *PUBLIC_PAGES) if "GET" in route.methods)
    return next((route for route in found if route.path_regex.match(path)), None)


def links_of(page):
    """Yield the links of a page, a few of each kind: of one route, with the same names in their query."""
    seen = Counter()
    for found in re.findall(r'<a\b[^>]*?\bhref="([^"]*)"', page):
        address = html.unescape(found).partition("#")[0]
        parts = urlsplit(address)
        route = route_of(parts.path)
        kind = (route.path if route else parts.path, *sorted({name for name, _ in parse_qsl(parts.query)}))
        seen[kind] += 1
        if address and seen[kind] <= FOLLOWED:
            yield address


def may_read(account, path):
    route = route_of(path)
    rule = (getattr(route, "openapi_extra", None) or {}).get("x-setpoint-roles", ())
    return not rule or bool({"account", *ACCOUNTS[account]} & set(rule))


def test_every_link_of_every_page_is_answered(person, lived_in):
    """No link of a page is refused, unless its rule asks for a role that the reader has not."""
    dead = set()
    for account in ("ada", "dan"):
        someone, followed = person(account), set()
        for route in READ:
            page = lived_in.get(route.path, address_of(route))
            answer = someone.get(page)
            for address in links_of(answer.text) if answer.status_code == 200 else ():
                if address in followed:
                    continue
                followed.add(address)
                status = someone.get(address).status_code
                if status >= 400 and not (status == 403 and not may_read(account, urlsplit(address).path)):
                    dead.add((account, page, address, status))
        assert len(followed) > 100
    assert not dead


def test_the_menu_leads_to_plain_sections(person, seeded):
    """Whatever a page was asked for, even wrongly, the menu has each section without filters."""
    dan = person("dan")
    for page in ("/history?search=x&scope=global", "/runs?state=failed", "/history?unknown=x"):
        menu = re.search(r"<nav aria-label.*?</nav>", dan.get(page).text, re.DOTALL)[0]
        assert re.findall(r'href="([^"]*)"', menu) == [address for address, _ in PLACES]
