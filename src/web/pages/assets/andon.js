// What the pages do beyond being read: times in the reader's zone, live parts, filters, copying.
// Everything here is an addition: without it each page is whole, only not live.
"use strict";

// ---- Times: the reader's zone, with UTC on hover.
const shortTime = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
function age(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return relative.format(seconds, "second");
}
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!isNaN(at)) time.textContent = `${shortTime.format(at)} (${age(at)})`;
  }
}

// ---- Live parts: on an event the page is fetched again, and parts that differ are put in place.
function liveParts() {
  const feed = document.body.dataset.events;
  if (!feed || !window.EventSource) return;
  const sign = document.querySelector("[data-connection]");
  const show = (text, off) => { sign.hidden = false; sign.textContent = text; sign.classList.toggle("off", off); };
  let busy = false, again = false, last = 0, pause = 0;
  // What the server last said of each part: what a script made of it since is no difference, and a form that is offered
  // anew has a new word each time.
  const said = new Map();
  const text = (part) => part.innerHTML.replace(/name="once" value="[^"]*"/g, "");
  for (const part of document.querySelectorAll("[data-live]")) said.set(part.id, text(part));
  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    // At once for the first event, then five times a second at most: a suite of thousands is no reason to fetch thousands of
    // times. A server that takes its time, as with many who look, is left alone for ten times as long, up to two seconds.
    await new Promise((done) => setTimeout(done, Math.max(0, last + pause - Date.now())));
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html", "x-andon-parts": "live" }, redirect: "error" });
      if (answer.ok) put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      else if (answer.status === 401) { location.reload(); return; }
    } catch { /* The stream tells when there is no connection. */ }
    pause = Math.min(2000, Math.max(200, 10 * (Date.now() - last)));
    busy = false;
    if (again) { again = false; refresh(); }
  }
  function put(fresh) {
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (!other || said.get(part.id) === text(other)) continue;
      if (mergeRows(part, other)) { said.set(part.id, text(other)); continue; }
      // What a person types into is left alone until they are done.
      if (part.contains(document.activeElement) && /INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) continue;
      said.set(part.id, text(other));
      const putBack = keep(part), height = part.offsetHeight;
      part.innerHTML = other.innerHTML;
      part.hidden = other.hidden;
      putBack();
      // What stands above the rows that somebody follows grows, and gives no room back: they would move.
      if (part.dataset.firm !== undefined && part.offsetHeight < height) part.style.minHeight = `${height}px`;
      enhance(part);
    }
    document.title = fresh.title;
  }
  const source = new EventSource(feed);
  source.onopen = () => { show("live", false); if (last) refresh(); };
  source.onerror = () => {
    // A cycle that is over was told whole: there is nothing to be connected to any more.
    if (source.readyState === EventSource.CLOSED) sign.hidden = true;
    else show("not connected, trying again", true);
  };
  for (const kind of ["missed", "over"]) source.addEventListener(kind, () => { refresh(); tell(kind); });
  source.addEventListener("event", (message) => {
    let kind = "";
    try { kind = JSON.parse(message.data).event.kind; } catch { /* Then all of the page is looked at. */ }
    // While cases turn, theirs are the only parts that do.
    if (kind === "attempt_finished" && growing()) turnRows();
    else refresh();
    tell(kind);
  });
}
// Other scripts of ours hear of what happens, too.
function tell(kind) { document.dispatchEvent(new CustomEvent("andon:event", { detail: kind })); }

// ---- Rows that turn: a suite of thousands is followed without fetching it anew, and no row leaves its place.
const growing = () => document.querySelector("table[data-rows]");
let turning = false, turnAgain = false, turned = 0;
async function turnRows() {
  if (!growing()) return;
  if (turning) { turnAgain = true; return; }
  turning = true;
  await new Promise((done) => setTimeout(done, Math.max(0, turned + 250 - Date.now())));
  turned = Date.now();
  // The suite may have ended meanwhile: then no row turns any more.
  const table = growing();
  if (!table) { turning = turnAgain = false; return; }
  try {
    const answer = await fetch(`${table.dataset.rows}?after=${table.dataset.tick}`, { headers: { accept: "text/html" }, redirect: "error" });
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const rows = new Map([...table.tBodies[0].rows].map((row) => [row.dataset.case, row]));
      for (const row of fresh.querySelectorAll("tbody[data-keyed] > tr")) {
        const here = rows.get(row.dataset.case);
        if (here) turnRow(here, row);
      }
      putIn(document.querySelector('p[data-cell="progress"]'), fresh.querySelector('p[data-cell="progress"]'));
      table.dataset.tick = fresh.querySelector("table").dataset.tick;
      filterAgain(table.closest("section"));
    } else if (answer.status === 401) location.reload();
  } catch { /* The stream tells when there is no connection. */ }
  turning = false;
  if (turnAgain) { turnAgain = false; turnRows(); }
}
// What a case begins, and what a command reports before it ends, is no event: it is asked for.
function turnByItself() {
  if (!document.hidden) turnRows();
  setTimeout(turnByItself, 1000);
}
function putIn(here, fresh) {
  if (here && fresh && here.innerHTML !== fresh.innerHTML && !here.contains(document.activeElement)) here.innerHTML = fresh.innerHTML;
}
function turnRow(row, fresh) {
  row.dataset.kind = fresh.dataset.kind;
  if (row.querySelector('[data-cell="outcome"]').textContent !== fresh.querySelector('[data-cell="outcome"]').textContent) {
    row.classList.remove("turned");
    requestAnimationFrame(() => row.classList.add("turned"));
  }
  for (const cell of fresh.querySelectorAll("[data-cell]")) putIn(row.querySelector(`[data-cell="${cell.dataset.cell}"]`), cell);
}
// The same rows as before: each is brought up to date where it stands, whatever the order that the server has them in now.
function mergeRows(part, other) {
  const here = part.querySelector("tbody[data-keyed]"), there = other.querySelector("tbody[data-keyed]");
  if (!here || !there) return false;
  const known = new Map([...here.rows].map((row) => [row.dataset.case, row]));
  const fresh = [...there.rows];
  for (const it of fresh) {
    const row = known.get(it.dataset.case);
    known.delete(it.dataset.case);
    if (!row) { here.append(it); continue; }
    row.dataset.kind = it.dataset.kind;
    [...it.cells].forEach((cell, at) => putIn(row.cells[at], cell));
  }
  for (const row of known.values()) row.remove();
  const [table, next] = [here.parentElement, there.parentElement];
  for (const name of ["rows", "tick"]) {
    if (next.dataset[name] === undefined) delete table.dataset[name]; else table.dataset[name] = next.dataset[name];
  }
  for (const select of other.querySelectorAll("select")) {
    const mine = part.querySelector(`select[name="${select.name}"]`);
    if (mine && mine !== document.activeElement && mine.options.length !== select.options.length) {
      const chosen = mine.value;
      mine.replaceChildren(...select.options);
      mine.value = chosen;
    }
  }
  const note = part.querySelector("[data-reorder]") ?? other.querySelector("[data-reorder]");
  if (note) {
    note.hidden = [...here.rows].every((row, at) => row.dataset.case === fresh[at].dataset.case);
    if (!part.contains(note)) part.append(note);
    // Its address may be that of this page: then nothing would be loaded.
    note.querySelector("a").onclick = (event) => { event.preventDefault(); location.reload(); };
  }
  filterAgain(part);
  return true;
}

// What a reader did to a part (details that are open, filters, places scrolled to, the focus), to be put back into what takes its place.
function keep(part) {
  const each = (selector, of) => [...part.querySelectorAll(selector)].map(of);
  const key = (it) => it.id || it.className;
  const open = new Map(each("details", (it) => [key(it), it.open]));
  const fields = each("[data-filter]", (it) => it.value);
  const places = each(".scroll", (it) => [it.scrollLeft, it.scrollTop]);
  const held = part.contains(document.activeElement) ? document.activeElement : null;
  const name = (it) => [it.tagName, it.id, it.getAttribute("href"), key(it.parentElement)].join(" ");
  return () => {
    each("details", (it) => { it.open = open.get(key(it)) ?? it.open; });
    each("[data-filter]", (it, at) => { if (at in fields) it.value = fields[at]; });
    each(".scroll", (it, at) => { if (at in places) [it.scrollLeft, it.scrollTop] = places[at]; });
    if (held) each(held.tagName, (it) => it).find((it) => name(it) === name(held))?.focus({ preventScroll: true });
  };
}

// ---- Filters: rows that do not fit are hidden. What is wanted stands in the address, so that it can be handed on.
const filtering = new WeakMap();
function filters(root) {
  for (const form of root.querySelectorAll("[data-filters]")) {
    const fields = [...form.querySelectorAll("[data-filter]")];
    const part = form.parentElement;
    const apply = () => {
      const wanted = Object.fromEntries(fields.map((it) => [it.dataset.filter, it.value.trim().toLowerCase()]));
      for (const row of part.querySelectorAll("tbody[data-keyed] > tr")) {
        row.hidden = !(
          (!wanted.text || row.textContent.toLowerCase().includes(wanted.text)) &&
          (!wanted.kind || (row.dataset.kind || "").split(" ").includes(wanted.kind)) &&
          (!wanted.area || row.dataset.area.toLowerCase() === wanted.area) &&
          (!wanted.priority || row.dataset.priority.toLowerCase() === wanted.priority));
      }
      tellNone(part, fields, !part.querySelector("tbody[data-keyed] > tr:not([hidden])"));
    };
    // What is not all on this page is for the server to filter.
    if (form.dataset.byServer !== undefined) {
      form.addEventListener("change", () => form.requestSubmit());
      continue;
    }
    form.addEventListener("input", () => { apply(); intoAddress(fields); });
    form.addEventListener("submit", (event) => event.preventDefault());
    clearing(part, form, fields);
    filtering.set(part, apply);
    apply();
  }
}
// That nothing matches, and what was looked for, as the server says it.
function tellNone(part, fields, none) {
  const place = part.querySelector("[data-none]");
  if (!place) return;
  const words = fields.filter((it) => it.value.trim()).map((it) => it.tagName === "SELECT"
    ? `${it.name} ${it.selectedOptions[0].textContent}` : `“${it.value.trim()}”`);
  place.querySelector("[data-wanted]").textContent = words.join(", ");
  place.hidden = !none || words.length === 0;
}
function clearing(part, form, fields) {
  form.addEventListener("input", () => { for (const it of part.querySelectorAll("[data-unknown]")) it.remove(); });
  part.querySelector("[data-clear]")?.addEventListener("click", (event) => {
    event.preventDefault();
    for (const it of fields) it.value = "";
    form.dispatchEvent(new Event("input"));
    fields[0].focus();
  });
}
function filterAgain(part) { filtering.get(part)?.(); }
function intoAddress(fields) {
  const address = new URL(location.href);
  for (const field of fields) {
    if (field.value.trim()) address.searchParams.set(field.name, field.value.trim()); else address.searchParams.delete(field.name);
  }
  history.replaceState(history.state, "", address);
}

// ---- Copying.
function copying(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
}

// ---- An edit: looked at while it is typed, and not left by accident.
function editor() {
  const form = document.querySelector("[data-editor]");
  if (!form) return;
  const typed = () => new URLSearchParams(new FormData(form)).toString();
  const before = typed();
  let leaves = false;
  form.addEventListener("submit", () => { leaves = true; });
  addEventListener("beforeunload", (event) => { if (!leaves && typed() !== before) event.preventDefault(); });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(form.querySelector("button.primary"));
  });
  const place = document.getElementById("looked-at");
  if (!place) return;
  let timer = 0, asked = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const mine = asked += 1;
      const fields = new FormData(form);
      fields.set("do", "preview");
      try {
        const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields), redirect: "error" });
        if (!answer.ok || mine !== asked) return;
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("looked-at");
        if (fresh) { place.innerHTML = fresh.innerHTML; localTimes(place); }
      } catch { /* The button does the same. */ }
    }, 600);
  });
}

// What was sent outlives a session that had ended by then: it is offered again in the same tab. It goes with the text that it
// began with, so that nothing of others is undone.
function drafts() {
  const kept = (path, mode) => `edit of ${path} by ${mode}`;
  if (["saved", "merged", "mended", "mended_merged", "kept", "unchanged"].includes(document.querySelector("[data-said]")?.dataset.said)) {
    for (const mode of ["fields", "text"]) sessionStorage.removeItem(kept(`${location.pathname}/edit`, mode));
  }
  const form = document.querySelector("[data-editor]");
  if (!form || !form.action.endsWith("/edit")) return;
  const typed = () => [...new FormData(form)].filter(([name]) => name !== "form_key");
  const name = kept(new URL(form.action).pathname, form.elements.mode ? "fields" : "text");
  const draft = sessionStorage.getItem(name);
  if (draft && draft !== JSON.stringify(typed())) {
    const offer = document.createElement("p");
    offer.className = "said";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Put it back";
    button.addEventListener("click", () => {
      for (const [field, value] of JSON.parse(draft)) {
        let place = form.elements.namedItem(field);
        if (!place) {
          place = Object.assign(document.createElement("input"), { type: "hidden", name: field });
          form.append(place);
        }
        place.value = value;
      }
      offer.remove();
      form.dispatchEvent(new Event("input"));
    });
    offer.append("What you sent last from here was not saved. ", button);
    form.before(offer);
  }
  form.addEventListener("submit", () => {
    try { sessionStorage.setItem(name, JSON.stringify(typed())); } catch { /* There is no room: then it is not offered. */ }
  });
}

// What was done stood in the address for this page alone: it is not handed on, or kept in a bookmark.
function withoutDone() {
  const address = new URL(location.href);
  if (!address.searchParams.has("done")) return;
  for (const name of ["done", "parts"]) address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
}

function enhance(root) { localTimes(root); filters(root); copying(root); }
withoutDone();
// First, while the parts are as the server said.
liveParts();
enhance(document);
turnByItself();
drafts();
editor();
