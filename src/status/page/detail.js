// The dialog with everything that is known of one shard.

import { byId, clockTime, count, duration, element, perSecond, shardName, size } from "./dom.js";

const REFRESH_MS = 2_000;
let shown;

export function openDetail(shardId) {
  shown = shardId;
  byId("detail-title").replaceChildren(...shardName(shardId));
  byId("detail-body").replaceChildren(element("p", {}, "Loading"));
  byId("detail").showModal();
  void refresh();
}

byId("close").addEventListener("click", () => byId("detail").close());
byId("detail").addEventListener("close", () => {
  shown = undefined;
});

async function refresh() {
  const shardId = shown;
  if (shardId === undefined) return;
  try {
    const answer = await fetch(`/shards/${encodeURIComponent(shardId)}${location.search}`);
    const shard = await answer.json();
    if (shown !== shardId) return;
    if (answer.ok) byId("detail-body").replaceChildren(...describe(shard));
    else byId("detail-body").replaceChildren(element("p", {}, shard.error));
  } catch {
    // The daemon is away: the page shows that, and the dialog keeps what it had.
  }
  setTimeout(refresh, REFRESH_MS);
}

function describe(shard) {
  const facts = [
    ["State", shard.state],
    ["Owner", shard.owner ?? "nobody"],
    ["Parents", shard.parents.join(", ") || "none"],
    ["Checkpoint", shard.checkpoint ?? "none"],
    ...(shard.held ? factsOfChild(shard) : []),
  ];
  const list = facts.flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, value),
  ]);
  return [
    element("dl", { class: "facts" }, ...list),
    ...(shard.lastError
      ? quoted(`Last error, ${clockTime(shard.lastError.at)}`, [
          shard.lastError.message,
          ...shard.lastErrorLines,
        ])
      : []),
    ...(shard.stderr.length > 0 ? quoted("Last lines on STDERR", shard.stderr) : []),
  ];
}

function factsOfChild(shard) {
  const use =
    shard.rssBytes === undefined ? "" : `, ${shard.cpuPercent ?? 0} % CPU, ${size(shard.rssBytes)}`;
  const since = shard.childSince ? `, since ${clockTime(shard.childSince)}` : "";
  return [
    ["Position", shard.position ?? "none"],
    ["Lag", duration(shard.lagMs)],
    ["Rate", `${perSecond(shard.recordsPerSecond)}, ${size(shard.bytesPerSecond)}/s`],
    ["Processed", `${count(shard.records)} records, ${size(shard.bytes)}`],
    ["Last batch", duration(shard.batchMs)],
    ...(shard.lanes
      ? shard.lanes.map((lane) => [`Lane ${lane.lane}`, factsOfLane(lane)])
      : [["Child", shard.pid === null ? "none" : `process ${shard.pid}${since}${use}`]]),
    ["Restarts", String(shard.restarts)],
  ];
}

function factsOfLane({ state, pid, records, restarts, checkpoint }) {
  const child = pid === null ? "no process" : `process ${pid}`;
  const mark = checkpoint === null ? "no checkpoint" : `checkpoint ${checkpoint}`;
  return `${state}, ${child}, ${count(records)} records, ${restarts} restarts, ${mark}`;
}

function quoted(title, lines) {
  return [element("h3", {}, title), element("pre", { tabindex: "0" }, lines.join("\n"))];
}
