"""A manager's first day: the set-up link, a passphrase, the second factor, and every page that there is.

usage: first_day.py CHROMIUM ORIGIN SET_UP_LINK FOLDER_FOR_PICTURES
"""

import base64
import hashlib
import hmac
import re
import struct
import sys
import time

from pages import DESK, Watcher, context, launch
from playwright.sync_api import sync_playwright

PASSPHRASE = "correct horse battery staple"


def code(secret):
    """The six digits of this half minute (RFC 6238)."""
    letters = re.sub(r"[^A-Z2-7]", "", secret.upper())
    key = base64.b32decode(letters + "=" * (-len(letters) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def main():
    program, origin, link, pictures = sys.argv[1:]
    watcher = Watcher(pictures)
    with sync_playwright() as playwright:
        browser = launch(playwright, program)
        person = context(browser, origin)
        page = watcher.listen(person.new_page())
        page.goto("/sign-in")
        watcher.look(page, "sign-in")
        page.goto(link)
        watcher.look(page, "set-up")
        # By keyboard alone: every field is reached by Tab, in its order, and Enter sends.
        page.locator("input[name=person]").focus()
        for text in ("mary", "Mary Lopez", PASSPHRASE, PASSPHRASE):
            page.keyboard.type(text)
            page.keyboard.press("Tab")
        page.locator("input[name=again]").press("Enter")
        page.wait_for_selector("input[name=code]")
        watcher.look(page, "second-factor")
        page.fill("input[name=code]", code(page.locator("code.key-text").inner_text()))
        page.locator("input[name=code]").press("Enter")
        page.wait_for_load_state()
        watcher.look(page, "recovery-codes")
        opened = []
        page.goto("/")
        for item in page.locator("nav a").all():
            opened.append((item.inner_text().strip(), item.get_attribute("href")))
        if not opened:
            watcher.fault("/", "a navigation that names no page")
        for name, path in [*opened, ("own sign-in", "/me")]:
            page.goto(path)
            watcher.look(page, re.sub(r"[^a-z]+", "-", name.lower()).strip("-"))
        for path in ("/add-machine", "/protected/try", "/protected/jobs", "/tickets/request"):
            page.goto(path)
            watcher.look(page, path.strip("/").replace("/", "-"))
            opened.append((path, path))
        page.goto("/machines")
        if page.locator("main a[href^='/machines/']").count():
            of_machine = page.locator("main a[href^='/machines/']").first.get_attribute("href")
            page.goto(of_machine)
            watcher.look(page, "machine")
            opened.append(("a machine", of_machine))
        # The set-up and the parts of Settings stand in no navigation.
        page.goto("/wizard")
        watcher.look(page, "set-up-list")
        opened.append(("set-up", "/wizard"))
        for where in ("/wizard", "/settings"):
            page.goto(where)
            parts = [item.get_attribute("href") for item in page.locator(f"main a[href^='{where}/']").all()]
            for path in dict.fromkeys(parts):
                page.goto(path)
                page.evaluate("document.querySelectorAll('main details').forEach(one => { one.open = true })")
                watcher.look(page, path.strip("/").replace("/", "-"))
                opened.append((path, path))
        page.goto("/events?show=1")
        watcher.look(page, "events-found")
        opened.append(("events found", "/events?show=1"))
        for name, path in [("person", "/people/mary"), ("notices", "/notices"), ("open links", "/links")]:
            page.goto(path)
            watcher.look(page, re.sub(r"[^a-z]+", "-", name))
            opened.append((name, path))
        page.goto("/findings")
        of_one = page.locator("main a[href^='/findings/']")
        if of_one.count() == 0:
            watcher.fault("findings", "none is listed")
        else:
            path = of_one.first.get_attribute("href")
            page.goto(path)
            watcher.look(page, "finding")
            opened.append(("a finding", path))
            assess = page.locator("main a[href^='/breach/begin/']")
            if assess.count():
                opened.append(("a breach assessment begun", assess.first.get_attribute("href")))
                page.goto(opened[-1][1])
                watcher.look(page, "breach-begin")
        for name, path in [
            ("departure-of-one", "/departure?person=northwind"),
            ("evidence-preview", "/evidence/preview?case=C-1&person=northwind&from=2026-01-01&to=2036-12-31"),
            ("evidence-wrong", "/evidence/preview?case=our+case&from=2026-01-01&to=2025-01-01"),
            ("breaches", "/breach"),
        ]:
            page.goto(path)
            watcher.look(page, name)
            opened.append((name, path))
        # To read, nobody needs a script.
        state = person.storage_state()
        plain = context(browser, origin, java_script_enabled=False, storage_state=state)
        reading = plain.new_page()
        for name, path in opened:
            reading.goto(path)
            if reading.locator("h1").count() != 1 or not reading.locator("main").inner_text().strip():
                watcher.fault(name, "nothing to read without a script")
        # The skip link is the first thing that Tab reaches, and leads to the page's own part.
        page.goto("/")
        page.set_viewport_size(DESK)
        page.keyboard.press("Tab")
        if "#" not in (page.evaluate("document.activeElement.getAttribute('href')") or ""):
            watcher.fault("/", "the first Tab reaches no skip link")
        browser.close()
    watcher.end()


if __name__ == "__main__":
    main()
