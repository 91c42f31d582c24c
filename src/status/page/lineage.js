// The picture of splits and merges: shards with parents or children, from left to right. The same
// in words follows for those who do not see it.

import { drawn, element, shardName } from "./dom.js";

const COLUMN = 190;
const ROW = 26;
/** The width of a character of a label. */
const CHARACTER = 6.8;
const SHOWN_MAX = 80;

/** Which shards to draw, each with its column and its row; parents are left of their children. */
export function layOut(shards) {
  const known = new Map(shards.map((shard) => [shard.shardId, shard]));
  const parents = (id) => known.get(id)?.parents ?? [];
  const related = new Set(
    shards.flatMap(({ shardId, parents: p }) => (p.length ? [shardId, ...p] : [])),
  );
  const depths = new Map();
  const depthOf = (id, path = new Set()) => {
    if (depths.has(id)) return depths.get(id);
    if (path.has(id)) return 0;
    const above = parents(id).map((parent) => depthOf(parent, new Set([...path, id])) + 1);
    const depth = Math.max(0, ...above);
    depths.set(id, depth);
    return depth;
  };
  const ids = [...related].sort().slice(-SHOWN_MAX);
  const drawnIds = new Set(ids);
  const rows = [];
  return ids
    .sort((a, b) => depthOf(a) - depthOf(b) || (a < b ? -1 : 1))
    .map((id) => {
      const column = depthOf(id);
      rows[column] = (rows[column] ?? -1) + 1;
      const above = parents(id).filter((parent) => drawnIds.has(parent));
      return { id, shard: known.get(id), column, row: rows[column], parents: above };
    });
}

export function drawLineage(shards) {
  const nodes = layOut(shards);
  if (nodes.length === 0) return element("p", { class: "empty" }, "No shard was split or merged.");
  const place = new Map(nodes.map((node) => [node.id, placeOf(node)]));
  const width = 12 + (Math.max(...nodes.map(({ column }) => column)) + 1) * COLUMN;
  const height = 32 + Math.max(...nodes.map(({ row }) => row)) * ROW;
  const edges = nodes.flatMap(({ id, parents }) =>
    parents.map((parent) => drawn("path", { d: edge(place.get(parent), place.get(id)) })),
  );
  const svg = drawn("svg", {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    "aria-hidden": "true",
  });
  svg.append(...edges, ...nodes.map((node) => drawNode(node, place.get(node.id))));
  const words = element("ul", { class: "hide" }, ...nodes.map(inWords));
  const box = element("div");
  box.append(svg, words);
  return box;
}

function drawNode({ id, shard }, { x, y }) {
  const state = stateOf(shard);
  return drawn(
    "g",
    { class: state },
    drawn("circle", { cx: x, cy: y, r: 5.5 }),
    drawn("text", { x: x + 11, y: y + 4 }, labelOf(id, shard)),
    drawn("title", {}, `${id}: ${shard?.state ?? "its lease is deleted"}`),
  );
}

function stateOf(shard) {
  if (!shard || shard.state === "ended") return "ended";
  return ["unowned", "waiting for parents"].includes(shard.state) ? "waiting" : "open";
}

function placeOf({ id, shard, column, row }) {
  const x = 12 + column * COLUMN;
  return { x, y: 16 + row * ROW, end: x + 18 + labelOf(id, shard).length * CHARACTER };
}

function labelOf(id, shard) {
  return `${shardName(id).at(-1)}  ${shard?.state ?? "gone"}`;
}

/** From the end of the parent's name to its child. */
function edge(from, to) {
  const start = from.end;
  const middle = (start + to.x) / 2;
  return `M${start} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${to.x - 8} ${to.y}`;
}

function inWords({ id, shard, parents }) {
  const from = parents.length > 0 ? `, from ${parents.join(" and ")}` : "";
  return element("li", {}, `${id}: ${shard?.state ?? "its lease is deleted"}${from}`);
}
