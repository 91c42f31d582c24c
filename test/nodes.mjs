// Runs tests on each supported release line of Node. The npm package `node` brings the binaries.
//
//   node test/nodes.mjs [TEST...]          all tests when none is named
//   NODES="24" node test/nodes.mjs         one of the release lines

import { spawnSync } from "node:child_process";

const LINES = (process.env.NODES ?? "20 22 24").split(" ");
const tests = process.argv.slice(2);
const vitest = ["node_modules/vitest/vitest.mjs", "run", "--config", ".vitest.config.ts", ...tests];

const failed = LINES.filter((line) => {
  console.log(`== Node ${line}`);
  const options = ["--yes", `--package=node@${line}`, "--"];
  const { status } = spawnSync("npx", [...options, "node", ...vitest], { stdio: "inherit" });
  return status !== 0;
});
if (failed.length > 0) console.error(`Tests failed on Node ${failed.join(", ")}.`);
process.exitCode = failed.length > 0 ? 1 : 0;
