// What a transcript asks of a client: the actions in order, and how the checkpoints asked for in each are answered.

import { type Position, parsePosition } from "../model/position.ts";
import { type Payload, withPayload } from "./payload.ts";
import { spoken, type Transcript } from "./transcript.ts";

export interface ScriptedAction {
  readonly action: string;
  /** The line that the client reads. */
  readonly text: string;
  /** Errors of the answers in turn, null for success; the last one goes for all that follow. */
  readonly answers: readonly (string | null)[];
  /** Records delivered with it, or the place where the child is to begin. */
  readonly positions: readonly Position[];
}

interface DaemonMessage {
  readonly action: string;
  readonly error?: string | null;
  readonly sequenceNumber?: string | null;
  readonly subSequenceNumber?: number | null;
  readonly records?: readonly {
    readonly sequenceNumber: string;
    readonly subSequenceNumber: number;
  }[];
}

/** Reads the daemon's lines of a transcript. Throws when one of them is not JSON. */
export function scriptOf(transcript: Transcript, payload?: Payload): ScriptedAction[] {
  const script: (ScriptedAction & { answers: (string | null)[] })[] = [];
  for (const step of transcript.steps) {
    if (step.from !== "daemon") continue;
    const text = payload ? withPayload(spoken(step), payload) : spoken(step);
    const message = JSON.parse(text) as DaemonMessage;
    if (message.action === "checkpoint") script.at(-1)?.answers.push(message.error ?? null);
    else
      script.push({ action: message.action, text, answers: [], positions: positionsIn(message) });
  }
  return script;
}

/** How the checkpoint that is number `index` within its action is answered. */
export function answerTo({ action, answers }: ScriptedAction, index: number): string | null {
  const scripted = answers[Math.min(index, answers.length - 1)];
  if (scripted !== undefined) return scripted;
  return action === "initialize" || action === "leaseLost" ? "InvalidStateException" : null;
}

function positionsIn(message: DaemonMessage): Position[] {
  const places = message.records ?? (message.action === "initialize" ? [message] : []);
  return places
    .map((place) => parsePosition(place.sequenceNumber ?? "", place.subSequenceNumber ?? 0))
    .filter((position) => position !== undefined);
}
