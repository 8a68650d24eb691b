"""A browser that nobody here wrote, driven through the console; used by the scripts beside this one.

Every page that is looked at is held to the same things: a title, one heading, landmarks, no serious fault that axe-core
finds in light and in dark, no message in the browser's console (a page that its own Content-Security-Policy stops says so
there), nothing wider than a telephone. Pictures go to a folder as `<page>-<light|dark|phone|print>.png`.
"""

import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright, program):
    """Debian's Chromium, without a network of its own."""
    return playwright.chromium.launch(executable_path=program, args=ARGUMENTS)


def context(browser, base, **more):
    """A browser of one person: cookies of its own. The console's certificate is of the practice's own authority."""
    return browser.new_context(base_url=base, ignore_https_errors=True, viewport=DESK, **more)


class Watcher:
    """Collects faults, and tells them all at the end: one run shows everything that is wrong."""

    def __init__(self, pictures):
        self.pictures = Path(pictures)
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.faults = []
        self.n_looked = 0

    def fault(self, where, what):
        self.faults.append(f"{where}: {what}")

    def listen(self, page):
        """What a browser complains of is a fault."""
        page.on("pageerror", lambda error: self.fault(page.url, f"script: {error}"))

        def said(message):
            # A refused form answers 4xx, and the browser says so: that is what was asked for.
            if message.type == "error" and "status of 4" not in message.text:
                self.fault(page.url, f"console: {message.text}")

        page.on("console", said)
        return page

    def look(self, page, name):
        """Holds the page that is open to what every page must be, and takes its pictures."""
        self.n_looked += 1
        self.shape(page, name)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, media="screen")
            self.axe(page, f"{name} ({scheme})")
            self.picture(page, name, scheme)
        page.emulate_media(color_scheme="light", media="print")
        self.picture(page, name, "print")
        page.emulate_media(color_scheme="light", media="screen")
        page.set_viewport_size(PHONE)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 1:
            self.fault(name, f"on a telephone the page is {wide} px wider than the screen")
        self.picture(page, name, "phone")
        page.set_viewport_size(DESK)

    def picture(self, page, name, kind):
        page.screenshot(path=str(self.pictures / f"{name}-{kind}.png"), full_page=True)

    def shape(self, page, name):
        if not page.title().strip():
            self.fault(name, "no title")
        for what, selector in (("heading of the first order", "h1"), ("main landmark", "main")):
            n = page.locator(selector).count()
            if n != 1:
                self.fault(name, f"{n} times a {what}")
        if not page.locator("html").get_attribute("lang"):
            self.fault(name, "no language")
        for style in ("[style]", "script:not([src])", "style"):
            n = page.locator(style).count()
            if n:
                self.fault(name, f"{n} times {style}: the page's own policy forbids it")

    def axe(self, page, name):
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                nodes = [" ".join(node["target"]) if isinstance(node["target"][0], str) else str(node["target"]) for node in violation["nodes"]][:3]
                self.fault(name, f"axe: {violation['id']}: {violation['help']} ({', '.join(nodes)})")

    def end(self):
        """Says what was found; the process fails where there is something."""
        print(f"{self.n_looked} pages looked at")
        for one in dict.fromkeys(self.faults):
            print(f"FAULT {one}")
        sys.exit(1 if self.faults else 0)
