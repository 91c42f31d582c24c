// `npm run pictures`: runs the sample, and draws what it printed as a terminal in sample.svg.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FONT_PX = 13;
const LINE_PX = 18;
const CHAR_PX = 7.83;
const PADDING_PX = 16;
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const printed = execFileSync(process.execPath, [main, "sample", "--seconds", "3"], {
  encoding: "utf8",
});
// The last progress report and all that follows it.
const reports = printed.trim().split(/\n(?=\d+\.\d s {2}put)/);
const lines = ["$ npm run sample -- --seconds 3", "…", ...reports.at(-1).split("\n")];
const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * CHAR_PX) + 2 * PADDING_PX;
const height = lines.length * LINE_PX + 2 * PADDING_PX;
const escaped = (line) => line.replace(/&/g, "&amp;").replace(/</g, "&lt;");
const texts = lines.map((line, index) => {
  const y = PADDING_PX + FONT_PX + index * LINE_PX;
  const colour = index === 0 || index === lines.length - 1 ? ' fill="#7ee787"' : "";
  return `<text x="${PADDING_PX}" y="${y}"${colour} xml:space="preserve">${escaped(line)}</text>`;
});
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" role="img"
  aria-label="The sample in a terminal: every word was counted once">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="${FONT_PX}" fill="#c9d1d9">
${texts.join("\n")}
</g>
</svg>
`;
writeFileSync(new URL("sample.svg", import.meta.url), svg);
