// The state of the page, its tables and pictures. `show(data)` draws the data of stn/report/document.py, as often as it comes.
const get = id => document.getElementById(id);
const SVG = ["svg", "path", "text", "line", "rect", "circle", "title", "g"];
let page, columns, view; // the data; the columns of the table of runs; what is shown
const chosen = {}; // what the reader chose of the view; it stands in the address, too

// Everything from the data goes through textContent or an attribute, never through markup.
function element(tag, attributes = {}, ...children) {
  const made = SVG.includes(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) name.startsWith("on") ? made[name] = value : made.setAttribute(name, value);
  made.append(...children);
  return made;
}
// As parent.replaceChildren, but what is there already stays, and with it focus, scroll and pictures.
function fill(parent, ...children) {
  children.forEach((child, i) => {
    const made = typeof child === "string" ? document.createTextNode(child) : child, old = parent.childNodes[i];
    if (!old) parent.append(made);
    else if (old.nodeName !== made.nodeName) old.replaceWith(made);
    else if (made.nodeType === Node.ELEMENT_NODE) become(old, made);
    else if (old.data !== made.data) old.data = made.data;
  });
  while (parent.childNodes.length > children.length) parent.lastChild.remove();
}
function become(old, made) {
  for (const { name } of [...old.attributes]) if (!made.hasAttribute(name) && name !== "src") old.removeAttribute(name);
  for (const { name, value } of made.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  old.onclick = made.onclick;
  fill(old, ...made.childNodes);
}
// A picture that has an address is asked for when it is seen, not before; one inside the page is there.
function picture(key, alt) {
  const address = page.pictures[key];
  return element("img", address.startsWith("data:") ? { src: address, alt } : { "data-src": address, alt });
}
const seen = new IntersectionObserver(entries => entries.forEach(({ isIntersecting, target }) => {
  if (!isIntersecting) return;
  seen.unobserve(target);
  target.onerror = () => target.removeAttribute("src"); // the next look asks again
  target.src = target.dataset.src;
}));
function look() {
  for (const image of document.querySelectorAll("img[data-src]")) if (image.getAttribute("src") !== image.dataset.src) seen.observe(image);
}
const isResult = column => page.results.includes(column);
const field = (run, column) => column === "run" ? run.name : ["state", "reason"].includes(column) ? run[column] : column in run.parameters ? run.parameters[column] : run.results[column];
// A setting, which is exact, in the digits it has; a result in three, as in stn/analysis/tables.py.
const setting = (value, digits = 5) => typeof value !== "number" ? String(value ?? "") : Math.abs(value) >= 1e5 ? Number(value.toPrecision(Math.max(digits, 5))).toExponential().replace("e+", "e") : String(Number(value.toPrecision(Math.max(digits, 5))));
function result(value, digits = 3) {
  if (typeof value !== "number") return String(value ?? "");
  if (Number.isInteger(value) && Math.abs(value) < 1e5) return String(value);
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  if (power < -4 || power >= 5) return `${mantissa}e${Number(power)}`;
  return Number(`${mantissa}e${power}`).toFixed(Math.max(0, digits - 1 - power));
}
const shown = (value, column) => isResult(column) ? result(value) : setting(value);
const heading = column => page.headings[column] ?? column, titled = column => page.titles[column] ?? column;
const brief = key => key.replace(/\.path$/, "").split(".").pop();
const natural = new Intl.Collator("en", { numeric: true }).compare;
function compare(a, b) {
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  return typeof a === "number" && typeof b === "number" ? a - b : natural(String(a), String(b));
}
function passes(run, words) {
  return words.every(word => {
    const test = word.match(/^([^=<>]+)(=|<=|>=|<|>)(.+)$/);
    const column = test && columns.find(name => name === test[1] || name.endsWith("." + test[1]));
    if (!column) return columns.map(name => setting(field(run, name))).join(" ").toLowerCase().includes(word.toLowerCase());
    const value = field(run, column), wanted = test[3];
    if (value === undefined) return false;
    if (test[2] === "=") return setting(value).toLowerCase() === wanted.toLowerCase() || (typeof value === "number" && value === Number(wanted));
    return { "<": value < +wanted, ">": value > +wanted, "<=": value <= +wanted, ">=": value >= +wanted }[test[2]];
  });
}
function visible() {
  const runs = page.runs.filter(run => passes(run, view.filter.split(/\s+/).filter(Boolean)));
  const sign = view.desc ? -1 : 1;
  return runs.sort((a, b) => {
    const one = field(a, view.sort), other = field(b, view.sort);
    return one === undefined || other === undefined ? compare(one, other) : sign * compare(one, other);
  });
}
// Of the measures, those of a single layer are shown on demand: there may be dozens.
const kept = column => view.every === "1" || !(column.startsWith("measures/") && column.split("/").length > 2);

function drawRuns(runs) {
  const drawn = columns.filter(kept);
  fill(get("runs").tHead, element("tr", {}, ...drawn.map(column => element("th", { title: column },
    element("button", { onclick: () => set({ sort: column, desc: view.sort === column && !view.desc ? "1" : "" }) },
      titled(column) + (view.sort === column ? (view.desc ? " ▾" : " ▴") : ""))))));
  fill(get("runs").tBodies[0], ...runs.map(run => element("tr", { class: run.name === view.run ? "chosen" : "", onclick: () => set({ run: run.name }) },
    ...drawn.map(column => {
      const value = field(run, column);
      const text = column === "run" ? element("button", {}, value) : shown(value, column);
      return element("td", { class: typeof value === "number" ? "number" : column === "state" && !["finished", "running", "waiting"].includes(value) ? "bad" : column === "reason" ? "reason" : "", title: value ?? "" }, text);
    }))));
  get("count").textContent = `${runs.length} of ${page.runs.length} runs shown; ` + [...new Set(["finished", "unfinished", "failed", ...page.runs.map(run => run.state)])].map(state => `${page.runs.filter(run => run.state === state).length} ${state}`).join(", ");
}
const ofKey = (run, key) => key === "run" ? run.name : setting(run.parameters[key]);
const values = (runs, key) => key ? [...new Set(runs.map(run => ofKey(run, key)))].sort(natural) : [""];
function drawGrid(all) {
  const runs = all.filter(run => [view.rows, view.columns].every(key => !key || key === "run" || key in run.parameters)); // nothing may be known of one that failed
  const across = values(runs, view.columns), down = values(runs, view.rows);
  const others = page.parameters.filter(key => key !== view.rows && key !== view.columns && view.columns !== "run" && values(runs, key).length > 1);
  const place = (row, column) => JSON.stringify([row, column]), cells = new Map();
  for (const run of runs) {
    const here = place(view.rows ? ofKey(run, view.rows) : "", view.columns ? ofKey(run, view.columns) : "");
    cells.set(here, [...(cells.get(here) ?? []), run]);
  }
  const cell = (row, column) => {
    const here = cells.get(place(row, column)) ?? [];
    return element("td", {}, ...(here.length ? here : [null]).map(run => {
      const caption = run ? told(run, others) : "";
      if (!run || !run.after) return element("div", { class: run?.state === "failed" ? "none bad" : "none" }, run ? [caption || run.name, run.state].join(": ") : "no run");
      return element("button", { class: "picture", title: run.name, onclick: () => set({ run: run.name }) },
        picture(run.after, `result of ${run.name}`),
        element("span", {}, caption + (run.state === "finished" ? "" : ` (${run.state})`)));
    }));
  };
  const named = (key, value) => key && key !== "run" ? `${brief(key)}=${value}` : value;
  const foldable = text => text.split(/(?<==)/).flatMap(part => [part, element("wbr")]); // on a phone a line breaks after the key
  const head = element("tr", {}, element("th", {}, ""), ...across.map(value => element("th", {}, named(view.columns, value))));
  const rows = down.map(row => element("tr", {}, element("th", {}, ...foldable(named(view.rows, row))), ...across.map(column => cell(row, column))));
  get("grid").style.setProperty("--columns", Math.max(across.length + (page.comparison?.picture ? 1 : 0), down.length > 3 ? 3 : 1)); // a long list stays in sight
  get("difference").textContent = page.comparison?.note ?? "";
  if (page.comparison?.picture) {
    head.append(element("th", {}, "their difference"));
    rows[0]?.append(element("td", {}, picture(page.comparison.picture, "the difference of the two pictures")));
  }
  fill(get("grid"), head, ...rows);
  shape(get("grid"));
}
const told = (run, keys) => keys.filter(key => key in run.parameters).map(key => `${brief(key)}=${setting(run.parameters[key])}`).join(", ");
function drawFailed() {
  const failed = page.runs.filter(run => run.state === "failed");
  get("failed").hidden = !failed.length;
  fill(get("failures"), element("tr", {}, ...["run", "reason", ...page.parameters].map(name => element("th", {}, heading(name)))),
    ...failed.map(run => element("tr", {}, element("td", {}, run.name), element("td", { class: "bad long" }, run.reason),
      ...page.parameters.map(key => element("td", {}, setting(run.parameters[key]))))));
}
function drawSlider() {
  const named = name => page.runs.find(candidate => candidate.name === name);
  const run = named(view.run), other = named(view.against);
  const before = run && (other ? other.after : run.before);
  get("position").hidden = !(run && run.after && before);
  get("note").textContent = !run || !run.after ? "This run has no picture." : before ? `Left of the line the result, right of it ${other ? other.name : "the content, or the first progress picture"}.` : "";
  const under = run && run.after ? [picture(before || run.after, "before")] : [];
  const over = under.length && before ? [element("div", { class: "over" }, picture(run.after, "after")), element("div", { id: "split" })] : [];
  fill(get("slider"), ...under, ...over);
  shape(get("slider"), get("position"));
  moveSplit();
}
// Tell the style sheet the shape of the first picture in `place`, so that it can be as large as the window allows.
function shape(place, ...others) {
  const image = place.querySelector("img");
  if (!image) return;
  const tell = () => { for (const each of [place, ...others]) if (image.naturalHeight) each.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight); };
  image.addEventListener("load", tell, { once: true });
  tell();
}
function moveSplit() {
  const at = get("position").value, over = document.querySelector("#slider .over");
  if (!over) return;
  over.style.clipPath = `inset(0 ${100 - at}% 0 0)`;
  get("split").style.left = at + "%";
}
function drawDifferences() {
  get("differences").hidden = !page.comparison;
  if (!page.comparison) return;
  const ratio = (kind, one, other) => kind === "result" && one > 0 && other > 0 ? `× ${result(other / one)}` : "";
  fill(get("changes"), element("tr", {}, ...["", "key", ...page.runs.map(run => run.name), ""].map(name => element("th", {}, name))),
    ...page.comparison.rows.map(([kind, key, ...both]) => element("tr", {}, element("td", {}, kind), element("td", {}, heading(key)),
      ...both.map(value => element("td", { class: "long" }, kind === "result" ? result(value) : setting(value))), element("td", {}, ratio(kind, ...both)))));
}
// As stn.analysis.grouping.within_noise.
function withinNoise([mean, deviation, seeds], [otherMean, otherDeviation, otherSeeds]) {
  const squares = (seeds - 1) * (deviation ?? 0) ** 2 + (otherSeeds - 1) * (otherDeviation ?? 0) ** 2;
  return seeds + otherSeeds > 2 && Math.abs(mean - otherMean) <= Math.sqrt(squares / (seeds + otherSeeds - 2));
}
function drawGroups(runs) {
  const names = new Set(runs.map(run => run.name)), keys = [...new Set(page.groups.flatMap(group => Object.keys(group.parameters)))];
  const drawn = (view.every === "1" ? page.results : page.main).filter(column => page.groups.some(group => group.estimates[column]));
  const baseline = page.groups[view.baseline] ?? page.groups[0];
  get("seeds").hidden = !page.groups.length || Boolean(page.comparison);
  get("oneseed").textContent = page.groups.some(group => group.runs.length > 1) ? "" : "Here is one seed each, which tells nothing of noise: seed=0,1,2 would.";
  fill(get("groups").tHead, element("tr", {}, ...[...keys, "seeds", ...drawn].map(column => element("th", { title: column }, titled(column)))));
  fill(get("groups").tBodies[0], ...page.groups.map((group, index) => ({ group, index })).filter(({ group }) => group.runs.some(name => names.has(name))).map(({ group, index }) =>
    element("tr", { class: group.runs.includes(view.run) ? "chosen" : "", onclick: () => set({ run: group.runs[0] }) },
      ...keys.map(key => element("td", {}, setting(group.parameters[key]))), element("td", { class: "number" }, String(group.runs.length)),
      ...drawn.map(column => {
        const own = group.estimates[column], other = baseline.estimates[column];
        if (!own) return element("td", {}, "");
        const noise = other && group !== baseline && group.yardstick === baseline.yardstick && withinNoise(own, other);
        const best = (page.best[column] ?? []).includes(index);
        return element("td", { class: `number${noise ? " soft" : ""}${best ? " best" : ""}`, title: own[0] }, own[3] + (noise ? " ≈" : ""));
      }))));
}
function drawEffects() {
  const found = page.effects?.[view.effect];
  get("effects").hidden = !found || Boolean(page.comparison);
  if (!found) return;
  get("effectnotes").textContent = found.notes.join(" ");
  fill(get("changesby"), ...found.rows.map((row, i) => element("tr", {}, ...row.map((text, j) =>
    element(i ? "td" : "th", { class: (j > 1 ? "number" : "") + (found.bold[i][j] ? " best" : "") }, text)))));
}
function drawCommands(runs) {
  fill(get("commands"), ...runs.map(run => element("div", {}, element("b", {}, run.name), element("pre", {}, run.command || "not known"))));
}
