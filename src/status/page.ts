// The status page: one document without any outside resource. Its parts are files of the package,
// which are put together when it is first asked for.

import { createHash } from "node:crypto";
import { packagedText } from "../package.ts";

export interface Page {
  readonly html: string;
  /** The Content-Security-Policy with which it is served: only its own style and script run. */
  readonly policy: string;
}

const FOLDER = "src/status/page";
const STYLES = ["base.css", "parts.css"];
/** In the order in which they use one another. */
const SCRIPTS = ["dom.js", "charts.js", "lineage.js", "table.js", "detail.js", "main.js"];

let made: Page | undefined;

export function statusPage(): Page {
  made ??= assemble();
  return made;
}

function assemble(): Page {
  const read = (name: string) => packagedText(`${FOLDER}/${name}`);
  const style = STYLES.map(read).join("\n");
  const script = SCRIPTS.map((name) => joined(read(name))).join("\n");
  const html = read("page.html")
    .replace("/* style */", () => style)
    .replace("/* script */", () => script);
  const policy = [
    "default-src 'none'",
    `style-src '${hashOf(style)}'`,
    `script-src '${hashOf(script)}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return { html, policy };
}

/** Modules become one script: what they import is above. */
function joined(module: string): string {
  return module.replace(/^import [^;]+;\n/gm, "").replace(/^export /gm, "");
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
