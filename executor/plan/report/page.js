"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
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

document.title = at("title").textContent = clean(data.title);
add(at("summary"), "li", "begun " + data.began + "; all actions together took " + time(data.action_ms) + ", in " + data.lanes + (data.lanes === 1 ? " lane" : " lanes"));
for (const line of data.summary) add(at("summary"), "li", clean(line));

const states = [...new Set(data.actions.map(a => a.state))].sort();
for (const state of states) {
  add(at("state"), "option", state).value = state;
  const one = add(at("legend"), "span");
  add(one, "i", "", state);
  one.append(state + " " + data.actions.filter(a => a.state === state).length);
}
const mark = add(at("legend"), "span");
add(mark, "i", "", "chain");
mark.append("longest chain");

const drawn = (to, tag, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) made.setAttribute(name, attributes[name]);
  to.append(made);
  return made;
};
function timeline() {
  const box = at("timeline"), row = 20, top = 22;
  const width = Math.max(200, box.clientWidth) * 2 ** at("zoom").value;
  const scale = (width - 4) / Math.max(data.ms, 1e-3);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const height = top + Math.max(data.lanes, 1) * row + 4;
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  let step = 10 ** Math.ceil(Math.log10(70 / scale));
  if (step * scale > 350) step /= 5;
  for (let ms = 0; ms <= data.ms; ms += step) {
    const x = 2 + ms * scale;
    drawn(svg, "line", {x1: x, x2: x, y1: 0, y2: height});
    if (x + 50 < width) drawn(svg, "text", {x: x + 3, y: 14}).textContent = step < 1000 ? +ms.toPrecision(6) + " ms" : +(ms / 1000).toPrecision(6) + " s";
  }
  data.actions.forEach((a, i) => {
    if (a.lane < 0) return;
    const x = 2 + a.start * scale, wide = Math.max(a.ms * scale, 1), y = top + a.lane * row;
    const bar = drawn(svg, "rect", {x, y, width: wide, height: row - 3, rx: 2, class: a.state + (a.chain ? " chain" : ""), "data-i": i});
    drawn(bar, "title", {}).textContent = clean(a.name) + ": " + a.state + ", " + time(a.ms);
    const room = Math.floor((wide - 8) / 6.5);
    if (room > 3) {
      const name = clean(a.name);
      drawn(svg, "text", {x: x + 4, y: y + 13, class: "label"}).textContent = name.length > room ? name.slice(0, room - 1) + "…" : name;
    }
  });
  svg.addEventListener("click", event => event.target.dataset.i && detail(+event.target.dataset.i));
  box.replaceChildren(svg);
}
at("zoom").addEventListener("input", timeline);
addEventListener("resize", timeline);

function detail(i) {
  const a = data.actions[i], list = document.createElement("dl");
  const fact = (name, text, kind) => {
    if (!text) return;
    add(list, "dt", name);
    add(list, "dd", clean(text), kind);
  };
  fact("Action", a.name);
  fact("Outcome", a.state + (a.exit ? ", " + a.exit : ""));
  fact("Why", a.why);
  fact("Problem", a.problem);
  fact("Time", a.lane < 0 ? "" : time(a.ms) + ", from " + time(a.start));
  fact("Key", a.key);
  fact("Needs", (a.needs || []).join(", "));
  fact("Caches", (a.caches || []).join("\n"));
  fact("Warnings", (a.warnings || []).join("\n"));
  fact("Output", a.output, "output");
  at("detail").hidden = false;
  at("detail").replaceChildren(list);
  at("detail").scrollIntoView({block: "nearest"});
}
const chain = data.actions.map((a, i) => [a, i]).filter(([a]) => a.chain).sort(([a], [b]) => a.start - b.start);
at("chaintime").textContent = time(data.chain_ms) + " of " + time(data.ms);
for (const [a] of chain.slice(0, 200)) add(at("chain"), "li", clean(a.name) + ", " + time(a.ms));
if (chain.length > 200) add(at("chain"), "li", "and " + (chain.length - 200) + " more");

const sorted = data.actions.map((a, i) => i).sort((x, y) => data.actions[y].ms - data.actions[x].ms);
let shown = 100;
function table() {
  const find = at("find").value.toLowerCase(), state = at("state").value;
  const fits = sorted.filter(i => (!state || data.actions[i].state === state) && data.actions[i].name.toLowerCase().includes(find));
  const rows = document.createDocumentFragment();
  for (const i of fits.slice(0, shown)) {
    const a = data.actions[i], row = add(rows, "tr");
    add(add(row, "td"), "button", clean(a.name)).addEventListener("click", () => detail(i));
    add(row, "td", a.state);
    add(row, "td", a.lane < 0 ? "" : time(a.ms));
    add(row, "td", clean(a.problem || a.why || ""));
  }
  at("rows").replaceChildren(rows);
  at("count").textContent = fits.length + " of " + data.actions.length;
  at("more").hidden = fits.length <= shown;
}
at("more").addEventListener("click", () => { shown *= 4; table(); });
for (const id of ["find", "state"]) at(id).addEventListener("input", table);
timeline();
table();
