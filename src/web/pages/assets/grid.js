// The grid of a pipeline: cases by cycles. Only the rows and columns that are seen are drawn, and those that leave at one
// side come back at the other, so that a thousand cases by two hundred cycles scroll as a handful do.
"use strict";
(() => {
  const box = document.querySelector("[data-grid]");
  if (!box) return;
  const form = document.querySelector("[data-gridfilters]");
  const count = document.querySelector("[data-grid-count]");
  const leftOut = document.querySelector("[data-grid-says]");
  const HEAD = 30, ROW = 26, COLUMN = 28, BEYOND = 4;
  const WORDS = { P: "passed", F: "failed", E: "errored", "~": "flaky", s: "skipped", "–": "not run" };
  const LOOKS = { P: "passed", F: "failed", E: "errored", "~": "flaky", s: "skipped", "–": "not_run" };
  let data = null, shown = [], first = 200, shared = 0;
  // The cell that the keyboard is on, by its place in the whole: row 0 is the head, column 0 the cases' names.
  let at = { row: 1, column: 1 }, held = false;
  const make = (tag, role, className) => {
    const it = document.createElement(tag);
    if (role) it.setAttribute("role", role);
    if (className) it.className = className;
    return it;
  };
  const path = (id) => id.split("/").map(encodeURIComponent).join("/");
  const cycleAt = (column) => data.cycles[column - 1];
  const link = (row, column) => {
    if (row === 0) return column === 0 ? null : `${box.dataset.href}/cycles/${cycleAt(column).cycle}`;
    const id = path(shown[row - 1].id);
    if (column === 0) return `${box.dataset.href}/cases/${id}`;
    return shown[row - 1].runs[column - 1] === " " ? null : `${box.dataset.href}/cycles/${cycleAt(column).cycle}/cases/${id}`;
  };
  const revision = (cycle) => (cycle.sha ? `, ${cycle.sha} ${cycle.subject}` : "");
  const says = (row, column) => {
    if (column === 0) return row === 0 ? "Case" : shown[row - 1].id;
    const cycle = cycleAt(column);
    const what = row === 0 ? cycle.look.replace("_", " ") : WORDS[shown[row - 1].runs[column - 1]] || "not planned";
    return `cycle ${cycle.cycle}: ${what}${revision(cycle)}`;
  };

  // ---- What is drawn: a pool of rows, each a pool of cells, found again by the remainder of their place.
  const space = make("div", "presentation", "vspace");
  const head = makeLine(0);
  head.line.className = "vhead";
  const tip = make("div", null, "vtip");
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  let lines = [];

  function makeLine(row) {
    const line = make("div", "row", "vrow");
    const name = make("div", row === 0 ? "columnheader" : "rowheader", "vname");
    const anchor = make("a");
    anchor.tabIndex = -1;
    const tag = make("span", null, "vtag");
    if (row === 0) name.textContent = "Case"; else name.append(anchor, tag);
    name.setAttribute("aria-colindex", "1");
    line.append(name);
    return { line, name, anchor, tag, cells: [], row: -1, from: 0, to: 0 };
  }
  function makeCell(isHead) {
    const cell = make("div", isHead ? "columnheader" : "gridcell", "vcell");
    const anchor = make("a");
    anchor.tabIndex = -1;
    cell.append(anchor);
    return { cell, anchor, column: -1, text: null };
  }
  // Only what is another than before is told to the browser: as one scrolls down, most cells only lead elsewhere.
  function drawCell(it, row, column) {
    const to = link(row, column), text = row === 0 ? cycleAt(column).cycle : shown[row - 1].runs[column - 1];
    if (it.column !== column) {
      it.cell.style.left = `${first + (column - 1) * COLUMN}px`;
      it.cell.setAttribute("aria-colindex", column + 1);
    }
    if (to) it.anchor.href = to;
    if (it.column === column && it.text === text) return;
    it.column = column;
    it.text = text;
    it.cell.className = row === 0 ? `vcell l-${cycleAt(column).look}` : `vcell c-${LOOKS[text] ?? ""}`;
    // A blank is said as what it is by its cell; every other by its link.
    it.anchor.hidden = !to;
    if (to) {
      it.anchor.textContent = text;
      it.anchor.setAttribute("aria-label", says(row, column));
      it.cell.removeAttribute("aria-label");
      it.cell.removeAttribute("tabindex");
    } else {
      it.anchor.removeAttribute("href");
      it.cell.setAttribute("aria-label", says(row, column));
      it.cell.tabIndex = -1;
    }
  }
  function drawLine(line, row, from, to) {
    const moved = line.row !== row;
    if (moved && row > 0) {
      const of = shown[row - 1];
      line.line.style.transform = `translateY(${HEAD + (row - 1) * ROW}px)`;
      line.line.setAttribute("aria-rowindex", row + 1);
      line.anchor.href = link(row, 0);
      line.anchor.textContent = shared ? `…${of.id.slice(shared)}` : of.id;
      if (shared) line.anchor.setAttribute("aria-label", of.id); else line.anchor.removeAttribute("aria-label");
      line.anchor.title = [of.id, of.area, of.owner].filter(Boolean).join(" · ");
      line.tag.textContent = of.priority ?? "";
      line.line.classList.toggle("is-failing", of.failing);
    }
    line.row = row;
    const width = to - from + 1;
    while (line.cells.length < width) {
      const cell = makeCell(row === 0);
      line.cells.push(cell);
      line.line.append(cell.cell);
    }
    const pool = line.cells.length;
    for (let column = from; column <= to; column += 1) {
      const cell = line.cells[column % pool];
      if (moved || cell.column !== column) drawCell(cell, row, column);
      cell.cell.hidden = false;
    }
    for (const cell of line.cells) if (cell.column < from || cell.column > to) { cell.cell.hidden = true; cell.column = -1; }
  }
  function range(scrolled, room, step, most) {
    const from = Math.max(1, Math.floor(scrolled / step) + 1 - BEYOND);
    return [from, Math.min(most, Math.ceil((scrolled + room) / step) + BEYOND)];
  }
  function draw() {
    if (!data) return;
    const [top, bottom] = range(box.scrollTop, box.clientHeight - HEAD, ROW, shown.length);
    const [left, right] = range(box.scrollLeft, box.clientWidth - first, COLUMN, data.cycles.length);
    while (lines.length < bottom - top + 1) {
      const line = makeLine(1);
      lines.push(line);
      space.append(line.line);
    }
    drawLine(head, 0, left, right);
    for (let row = top; row <= bottom; row += 1) drawLine(lines[row % lines.length], row, left, right);
    for (const line of lines) {
      const isSeen = line.row >= top && line.row <= bottom;
      line.line.hidden = !isSeen;
      if (!isSeen) line.row = -1;
    }
    focusAgain();
  }
  let asked = false;
  function drawSoon() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  }

  // ---- The keyboard: one place of the grid can be tabbed to; arrows go on from there.
  function place({ row, column }) {
    const line = row === 0 ? head : lines[row % lines.length];
    if (!line || line.row !== row) return null;
    if (column === 0) return row === 0 ? null : line.anchor;
    const cell = line.cells[column % line.cells.length];
    if (!cell || cell.column !== column) return null;
    return cell.anchor.hidden ? cell.cell : cell.anchor;
  }
  let tabbed = null;
  function focusAgain() {
    const it = place(at);
    if (tabbed && tabbed !== it) tabbed.tabIndex = -1;
    tabbed = it ?? box;
    tabbed.tabIndex = 0;
    if (it) { if (box.tabIndex === 0) box.tabIndex = -1; } else box.tabIndex = 0;
    // What was drawn anew under the focus is another cell now: the focus follows its own, and waits at the grid while
    // that is out of sight.
    if (held && document.activeElement !== tabbed) tabbed.focus({ preventScroll: true });
  }
  function goTo(row, column) {
    at = { row: Math.min(Math.max(row, 0), shown.length), column: Math.min(Math.max(column, 0), data.cycles.length) };
    if (at.row === 0 && at.column === 0) at.column = 1;
    held = true;
    if (at.row > 0) {
      const top = (at.row - 1) * ROW, room = box.clientHeight - HEAD - ROW;
      if (top < box.scrollTop) box.scrollTop = top; else if (top > box.scrollTop + room) box.scrollTop = top - room;
    }
    if (at.column > 0) {
      const left = (at.column - 1) * COLUMN, room = box.clientWidth - first - COLUMN;
      if (left < box.scrollLeft) box.scrollLeft = left; else if (left > box.scrollLeft + room) box.scrollLeft = left - room;
    }
    draw();
    showTip(at.row, at.column);
  }
  box.addEventListener("keydown", (event) => {
    if (!data || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor((box.clientHeight - HEAD) / ROW) - 1), { row, column } = at;
    const to = {
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      PageUp: [Math.max(1, row - page), column], PageDown: [row + page, column],
      Home: [event.ctrlKey ? 1 : row, 0], End: [event.ctrlKey ? shown.length : row, data.cycles.length],
    }[event.key];
    if (!to || (event.ctrlKey && !event.key.startsWith("Home") && !event.key.startsWith("End"))) return;
    event.preventDefault();
    goTo(...to);
  });
  // Where a place stands, of an element in it.
  function placeOf(element) {
    const line = element.closest?.('[role="row"]'), cell = element.closest?.("[aria-colindex]");
    if (!line || !cell) return null;
    return { row: line === head.line ? 0 : line.getAttribute("aria-rowindex") - 1, column: cell.getAttribute("aria-colindex") - 1 };
  }
  box.addEventListener("focusin", (event) => {
    const to = placeOf(event.target);
    if (to) { at = to; showTip(to.row, to.column); }
    if (!held) { held = true; focusAgain(); }
  });
  box.addEventListener("focusout", (event) => { if (!box.contains(event.relatedTarget)) { held = false; hideTip(); } });

  // ---- What a cell says: its cycle, revision and outcome, beside the pointer or the focus.
  function showTip(row, column) {
    const it = place({ row, column });
    if (!it || column === 0) { hideTip(); return; }
    const cycle = cycleAt(column), strong = make("b");
    strong.textContent = `cycle ${cycle.cycle}`;
    const what = make("span", null, `vsays c-${row ? LOOKS[shown[row - 1].runs[column - 1]] ?? "" : ""}`);
    what.textContent = says(row, column).slice(`cycle ${cycle.cycle}: `.length, cycle.sha ? -revision(cycle).length : undefined);
    const lines = [[strong, " ", what]];
    if (cycle.sha) { const sha = make("code", null, "sha"); sha.textContent = cycle.sha; lines.push([sha, ` ${cycle.subject}`]); }
    if (row) lines.push([shown[row - 1].id]);
    tip.replaceChildren(...lines.map((parts) => { const p = make("p"); p.append(...parts); return p; }));
    tip.hidden = false;
    const cell = it.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, cell.left + cell.width / 2 - own.width / 2), innerWidth - own.width - 8);
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(cell.top > own.height + 12 ? cell.top - own.height - 6 : cell.bottom + 6) + scrollY}px`;
  }
  function hideTip() { tip.hidden = true; }
  box.addEventListener("pointerover", (event) => {
    const to = placeOf(event.target);
    if (to) showTip(to.row, to.column);
  });
  box.addEventListener("pointerleave", hideTip);

  // ---- Filters: as the server's, at once, and in the address.
  const last = (runs) => runs.replace(/ +$/, "").slice(-1);
  const OUTCOMES = {
    failing: (it) => it.failing, ever_failing: (it) => /[FE]/.test(it.runs), ever_flaky: (it) => it.runs.includes("~"),
  };
  function filter() {
    const wanted = Object.fromEntries([...form.querySelectorAll("[data-filter]")].map((it) => [it.dataset.filter, it.value.trim()]));
    const text = wanted.text.toLowerCase();
    shown = data.cases.filter((it) =>
      (!text || [it.id, it.area, it.owner].some((word) => word?.toLowerCase().includes(text))) &&
      (!wanted.area || it.area === wanted.area) &&
      (!wanted.priority || it.priority === wanted.priority) &&
      (!wanted.change || it.change === wanted.change) &&
      (!wanted.outcome || (OUTCOMES[wanted.outcome]?.(it) ?? LOOKS[last(it.runs)] === wanted.outcome)));
    const all = data.cases.length + data.left_out;
    count.textContent = shown.length === all ? `${all} case${all === 1 ? "" : "s"}` : `${shown.length} of ${all} cases`;
    tellNone(form.parentElement, [...form.querySelectorAll("[data-filter]")], shown.length === 0);
    at.row = Math.min(at.row, shown.length);
    for (const line of lines) line.row = -1;
    layOut();
  }
  form.addEventListener("input", () => {
    if (!data) return;
    box.scrollTop = 0;
    filter();
    intoAddress([...form.querySelectorAll("[data-filter]")]);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  clearing(form.parentElement, form, [...form.querySelectorAll("[data-filter]")]);

  // ---- Size: the names' column is as wide as they are, as far as there is room.
  // Up to the end of a word, and only what is worth a mark in its place.
  function commonStart(ids) {
    let common = ids[0] ?? "";
    for (const id of ids) while (!id.startsWith(common)) common = common.slice(0, -1);
    const end = common.search(/[^\p{L}\p{N}][\p{L}\p{N}]*$/u) + 1;
    return ids.length > 1 && end > 2 ? end : 0;
  }
  function layOut() {
    const longest = data.cases.reduce((most, it) => Math.max(most, it.id.length), 0);
    const room = Math.max(Math.min(box.clientWidth * 0.45, 420), box.clientWidth - data.cycles.length * COLUMN - 24);
    const wanted = longest * 7.4 + 52;
    first = Math.round(Math.max(110, Math.min(wanted, room)));
    // Where ids do not fit, what all of them begin with tells none from another.
    const wasShared = shared;
    shared = first < wanted ? commonStart(data.cases.map((it) => it.id)) : 0;
    if (shared !== wasShared) for (const line of lines) line.row = -1;
    box.style.setProperty("--first", `${first}px`);
    space.style.width = `${first + data.cycles.length * COLUMN}px`;
    space.style.height = `${HEAD + shown.length * ROW}px`;
    box.setAttribute("aria-rowcount", shown.length + 1);
    box.setAttribute("aria-colcount", data.cycles.length + 1);
    for (const line of [head, ...lines]) line.cells.forEach((cell) => { cell.column = -1; });
    draw();
  }
  // One at a time; what came meanwhile is asked for after it, and nothing while nobody looks.
  let busy = false, again = false;
  async function load() {
    if (busy || document.hidden) { again = true; return; }
    busy = true;
    again = false;
    await loadOnce();
    setTimeout(() => { busy = false; if (again) load(); }, 1000);
  }
  document.addEventListener("visibilitychange", () => { if (again) load(); });
  async function loadOnce() {
    let fresh;
    try {
      const answer = await fetch(box.dataset.grid, { redirect: "error" });
      if (!answer.ok) return;
      fresh = await answer.json();
    } catch { return; }
    const isFirst = data === null;
    const wasAtEnd = isFirst || box.scrollLeft + box.clientWidth >= box.scrollWidth - COLUMN;
    const reader = isFirst ? null : { id: shown[at.row - 1]?.id, cycle: at.column ? cycleAt(at.column)?.cycle ?? null : null };
    data = fresh;
    leftOut.textContent = data.says;
    leftOut.hidden = !data.says;
    at.column = Math.min(at.column, data.cycles.length);
    if (isFirst) {
      space.append(head.line);
      box.replaceChildren(space);
      document.body.append(tip);
      box.setAttribute("role", "grid");
      box.setAttribute("aria-labelledby", "h-grid");
      head.line.setAttribute("aria-rowindex", "1");
      at.column = data.cycles.length;
    }
    filter();
    if (wasAtEnd) box.scrollLeft = box.scrollWidth;
    if (reader) {
      // The keyboard stays on its case and its cycle, wherever they are now.
      const row = shown.findIndex((it) => it.id === reader.id), column = data.cycles.findIndex((it) => it.cycle === reader.cycle);
      at = { row: row >= 0 ? row + 1 : at.row, column: reader.cycle === null ? 0 : column >= 0 ? column + 1 : at.column };
    }
    draw();
  }
  box.addEventListener("scroll", () => { hideTip(); drawSoon(); }, { passive: true });
  new ResizeObserver(() => { if (data) layOut(); }).observe(box);
  document.addEventListener("andon:event", (event) => { if (["analysed", "finished", "missed"].includes(event.detail)) load(); });
  load();
})();
