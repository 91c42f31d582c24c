// Elements, numbers and times. Text is always set as text: nothing of the daemon becomes markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** An element with its attributes and its children, which are elements or texts. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export function count(value) {
  return value < 100_000 ? NUMBER.format(value) : SHORT.format(value);
}

export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

export function perSecond(rate) {
  if (rate === 0) return "0/s";
  return `${rate < 10 ? Number(rate.toPrecision(2)) : count(rate)}/s`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function size(bytes) {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const value = bytes / 1024 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[power]}`;
}

export function clockTime(time) {
  return new Date(time).toLocaleTimeString("en-GB");
}

/** The zeros at the start of a shard's number are written small. */
export function shardName(shardId) {
  const [, stream, plain = shardId] = /^\d+:([^:]+):\d+:(.+)$/.exec(shardId) ?? [];
  const [, zeros = "", number = plain] = /^(.*?-0*)(\d+)$/.exec(plain) ?? [];
  return [...(stream ? [`${stream}/`] : []), element("i", { class: "zeros" }, zeros), number];
}

/** A worker's id is often a random one of 36 characters. */
export function shortWorker(workerId) {
  return /^[\da-f]{8}-[\da-f-]{27}$/.test(workerId) ? workerId.slice(0, 8) : workerId;
}
