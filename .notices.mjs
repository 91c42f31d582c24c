// A plugin of the bundler: the licences of the packages whose code a bundle contains.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Writes whose work the program contains: LICENSES.txt, and a bill of materials in CycloneDX's form. */
export function notices() {
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
