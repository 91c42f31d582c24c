// Follows the daemon's events and shows them. One picture for each frame at most, however many
// events arrive.

import { Chart } from "./charts.js";
import { openDetail } from "./detail.js";
import {
  byId,
  clockTime,
  count,
  drawn,
  duration,
  element,
  perSecond,
  setText,
  shardName,
  shortWorker,
  size,
} from "./dom.js";
import { drawLineage } from "./lineage.js";
import { ShardTable } from "./table.js";

const view = { shards: new Map(), history: { lagMs: [], records: [], bytes: [], shards: {} } };
const stale = new Set();
const table = new ShardTable(openDetail);
const ENTRIES_SHOWN = 12;
const LAG_LEAST_MS = 1_000;
const RATE_LEAST = 10;
const lagChart = new Chart(byId("lag-chart"), byId("lag-readout"), {
  name: "Lag",
  format: duration,
  least: LAG_LEAST_MS,
});
const rateChart = new Chart(byId("rate-chart"), byId("rate-readout"), {
  name: "Records",
  format: perSecond,
  least: RATE_LEAST,
});

// The address of the page names the application, if the daemon has several.
const source = new EventSource(`/events${location.search}`);
source.addEventListener("whole", ({ data }) => {
  const { shards, ...facts } = JSON.parse(data);
  Object.assign(view, facts, { shards: new Map(shards.map((shard) => [shard.shardId, shard])) });
  for (const part of [...Object.keys(facts), "shards"]) stale.add(part);
  shownSoon("live");
});
source.addEventListener("change", ({ data }) => {
  const { shards, gone, history, ...facts } = JSON.parse(data);
  Object.assign(view, facts);
  for (const part of Object.keys(facts)) stale.add(part);
  for (const shard of shards) view.shards.set(shard.shardId, shard);
  for (const id of gone) view.shards.delete(id);
  if (shards.length > 0 || gone.length > 0) stale.add("shards");
  if (history) {
    view.history = moved(view.history, history);
    stale.add("history");
  }
  shownSoon("live");
});
source.addEventListener("error", () => shownSoon("away"));

/** The step that was under way is over, and another has begun. */
function moved(before, now) {
  const push = (old, [over, begun]) => [...old.slice(1, -1), over, begun];
  const shards = Object.entries(now.shards).map(([id, { lagMs, records }]) => {
    const old = before.shards[id] ?? {
      lagMs: before.lagMs.map(() => null),
      records: before.lagMs.map(() => 0),
    };
    return [id, { lagMs: push(old.lagMs, lagMs), records: push(old.records, records) }];
  });
  return {
    stepMs: now.stepMs,
    lagMs: push(before.lagMs, now.lagMs),
    records: push(before.records, now.records),
    bytes: push(before.bytes, now.bytes),
    shards: Object.fromEntries(shards),
  };
}

let link = "";
let isAsked = false;

function shownSoon(state) {
  link = state;
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    show();
  });
}

function show() {
  const isLive = link === "live";
  setText(
    byId("link"),
    isLive ? `live, ${clockTime(view.time)}` : "the daemon does not answer; trying again",
  );
  showReady(isLive);
  if (!isLive || !view.application) return;
  showNames();
  showTiles();
  showCharts();
  if (stale.has("shards") || stale.has("history")) {
    table.update(view.shards, stale.has("history") ? view.history.shards : {});
  }
  if (stale.has("shards")) showTree();
  if (stale.has("fleet")) showFleet();
  if (stale.has("deadLetters")) showLetters();
  if (stale.has("incidents")) showIncidents();
  stale.clear();
}

function showReady(isLive) {
  const text = !isLive ? "Not reached" : view.ready ? "Ready" : `Not ready: ${view.phase}`;
  const tone = !isLive ? "bad" : view.ready ? "good" : "wait";
  setText(byId("ready"), text);
  byId("ready").className = `pill ${tone}`;
  const reasons = isLive && !view.ready ? view.reasons : [];
  byId("reasons").hidden = reasons.length === 0;
  byId("reasons").replaceChildren(...reasons.map((reason) => element("p", {}, reason)));
}

function showNames() {
  const { applicationName, streamName, workerId, version } = view.application;
  document.title = `${streamName} · kinesis-multilang`;
  setText(byId("stream"), streamName);
  setText(byId("version"), version);
  setText(byId("application"), applicationName);
  showApplications(applicationName);
  setText(byId("worker"), `worker ${shortWorker(workerId)}`);
  const upMs = Date.parse(view.time) - Date.parse(view.startedAt ?? view.time);
  setText(byId("uptime"), `up ${duration(upMs)}`);
}

function showApplications(shown) {
  if (!stale.has("applications")) return;
  byId("applications").hidden = view.applications.length === 0;
  byId("applications").replaceChildren(
    ...view.applications.map((name) =>
      element(
        "a",
        {
          href: `?application=${encodeURIComponent(name)}`,
          ...(name === shown && { "aria-current": "page" }),
        },
        name,
      ),
    ),
  );
}

function showTiles() {
  const { totals, fleet } = view;
  setText(byId("lag"), duration(totals.lagMs));
  setText(byId("lag-note"), "of the shard that is furthest behind");
  setText(byId("rate"), perSecond(totals.recordsPerSecond));
  setText(
    byId("bytes"),
    `${size(totals.bytesPerSecond)}/s, ${count(totals.records)} records in all`,
  );
  setText(byId("held"), count(totals.shardsHeld));
  const without = fleet.unowned > 0 ? `, ${count(fleet.unowned)} without an owner` : "";
  setText(byId("held-note"), `of ${count(fleet.leases)} that are open${without}`);
  setText(byId("restarts"), count(totals.restarts));
  setText(byId("dead"), count(totals.deadLetters));
  byId("dead").className = totals.deadLetters > 0 ? "bad" : "";
}

function showCharts() {
  const { lagMs, records, stepMs } = view.history;
  const endMs = Date.parse(view.time);
  const { totals } = view;
  // The last step is under way: what is known of it is the value of now.
  const now = (values, value) => [...values.slice(0, -1), value];
  lagChart.draw({ values: now(lagMs, totals.lagMs), stepMs, endMs });
  const rates = records.map((each) => each / (stepMs / 1_000));
  rateChart.draw({ values: now(rates, totals.recordsPerSecond), stepMs, endMs });
}

function showTree() {
  const shards = [...view.shards.values()];
  const key = shards.map(({ shardId, state, parents }) => `${shardId}${state}${parents}`).join();
  if (key === view.treeKey) return;
  view.treeKey = key;
  byId("tree").replaceChildren(drawLineage(shards));
}

function showFleet() {
  const { workers, leases, seenAt } = view.fleet;
  const alive = workers.filter((worker) => worker.alive);
  const note = seenAt
    ? `${count(alive.length)} of ${count(workers.length)} alive, seen ${clockTime(seenAt)}`
    : "";
  setText(byId("fleet-note"), note);
  const most = Math.max(1, ...workers.map((worker) => worker.leases));
  byId("fleet").replaceChildren(...workers.map((worker) => workerLine(worker, most)));
  if (workers.length > 0) return;
  const text = leases > 0 ? "No worker holds a lease." : "The lease table was not read yet.";
  byId("fleet").replaceChildren(element("li", {}, text));
}

function workerLine({ workerId, leases, isThis, alive, lastSeen }, most) {
  const state = alive
    ? isThis
      ? "this worker"
      : "alive"
    : leases > 0
      ? `silent since ${clockTime(lastSeen)}`
      : `gone, last seen ${clockTime(lastSeen)}`;
  const bar = drawn(
    "svg",
    { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("rect", { class: "track", width: 100, height: 8, rx: 2 }),
    drawn("rect", { class: "bar", width: (100 * leases) / most, height: 8, rx: 2 }),
  );
  return element(
    "li",
    { class: alive ? "" : "dead" },
    element("span", { class: "who", title: workerId }, shortWorker(workerId)),
    bar,
    element(
      "span",
      { class: alive ? "" : "bad" },
      `${count(leases)} ${leases === 1 ? "lease" : "leases"}, ${state}`,
    ),
  );
}

function showLetters() {
  const lines = newest(view.deadLetters).map(({ at, shardId, records, condition, first }) =>
    element(
      "li",
      {},
      element("time", { datetime: at }, clockTime(at)),
      ...shardName(shardId),
      `: ${count(records)} ${records === 1 ? "record" : "records"} (${condition})${first ? ` from ${first}` : ""}`,
    ),
  );
  byId("letters").replaceChildren(
    ...orNone(lines, "No record went to the dead letters since the start."),
  );
}

function showIncidents() {
  const lines = newest(view.incidents).map(({ at, level, shardId, message }) =>
    element(
      "li",
      {},
      element("time", { datetime: at }, clockTime(at)),
      element("strong", { class: level === "error" ? "bad" : "wait" }, level),
      " ",
      ...(shardId ? [...shardName(shardId), " "] : []),
      message,
    ),
  );
  byId("incidents").replaceChildren(...orNone(lines, "Nothing since the start."));
}

function newest(entries) {
  return entries.slice(-ENTRIES_SHOWN).toReversed();
}

function orNone(lines, text) {
  return lines.length > 0 ? lines : [element("li", { class: "empty" }, text)];
}
