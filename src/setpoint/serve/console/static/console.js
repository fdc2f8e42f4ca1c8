// The Console with a script: everything here works without it, only slower.
// Fresh HTML is merged into the page, so that what is typed, scrolled and opened stays; a page of another
// build, or a browser that cannot parse safely, is loaded whole.
"use strict";

// The style's address has its content's digest, and so names the build that made a page.
const build = document.querySelector("link[rel=stylesheet]").getAttribute("href");
const root = build.split("/static/")[0];
const main = document.getElementById("main");
const local = () => localStorage.getItem("setpoint.time") === "local";

// ---- Instants: one switch for the whole Console.
function showTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    time.dataset.utc ??= time.textContent;
    const at = new Date(time.dateTime);
    const second = /:\d\d:/.test(time.dataset.utc) ? "2-digit" : undefined;
    time.textContent = local()
      ? at.toLocaleString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second, timeZoneName: "short" })
      : time.dataset.utc;
  }
}

// ---- Instants that somebody plans by stand in both zones.
const inLocal = (at) => at.toLocaleString([], { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
function showLocal(within) {
  for (const span of within.querySelectorAll("[data-local]")) span.textContent = `; here ${inLocal(new Date(span.dataset.local))}`;
  for (const field of within.querySelectorAll("[data-shows]")) {
    const at = new Date(`${field.value}Z`);
    document.getElementById(field.dataset.shows).textContent = isNaN(at) ? "" : `here ${inLocal(at)}`;
  }
}
main.addEventListener("input", (event) => { if (event.target.dataset.shows) showLocal(main); });

// ---- How many boxes of a name are ticked in a form.
function showCounts(within) {
  for (const shown of within.querySelectorAll("output[data-counts]")) {
    const n = shown.form.querySelectorAll(`input[name="${shown.dataset.counts}"]:checked`).length;
    shown.textContent = n ? `${n} ticked ${shown.dataset.counts}${n === 1 ? "" : "s"}` : shown.dataset.none;
  }
}
main.addEventListener("input", (event) => { if (event.target.type === "checkbox") showCounts(main); });

// ---- Copying what is said to be typed elsewhere, and what is shown short.
function offerCopies(within) {
  for (const shown of within.querySelectorAll(".hash, .line > code, h1 > code")) {
    const stands = shown.closest("a") ?? shown; // no button stands within a link
    if (stands.nextElementSibling?.matches(".copy")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "copy";
    button.dataset.text = shown.title || shown.textContent;
    button.setAttribute("aria-label", `copy ${button.dataset.text}`);
    stands.after(button);
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.text);
  say("Copied.");
});

// ---- What somebody folds or unfolds stays so on this address, whatever arrives and however it is loaded.
const foldsAt = `setpoint.folds:${location.pathname}`;
const folds = () => JSON.parse(sessionStorage.getItem(foldsAt) ?? "{}");
function* named(within) {
  const seen = {};
  for (const one of within.querySelectorAll("main details")) {
    const said = (one.querySelector("summary")?.textContent ?? "").replace(/\d+/g, "").trim();
    const place = `${one.closest("[id]:not(main)")?.id ?? ""} ${said}`;
    seen[place] = (seen[place] ?? 0) + 1;
    yield [`${place} ${seen[place]}`, one];
  }
}
function unfold(within) {
  const kept = folds();
  for (const [name, one] of named(within)) one.open = kept[name] ?? one.open;
}
main.addEventListener("click", (event) => {
  const fold = event.target.closest("summary")?.parentElement;
  for (const [name, one] of fold ? named(document) : [])
    if (one === fold) sessionStorage.setItem(foldsAt, JSON.stringify({ ...folds(), [name]: !one.open }));
});

// ---- What happened, for eyes and for screen readers.
const status = document.getElementById("said");
function say(text, { stays = false } = {}) {
  status.textContent = text;
  if (!stays) setTimeout(() => { if (status.textContent === text) status.textContent = ""; }, 4000);
}

// ---- What was sent is under way until its answer is there.
document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog") return;
  event.submitter?.setAttribute("aria-busy", "true");
  main.setAttribute("aria-busy", "true");
});
addEventListener("pageshow", () => {
  for (const one of document.querySelectorAll("[aria-busy]")) one.removeAttribute("aria-busy");
});

// ---- Fresh pages: what somebody edits is theirs, whatever arrives.
let isEdited = false;
main.addEventListener("input", (event) => { if (!event.target.closest("form[method=get]")) isEdited = true; });

function sayKept() {
  say("Changed elsewhere, your edits kept.", { stays: true });
}

// What is cut off, because the plane is away or the page is left, is an answer like any other that is no good.
async function ask(address, options) {
  try {
    const answer = await fetch(address, options);
    return { ok: answer.ok && !answer.redirected, text: await answer.text() };
  } catch {
    return { ok: false, text: "" };
  }
}

async function refresh() {
  const { ok, text } = await ask(location.href, { headers: { Accept: "text/html" } });
  if (!ok) return say("This page cannot be refreshed: load it again.");
  if (!Document.parseHTML) return isEdited ? sayKept() : location.reload();
  const fresh = Document.parseHTML(text, { sanitizer: {} });
  unfold(fresh);
  if (!text.includes(build))
    return isEdited ? say("The plane was updated; load this page again when you are done.") : location.reload();
  Idiomorph.morph(main, document.adoptNode(fresh.getElementById("main")), {
    morphStyle: "outerHTML",
    ignoreActiveValue: true,
    callbacks: {
      beforeNodeMorphed: (old, made) => {
        if (isEdited && old.matches?.("input, textarea, select")) return false;
        return true;
      },
    },
  });
  dress(main);
  if (isEdited) sayKept();
}

let isWaiting = false;
function refreshSoon() {
  if (isWaiting || paused()) return;
  isWaiting = true;
  setTimeout(() => { isWaiting = false; if (!document.hidden) refresh(); }, 150);
}

const paused = () => localStorage.getItem("setpoint.paused") === "yes";
if (document.querySelector(".who")) {
  const stream = new EventSource(`${root}/v1/stream`);
  stream.onmessage = refreshSoon;
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshSoon(); });
}

// ---- What is wrong with what is typed, beside its field, while it is typed.
let checking;
main.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-check]");
  if (!form) return;
  clearTimeout(checking);
  checking = setTimeout(() => check(form), 300);
});

async function check(form) {
  const typed = [...form.elements].filter((one) => one.name && (one.type === "hidden" || one.value !== one.defaultValue));
  const body = new URLSearchParams(typed.map((one) => [one.name, one.value]));
  const answer = await ask(form.dataset.check, { method: "POST", body });
  if (!answer.ok || !Document.parseHTML) return;
  const fresh = Document.parseHTML(answer.text, { sanitizer: {} });
  const found = new Map([...fresh.querySelectorAll("#problems > li")].map((one) => [one.dataset.key, one.querySelector("span").textContent]));
  for (const place of form.querySelectorAll("[data-wrong]")) {
    const said = found.get(place.dataset.wrong) ?? "";
    if (place.textContent.trim() !== said) place.textContent = said;
    const field = form.elements[`value:${place.dataset.wrong}`];
    if (said) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
  }
}

// ---- What is under way is looked at again, as long as its page says so.
setInterval(() => { if (!document.hidden && main.querySelector("[data-refresh]")) refreshSoon(); }, 5000);

// ---- The keyboard: what each key does stands in the sheet that `?` opens.
const sheet = document.getElementById("keys");
const palette = document.getElementById("palette");
const typed = palette?.querySelector("input");
const found = palette?.querySelector("ul");
const GO = { o: "/", c: "/config", g: "/changes", h: "/history", r: "/runs" };
let isGoing = false;

document.addEventListener("keydown", (event) => {
  if (!palette || event.altKey) return;
  if ((event.ctrlKey || event.metaKey) && event.key === "k") { event.preventDefault(); return openPalette(); }
  if (event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select, dialog")) return;
  if (isGoing && GO[event.key]) { isGoing = false; location.href = root + GO[event.key]; return; }
  isGoing = event.key === "g";
  if (event.key === "?") sheet.showModal();
  else if (event.key === "/") { event.preventDefault(); (main.querySelector("input[type=search]") ?? openPalette())?.focus?.(); }
  else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  else reach(document.querySelector(`[data-key="${CSS.escape(event.key)}"]:not(:disabled)`));
});

// A link is followed; a button that does something is only reached, so that no single key decides.
function reach(target) {
  if (target?.matches("a")) target.click();
  else target?.focus();
}

function step(by) {
  const rows = [...main.querySelectorAll("table.list tbody tr a:first-of-type")].filter((link) => link.closest("td, th").cellIndex === 0);
  const at = rows.indexOf(document.activeElement);
  rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}

function openPalette() {
  palette.showModal();
  typed.value = "";
  search();
  typed.focus();
}

let asked = 0;
async function search() {
  const mine = ++asked;
  const answer = await ask(`${root}/search?q=${encodeURIComponent(typed.value)}`);
  if (mine !== asked || !answer.ok || !Document.parseHTML) return;
  const fresh = Document.parseHTML(answer.text, { sanitizer: {} });
  found.replaceChildren(...fresh.querySelectorAll("#found > li"));
}

typed?.addEventListener("input", search);
palette?.addEventListener("keydown", (event) => {
  const links = [...found.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "ArrowDown") { event.preventDefault(); links[Math.min(at + 1, links.length - 1)]?.focus(); }
  else if (event.key === "ArrowUp") { event.preventDefault(); (links[at - 1] ?? typed).focus(); }
  else if (event.key === "Enter" && document.activeElement === typed && links[0]) { event.preventDefault(); links[0].click(); }
});

// ---- Switches of the frame.
const zone = document.getElementById("zone");
const pause = document.getElementById("pause");
function showSwitches() {
  if (!zone) return;
  zone.hidden = pause.hidden = false;
  zone.textContent = local() ? "Show UTC" : "Show local time";
  pause.textContent = paused() ? "Resume updates" : "Pause updates";
  pause.setAttribute("aria-pressed", String(paused()));
}
zone?.addEventListener("click", () => {
  localStorage.setItem("setpoint.time", local() ? "utc" : "local");
  showSwitches();
  showTimes(document);
});
pause?.addEventListener("click", () => {
  localStorage.setItem("setpoint.paused", paused() ? "no" : "yes");
  showSwitches();
  refreshSoon();
});

function dress(within) {
  offerCopies(within);
  showTimes(within);
  showLocal(within);
  showCounts(within);
}
showSwitches();
unfold(document);
dress(document);
