// Prometheus scrapes a running daemon: its rules and the dashboard find each metric that they name,
// and the first dead letter raises an alert.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { mischief, startMischief } from "../support/mischief.ts";
import { JOB, prometheusOrReason } from "../support/prometheus.ts";

const FOLDER = join(import.meta.dirname, "../../docs/operating");
const ALERTS = join(FOLDER, "alerts.yml");
const LIMIT_MS = 180_000;
/** Many scrapes, on a machine that is busy. */
const PATIENCE_MS = 60_000;

/** No child of this daemon wrote a checkpoint that could be refused. */
const MAY_BE_EMPTY = /checkpoints_refused_total/;

interface Dashboard {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
}

it("Prometheus finds what the rules and the dashboard name", { timeout: LIMIT_MS }, async ({
  skip,
}) => {
  const stream = await createStream("scraped", 1);
  const journal = await Journal.create();
  const daemon = await startMischief({
    stream,
    journal,
    properties: {
      executableName: mischief(),
      httpListen: "127.0.0.1:0",
      onFailureDestination: `file:${join(await temporaryFolder(), "letters.ndjson")}`,
      bisectBatchOnFunctionError: true,
      maximumRetryAttempts: 1,
      maxChildRestarts: 0,
    },
  });
  const { address } = await daemon.waitFor("statusServed");
  const prometheus = await prometheusOrReason(String(address), ALERTS);
  if ("missing" in prometheus) return skip(prometheus.missing);
  const has = async (expression: string) => (await prometheus.query(expression)).length > 0;
  await until(
    "a scrape",
    async () => (await prometheus.query(`up{job="${JOB}"}`)).includes(1),
    PATIENCE_MS,
  );
  await until("the shard's series", () => has("kinesis_multilang_records_total == 0"), PATIENCE_MS);
  await put(stream, ["one", "two", "poison", "three"]);
  await daemon.waitFor("recordsBuried", PATIENCE_MS);

  const dashboard: Dashboard = JSON.parse(
    await readFile(join(FOLDER, "grafana-dashboard.json"), "utf8"),
  );
  const expressions = dashboard.panels.flatMap(({ targets = [] }) =>
    targets.map(({ expr }) =>
      expr.replaceAll("$job", JOB).replaceAll("$__rate_interval", `${PATIENCE_MS}ms`),
    ),
  );
  expect(expressions.length).toBeGreaterThan(30);
  for (const expression of expressions.filter((each) => !MAY_BE_EMPTY.test(each))) {
    await until(`a value of ${expression}`, () => has(expression), PATIENCE_MS);
  }
  const named = (await readFile(ALERTS, "utf8")).match(/kinesis_multilang_\w+/g) ?? [];
  const there = await prometheus.names();
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !there.has(name))).toEqual([]);

  const firing = async () =>
    (await prometheus.rules()).flatMap(({ name, state }) => (state === "firing" ? [name] : []));
  await until(
    "the alert",
    async () => (await firing()).includes("KinesisDeadLetters"),
    PATIENCE_MS,
  );
  const rules = await prometheus.rules();
  expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});
