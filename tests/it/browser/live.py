"""A page that is open while something happens, and whoever keeps the console running and sees no finding.

usage: live.py CHROMIUM ORIGIN SESSION OPERATORS_LINK FOLDER_FOR_PICTURES

SESSION is the manager's cookie, `name=secret`.

Says OPEN and then AGAIN on standard output, each time that something new may come.
"""

import sys

from first_day import PASSPHRASE, code
from pages import Watcher, context, launch
from playwright.sync_api import TimeoutError as NotInTime
from playwright.sync_api import sync_playwright

# The longest that something new may take, milliseconds: a machine starts, tells, is judged, and the page is told.
WITHIN = 90_000


def tell(word):
    print(word, flush=True)


def set_up(page, link, fields):
    """Opens a one-time link, and sets up passphrase and second factor."""
    page.goto(link)
    for name, text in fields.items():
        page.fill(f"input[name={name}]", text)
    page.locator("input[name=again]").press("Enter")
    page.wait_for_selector("input[name=code]")
    page.fill("input[name=code]", code(page.locator("code.key-text").inner_text()))
    page.locator("input[name=code]").press("Enter")
    page.wait_for_selector("ul.codes")


def follows(page, watcher):
    """This week shows a new access without being loaded again, and takes nothing away from under a hand."""
    page.goto("/")
    page.wait_for_function("document.getElementById('follow').textContent.includes('follows by itself')")
    page.evaluate("window.neverLoadedAgain = true")
    if page.locator("#live article").count():
        watcher.fault("/", "there is a finding before anything happened")
    tell("OPEN")
    page.wait_for_selector("#live article a[href^='/findings/']", timeout=WITHIN)
    if not page.evaluate("window.neverLoadedAgain === true"):
        watcher.fault("/", "the page was loaded again; it should have followed by itself")
    told = page.locator("#follow")
    if "just now" not in told.inner_text() or told.get_attribute("role") != "status":
        watcher.fault("/", f"nobody is told that the page has changed: {told.inner_text()}")
    watcher.look(page, "this-week-followed")
    # Somebody is on a link with the keyboard: what they are about to press stays where it is.
    page.locator("#live article a").first.focus()
    before = page.locator("#live").inner_text()
    tell("AGAIN")
    page.wait_for_function(
        "document.getElementById('follow').textContent.includes('load this page again')", timeout=WITHIN
    )
    if page.locator("#live").inner_text() != before or page.evaluate("document.activeElement.tagName") != "A":
        watcher.fault("/", "the page changed under somebody's hand")
    page.reload()
    if page.locator("#live").inner_text() == before:
        watcher.fault("/", "loaded again, the page shows what came since")


def keeps_running(page, watcher, findings_path):
    """The operator: every page that is named opens, and nothing anywhere tells of a finding."""
    named = []
    page.goto("/me")
    for item in page.locator("nav a").all():
        named.append((item.inner_text().strip(), item.get_attribute("href")))
    if not named:
        watcher.fault("operator", "a navigation that names no page")
    for name, path in [*named, ("own sign-in", "/me")]:
        answer = page.goto(path)
        if answer.status != 200:
            watcher.fault("operator", f"{name} is named and answers {answer.status}")
        watcher.look(page, "operator-" + name.lower().replace(" ", "-"))
        text = page.content()
        for word in ("itadmin1", "/srv/practice", findings_path):
            if word in text:
                watcher.fault("operator", f"{path} tells of a finding: {word}")
    shut = ["/", "/findings", findings_path, "/reports", "/events", "/evidence", "/api/v1/findings", "/api/v1/events"]
    for path in shut:
        answer = page.goto(path)
        if answer.status not in (403, 404) or "itadmin1" in page.content():
            watcher.fault("operator", f"{path} answers {answer.status}")
    page.goto("/findings")
    watcher.look(page, "operator-not-open")


def main():
    program, origin, session, operators_link, pictures = sys.argv[1:]
    watcher = Watcher(pictures)
    with sync_playwright() as playwright:
        browser = launch(playwright, program)
        try:
            manager = context(browser, origin)
            name, _, secret = session.partition("=")
            manager.add_cookies([{"name": name, "value": secret, "url": origin, "secure": True, "httpOnly": True}])
            page = watcher.listen(manager.new_page())
            follows(page, watcher)
            finding = page.locator("#live article a[href^='/findings/']").first.get_attribute("href")
            other = watcher.listen(context(browser, origin).new_page())
            set_up(other, operators_link, {"passphrase": PASSPHRASE, "again": PASSPHRASE})
            keeps_running(other, watcher, finding)
        except NotInTime as error:
            watcher.fault("live", str(error))
        browser.close()
    watcher.end()


if __name__ == "__main__":
    main()
