// The script that a client is played: the actions of a transcript in order, and the answers to the
// checkpoints in each. A transcript can be played in another dialect: its endings are translated.

import { DIALECTS, isEnding } from "../child/dialect.ts";
import type { DialectName } from "../model/dialect.ts";
import { type Position, parsePosition } from "../model/position.ts";
import { type Payload, withPayload } from "./payload.ts";
import { lineOf, type Transcript } from "./transcript.ts";

export interface ScriptedAction {
  /** The name of the action in KCL 2.x. */
  readonly action: string;
  /** The name of the action in the dialect, which the status repeats. */
  readonly message: string;
  /** The line that the client receives. */
  readonly text: string;
  /**
   * The error of each answer in turn, null for success. The last one also applies to later answers.
   */
  readonly answers: readonly (string | null)[];
  /** The positions of the delivered records, or the one at which the child begins. */
  readonly positions: readonly Position[];
}

interface DaemonMessage {
  readonly action: string;
  readonly reason?: string;
  readonly error?: string | null;
  readonly sequenceNumber?: string | null;
  readonly subSequenceNumber?: number | null;
  readonly records?: readonly {
    readonly sequenceNumber: string;
    readonly subSequenceNumber: number;
  }[];
}

/** Reads the daemon's lines of a transcript. @throws SyntaxError when one of them is not JSON. */
export function scriptOf(
  transcript: Pick<Transcript, "steps">,
  dialect: DialectName,
  payload?: Payload,
): ScriptedAction[] {
  const script: (ScriptedAction & { answers: (string | null)[] })[] = [];
  for (const step of transcript.steps) {
    if (step.from !== "daemon") continue;
    const text = payload ? withPayload(lineOf(step), payload) : lineOf(step);
    const message = JSON.parse(text) as DaemonMessage;
    if (message.action === "checkpoint") {
      script.at(-1)?.answers.push(message.error ?? null);
    } else {
      script.push({
        ...translated(message, text, dialect),
        answers: [],
        positions: positionsIn(message),
      });
    }
  }
  return script;
}

function translated(message: DaemonMessage, text: string, dialect: DialectName) {
  const action = actionOf(message);
  const ending = isEnding(action) ? DIALECTS[dialect][action] : undefined;
  if (!ending) return { action, message: message.action, text };
  return { action, message: ending.action, text: JSON.stringify(ending) };
}

function actionOf({ action, reason }: DaemonMessage): string {
  if (action !== "shutdown") return action;
  return reason === "TERMINATE" ? "shardEnded" : "leaseLost";
}

/** The answer to the checkpoint with this index within its action. */
export function answerTo(
  { action, answers }: ScriptedAction,
  index: number,
  dialect: DialectName,
): string | null {
  const scripted = answers[Math.min(index, answers.length - 1)];
  if (scripted !== undefined) return scripted;
  if (action === "leaseLost") return DIALECTS[dialect].errorWithoutLease;
  return action === "initialize" ? "InvalidStateException" : null;
}

function positionsIn(message: DaemonMessage): Position[] {
  const places = message.records ?? (message.action === "initialize" ? [message] : []);
  return places
    .map((place) => parsePosition(place.sequenceNumber ?? "", place.subSequenceNumber ?? 0))
    .filter((position) => position !== undefined);
}
