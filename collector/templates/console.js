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
