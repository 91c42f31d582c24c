// The applications of one process, and what each has of its own: its end, its drain, and the name
// that its events carry. One that fails ends alone; the others continue, and the process ends with
// the failure's exit code when the last one has ended.

import { systemClock } from "../clock.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import { letterLoop } from "../config/ownStream.ts";
import type { Settings } from "../config/settings.ts";
import type { Emit } from "../events.ts";
import { fanOut } from "../listeners/fanOut.ts";
import { UserError } from "../model/errors.ts";
import { RestartRequests } from "../shard/restartRequests.ts";
import { Drain } from "./drain.ts";
import { Ending } from "./ending.ts";

export interface Member {
  readonly loaded: LoadedSettings;
  /** Reports an event to all listeners. */
  readonly emit: Emit;
  readonly listeners: Emit[];
  readonly ending: Ending;
  readonly drain: Drain;
  readonly restarts: RestartRequests;
}

/**
 * @param isDebugged a user debugs the processor.
 * @throws UserError when two applications have the same name or table, or dead letters would breed.
 */
export function membersOf(
  all: readonly LoadedSettings[],
  listen: Emit,
  isDebugged: boolean,
): readonly Member[] {
  const name = repeated(all.map(({ settings }) => settings.applicationName));
  if (name !== undefined) {
    throw new UserError(
      `Two properties files have applicationName = ${name}. Each application of a daemon needs a name and leases of its own.`,
    );
  }
  const table = repeated(all.map(({ settings }) => tableOf(settings)));
  if (table !== undefined) {
    throw new UserError(
      `Two properties files have the lease table ${table}. Each application needs leases of its own: give them different names (tableName).`,
    );
  }
  const looped = letterLoop(all.map(({ settings }) => settings));
  if (looped.length > 0) {
    throw new UserError(
      `The dead letters of ${looped.join(" and ")} would come back to them as records, because these applications read each other's onFailureDestination: they would fail again, and grow without end. Use another destination for one of them.`,
    );
  }
  return all.map((loaded) => {
    const { applicationName: application, shutdownGraceMillis: graceMs } = loaded.settings;
    const isOneOfSeveral = all.length > 1;
    const named: Emit = isOneOfSeveral ? (event) => listen({ ...event, application }) : listen;
    const clock = systemClock;
    const listeners: Emit[] = [named];
    const emit = fanOut(listeners);
    const ending = new Ending({ graceMs, isDebugged, isOneOfSeveral, emit, clock });
    listeners.push((event) => ending.saw(event));
    const restarts = new RestartRequests();
    return { loaded, emit, listeners, ending, drain: new Drain(emit), restarts };
  });
}

/** How the process ends after all its members have. */
export interface Outcome {
  readonly exitCode: number;
  readonly goodbyesMissed: number;
  /** The fatal error, or one that names every application that failed. */
  readonly failure?: { readonly error: unknown };
}

const FAILED = 1;

export function outcomeOf(members: readonly Member[]): Outcome {
  const endings = members.map(({ ending }) => ending);
  const goodbyesMissed = endings.reduce((sum, ending) => sum + ending.goodbyesMissed, 0);
  const failed = members.filter(({ ending }) => ending.failure !== undefined);
  const [first] = failed;
  if (!first?.ending.failure) {
    const exitCode = endings.find((ending) => ending.exitCode !== 0)?.exitCode ?? 0;
    return { exitCode, goodbyesMissed };
  }
  const failure =
    members.length === 1 ? first.ending.failure : { error: failuresOf(failed, members.length) };
  return { exitCode: FAILED, goodbyesMissed, failure };
}

function failuresOf(failed: readonly Member[], all: number): UserError {
  const lines = failed.map(({ loaded, ending }) => {
    const error = ending.failure?.error;
    return `${loaded.settings.applicationName}: ${error instanceof Error ? error.message : String(error)}`;
  });
  return new UserError(`${failed.length} of ${all} applications failed:\n${lines.join("\n")}`);
}

function repeated(texts: readonly string[]): string | undefined {
  return texts.find((text, index) => texts.indexOf(text) !== index);
}

/** The lease table and where it is, for a message. */
function tableOf({ tableName, leaseStore, services }: Settings): string {
  const { region, endpoint } = services.dynamodb;
  const place = [region, endpoint, leaseStore].filter((part) => part !== undefined).join(", ");
  return place ? `${tableName} (${place})` : tableName;
}
