// `npm run executable`: the program and the Node that runs this script as one file. It starts faster
// than the package, because V8's compiled code is in the file, too.

import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { inject } from "postject";
import { build } from "rolldown";
import { notices } from "./.notices.mjs";

const FOLDER = "executable";
const WORK = ".cache/executable";
/** The files of the status page. */
const PAGE = "src/status/page";
const FILE = join(FOLDER, "kinesis-multilang");
/** Node recognises an executable with a program in it by this mark, which postject sets. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
const LAST_LINES = `const { main } = await import("./main.js");
process.exitCode = await main(process.argv, signals);`;
/** A single-file executable is CommonJS, which has no `await` here. 13 is Node's own code for it. */
const WITHOUT_AWAIT = `
let isOver = false;
process.once("exit", () => { if (!isOver) process.exitCode = 13; });
void import("./main.js").then(({ main }) => main(process.argv, signals)).then((code) => { isOver = true; process.exitCode = code; });
`;

mkdirSync(FOLDER, { recursive: true });
await build({
  input: "./.cache/js/start.js",
  platform: "node",
  logLevel: "warn",
  resolve: { mainFields: ["module", "main"] },
  transform: { define: { "import.meta.dirname": "__dirname", "import.meta.url": "__filename" } },
  plugins: [notices(), { name: "without-top-level-await", transform: withoutTopLevelAwait }],
  output: { dir: WORK, entryFileNames: "main.cjs", format: "cjs", codeSplitting: false },
});
const page = readdirSync(PAGE).map((name) => `${PAGE}/${name}`);
const config = join(WORK, "sea.json");
const blob = join(WORK, "sea.blob");
writeFileSync(
  config,
  JSON.stringify({
    main: join(WORK, "main.cjs"),
    output: blob,
    assets: Object.fromEntries(["package.json", ...page].map((file) => [file, file])),
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
  }),
);
execFileSync(process.execPath, ["--experimental-sea-config", config], { stdio: "ignore" });
copyFileSync(process.execPath, FILE);
await inject(FILE, "NODE_SEA_BLOB", readFileSync(blob), { sentinelFuse: FUSE });
copyFileSync(join(WORK, "LICENSES.txt"), join(FOLDER, "LICENSES.txt"));
const megabytes = Math.round(statSync(FILE).size / 1e6);
console.log(`${FILE}: ${megabytes} MB, with Node ${process.versions.node}`);

function withoutTopLevelAwait(code, id) {
  if (!id.endsWith("/js/start.js")) return null;
  if (!code.includes(LAST_LINES)) throw new Error(`${id} does not end with ${LAST_LINES}`);
  return code.replace(LAST_LINES, WITHOUT_AWAIT);
}
