"""Pictures of the Console for README and these pages: what `make demo` left, in a real browser.

Run: python docs/screenshots.py [--home FOLDER] [--all FOLDER]

Without ``--all`` the pictures that the pages show are taken anew, into ``docs/images``; with it every page is
taken in light, dark and on a phone, to be looked at. It needs Chromium, and a home in which the demo ran. A
change is proposed there first where none is open, so that a review can be shown.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from setpoint.serve.console import address_of, pages_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).parent / "images"
LINE = re.compile(r"log in as (\w+) +with the password (\S+)")
SIZES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
#: What the pages show: the picture's name, its address, colours, and size.
SHOWN = (
    ("review", "/changes/{change}", "light", "desktop"),
    ("config", "/config?part=lgb", "dark", "desktop"),
    ("run", "/runs/{run}", "light", "desktop"),
    ("overview", "/", "light", "desktop"),
    ("charts", "/runs/{run}/charts", "light", "desktop"),
    ("review-phone", "/changes/{change}", "dark", "phone"),
)
MODES = (("light", "desktop"), ("dark", "desktop"), ("light", "phone"))
QUERIES = {
    "/history/compare": "?from=1&to={revision}",
    "/runs/compare": "?run={run}&run={run}",
    "/search": "?q=learning",
}
CHARTS_WITHIN_S = 60
#: Pages that are none here: a picture, what leads to a provider, and what only an admin may read.
LEFT_OUT = frozenset({"/runs/{run}/charts/{chart}.svg", "/proof/oidc", "/audit", "/audit/decisions"})
KEY = "CVN_HPO_LGB_5M_LEARNING_RATE"


@contextmanager
def console(home: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve the demo's home; yields its address and the password of each account."""
    command = [sys.executable, "-m", "setpoint.cli", "demo", "--console", "--port", "0"]
    environ = {**os.environ, "SETPOINT_HOME": str(home)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as plane:
        try:
            printed = ""
            while "Ctrl-C" not in printed:
                line = plane.stdout.readline() if plane.stdout else ""
                if not line:
                    raise SystemExit(f"the Console did not open: {printed}")
                printed += line
            yield re.findall(r"http://\S+", printed)[0].rstrip("/."), dict(LINE.findall(printed))
        finally:
            plane.terminate()


def entered(browser: Browser, url: str, password: str, scheme: str, size: str) -> Page:
    """Return a window in which the editor has logged in."""
    context = browser.new_context(
        base_url=url,
        viewport=SIZES[size],
        color_scheme=scheme,
        device_scale_factor=1,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto("/login")
    page.fill("#account", "editor")
    page.fill("#password", password)
    page.click("button:has-text('Log in')")
    page.wait_for_url("**/")
    return page


def staged(page: Page) -> dict[str, str]:
    """Have a change open; returns what the addresses of pages are made of."""
    open_changes = page.request.get("/v1/changes?state=proposed&limit=1").json()["items"]
    if not open_changes:
        page.goto("/config?part=lgb&edit=yes")
        page.fill(f'[name="value:{KEY}"]', "0.12")
        page.click("text=Put into my draft")
        page.fill("#words", "faster steps for the weekly run")
        page.click("button:has-text('Propose')")
        page.wait_for_load_state()
        open_changes = page.request.get("/v1/changes?state=proposed&limit=1").json()["items"]
    run = page.request.get("/v1/runs?limit=1").json()["items"][0]
    newest = page.request.get("/v1/history?limit=1").json()["items"][0]
    return {
        "change": str(open_changes[0]["id"]),
        "run": run["id"],
        "unit": "0",
        "alert": "hp_fallback_persistent",
        "revision": str(newest["revision"]),
        "key": KEY,
        "digest": run["snapshot_hash"],
        "name": "editor",
    }


def every_page(values: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield each page that can be read, in each mode: a file's name, the address, colours, and size."""
    for route in pages_to_read():
        if route.path not in LEFT_OUT:
            address = address_of(route, values) + QUERIES.get(route.path, "").format(**values)
            name = re.sub(r"\W+", "-", route.path).strip("-") or "overview"
            yield from ((f"{name}-{scheme}-{size}", address, scheme, size) for scheme, size in MODES)


def _wait_for_images(page: Page) -> None:
    """Wait until every chart is there; a page's policy lets no test of a browser's own be evaluated in it."""
    deadline = time.monotonic() + CHARTS_WITHIN_S
    while not page.evaluate("[...document.images].every((one) => one.complete)"):
        if time.monotonic() > deadline:
            raise SystemExit(f"the pictures of {page.url} did not come")
        page.wait_for_timeout(200)


def take(url: str, password: str, folder: Path, *, everything: bool) -> int:
    """Take the pictures into a folder; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        windows = {mode: entered(browser, url, password, *mode) for mode in {*MODES, ("dark", "phone")}}
        values = staged(windows["light", "desktop"])
        pictures = [*every_page(values)] if everything else SHOWN
        for name, address, scheme, size in pictures:
            page = windows[scheme, size]
            page.goto(address.format(**values), wait_until="load")
            page.evaluate("for (const one of document.images) one.loading = 'eager'")
            _wait_for_images(page)
            page.screenshot(path=folder / f"{name}.png", full_page=everything)
            sys.stdout.write(f"{folder / name}.png  {address}\n")
        browser.close()
    return len(pictures)


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=Path(".setpoint"), help="where the demo ran")
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, into this folder")
    asked = parser.parse_args()
    with console(asked.home) as (url, passwords):
        count = take(url, passwords["editor"], asked.all or IMAGES, everything=asked.all is not None)
    sys.stdout.write(f"{count} pictures\n")


if __name__ == "__main__":
    main()
