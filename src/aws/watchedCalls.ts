// Reports every call of a client as an event: the one place where calls leave the program.

import { type Clock, systemClock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { CallOutcome } from "../model/events/callEvent.ts";
import { kindOfError } from "./errors.ts";

interface Args {
  readonly input: object;
}

type Handle<A, R> = (args: A) => Promise<R>;

/** The part that the clients of all services share. */
interface Client<A, R> {
  readonly middlewareStack: {
    add(
      middleware: (next: Handle<A, R>, context: { readonly commandName?: string }) => Handle<A, R>,
      options: {
        readonly step: "initialize";
        readonly priority: "low";
        readonly name: string;
      },
    ): void;
  };
}

const shardOf = new WeakMap<object, string>();

/** Notes which shard a call is for, where its input does not say so. */
export function forShard<Input extends object>(input: Input, shardId: string): Input {
  shardOf.set(input, shardId);
  return input;
}

/** @param emit nothing is watched without it. */
export function watchCalls<A extends Args, R extends { readonly output: object }>(
  client: Client<A, R>,
  service: string,
  emit: Emit | undefined,
  clock: Clock = systemClock,
): void {
  if (!emit) return;
  client.middlewareStack.add(
    (next, { commandName = "" }) => {
      const operation = commandName.replace(/Command$/, "");
      return async (args) => {
        const startedMs = clock.monotonicMs();
        const report = (outcome: CallOutcome, bytes?: number) => {
          const shardId = shardOf.get(args.input);
          emit({
            type: "serviceCall",
            service,
            operation,
            ...(shardId !== undefined && { shardId }),
            elapsedMs: clock.monotonicMs() - startedMs,
            ...(bytes !== undefined && { bytes }),
            outcome,
          });
        };
        try {
          const result = await next(args);
          report("ok", sizeOf(result.output));
          return result;
        } catch (error) {
          report(outcomeOf(error));
          throw error;
        }
      };
    },
    { step: "initialize", priority: "low", name: "watchCalls" },
  );
}

/** The output of GetRecords is the response's body as it is. */
function sizeOf(output: object): number | undefined {
  return "body" in output && Buffer.isBuffer(output.body) ? output.body.length : undefined;
}

function outcomeOf(error: unknown): CallOutcome {
  if (!(error instanceof Error)) return "other";
  if (error.name === "ConditionalCheckFailedException") return "conflict";
  // A call that took too long was aborted, too: the cause tells them apart.
  if (error.name === "AbortError") {
    return error.cause instanceof Error && error.cause.name === "TimeoutError"
      ? "unreachable"
      : "aborted";
  }
  return kindOfError(error);
}
