// A log: found in, and followed. What was shown longest ago is let go, so that it stays usable however long it gets.
// A line is known by the byte where it begins: such an address is good for as long as the log is kept.
"use strict";

// So many lines are shown.
const KEPT_LINES = 20000;
// So many bytes are asked for at once.
const PART = 262144;
// What is new is asked for after so many milliseconds; each time nothing is answered after twice as many, up to this.
const PAUSE = 500, MAX_PAUSE = 30000;
function logView() {
  const log = document.querySelector("[data-log]");
  if (!log) return;
  const follow = document.querySelector("[data-log-follow]");
  const find = document.querySelector("[data-log-find]");
  const found = document.querySelector("[data-log-found]");
  const look = () => {
    const wanted = find.value.toLowerCase();
    let hits = 0, first = null;
    for (const line of log.children) {
      const hit = wanted !== "" && line.textContent.toLowerCase().includes(wanted);
      line.classList.toggle("hit", hit);
      if (hit) { hits += 1; first ??= line; }
    }
    found.textContent = wanted === "" ? "" : `${hits} line${hits === 1 ? "" : "s"} here`;
    return first;
  };
  // Who looks for something, or scrolls up, reads there: what is new does not take it away.
  find.addEventListener("input", () => {
    const first = look();
    if (!first) return;
    follow.checked = false;
    first.scrollIntoView({ block: "center" });
  });
  look();
  log.addEventListener("click", (event) => {
    const line = event.target.closest(".line");
    if (!line || event.clientX - line.getBoundingClientRect().left > 60) return;
    const at = line.id.slice(1);
    history.replaceState(null, "", `?at=${at}`);
    location.hash = line.id;
  });
  const asked = new URLSearchParams(location.search);
  const isAtEnd = !location.hash && !asked.get("at") && !asked.get("find");
  // Lines are as high as they are only once they have been in sight.
  const toEnd = () => {
    log.scrollTop = log.scrollHeight;
    requestAnimationFrame(() => { if (follow.checked) log.scrollTop = log.scrollHeight; });
  };
  follow.checked = isAtEnd;
  if (isAtEnd) toEnd();
  if (log.dataset.logOver) return;
  document.querySelector("[data-log-following]").hidden = false;
  // That it scrolls says nothing of who had it scroll: lines that come and go do, too.
  const read = () => { follow.checked = false; };
  log.addEventListener("wheel", (event) => { if (event.deltaY < 0) read(); }, { passive: true });
  log.addEventListener("keydown", (event) => { if (["ArrowUp", "PageUp", "Home"].includes(event.key)) read(); });
  for (const kind of ["pointerdown", "touchmove"]) log.addEventListener(kind, read, { passive: true });
  log.addEventListener("scrollend", () => {
    // Both ends are rounded.
    if (log.scrollHeight - log.clientHeight - log.scrollTop < 5) follow.checked = true;
  });
  follow.addEventListener("change", () => { if (follow.checked) toEnd(); });
  // Bytes of a line that is not over yet, and what shows them: the server has shown its beginning, and it is asked for again.
  let rest = new Uint8Array(), open = log.querySelector("[data-log-open]");
  // Where to go on; the number of the last line, as the bytes count them; whether a line goes on that was told in pieces.
  let at = Number(log.dataset.logAt), number = 0, goesOn = false;
  // What was cut out of the middle when it was written. The server knows it once the command is over.
  let gap = null;
  const placeOf = (line) => Number(line.id.slice(1));
  const numbered = (line, place, counted) => {
    let shown = counted;
    if (gap && place >= gap.at) shown = place < gap.to || gap.lines === undefined ? 0 : counted + gap.lines - 2;
    if (shown) line.dataset.n = shown; else delete line.dataset.n;
  };
  function learn(told) {
    if (gap || !told) return;
    gap = Object.fromEntries([...told.matchAll(/(\w+)=(\d+)/g)].map(([, name, value]) => [name, Number(value)]));
  }
  learn(log.dataset.logGap);
  if (log.lastElementChild) {
    const last = log.lastElementChild;
    // Of lines beyond what the server counted no number is known: neither is that of those to come.
    number = Number(last.dataset.n);
    if (gap && placeOf(last) >= gap.to) number += 2 - gap.lines;
  }
  // A line may begin with what a decoder would take for a mark of the byte order.
  const text = new TextDecoder("utf-8", { ignoreBOM: true });
  const show = (line, bytes) => line.replaceChildren(...colours(text.decode(bytes)), "\n");
  function take(bytes) {
    const all = new Uint8Array(rest.length + bytes.length);
    all.set(rest);
    all.set(bytes, rest.length);
    const fresh = document.createDocumentFragment();
    let begin = 0, place = at - rest.length;
    const line = () => {
      const made = open ?? document.createElement("span");
      if (!open) {
        made.className = "line";
        made.id = `b${place}`;
        if (!goesOn) number += 1;
        numbered(made, place, number);
        fresh.append(made);
      }
      return made;
    };
    for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10, begin)) {
      // Of a line that was told in pieces nothing may be left but its end.
      if (open || !goesOn || end > begin) show(line(), all.subarray(begin, end));
      open = null;
      goesOn = false;
      place += end + 1 - begin;
      begin = end + 1;
    }
    rest = all.slice(begin);
    if (rest.length) { open = line(); show(open, rest); }
    // A line without an end is told in pieces.
    if (rest.length > 65536) { rest = new Uint8Array(); open = null; goesOn = true; }
    at += bytes.length;
    log.append(fresh);
    while (log.childElementCount > KEPT_LINES) log.firstElementChild.remove();
    if (find.value) look();
    if (follow.checked) toEnd();
  }
  let wait = PAUSE;
  async function more() {
    // A tab that nobody sees asks for nothing.
    if (document.hidden) { setTimeout(more, PAUSE); return; }
    try {
      // With the byte before, so that there is something to be sent when nothing is new.
      const known = Math.min(at, 1), from = at - known;
      const answer = await fetch(log.dataset.log, { headers: { range: `bytes=${from}-${from + PART - 1}` } });
      // 416: nothing is in it yet.
      if (!answer.ok && answer.status !== 416) throw answer;
      if (!gap && answer.headers.get("x-andon-gap")) {
        learn(answer.headers.get("x-andon-gap"));
        // What came before that was known has been counted as if nothing was missing.
        for (const line of log.children) if (placeOf(line) >= gap.at) numbered(line, placeOf(line), Number(line.dataset.n));
      }
      const bytes = answer.status === 206 ? new Uint8Array(await answer.arrayBuffer()).subarray(known) : [];
      if (bytes.length) take(bytes);
      else if (answer.headers.get("x-andon-over")) { await over(); return; }
      wait = bytes.length + known === PART ? 0 : PAUSE;
    } catch (fault) {
      if (fault.status === 401) { location.reload(); return; }
      // A log that was there and is not comes no more, neither does what may not be read: waiting does not help.
      if ([403, 404, 410].includes(fault.status)) { await stop(fault); return; }
      wait = Math.min(Math.max(2 * wait, PAUSE), MAX_PAUSE);
    }
    setTimeout(more, wait);
  }
  async function stop(answer) {
    const problem = await answer.json().catch(() => ({}));
    document.querySelector("[data-log-stopped]").textContent = `Followed no more: ${problem.detail ?? `${answer.status} ${answer.statusText}`}`;
    document.querySelector("[data-log-following]").hidden = true;
  }
  // Nothing comes any more: how it ended, and what is missing in it, stands in the head.
  async function over() {
    const answer = await fetch(location.pathname, { headers: { accept: "text/html" }, redirect: "error" });
    if (!answer.ok) throw answer;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-log-head]");
    const head = document.querySelector("[data-log-head]");
    if (fresh) head.replaceChildren(...fresh.childNodes);
    document.querySelector("[data-log-following]").hidden = true;
  }
  more();
}
// ANSI colours as spans, as the server has them; every other sequence is left out.
// eslint-disable-next-line no-control-regex
const SEQUENCE = /\x1b(?:\[([^@-~]*)([@-~]|$)|\][^\x07]*(?:\x07|$)|[^]?)/gu;
function colours(text) {
  const parts = [];
  let bold = false, color = 0, begin = 0;
  const put = (from, to) => {
    // eslint-disable-next-line no-control-regex
    const plain = text.slice(from, to).replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/g, "")
      // What turns the direction of what follows is shown instead of obeyed.
      .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (mark) => `<U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}>`);
    if (plain === "") return;
    if (!bold && !color) { parts.push(plain); return; }
    const span = document.createElement("span");
    span.className = (bold ? "a-b " : "") + (color ? `a-${color}` : "");
    span.textContent = plain;
    parts.push(span);
  };
  for (const sequence of text.matchAll(SEQUENCE)) {
    put(begin, sequence.index);
    begin = sequence.index + sequence[0].length;
    if (sequence[2] !== "m") continue;
    for (const code of sequence[1].split(";").map((digits) => /^\d*$/.test(digits) ? Number(digits) : NaN)) {
      if (code === 0) { bold = false; color = 0; }
      else if (code === 1) bold = true;
      else if (code === 22) bold = false;
      else if (code === 39) color = 0;
      else if ((code >= 30 && code <= 37) || code === 90) color = code;
      else if (code >= 91 && code <= 97) color = code - 60;
    }
  }
  put(begin, text.length);
  return parts;
}

logView();
