// Lines to type are copied by a button. A page follows the ledger: when the collector says that something is new, the
// part that may change is asked for again. Nothing is taken away from under somebody who is typing. Without this script the page says how to reload.
"use strict";
(() => {
  // A line to type elsewhere: the button is a convenience, the text can be marked without it.
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const text = document.getElementById(button.dataset.copy);
    if (!text || !navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", () => navigator.clipboard.writeText(text.textContent).then(
      () => { button.textContent = "Copied"; },
      () => { button.textContent = "Mark the text and copy it"; }));
  }
})();
(() => {
  const follow = document.getElementById("follow");
  if (!window.EventSource || !document.getElementById("live")) return;
  const tell = (text) => { if (follow) follow.textContent = text; };
  const refresh = async () => {
    const answer = await fetch(location.href, { headers: { "x-live": "1" }, credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return location.reload();
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    const now = document.getElementById("live");
    if (!next || !now) return location.reload();
    if (now.contains(document.activeElement)) return tell("Something new came: load this page again to see it.");
    now.replaceWith(document.adoptNode(next));
    tell("This page follows by itself. Something new came just now.");
  };
  const events = new EventSource("/live");
  events.addEventListener("open", () => tell("This page follows by itself: what is new appears here."));
  events.addEventListener("new", () => refresh().catch(() => tell("Load this page again to see what came since.")));
  events.addEventListener("error", () => tell("The connection is gone for now; load this page again to see what came since."));
  if (follow) follow.setAttribute("role", "status");
})();
// A file goes in pieces, each when the one before was taken, so that how far it is can be shown and nothing lies here whole.
(() => {
  const send = async (form, path, body) => {
    const answer = await fetch(path, { method: "POST", credentials: "same-origin", body: JSON.stringify(body),
      headers: { "content-type": "application/json", "x-csrf-token": form.dataset.csrf } });
    const said = await answer.json().catch(() => ({ error: "The collector’s answer could not be read." }));
    if (!answer.ok) throw new Error(said.error || "The collector refused it.");
    return said;
  };
  const tell = (at, text, isWrong) => {
    at.hidden = false;
    at.className = isWrong ? "alert" : "note";
    at.textContent = text;
  };
  const base64 = (blob) => new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(new Error("The file could not be read any more. Choose it again."));
    reader.readAsDataURL(blob);
  });
  const work = (form, said, doing) => {
    const button = form.querySelector("button");
    button.disabled = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      try { tell(said, await doing()); } catch (error) { tell(said, error.message, true); }
      button.disabled = false;
    });
  };
  // What was taken in stands in the list below at once.
  const list = async () => {
    const page = await (await fetch(location.href, { credentials: "same-origin" })).text();
    const next = new DOMParser().parseFromString(page, "text/html").getElementById("taken");
    if (next) document.getElementById("taken").replaceWith(document.adoptNode(next));
  };
  const form = document.getElementById("import");
  if (form) {
    const [far, bar, count] = ["import-far", "import-done", "import-count"].map((id) => document.getElementById(id));
    work(form, document.getElementById("import-said"), async () => {
      const file = form.elements.file.files[0], map = form.elements.map.value.trim();
      const begun = await send(form, "/api/v1/imports/begin",
        { source: form.elements.source.value, file: file.name, by: form.dataset.by, map: map || null });
      far.hidden = false;
      bar.max = Math.max(file.size, 1);
      for (let at = 0; at < file.size; at += begun.part_bytes) {
        const data = await base64(file.slice(at, at + begun.part_bytes));
        const now = await send(form, "/api/v1/imports/part", { import: begun.import, at, data });
        bar.value = now.bytes;
        count.textContent = `${now.tally.records} records`;
      }
      const end = await send(form, "/api/v1/imports/end", { import: begun.import });
      count.textContent = `${end.tally.records} records`;
      await list().catch(() => {});
      return `${end.sentence}. What it shows stands in the findings as soon as it is decided. SHA-256 of the file: ${end.sha256}`;
    });
  }
  const poll = document.getElementById("poll");
  if (poll) {
    work(poll, document.getElementById("poll-said"), async () => {
      const hours = poll.elements.week.checked ? 168 : null;
      const said = await send(poll, "/api/v1/poll", { by: poll.dataset.by, lookback_hours: hours });
      await list().catch(() => {});
      return said.sentence ? `${said.sentence}.` : "The service was asked, and had nothing new.";
    });
  }
})();
