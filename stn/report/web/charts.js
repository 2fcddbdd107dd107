// Trade-off and loss curves as SVG, then the controls and the first drawing.
const color = index => `hsl(${index * 137.5 % 360} 65% 48%)`; // the golden angle keeps neighbors apart
// Places of ticks on an axis from `low` to `high`, of logarithms where `log`.
function ticks(low, high, log) {
  if (log) {
    const all = [];
    for (let power = Math.floor(low); power <= Math.ceil(high); power++) for (const digit of [1, 2, 5]) all.push(power + Math.log10(digit));
    const inside = all.filter(value => value >= low && value <= high), whole = inside.filter(value => Number.isInteger(value));
    if (inside.length > 1) return inside.length > 10 && whole.length > 1 ? whole : inside;
    return ticks(10 ** low, 10 ** high, false).filter(value => value > 0).map(Math.log10); // less than a decade
  }
  const raw = (high - low) / 6 || 1, unit = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 2.5, 5, 10].find(factor => factor * unit >= raw && (factor !== 2.5 || unit !== 1)) * unit; // 2.5 evaluations are none
  return Array.from({ length: 12 }, (_, i) => Number(((Math.ceil(low / step - 1e-9) + i) * step).toPrecision(12))).filter(value => value <= high + step * 1e-9);
}
// What stands at the ticks: three digits, or as many as it takes to be within a hundredth of their distance.
function labels(places) {
  const distance = Math.min(...places.slice(1).map((place, i) => Math.abs(place - places[i])));
  for (let digits = 3; ; digits++) {
    const rounded = places.map(place => Number(place.toPrecision(digits)));
    if (digits > 10 || rounded.every((number, i) => Math.abs(number - places[i]) <= distance / 100)) return rounded.map(number => setting(number, digits));
  }
}
// An empty drawing as wide as its place; gives the edges of the frame in it.
function box(svg) {
  const width = Math.max(280, svg.parentNode.clientWidth || 1100), height = width < 600 ? 340 : 440;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  return { left: 64, right: width - 12, top: 30, bottom: height - 48 };
}
// A frame around the numbers xs and ys; gives the places of a number across and up. `x` and `y`: {text, log, zero}.
function frame(svg, { left, right, top, bottom }, xs, ys, x, y) {
  const scale = (all, { log, zero }) => {
    const numbers = all.map(value => log ? Math.log10(value) : value);
    const least = numbers.reduce((a, b) => Math.min(a, b)), most = numbers.reduce((a, b) => Math.max(a, b));
    const low = zero && !log ? Math.min(0, least) : least, high = most > low ? most : low + (Math.abs(low) * 0.1 || 1);
    const margin = zero ? 0 : 0.06 * (high - low);
    return [low - margin, high + margin];
  };
  const [xLow, xHigh] = scale(xs, x), [yLow, yHigh] = scale(ys, y);
  const toX = value => left + ((x.log ? Math.log10(value) : value) - xLow) / (xHigh - xLow) * (right - left);
  const toY = value => bottom - ((y.log ? Math.log10(value) : value) - yLow) / (yHigh - yLow) * (bottom - top);
  const marks = (low, high, log, most) => {
    const all = ticks(low, high, log), every = Math.ceil(all.length / most), at = all.filter((_, i) => i % every === 0).map(place => log ? 10 ** place : place), texts = labels(at);
    return at.map((value, i) => [value, texts[i]]);
  };
  svg.append(element("rect", { class: "frame", x: left, y: top, width: right - left, height: bottom - top }));
  for (const [at, text] of marks(yLow, yHigh, y.log, 10)) {
    const place = toY(at);
    svg.append(element("line", { class: "frame", x1: left, x2: right, y1: place, y2: place }), element("text", { x: left - 6, y: place + 4, "text-anchor": "end" }, text));
  }
  for (const [at, text] of marks(xLow, xHigh, x.log, (right - left) / 60)) svg.append(element("text", { x: toX(at), y: bottom + 17, "text-anchor": toX(at) > right - 14 ? "end" : "middle" }, text));
  svg.append(element("text", { x: (left + right) / 2, y: bottom + 38, "text-anchor": "middle" }, x.text), element("text", { x: 4, y: 16 }, y.text));
  return [toX, toY];
}
const objectives = names => new Set(page.runs.filter(run => names.has(run.name) && run.objective).map(run => run.objective)).size;
const path = points => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
const entry = (index, text) => element("span", {}, element("i", { style: `background:${color(index)}` }), text);

function drawTradeoffs(runs) {
  const names = new Set(runs.map(run => run.name)), log = { x: view.logx === "1", y: view.logy === "1" };
  const drawable = ([mean], logarithmic) => Number.isFinite(mean) && (!logarithmic || mean > 0);
  const lines = Object.entries(page.curves[view.by] ?? {}).map(([label, members], index) => ({ label, index, points: members.map(number => page.groups[number])
    .filter(group => group.runs.some(name => names.has(name)))
    .map(group => ({ group, x: group.estimates[view.x], y: group.estimates[view.y] }))
    .filter(({ x, y }) => x && y && drawable(x, log.x) && drawable(y, log.y)) })).filter(line => line.points.length);
  const svg = get("tradeoff"), all = lines.flatMap(line => line.points);
  get("tradeoffs").hidden = !page.groups.length || Boolean(page.comparison);
  get("few").textContent = lines.some(line => line.points.length < page.fewest) ? "Dotted: fewer than three points." : "";
  get("tradeoffs").querySelector(".mixed").hidden = ![view.x, view.y].some(key => key.includes("loss/")) || objectives(names) < 2;
  const edges = box(svg);
  get("tradeofflegend").replaceChildren();
  if (!all.length) { svg.append(element("text", { x: edges.left, y: 40 }, "nothing to draw")); return; }
  const reach = ([mean, deviation], logarithmic) => [-1, 0, 1].map(side => mean + side * (deviation ?? 0)).filter(value => !logarithmic || value > 0);
  const [toX, toY] = frame(svg, edges, all.flatMap(point => reach(point.x, log.x)), all.flatMap(point => reach(point.y, log.y)),
    { text: titled(view.x), log: log.x }, { text: titled(view.y), log: log.y });
  // A bar of one standard deviation either way; on a logarithmic axis one that reaches zero ends at the mean.
  const ends = (known, place, logarithmic) => { const all = reach(known, logarithmic).map(place); return [all[0], all[all.length - 1]]; };
  for (const { label, index, points } of lines) {
    const few = points.length < page.fewest;
    svg.append(element("path", { d: path(points.map(({ x, y }) => [toX(x[0]), toY(y[0])])), fill: "none", stroke: color(index), "stroke-width": 1.5, "stroke-dasharray": few ? "3 4" : "none" }));
    for (const { group, x, y } of points) {
      const [cx, cy] = [toX(x[0]), toY(y[0])];
      const [left, right] = ends(x, toX, log.x), [low, high] = ends(y, toY, log.y);
      const about = `${told(group, Object.keys(group.parameters))}; ${group.runs.length} seed${group.runs.length > 1 ? "s" : ""}`;
      const chosenHere = group.runs.includes(view.run);
      svg.append(element("g", { stroke: color(index), onclick: () => set({ run: group.runs[0] }) },
        element("line", { x1: left, x2: right, y1: cy, y2: cy }), element("line", { x1: cx, x2: cx, y1: low, y2: high }),
        element("circle", { cx, cy, r: chosenHere ? 7 : 4.5, fill: color(index) }), element("title", {}, `${label}\n${about}`)));
    }
    get("tradeofflegend").append(entry(index, label + (few ? ` (${points.length} point${points.length > 1 ? "s" : ""})` : "")));
  }
}
function drawCurves(runs) {
  const log = view.log === "1", svg = get("curves");
  const lines = runs.map(run => ({ run, up: (view.best === "1" ? run.best : run.curve)[view.term] })).filter(line => line.up)
    .map(({ run, up }) => ({ run, points: up.map((y, i) => [run.curve[view.over][i], y]).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y) && (!log || y > 0)) }));
  const all = lines.flatMap(line => line.points);
  const edges = box(svg);
  get("legend").replaceChildren();
  get("losses").querySelector(".mixed").hidden = objectives(new Set(lines.map(line => line.run.name))) < 2;
  if (!all.length) { svg.append(element("text", { x: edges.left, y: 40 }, log ? "nothing above zero to draw" : "nothing to draw")); return; }
  const across = get("over").querySelector(`[value="${view.over}"]`).textContent;
  const [toX, toY] = frame(svg, edges, [0, ...all.map(point => point[0])], all.map(point => point[1]), { text: across, zero: true },
    { text: view.term + (view.best === "1" ? ", running minimum" : ""), log, zero: true });
  lines.forEach(({ run, points }) => {
    const index = page.runs.indexOf(run), label = told(run, page.parameters) || run.name;
    svg.append(element("path", { d: path(points.map(([x, y]) => [toX(x), toY(y)])), fill: "none", stroke: color(index), "stroke-width": run.name === view.run ? 3.5 : 1.5 }, element("title", {}, run.name)));
    get("legend").append(entry(index, label));
  });
}

const CHOICES = ["rows", "columns", "run", "against", "baseline", "x", "y", "by", "effect", "term", "over"], SWITCHES = ["every", "logx", "logy", "best", "log"];
// The parameters of the grid's rows and columns: the first two that leave no place empty, else the first two.
function grid() {
  const runs = page.runs.filter(run => page.parameters.every(key => key in run.parameters));
  const full = (one, other) => new Set(runs.map(run => JSON.stringify([ofKey(run, one), ofKey(run, other)]))).size === values(runs, one).length * values(runs, other).length;
  for (const [i, rows] of page.parameters.entries()) for (const columns of page.parameters.slice(i + 1)) if (full(rows, columns)) return [rows, columns];
  const [rows, columns] = page.parameters;
  if (rows && !columns && values(runs, rows).length <= 6) return [undefined, rows];
  return [rows, values(runs, rows).length === runs.length ? undefined : columns]; // a second axis would leave most places empty
}
function defaults() {
  const compared = page.comparison ? page.runs.map(run => run.name) : [];
  const first = (...keys) => keys.find(key => page.axes.includes(key)) ?? page.axes[0] ?? "";
  const [rows, columns] = grid();
  const sparse = values(page.runs, rows).length * values(page.runs, columns).length > 4 * page.runs.length; // a random search: no two runs share a row
  return { sort: "run", desc: "", filter: "", rows: compared.length ? "" : rows ?? "", columns: compared.length ? "run" : sparse ? "" : columns ?? "",
    run: compared[1] ?? (page.runs.find(run => run.after) ?? page.runs[0])?.name ?? "", against: compared[0] ?? "", baseline: "0",
    x: first("measures/features", "measures/content", "picture/loss/content"), y: first("measures/gram", "measures/style", "picture/loss/style"), by: page.by, effect: Object.keys(page.effects)[0] ?? "", logx: "", logy: "",
    term: "loss/total", over: "evaluation", best: "1", log: "1", every: "" };
}
function options(id, names, none) {
  const pairs = [...(none ? [["", none]] : []), ...names.map(name => Array.isArray(name) ? name : [name, name])];
  fill(get(id), ...pairs.map(([value, text]) => element("option", { value }, text)));
}
function set(changes) {
  Object.assign(chosen, changes);
  history.replaceState(null, "", "#" + new URLSearchParams(chosen));
  draw();
}
function draw() {
  view = { ...defaults(), ...chosen };
  get("link").href = "#" + new URLSearchParams(chosen);
  const runs = visible();
  for (const id of ["filter", ...CHOICES]) if (get(id).value !== view[id]) get(id).value = view[id];
  for (const id of SWITCHES) get(id).checked = view[id] === "1";
  drawLive(); drawFailed(); drawGrid(runs); drawDifferences(); drawSlider(); drawGroups(runs); drawEffects(); drawTradeoffs(runs); drawCurves(runs); drawRuns(runs); drawCommands(runs);
  look();
}
function readAddress() {
  for (const key of Object.keys(chosen)) delete chosen[key];
  Object.assign(chosen, Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
}
function show(data) {
  page = data;
  columns = ["run", "state", ...(page.runs.some(run => run.reason) ? ["reason"] : []), ...page.parameters, ...page.results];
  document.body.className = page.runs.length ? "" : "empty";
  document.title = get("title").textContent = page.title;
  fill(get("notes"), ...page.notes.map(note => element("li", {}, note)));
  options("rows", page.parameters, "(none)");
  options("columns", ["run", ...page.parameters], "(none)");
  options("run", page.runs.map(run => run.name));
  options("against", page.runs.filter(run => run.after).map(run => run.name), "content");
  options("baseline", page.groups.map((group, index) => [String(index), Object.values(group.parameters).map(value => setting(value)).join(", ") || group.runs[0]]));
  options("x", page.axes.map(key => [key, heading(key)]));
  options("y", page.axes.map(key => [key, heading(key)]));
  options("by", Object.keys(page.curves).filter(Boolean), "(nothing)");
  options("effect", Object.keys(page.effects));
  options("term", [...new Set(page.runs.flatMap(run => Object.keys(run.curve)))].filter(name => name.startsWith("loss/")));
  draw();
}
for (const id of CHOICES) get(id).addEventListener("change", event => set({ [id]: event.target.value }));
for (const id of SWITCHES) get(id).addEventListener("change", event => set({ [id]: event.target.checked ? "1" : "0" }));
get("filter").addEventListener("input", event => set({ filter: event.target.value }));
get("position").addEventListener("input", moveSplit);
window.addEventListener("resize", () => { if (page) draw(); }); // charts are as wide as the window
window.addEventListener("hashchange", () => { readAddress(); if (page) draw(); });
readAddress();
const given = JSON.parse(get("data").textContent);
if (given) show(given); else follow();
