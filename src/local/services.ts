// The embedded Kinesis (kinesis-local) and DynamoDB (dynalite). Each runs in its own Node process,
// so that its work never runs on the event loop that is tested or measured. They keep everything in
// memory.

import { createRequire } from "node:module";
import { join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { UserError } from "../model/errors.ts";
import { inPackage, needPackage } from "../package.ts";
import { type LoopbackProcess, startOnLoopback } from "./loopbackProcess.ts";

/** The region of the embedded services. */
export const LOCAL_REGION = "us-east-1";

/** The services do not check signatures, but the SDK needs credentials to sign with. */
export const LOCAL_CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" } as const;

export interface LocalOptions {
  /** The port on 127.0.0.1; any free port when absent or 0. */
  readonly port?: number;
  /** How long a stream or table stays in CREATING, DELETING or UPDATING. AWS takes seconds. */
  readonly transitionMs?: number;
}

/**
 * A running service. `stop` returns when its process has ended; `ended` then resolves with the
 * reason.
 */
export type LocalService = LoopbackProcess;

const DEFAULT_TRANSITION_MS = 20;

/**
 * Starts an embedded Kinesis and resolves when it listens.
 *
 * @throws UserError when `kinesis-local` is not installed, or the port is in use.
 */
export async function startKinesis(options: LocalOptions = {}): Promise<LocalService> {
  const script = locate("kinesis-local/main.js");
  const transition = `${options.transitionMs ?? DEFAULT_TRANSITION_MS}ms`;
  return startOnLoopback({
    name: "the local Kinesis",
    script,
    args: [],
    port: options.port ?? 0,
    portOption: "--kinesis-port",
    env: (plainPort, otherPort) => ({
      KINESIS_MOCK_PLAIN_PORT: String(plainPort),
      KINESIS_MOCK_TLS_PORT: String(otherPort),
      KINESIS_MOCK_CERT_PATH: join(script, "..", "server.json"),
      SHARD_LIMIT: "1000",
      ON_DEMAND_STREAM_COUNT_LIMIT: "1000",
      AWS_REGION: LOCAL_REGION,
      LOG_LEVEL: "ERROR",
      SHOULD_PERSIST_DATA: "false",
      ...Object.fromEntries(TRANSITIONS.map((name) => [`${name}_DURATION`, transition])),
    }),
  });
}

/**
 * Starts an embedded DynamoDB and resolves when it listens.
 *
 * @throws UserError when `dynalite` is not installed, or the port is in use.
 */
export async function startDynamo(options: LocalOptions = {}): Promise<LocalService> {
  const transition = String(options.transitionMs ?? DEFAULT_TRANSITION_MS);
  const transitionArgs = ["createTableMs", "deleteTableMs", "updateTableMs"].flatMap((name) => [
    `--${name}`,
    transition,
  ]);
  return startOnLoopback({
    name: "the local DynamoDB",
    script: locate("dynalite/cli.js"),
    args: (port) => ["--port", String(port), ...transitionArgs],
    port: options.port ?? 0,
    portOption: "--dynamodb-port",
    env: () => ({ AWS_REGION: LOCAL_REGION }),
  });
}

const TRANSITIONS = [
  "CREATE_STREAM",
  "DELETE_STREAM",
  "REGISTER_STREAM_CONSUMER",
  "DEREGISTER_STREAM_CONSUMER",
  "START_STREAM_ENCRYPTION",
  "STOP_STREAM_ENCRYPTION",
  "MERGE_SHARDS",
  "SPLIT_SHARD",
  "UPDATE_SHARD_COUNT",
  "UPDATE_STREAM_MODE",
] as const;

/**
 * Both packages are development dependencies: an installation has them only if the user added them.
 */
function locate(file: string): string {
  needPackage("the embedded services");
  const places = [import.meta.url, pathToFileURL(join(process.cwd(), "package.json")).href];
  for (const place of places) {
    try {
      return createRequire(place).resolve(file);
    } catch {
      // The package is not here: try the next place.
    }
  }
  throw new UserError(
    `The embedded services need the packages kinesis-local and dynalite; ${file} was found neither beside kinesis-multilang nor in ${process.cwd()}. ` +
      `Run this command to have them: ${commandWithServices()}`,
  );
}

/** npx keeps each set of packages in a folder of its own, so there the set has to be complete. */
function commandWithServices(): string {
  const packages = ["kinesis-local", "dynalite"];
  if (!inPackage().includes(`${sep}_npx${sep}`)) return `npm install ${packages.join(" ")}`;
  const options = ["kinesis-multilang", ...packages].map((name) => `--package ${name}`);
  return `npx ${options.join(" ")} -- kinesis-multilang ${process.argv.slice(2).join(" ")}`;
}
