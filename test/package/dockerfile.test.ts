// The Dockerfile breaks none of hadolint's rules, and none of ours. No test builds an image.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { VERSION } from "../../src/package.ts";
import { temporaryFolder } from "../support/daemon.ts";
import { hadolintOrReason } from "../support/hadolint.ts";

const FILE = join(import.meta.dirname, "../../docs/operating/Dockerfile");
const INSTALL_LIMIT_MS = 300_000;

describe("hadolint", async () => {
  const hadolint = await hadolintOrReason();

  it(
    "finds nothing in the Dockerfile",
    async (context) => {
      if ("missing" in hadolint) return context.skip(hadolint.missing);
      expect(await hadolint.check(FILE)).toEqual([]);
    },
    INSTALL_LIMIT_MS,
  );

  it("would find an image that runs as root, and a package of any version", async (context) => {
    if ("missing" in hadolint) return context.skip(hadolint.missing);
    const worse = join(await temporaryFolder(), "Dockerfile");
    const text = await readFile(FILE, "utf8");
    await writeFile(
      worse,
      text.replaceAll(/^USER 1000.*$/gm, "USER 0:0").replaceAll(/^# hadolint .*$/gm, ""),
    );
    const codes = (await hadolint.check(worse)).map((each) => each.split(":")[0]);
    expect(codes).toContain("DL3002");
    expect(codes).toContain("DL3008");
  });
});

interface Stage {
  readonly name: string;
  readonly base: string;
  readonly lines: readonly string[];
}

const stages: readonly Stage[] = (await readFile(FILE, "utf8"))
  .split(/^(?=FROM )/m)
  .slice(1)
  .map((text) => {
    const [, base = "", name = ""] = /^FROM (\S+) AS (\S+)$/m.exec(text) ?? [];
    return { name, base, lines: text.split("\n") };
  });

const images = stages.filter(({ name }) => name !== "package");

describe("the images", () => {
  it("are for Node, Python and Ruby", () => {
    expect(images.map(({ name }) => name)).toEqual(["node", "python", "ruby"]);
  });

  it.each(images)("$name ends as a numbered user that is not root", ({ lines }) => {
    expect(lines.filter((line) => line.startsWith("USER ")).at(-1)).toBe("USER 1000:1000");
  });

  it("begin with a slim image, or with another of these", () => {
    const slim = expect.stringMatching(/^node:\$\{NODE_VERSION\}-\$\{DEBIAN\}-slim$/);
    expect(stages.map(({ base }) => base)).toEqual([slim, slim, "node", "node"]);
  });

  it("start the daemon without a shell between it and its signals", () => {
    const starts = stages.flatMap(({ lines }) =>
      lines.filter((line) => /^(ENTRYPOINT|CMD) /.test(line)),
    );
    expect(starts).toEqual([
      'ENTRYPOINT ["kinesis-multilang"]',
      'CMD ["-p", "/app/application.properties"]',
    ]);
  });

  it("contain this version of the package", async () => {
    expect(await readFile(FILE, "utf8")).toContain(`ARG KINESIS_MULTILANG_VERSION=${VERSION}\n`);
  });
});
