// Prometheus itself, which scrapes one target every second and evaluates a file of rules.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./daemon.ts";
import { until } from "./emulators.ts";
import type { Missing } from "./python.ts";
import { accepts, freePort } from "./tinyproxy.ts";

export const JOB = "words";

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
  readonly lastError?: string;
}

export interface Prometheus {
  /** The values that an expression has now. */
  query(expression: string): Promise<readonly number[]>;
  /** The names of all metrics that it has stored. */
  names(): Promise<ReadonlySet<string>>;
  rules(): Promise<readonly Rule[]>;
}

/** Starts a server that ends with the test, or returns why there is none. */
export async function prometheusOrReason(
  target: string,
  rulesFile: string,
): Promise<Prometheus | Missing> {
  const { failed } = await execa("prometheus", ["--version"], { reject: false });
  if (failed) return { missing: "prometheus is not installed (prometheus in Debian)" };
  const folder = await temporaryFolder();
  const port = await freePort();
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [rulesFile],
    scrape_configs: [{ job_name: JOB, static_configs: [{ targets: [target] }] }],
  };
  // JSON is YAML.
  await writeFile(join(folder, "prometheus.yml"), JSON.stringify(config));
  const server = execa(
    "prometheus",
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { reject: false, stdin: "ignore", stderr: "ignore" },
  );
  onTestFinished(async () => {
    server.kill("SIGKILL");
    await server;
  });
  await until("Prometheus to listen", () => accepts(port));
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
    // biome-ignore lint/suspicious/noExplicitAny: each path answers with another type.
    const { data, error } = (await response.json()) as any;
    if (!response.ok) throw new Error(`Prometheus ${path}: ${error}`);
    return data;
  };
  return {
    async query(expression) {
      const { result } = await get(`query?query=${encodeURIComponent(expression)}`);
      return result.map(({ value: [, text] }: { value: [number, string] }) => Number(text));
    },
    names: async () => new Set<string>(await get("label/__name__/values")),
    async rules() {
      const { groups } = await get("rules");
      return groups.flatMap(({ rules }: { rules: readonly Rule[] }) => rules);
    },
  };
}
