"""A manager's month in two browsers, from the set-up link to the day on which somebody has left.

usage: month.py CHROMIUM ORIGIN SET_UP_LINK FOLDER

What happens outside the browser is done by whoever started this: a line `WORD ARGUMENTS` on standard output asks for it,
and a line on standard input says that it was done. Pictures and the bundle go to FOLDER.
"""

import datetime
import json
import re
import sys
import zoneinfo
from pathlib import Path

from first_day import PASSPHRASE
from live import WITHIN, set_up
from pages import Watcher, context, launch
from playwright.sync_api import TimeoutError as NotInTime
from playwright.sync_api import sync_playwright

ANSWER = "I looked for a lost voicemail <b>on Friday</b>."


def today():
    """By the practice's clock."""
    return datetime.datetime.now(zoneinfo.ZoneInfo("America/New_York")).date()


def ask(word, *arguments):
    """Lets something happen outside; what was answered."""
    print(word, *arguments, flush=True)
    said = sys.stdin.readline().strip()
    if not said:
        sys.exit(f"{word}: nobody answered")
    return said


def send(page, form, **fields):
    """Fills a form and sends it with the passphrase, where it asks for one."""
    for name, text in fields.items():
        form.locator(f"[name={name}]").fill(text)
    if form.locator("[name=passphrase]").count():
        form.locator("[name=passphrase]").fill(PASSPHRASE)
    form.locator("button").first.click()
    page.wait_for_load_state()


def said(page, watcher, where):
    """A form that was taken says so on the page that follows, and nothing there is an alarm."""
    if page.locator("main [role=alert]").count():
        watcher.fault(where, f"refused: {page.locator('main [role=alert]').first.inner_text()}")
    if not page.locator("main [role=status]").count():
        watcher.fault(where, "nobody is told that it was done")


def unfold(page, summary):
    """Opens what is folded below a line that begins so; the form inside."""
    folded = page.locator("details", has=page.locator("summary", has_text=re.compile("^" + summary)))
    if folded.first.get_attribute("open") is None:
        folded.first.locator("summary").click()
    return folded.first.locator("form")


def wizard(page, watcher):
    """The first evening: every step is walked through, and what can be done in a browser is done."""
    page.goto("/wizard")
    before = page.locator("main [role=status]").inner_text()
    page.locator("main a.btn.first").first.click()
    walked = []
    while "/wizard/" in page.url and page.url not in walked:
        walked.append(page.url)
        page.locator("p.actions a", has_text="Next step").or_(page.locator("p.actions a", has_text="All steps")).last.click()
        page.wait_for_load_state()
    page.goto("/wizard/people")
    form = unfold(page, "Add a person")
    send(page, form, name="Dana <i>Chen</i>", person="dana", role="physician", user="dchen")
    said(page, watcher, "wizard: people")
    page.goto("/second")
    form = unfold(page, "Name one")
    form.locator("[name=what][value=decline]").check()
    send(page, form, because="three people work here")
    said(page, watcher, "second reviewer")
    page.goto("/wizard/keys")
    send(page, page.locator("main form"))
    page.goto("/wizard")
    if page.locator("main [role=status]").inner_text() == before:
        watcher.fault("wizard", f"three things were done, and it still says {before}")
    watcher.look(page, "month-wizard")
    return walked


def machine(page, watcher):
    """The first machine: a token, and the machine stands in the list once it has come."""
    page.goto("/machines")
    page.locator("main a[href='/add-machine']").first.click()
    form = page.locator("main form")
    form.locator("[name=told][value=yes]").check()
    send(page, form, machine="front-desk", told_on=str(today()))
    watcher.look(page, "month-machine-offer")
    token = re.search(r"ntk1\.[A-Za-z0-9_-]+", page.locator("main").inner_text())
    if not token:
        watcher.fault("add a machine", "no token is shown")
        return
    ask("MACHINE", "front-desk", token.group())
    page.goto("/machines")
    if "front-desk" not in page.locator("main").inner_text():
        watcher.fault("machines", "the machine that came is not listed")


def finding(page, watcher):
    """Something appears while This week is open; its path."""
    page.goto("/")
    page.locator("#follow", has_text="follows by itself").wait_for(timeout=WITHIN)
    if page.locator("#live article").count():
        watcher.fault("/", "there is a finding before anything happened")
    ask("READ")
    one = page.locator("#live article a[href^='/findings/']").first
    one.wait_for(timeout=WITHIN)
    return one.get_attribute("href")


def question(page, other, watcher, path):
    """Asked by a one-time link, answered in another browser with the code that came another way."""
    page.goto(path)
    form = page.locator("form", has=page.locator("input[name=step][value=ask]"))
    form.locator("[name=way][value=link]").check()
    form.locator("[name=to]").select_option("northwind")
    form.locator("[name=runs_mail]").check()
    send(page, form, text="What was this for?")
    watcher.look(page, "month-question-link")
    link = page.locator("#address").input_value()
    secret = page.locator(".note code.key-text").inner_text()
    other.goto(link)
    watcher.look(other, "month-question")
    other.fill("#answer", ANSWER)
    other.fill("#code", secret)
    other.locator("button[type=submit]").click()
    other.wait_for_load_state()
    watcher.look(other, "month-question-answered")
    again = other.goto(link)
    if again.status == 200 and other.locator("#answer").count():
        watcher.fault("question", "the link opens a second time")
    page.goto(path)
    story = page.locator("section[aria-labelledby=so-far]").inner_text()
    if ANSWER not in story:
        watcher.fault("finding", f"the answer is not there as it was written: {story}")


def decision(page, watcher, path):
    page.goto(path)
    form = page.locator("form", has=page.locator("input[name=step][value=decide]"))
    form.locator("[name=decision][value=escalated]").check()
    send(page, form, text="The answer does not explain it; a lawyer looks at it.")
    said(page, watcher, "decision")
    watcher.look(page, "month-decided")
    page.goto(path.replace("/findings/", "/breach/begin/"))
    send(page, page.locator("main form"), discovered=str(today()), because="A mailbox with messages of patients.")
    if "/breach/" not in page.url or "60" not in page.locator("main").inner_text():
        watcher.fault("breach", f"no assessment with its days: {page.url}")
    watcher.look(page, "month-breach")


def report(page, watcher):
    """Last week's review: opened, and signed off."""
    week = ask("REVIEW")
    page.goto("/reports")
    card = page.locator("article", has=page.locator(f"#w-{week}"))
    card.locator("a.btn", has_text="Open").click()
    page.wait_for_load_state()
    if page.locator("h1").count() != 1:
        watcher.fault("review", "the kept page does not open")
    page.goto("/reports")
    card.locator("summary").click()
    send(page, card.locator("form"), note="Gone through with the owner.")
    signed = page.locator("article", has=page.locator(f"#w-{week}"))
    if "Mary Lopez" not in signed.locator("dl").inner_text():
        watcher.fault("reports", "nobody signed off")
    watcher.look(page, "month-signed-off")


def evidence(page, watcher, folder):
    """Preserved, looked through, built, checked where it lies, downloaded, handed over."""
    page.goto("/evidence")
    send(page, page.locator("form[action='/evidence/preserve']"), case="Q-1")
    page.locator("text=Preserved last").wait_for(timeout=WITHIN)
    form = page.locator("form[action='/evidence/preview']")
    form.locator("[name=person]").select_option("northwind")
    send(page, form, case="Q-1", to=str(today()), **{"from": str(today() - datetime.timedelta(days=7))})
    watcher.look(page, "month-evidence-preview")
    send(page, page.locator("form[action='/evidence/build']"))
    built = page.locator("article.card", has=page.locator("a.btn", has_text="Download"))
    built.first.wait_for(timeout=WITHIN)
    built.locator("form", has=page.locator("input[value=check]")).locator("button").click()
    page.goto("/evidence")
    found = page.locator("article.card a", has_text="What the check found")
    found.first.wait_for(timeout=WITHIN)
    found.first.click()
    page.locator(".calm-box", has_text="verified").wait_for(timeout=WITHIN)
    watcher.look(page, "month-evidence-checked")
    page.goto("/evidence")
    with page.expect_download() as coming:
        built.locator("a.btn", has_text="Download").first.click()
    file = folder / "month.zip"
    coming.value.save_as(file)
    ask("BUNDLE", file)
    page.goto("/evidence")
    form = unfold(page, "Write down a hand-over")
    send(page, form, to="Attorney <Ruiz>", how="in person, on a USB stick")
    said(page, watcher, "hand-over")
    if "Attorney <Ruiz>" not in page.locator("section[aria-labelledby=custody]").inner_text():
        watcher.fault("evidence", "the hand-over does not stand in custody")
    watcher.look(page, "month-evidence")


def logs(page, watcher, folder):
    """A file of Microsoft 365 is taken in piece by piece, twice, and a file of something else is refused in a sentence."""
    page.goto("/evidence")
    page.locator("a.btn", has_text="Take in logs of other systems").click()
    form, told = page.locator("form#import"), page.locator("#import-said")
    # More than one piece: the second half is noise, which is counted.
    lines = []
    for number in range(4000):
        operation = "MailItemsAccessed" if number == 0 else "FileAccessed"
        lines.append(json.dumps({"Id": f"00000000-0000-0000-0009-{number:012}", "CreationTime": f"{today()}T09:00:00",
                                 "Operation": operation, "UserId": "it@practice.example", "UserType": 0, "LogonType": 2,
                                 "Workload": "Exchange" if number == 0 else "SharePoint", "RecordType": 50 if number == 0 else 6,
                                 "MailboxOwnerUPN": "mary@practice.example", "ResultStatus": "Succeeded", "More": "x" * 60,
                                 "OperationProperties": [{"Name": "MailAccessType", "Value": "Bind"}]}))
    file = folder / "audit.jsonl"
    file.write_text("\n".join(lines))
    for time in ("first", "second"):
        form.locator("[name=file]").set_input_files(file)
        form.locator("button").click()
        told.filter(has_text="4,000 records" if time == "first" else "already").wait_for(timeout=WITHIN)
        if time == "first":
            page.locator("#taken article").wait_for(timeout=WITHIN)
            watcher.look(page, "month-logs-taken-in")
        page.reload()
    n = page.locator("section[aria-labelledby=made] article").count()
    if n != 2:
        watcher.fault("logs", f"{n} imports are listed")
    file.write_bytes(b"PK\x03\x04 a workbook")
    form.locator("[name=file]").set_input_files(file)
    form.locator("button").click()
    page.locator("#import-said.alert", has_text="spreadsheet").wait_for(timeout=WITHIN)
    watcher.look(page, "month-logs")


def departure(page, watcher):
    """The leave date, each step ticked off, and what is used afterwards."""
    page.goto("/departure?person=northwind")
    form = unfold(page, "Record the leave date")
    send(page, form, on=str(today()))
    said(page, watcher, "leave date")
    form = page.locator("form#tick")
    for box in form.locator("input[type=checkbox]").all():
        box.check()
    send(page, form, note="Done with the new vendor.")
    said(page, watcher, "steps")
    heading = page.locator("#steps").inner_text()
    done, of = re.search(r"(\d+) of (\d+) done", heading).groups()
    if done != of or done == "0":
        watcher.fault("departure", heading)
    ask("AFTER")
    page.reload()
    after = page.locator("section[aria-labelledby=after]")
    if not after.locator("ul").count():
        watcher.fault("departure", f"what was used afterwards is not told: {after.inner_text()}")
    watcher.look(page, "month-departure")


def main():
    program, origin, link, folder = sys.argv[1:]
    folder = Path(folder)
    watcher = Watcher(folder)
    with sync_playwright() as playwright:
        browser = launch(playwright, program)
        try:
            # The practice is in New York: so is whoever types days there.
            page = watcher.listen(context(browser, origin, timezone_id="America/New_York").new_page())
            other = watcher.listen(context(browser, origin).new_page())
            set_up(page, link, {"person": "mary", "name": "Mary Lopez", "passphrase": PASSPHRASE, "again": PASSPHRASE})
            walked = wizard(page, watcher)
            if len(walked) < 8:
                watcher.fault("wizard", f"{len(walked)} steps were walked through: {walked}")
            machine(page, watcher)
            path = finding(page, watcher)
            question(page, other, watcher, path)
            decision(page, watcher, path)
            report(page, watcher)
            evidence(page, watcher, folder)
            logs(page, watcher, folder)
            departure(page, watcher)
        except NotInTime as error:
            watcher.fault(page.url, str(error))
            watcher.picture(page, "month-stopped", "light")
        browser.close()
    watcher.end()


if __name__ == "__main__":
    main()
