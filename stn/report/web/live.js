// Of the page that scripts/report.py --live serves: progress, what waits, and news from the server.
const SECONDS = 2; // between two questions
const TIMES = 10; // or so many times what an answer took, so that the runs keep the CPU
const AT_MOST = 10; // but so that a request for previews, which holds 15 seconds, does not lapse
const duration = seconds => seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
const COMPILING = "waits for its first evaluation, which compiles the network";
function drawLive() {
  get("live").hidden = !page.live;
  if (!page.live) return;
  const { running, waiting } = page.live;
  const about = run => run.done ? [`${run.done} of ${run.of} evaluations`, run.rate && `${result(run.rate)} a second`, run.left !== null && `${duration(run.left)} left`].filter(Boolean).join(", ") : `0 of ${run.of} evaluations: ${COMPILING}`;
  fill(get("progress"), ...running.map(run => element("div", { class: "bar" }, element("b", {}, run.name),
    element("progress", { value: run.done, max: run.of, "aria-label": `evaluations of ${run.name}` }), about(run))));
  if (!page.runs.length) fill(get("progress"), `No run yet in ${page.title}. The page waits for a run to read its pictures and its network, which takes some seconds.`);
  get("queue").hidden = !waiting.length;
  const count = `${waiting.length} cell${waiting.length > 1 ? "s" : ""} of the sweep`;
  fill(get("queue").querySelector("summary"), running.length ? `${count} not started: waiting for those before` : `${count} not started, and nothing runs: the sweep's command starts them`);
  fill(get("queue").querySelector("div"), ...waiting.map(name => element("div", {}, name)));
}
function tell(text) {
  if (get("connection").textContent !== text) get("connection").textContent = text; // said aloud only when it changes
  get("live").hidden = !text && !page?.live;
}
// Asks as long as the page is seen; a hidden one asks when it is seen again.
async function follow() {
  for (let tag = null; ;) {
    const start = Date.now(), answer = document.hidden && tag ? null : await news();
    if (answer?.ok) {
      tell("");
      if (answer.tag !== tag) show(answer.data); else look();
      tag = answer.tag;
    } else if (answer) tell(answer.text);
    const rest = Math.min(AT_MOST * 1000, Math.max(SECONDS * 1000, TIMES * (Date.now() - start)));
    await new Promise(wake => { setTimeout(wake, rest); document.addEventListener("visibilitychange", wake, { once: true }); });
  }
}
async function news() {
  try {
    const answer = await fetch("data.json", { cache: "no-cache" });
    if (!answer.ok) return { text: `The server says: ${await answer.text()}` };
    return { ok: true, tag: answer.headers.get("ETag"), data: await answer.json() };
  } catch {
    return { text: "The server does not answer; the page continues when it does." };
  }
}
