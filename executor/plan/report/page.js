"use strict";
const data = JSON.parse(document.getElementById("data").textContent), actions = data.actions;
const at = id => document.getElementById(id);
const add = (to, tag, text, kind) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  to.append(made);
  return made;
};
const time = ms => ms >= 9950 ? (ms / 1000).toFixed(0) + " s" : ms >= 100 ? (ms / 1000).toFixed(2) + " s" : ms.toFixed(1) + " ms";
// What does not print is shown as an escape, as are marks that turn the direction.
const clean = text => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
  c => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
const rank = state => ["failed", "broken", "ran", "merged", "reused", "skipped", "left"].indexOf(state);
const longer = (i, j) => actions[j].ms - actions[i].ms;

document.title = at("title").textContent = clean(data.title);
add(at("summary"), "li", "begun " + data.began + ", took " + time(data.ms) + "; all actions together took " + time(data.action_ms) + ", in " + data.lanes + (data.lanes === 1 ? " lane" : " lanes"));
for (const line of data.summary) add(at("summary"), "li", clean(line));

const states = [...new Set(actions.map(a => a.state))].sort((a, b) => rank(a) - rank(b));
for (const state of states) {
  const count = actions.filter(a => a.state === state).length;
  add(at("state"), "option", state + " " + count).value = state;
  const one = add(at("legend"), "span");
  add(one, "i", "", state);
  one.append(state + " " + count);
}
const mark = add(at("legend"), "span");
add(mark, "i", "", "chain");
mark.append("longest chain");

// The timeline draws what is in view, and a view to each side of it.
const box = at("timeline"), row = 20, head = 22, edge = 2;
const drawn = (to, tag, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) made.setAttribute(name, attributes[name]);
  to.append(made);
  return made;
};
const svg = drawn(box, "svg", {height: head + Math.max(data.lanes, 1) * row + 4});
const byStart = actions.map((a, i) => i).sort((i, j) => actions[i].start - actions[j].start);
const lanes = Array.from({length: data.lanes}, () => []);
for (const i of byStart) if (actions[i].lane >= 0) lanes[actions[i].lane].push(i);
let scale = 1, middle = 0, placed = 0, drawnAt = 0, picked = -1, bars = [];

// Bars too narrow to tell apart become one, of a few pixels, for all that begin there.
function gather(lane, from, to) {
  let last;
  for (const i of lane) {
    const x = edge + actions[i].start * scale, wide = Math.max(actions[i].ms * scale, 1);
    if (x + wide < from || x > to) continue;
    if (last && last.narrow && wide < 4 && x < last.x + 4) {
      last.all.push(i);
      last.wide = Math.max(last.wide, x + wide - last.x);
    } else bars.push(last = {x, wide, narrow: wide < 4, all: [i]});
  }
}
function draw() {
  const from = box.scrollLeft - box.clientWidth, to = box.scrollLeft + 2 * box.clientWidth;
  drawnAt = box.scrollLeft;
  svg.replaceChildren();
  let step = 10 ** Math.ceil(Math.log10(70 / scale));
  if (step * scale > 350) step /= 5;
  for (let n = Math.max(0, Math.ceil(from / scale / step)); n * step <= Math.min(data.ms, to / scale); n++) {
    const ms = n * step, x = edge + ms * scale;
    drawn(svg, "line", {x1: x, x2: x, y1: 0, y2: svg.getAttribute("height")});
    if (x + 50 < svg.getAttribute("width")) drawn(svg, "text", {x: x + 3, y: 14}).textContent = data.ms < 1000 ? +ms.toPrecision(6) + " ms" : +(ms / 1000).toPrecision(9) + " s";
  }
  bars = [];
  for (const lane of lanes) gather(lane, from, to);
  for (const bar of bars) bar.mark = bar.all.includes(picked) ? " picked" : bar.all.some(i => actions[i].chain) ? " chain" : "";
  bars.sort((a, b) => a.mark.length - b.mark.length); // an outline is drawn over its neighbours
  bars.forEach((bar, n) => {
    const some = bar.all.map(i => actions[i]), worst = some.reduce((a, b) => rank(b.state) < rank(a.state) ? b : a), y = head + some[0].lane * row;
    const rect = drawn(svg, "rect", {x: bar.x, y, width: bar.wide, height: row - 3, rx: bar.narrow ? 0 : 2, class: worst.state + bar.mark, "data-n": n});
    drawn(rect, "title", {}).textContent = some.length > 1 ? some.length + " actions, " + some.filter(a => a.state === worst.state).length + " " + worst.state :
      clean(worst.name) + ": " + worst.state + ", " + time(worst.ms);
    const x = Math.max(bar.x, Math.min(box.scrollLeft, bar.x + bar.wide)), room = Math.floor((bar.x + bar.wide - x - 8) / 6.5), name = room > 3 ? clean(worst.name) : "";
    if (name) drawn(svg, "text", {x: x + 4, y: y + 13, class: "label"}).textContent = name.length > room ? name.slice(0, room - 1) + "…" : name;
  });
}
// Zooms as the slider says, with the same moment in the middle if it can be there.
function zoom() {
  const width = Math.max(200, box.clientWidth) * 2 ** at("zoom").value;
  scale = (width - 2 * edge) / Math.max(data.ms, 1e-3);
  svg.setAttribute("width", width);
  box.scrollLeft = middle * scale - box.clientWidth / 2;
  placed = box.scrollLeft;
  draw();
}
box.addEventListener("scroll", () => {
  if (box.scrollLeft === placed) return; // zoom did that
  placed = -1;
  middle = (box.scrollLeft + box.clientWidth / 2) / scale;
  if (Math.abs(box.scrollLeft - drawnAt) > box.clientWidth / 2) draw();
});
svg.addEventListener("click", event => event.target.dataset.n && detail(bars[event.target.dataset.n].all, draw));
at("zoom").addEventListener("input", zoom);
addEventListener("resize", zoom);

// A name that shows more of its action.
function named(to, i) {
  const made = add(to, "button", clean(actions[i].name));
  made.addEventListener("click", () => detail([i], zoom));
}
function detail(all, redraw) {
  const a = actions[all[0]], list = document.createElement("dl");
  const fact = (name, text, kind) => {
    if (!text) return;
    add(list, "dt", name);
    add(list, "dd", clean(text), kind);
  };
  const names = (name, some) => {
    if (!some.length) return;
    add(list, "dt", name);
    const to = add(list, "dd");
    some.slice(0, 200).forEach((i, n) => { if (n) to.append(all.length > 1 ? "\n" : ", "); named(to, i); });
    if (some.length > 200) to.append(" and " + (some.length - 200) + " more");
  };
  picked = all[0];
  if (a.lane >= 0) {
    middle = a.start + a.ms / 2;
    if (redraw === zoom) box.scrollTop = (a.lane + 0.5) * row + head - box.clientHeight / 2;
  }
  if (all.length > 1) names(all.length + " actions", all.sort((i, j) => rank(actions[i].state) - rank(actions[j].state) || longer(i, j)));
  else {
    fact("Action", a.name);
    fact("Outcome", a.state + (a.exit ? ", " + a.exit : ""));
    fact("Why", a.why);
    fact("Problem", a.problem);
    fact("Time", a.lane < 0 ? "" : time(a.ms) + ", from " + time(a.start));
    fact("Key", a.key);
    names("Needs", a.needs || []);
    fact("Caches", (a.caches || []).join("\n"));
    fact("Warnings", (a.warnings || []).join("\n"));
    fact("Output", a.output, "output");
  }
  at("facts").replaceChildren(list);
  at("detail").hidden = false;
  at("detail").scrollTop = 0;
  redraw();
}
const close = () => { at("detail").hidden = true; picked = -1; draw(); };
at("close").addEventListener("click", close);
addEventListener("keydown", event => event.key === "Escape" && close());

// Of a long chain, what took longest of it.
const chain = byStart.filter(i => actions[i].chain);
function links(most) {
  const shown = new Set([...chain].sort(longer).slice(0, most));
  at("chain").replaceChildren();
  chain.forEach((i, n) => {
    if (!shown.has(i)) return;
    const one = add(at("chain"), "li");
    one.value = n + 1;
    named(one, i);
    one.append(", " + time(actions[i].ms));
  });
  at("chaintime").textContent = time(data.chain_ms) + " of " + time(data.ms) + (shown.size < chain.length ? "; the longest " + shown.size + " of " + chain.length : "");
  at("links").hidden = shown.size === chain.length;
}
at("links").addEventListener("click", () => links(chain.length));

const text = actions.map(a => [a.name, a.why, a.problem, a.output].join("\n").toLowerCase());
const orders = {
  name: (i, j) => actions[i].name < actions[j].name ? -1 : 1,
  outcome: (i, j) => rank(actions[i].state) - rank(actions[j].state),
  time: (i, j) => longer(j, i),
  begun: (i, j) => actions[i].start - actions[j].start,
};
let order = "outcome", turned = 1, fits = [], shown = 0;
function rows(more) {
  const made = document.createDocumentFragment();
  for (const i of fits.slice(shown, shown + more)) {
    const a = actions[i], one = add(made, "tr"), begun = a.lane >= 0;
    named(add(one, "td"), i);
    add(one, "td", a.state, a.state);
    add(one, "td", begun ? time(a.ms) : "");
    add(one, "td", begun ? time(a.start) : "");
    add(one, "td", clean(a.problem || a.why || ""));
  }
  at("rows").append(made);
  shown = Math.min(shown + more, fits.length);
  at("count").textContent = fits.length + " of " + actions.length;
  at("more").hidden = shown === fits.length;
}
function table() {
  const find = at("find").value.toLowerCase(), state = at("state").value;
  fits = byStart.filter(i => (!state || actions[i].state === state) && text[i].includes(find));
  fits.sort((i, j) => turned * orders[order](i, j) || longer(i, j));
  for (const th of document.querySelectorAll("th[data-order]")) th.ariaSort = th.dataset.order !== order ? "none" : turned > 0 ? "ascending" : "descending";
  at("rows").replaceChildren();
  shown = 0;
  rows(100);
}
for (const th of document.querySelectorAll("th[data-order]")) th.firstChild.addEventListener("click", () => {
  turned = order === th.dataset.order ? -turned : th.dataset.order === "time" ? -1 : 1;
  order = th.dataset.order;
  table();
});
at("more").addEventListener("click", () => rows(500));
for (const id of ["find", "state"]) at(id).addEventListener("input", table);
zoom();
links(12);
table();
