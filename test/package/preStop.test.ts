// The command that Kubernetes runs before it stops a pod, on a running daemon.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { temporaryFolder } from "../support/daemon.ts";
import { createStream, leaseItems, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { startMischief } from "../support/mischief.ts";

const MANIFEST = join(import.meta.dirname, "../../docs/operating/kubernetes/words.yaml");
const TOKEN = "0123456789abcdef-secret";

/** With the address and the file of this test. */
async function preStop(address: string, tokenFile: string): Promise<readonly string[]> {
  const objects = parseAllDocuments(await readFile(MANIFEST, "utf8"));
  const deployment = objects.find((each) => each.get("kind") === "Deployment");
  const hook = ["lifecycle", "preStop", "exec", "command"];
  const path = ["spec", "template", "spec", "containers", 0, ...hook];
  const command = deployment?.getIn(path) as { toJSON(): string[] };
  const parts = command.toJSON();
  expect(parts.join("\n")).toContain("http://127.0.0.1:8080/");
  expect(parts.join("\n")).toContain("/run/secrets/http/token");
  return parts.map((part) =>
    part.replace("127.0.0.1:8080", address).replace("/run/secrets/http/token", tokenFile),
  );
}

it("drains the daemon, which then ends in order", async () => {
  const stream = await createStream("prestop", 2);
  const journal = await Journal.create();
  const tokenFile = join(await temporaryFolder(), "token");
  await writeFile(tokenFile, `${TOKEN}\n`);
  const daemon = await startMischief({
    ...{ stream, journal },
    properties: { httpListen: "0.0.0.0:0", httpToken: `\${file:${tokenFile}}` },
  });
  await put(stream, ["one", "two"]);
  await until("the words", async () => (await journal.words()).length === 2);
  const { address } = await daemon.waitFor("statusServed");
  const port = String(address).split(":").at(-1);
  const run = async (file: string) => {
    const [program = "", ...args] = await preStop(`127.0.0.1:${port}`, file);
    return execa(program, args, { reject: false });
  };
  const wrong = join(await temporaryFolder(), "token");
  await writeFile(wrong, "0123456789abcdef-guessed");
  const refused = await run(wrong);
  expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("401")]);
  expect((await run(tokenFile)).exitCode).toBe(0);
  await daemon.waitFor("drained");
  const owners = [...(await leaseItems(stream)).values()].map(({ leaseOwner }) => leaseOwner);
  expect(owners).toEqual([undefined, undefined]);
  expect(await daemon.stop()).toBe(0);
});
