// What is published: the program and all that it imports, in a few files. Reading some 500 small ones took most of the
// daemon's start. Nothing is shortened, so that stack traces can be read.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "rolldown";

await build({
  input: { main: "./.cache/js/start.js", producer: "./.cache/js/producer/producer.js" },
  platform: "node",
  logLevel: "warn",
  // Installed beside the program by whoever sends dead letters there.
  external: /^@aws-sdk\/client-(s3|sns|sqs)$/,
  // The SDK's build for bundlers: what nobody uses of it is left out.
  resolve: { mainFields: ["module", "main"] },
  output: {
    dir: "dist",
    cleanDir: true,
    chunkFileNames: "[name].js",
    // What several parts use is one file. Without this the daemon would read 64.
    codeSplitting: { groups: [{ name: "common", minShareCount: 3 }] },
  },
  plugins: [notices()],
});

/** Writes whose work the program contains: LICENSES.txt, and a bill of materials in CycloneDX's form. */
function notices() {
  return {
    name: "notices",
    generateBundle(_options, bundle) {
      const files = Object.values(bundle).flatMap((chunk) => chunk.moduleIds ?? []);
      const folders = new Set(files.flatMap((file) => packageFolder(file) ?? []));
      const packages = [...folders].sort().map(readPackage);
      this.emitFile({ type: "asset", fileName: "LICENSES.txt", source: licensesOf(packages) });
      this.emitFile({ type: "asset", fileName: "sbom.cdx.json", source: billOf(packages) });
    },
  };
}

function packageFolder(file) {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

function readPackage(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  const text = file && readFileSync(join(folder, file), "utf8").trim();
  // Apache's is the same for all, and stands beside this program already.
  if (!text && license !== "Apache-2.0") throw new Error(`${name} ${version} brings no licence`);
  return { name, version, license, text };
}

function licensesOf(packages) {
  const parts = packages.map(({ name, version, license, text }) => {
    const shown =
      license === "Apache-2.0" ? "The file LICENSE of this program has the text." : text;
    return `${name} ${version} (${license})\n\n${shown}\n`;
  });
  return ["This program contains code of these packages.\n", ...parts].join(
    `\n${"-".repeat(80)}\n\n`,
  );
}

function billOf(packages) {
  const components = packages.map(({ name, version, license }) => ({
    type: "library",
    name,
    version,
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    licenses: [{ license: { id: license } }],
  }));
  const bill = { bomFormat: "CycloneDX", specVersion: "1.5", version: 1, components };
  return `${JSON.stringify(bill, null, 2)}\n`;
}
