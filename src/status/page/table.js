// The table of shards: sorted and filtered here, and only what has changed is written again.

import { sparkPath } from "./charts.js";
import {
  byId,
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

const TROUBLE = ["stuck", "restarting", "unowned"];
const CALM_MS = 3_000;
/** Below this, a lag is no slope: its curve stays at the bottom. */
const SPARK_LEAST_MS = 1_000;

const COLUMNS = [
  { key: "shardId", title: "Shard" },
  { key: "state", title: "State", text: (s) => s.state },
  { key: "lagMs", title: "Lag", number: true, text: (s) => duration(s.lagMs) },
  { key: "spark", title: "15 min", extra: true },
  {
    key: "recordsPerSecond",
    title: "Rate",
    number: true,
    text: (s) => (s.held ? perSecond(s.recordsPerSecond) : ""),
  },
  {
    key: "records",
    title: "Records",
    number: true,
    extra: true,
    text: (s) => (s.held ? count(s.records) : ""),
  },
  {
    key: "pid",
    title: "Child",
    number: true,
    extra: true,
    text: (s) => (s.lanes ? `${s.lanes.length} lanes` : s.pid === null ? "" : String(s.pid)),
  },
  {
    key: "cpuPercent",
    title: "CPU",
    number: true,
    extra: true,
    text: (s) => (s.cpuPercent == null ? "" : `${s.cpuPercent} %`),
  },
  {
    key: "rssBytes",
    title: "Memory",
    number: true,
    extra: true,
    text: (s) => (s.rssBytes == null ? "" : size(s.rssBytes)),
  },
  {
    key: "restarts",
    title: "Restarts",
    number: true,
    extra: true,
    text: (s) => (s.held ? String(s.restarts) : ""),
  },
  {
    key: "owner",
    title: "Owner",
    extra: true,
    text: (s) => (s.owner === null ? "nobody" : shortWorker(s.owner)),
  },
  { key: "error", title: "Last error", extra: true, text: (s) => s.lastError?.message ?? "" },
];

export class ShardTable {
  #rows = new Map();
  #sort = { key: "shardId", up: true };
  #sortedAtMs = 0;
  #order = [];
  #open;
  #body = byId("table").tBodies[0];
  #heads = new Map();

  /** @param open called with the id of the shard whose name was chosen. */
  constructor(open) {
    this.#open = open;
    const head = byId("table").tHead.rows[0];
    for (const column of COLUMNS) head.append(this.#headOf(column));
    byId("filter").addEventListener("input", () => this.#filter());
    byId("which").addEventListener("change", () => this.#filter());
    document.addEventListener("keydown", (event) => {
      const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
      if (event.key !== "/" || isTyping) return;
      event.preventDefault();
      byId("filter").focus();
    });
    this.#showSort();
  }

  /** @param histories of the shards of which there is one. */
  update(shards, histories) {
    for (const id of this.#rows.keys()) if (!shards.has(id)) this.#drop(id);
    for (const [id, shard] of shards) this.#write(id, shard);
    for (const [id, { lagMs }] of Object.entries(histories)) this.#spark(id, lagMs);
    const isNew = this.#order.length !== shards.size;
    if (isNew || Date.now() - this.#sortedAtMs > CALM_MS) this.#arrange();
    this.#filter();
  }

  #headOf({ key, title, number, extra }) {
    const button = element("button", { type: "button" }, title);
    button.addEventListener("click", () => this.#sortBy(key));
    const head = element("th", { scope: "col", class: classOf({ number, extra }) }, button);
    this.#heads.set(key, head);
    return head;
  }

  #write(id, shard) {
    const row = this.#rows.get(id) ?? this.#make(id);
    if (row.shard === shard) return;
    row.shard = shard;
    row.words =
      `${id} ${shard.owner ?? "nobody"} ${shard.state} ${shard.lastError?.message ?? ""}`.toLowerCase();
    for (const { key, text } of COLUMNS) if (text) setText(row.cells[key], text(shard));
    row.line.className = shard.held ? "" : "away";
    row.cells.state.className = TROUBLE.includes(shard.state) ? "bad" : "";
    row.cells.owner.title = shard.owner ?? "";
    row.cells.error.title = shard.lastError?.message ?? "";
    if (!shard.held) row.curve.setAttribute("d", "");
  }

  #make(id) {
    const button = element("button", { type: "button", title: id }, ...shardName(id));
    button.addEventListener("click", () => this.#open(id));
    const curve = drawn("path");
    const cells = { shardId: element("th", { scope: "row" }, button) };
    for (const column of COLUMNS.slice(1))
      cells[column.key] = element("td", { class: classOf(column) });
    cells.spark.append(
      drawn("svg", { class: "spark", viewBox: "0 0 92 20", "aria-hidden": "true" }, curve),
    );
    const line = element("tr", {}, ...COLUMNS.map(({ key }) => cells[key]));
    const row = { line, cells, curve, shard: undefined, words: "" };
    this.#rows.set(id, row);
    return row;
  }

  #drop(id) {
    this.#rows.get(id).line.remove();
    this.#rows.delete(id);
  }

  #spark(id, lagMs) {
    this.#rows.get(id)?.curve.setAttribute("d", sparkPath(lagMs, SPARK_LEAST_MS));
  }

  #sortBy(key) {
    const isSame = this.#sort.key === key;
    // Numbers are sorted from the largest first, because those are looked for.
    const first = COLUMNS.find((column) => column.key === key)?.number !== true;
    this.#sort = { key, up: isSame ? !this.#sort.up : first };
    this.#showSort();
    this.#arrange();
  }

  #showSort() {
    for (const [key, head] of this.#heads) {
      if (key !== this.#sort.key) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.#sort.up ? "ascending" : "descending");
    }
  }

  #arrange() {
    this.#sortedAtMs = Date.now();
    const { key, up } = this.#sort;
    const sortValue = ({ shard }) => {
      if (key === "spark") return shard.lagMs ?? -1;
      if (key === "error") return shard.lastError?.at ?? "";
      return shard[key] ?? (typeof shard[key] === "string" ? "" : -1);
    };
    const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const sorted = [...this.#rows.values()].sort(
      (a, b) =>
        compare(sortValue(a), sortValue(b)) * (up ? 1 : -1) ||
        compare(a.shard.shardId, b.shard.shardId),
    );
    if (sorted.length === this.#order.length && sorted.every((row, i) => row === this.#order[i]))
      return;
    const focused = document.activeElement;
    this.#body.append(...sorted.map(({ line }) => line));
    // A moved element loses the focus.
    if (this.#body.contains(focused)) focused.focus({ preventScroll: true });
    this.#order = sorted;
  }

  #filter() {
    const words = byId("filter").value.trim().toLowerCase().split(/\s+/);
    const which = byId("which").value;
    let shown = 0;
    for (const row of this.#rows.values()) {
      const isShown = isOf(which, row.shard) && words.every((word) => row.words.includes(word));
      row.line.hidden = !isShown;
      if (isShown) shown += 1;
    }
    const all = this.#rows.size;
    setText(byId("shown"), shown === all ? count(all) : `${count(shown)} of ${count(all)}`);
    byId("none").hidden = shown > 0;
    setText(
      byId("none"),
      all === 0 ? "The lease table was not read yet." : "No shard matches the filter.",
    );
  }
}

function isOf(which, { held, state, lastError }) {
  switch (which) {
    case "held":
      return held;
    case "trouble":
      return TROUBLE.includes(state) || (held && lastError !== null);
    case "open":
      return state !== "ended";
    default:
      return true;
  }
}

function classOf({ key, number, extra }) {
  return [number && "number", extra && "extra", key === "error" && "error"]
    .filter(Boolean)
    .join(" ");
}
