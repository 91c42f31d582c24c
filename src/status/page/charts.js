// Curves of the last fifteen minutes, as SVG.

import { clockTime, drawn, setText } from "./dom.js";

const MARGIN = { top: 8, right: 10, bottom: 20, left: 66 };
const MARKS_MIN = [15, 10, 5, 0];

/** Pieces of a curve between values that are not known. */
export function pathOf(values, x, y) {
  let path = "";
  let isOpen = false;
  values.forEach((value, i) => {
    if (value !== null) path += `${isOpen ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    isOpen = value !== null;
  });
  return path;
}

/** The smallest 1, 2 or 5 times a power of ten that is not less. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((round) => round >= value);
}

export class Chart {
  #svg;
  #readout;
  #format;
  #name;
  #least;
  #data = { values: [], stepMs: 1, endMs: 0 };
  #at;

  /** @param least the top of the scale is not below it, so that small values look small. */
  constructor(svg, readout, { name, format, least }) {
    this.#svg = svg;
    this.#readout = readout;
    this.#format = format;
    this.#name = name;
    this.#least = least;
    svg.addEventListener("pointermove", (event) => this.#point(event));
    svg.addEventListener("pointerleave", () => this.#leave());
    new ResizeObserver(() => this.draw(this.#data)).observe(svg);
  }

  draw(data) {
    this.#data = data;
    const { values } = data;
    const { width, height } = this.#svg.getBoundingClientRect();
    if (width === 0 || values.length === 0) return;
    const known = values.filter((value) => value !== null);
    const top = roundUp(Math.max(this.#least, ...known));
    const right = width - MARGIN.right;
    const floor = height - MARGIN.bottom;
    const x = (i) => MARGIN.left + (i * (right - MARGIN.left)) / (values.length - 1);
    const y = (value) => floor - (value * (floor - MARGIN.top)) / top;
    const line = pathOf(values, x, y);
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.replaceChildren(
      ...this.#grid(top, y, right),
      ...this.#marks(x, floor),
      drawn("path", { class: "area", d: areaOf(line, floor) }),
      drawn("path", { class: "curve", d: line }),
      ...this.#pointer(x, y, floor),
    );
    this.#describe(known);
  }

  #grid(top, y, right) {
    return [0, top / 2, top].flatMap((value) => [
      drawn("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(value), y2: y(value) }),
      drawn(
        "text",
        { x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" },
        this.#format(value),
      ),
    ]);
  }

  #marks(x, floor) {
    const { values, stepMs } = this.#data;
    return MARKS_MIN.map((minutes) => {
      const i = values.length - 1 - Math.min((minutes * 60_000) / stepMs, values.length - 1);
      const anchor = minutes === 0 ? "end" : minutes === 15 ? "start" : "middle";
      const text = minutes === 0 ? "now" : `${minutes} min`;
      return drawn("text", { x: x(i), y: floor + 15, "text-anchor": anchor }, text);
    });
  }

  #pointer(x, y, floor) {
    const { values } = this.#data;
    const last = values.findLastIndex((value) => value !== null);
    const at = this.#at ?? last;
    if (at < 0 || values[at] === null) return [];
    const dot = drawn("circle", { class: "dot", cx: x(at), cy: y(values[at]), r: 3.5 });
    if (this.#at === undefined) return [dot];
    const line = { class: "cross", x1: x(at), x2: x(at), y1: MARGIN.top, y2: floor };
    return [drawn("line", line), dot];
  }

  #point(event) {
    const { left, width } = this.#svg.getBoundingClientRect();
    const share = (event.clientX - left - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
    const last = this.#data.values.length - 1;
    this.#at = Math.max(0, Math.min(last, Math.round(share * last)));
    this.draw(this.#data);
  }

  #leave() {
    this.#at = undefined;
    this.draw(this.#data);
  }

  #describe(known) {
    const { values, stepMs, endMs } = this.#data;
    const most = known.length > 0 ? this.#format(Math.max(...known)) : "not known";
    const now = known.length > 0 ? this.#format(known.at(-1)) : "not known";
    const label = `${this.#name} in the last 15 minutes: now ${now}, at most ${most}`;
    this.#svg.setAttribute("aria-label", label);
    const value = values[this.#at];
    const time = () => clockTime(endMs - (values.length - 1 - this.#at) * stepMs);
    const shown = value === null ? "not known" : this.#format(value ?? 0);
    setText(this.#readout, this.#at === undefined ? `at most ${most}` : `${time()}  ${shown}`);
  }
}

function areaOf(line, floor) {
  return line
    .split("M")
    .filter(Boolean)
    .map((piece) => {
      const points = piece.split("L");
      const first = points[0].split(" ")[0];
      const last = points.at(-1).split(" ")[0];
      return `M${first} ${floor}L${piece}L${last} ${floor}Z`;
    })
    .join("");
}

const SPARK = { width: 92, height: 20 };

/** The path of a small curve without a scale; its top is the highest value, or `least`. */
export function sparkPath(values, least) {
  const top = Math.max(least, ...values.map((value) => value ?? 0));
  const x = (i) => 1 + (i * (SPARK.width - 2)) / (values.length - 1);
  const y = (value) => SPARK.height - 2 - (value * (SPARK.height - 4)) / top;
  return pathOf(values, x, y);
}
