// Whose turn it is: the table of all turns against all that a child can say, and any talk whatever.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Conversation, type Received } from "../../src/child/conversation.ts";
import type { Action } from "../../src/child/messages.ts";

const ACTIONS: readonly Action[] = [
  "initialize",
  "processRecords",
  "shutdownRequested",
  "leaseLost",
  "shardEnded",
];

const status = (responseFor: string) => JSON.stringify({ action: "status", responseFor });
const CHECKPOINT = '{"action":"checkpoint","sequenceNumber":"5"}';

/**
 * A conversation in which these actions were answered; `asked` waits for its answer, `half` is not
 * yet delivered.
 */
function talk(answered: readonly Action[], asked?: Action, half = false): Conversation {
  const conversation = new Conversation();
  for (const action of answered) {
    conversation.request(action);
    conversation.delivered();
    expect(conversation.receive(status(action)).type).toBe("done");
  }
  if (asked) conversation.request(asked);
  if (asked && !half) conversation.delivered();
  return conversation;
}

function broken(): Conversation {
  const conversation = talk(["initialize"], "processRecords");
  conversation.receive(status("initialize"));
  return conversation;
}

const GOING: readonly Action[] = ["processRecords", "shutdownRequested", "leaseLost", "shardEnded"];

interface Row {
  readonly turn: () => Conversation;
  readonly mayAsk: readonly Action[];
  readonly checkpoint: "store" | "refuse" | "noise";
  readonly upTo?: "current" | "previous";
  /** What each status means; `noise` for those not named. */
  readonly statuses?: Partial<Record<Action, Received["type"]>>;
}

const violationExcept = (action: Action) =>
  Object.fromEntries(ACTIONS.map((a) => [a, a === action ? "done" : "violation"]));

const TURNS: Record<string, Row> = {
  "nothing said": {
    turn: () => talk([]),
    mayAsk: ["initialize"],
    checkpoint: "refuse",
    upTo: "previous",
  },
  "initialize on its way": {
    turn: () => talk([], "initialize", true),
    mayAsk: [],
    checkpoint: "refuse",
    upTo: "previous",
  },
  "initialize asked": {
    turn: () => talk([], "initialize"),
    mayAsk: [],
    checkpoint: "refuse",
    upTo: "current",
    statuses: violationExcept("initialize"),
  },
  "initialize answered": {
    turn: () => talk(["initialize"]),
    mayAsk: GOING,
    checkpoint: "store",
    upTo: "previous",
  },
  "processRecords on its way": {
    turn: () => talk(["initialize"], "processRecords", true),
    mayAsk: [],
    checkpoint: "store",
    upTo: "previous",
  },
  "processRecords asked": {
    turn: () => talk(["initialize"], "processRecords"),
    mayAsk: [],
    checkpoint: "store",
    upTo: "current",
    statuses: violationExcept("processRecords"),
  },
  "processRecords answered": {
    turn: () => talk(["initialize", "processRecords"]),
    mayAsk: GOING,
    checkpoint: "store",
    upTo: "previous",
  },
  "shutdownRequested asked": {
    turn: () => talk(["initialize"], "shutdownRequested"),
    mayAsk: [],
    checkpoint: "store",
    upTo: "current",
    statuses: violationExcept("shutdownRequested"),
  },
  "shutdownRequested answered": {
    turn: () => talk(["initialize", "shutdownRequested"]),
    mayAsk: ["leaseLost", "shardEnded"],
    checkpoint: "refuse",
    upTo: "previous",
  },
  "leaseLost asked": {
    turn: () => talk(["initialize"], "leaseLost"),
    mayAsk: [],
    checkpoint: "refuse",
    upTo: "current",
    statuses: violationExcept("leaseLost"),
  },
  "leaseLost answered": {
    turn: () => talk(["initialize", "leaseLost"]),
    mayAsk: [],
    checkpoint: "refuse",
    upTo: "previous",
  },
  "shardEnded asked": {
    turn: () => talk(["initialize"], "shardEnded"),
    mayAsk: [],
    checkpoint: "store",
    upTo: "current",
    statuses: violationExcept("shardEnded"),
  },
  "shardEnded answered": {
    turn: () => talk(["initialize", "shardEnded"]),
    mayAsk: [],
    checkpoint: "refuse",
    upTo: "previous",
  },
  "rules broken": { turn: broken, mayAsk: [], checkpoint: "noise" },
};

describe.each(Object.entries(TURNS))(
  "%s",
  (_name, { turn, mayAsk, checkpoint, upTo, statuses = {} }) => {
    it.each(ACTIONS)("ask %s", (action) => {
      const conversation = turn();
      if (mayAsk.includes(action)) conversation.request(action);
      else
        expect(() => conversation.request(action)).toThrow(`"${action}" cannot be requested now`);
    });

    it.each(ACTIONS)("a status for %s", (action) => {
      const received = turn().receive(status(action));
      expect(received.type).toBe(statuses[action] ?? "noise");
      const last = action === "leaseLost" || action === "shardEnded";
      if (received.type === "done") expect(received.isLast).toBe(last);
    });

    it("a checkpoint", () => {
      const received = turn().receive(CHECKPOINT);
      const request = { sequenceNumber: "5", subSequenceNumber: null };
      if (checkpoint === "noise") expect(received).toMatchObject({ type: "noise" });
      else expect(received).toMatchObject({ type: "checkpoint", request, may: checkpoint, upTo });
    });

    it("what is no message changes nothing", () => {
      const conversation = turn();
      expect(conversation.receive("")).toEqual({ type: "noise", isBlank: true });
      expect(conversation.receive("null")).toEqual({ type: "noise", isBlank: false });
      expect(conversation.receive(status("dance").replace("status", "x"))).toMatchObject({
        type: "noise",
      });
      expect(conversation.receive('{"action":"log","message":"m"}')).toMatchObject({
        type: "log",
        message: "m",
      });
      for (const action of ACTIONS) {
        if (!mayAsk.includes(action)) expect(() => conversation.request(action)).toThrow();
      }
      const [first] = mayAsk;
      if (first) conversation.request(first);
    });
  },
);

describe("warnings", () => {
  it("are given once for each kind", () => {
    const conversation = talk(["initialize"]);
    expect(conversation.receive(status("initialize")).warning).toContain("no answer was due");
    expect(conversation.receive(status("initialize")).warning).toBeUndefined();
    expect(conversation.receive(status("shardEnded")).warning).toContain('"shardEnded"');
    const odd = '{"action":"log","message":"m","colour":1}';
    expect(conversation.receive(odd).warning).toBe(
      "ignored unknown properties of a log message: colour",
    );
    expect(conversation.receive(odd).warning).toBeUndefined();
  });

  it("end some time, whatever a child makes up", () => {
    const conversation = talk(["initialize"]);
    const warnings = Array.from(
      { length: 1_000 },
      (_, i) => conversation.receive(status(`${i}`)).warning,
    );
    expect(warnings.filter((warning) => warning !== undefined)).toHaveLength(32);
  });
});

describe("any talk", () => {
  const line = fc.oneof(
    fc.constantFrom(...ACTIONS.map(status), CHECKPOINT, "", "null"),
    fc.string(),
    fc.json(),
    fc
      .record(
        {
          action: fc.constantFrom("status", "checkpoint", "log", "initialize"),
          responseFor: fc.anything(),
          sequenceNumber: fc.anything(),
          subSequenceNumber: fc.anything(),
          message: fc.anything(),
        },
        { requiredKeys: ["action"] },
      )
      .map((message) =>
        JSON.stringify(message, (_, value) => (typeof value === "bigint" ? 1 : value)),
      ),
  );
  const step = fc.oneof(
    fc.record({ ask: fc.constantFrom(...ACTIONS) }),
    fc.record({ hear: line }),
    fc.record({ delivered: fc.constant(true) }),
  );

  it("never throws at a line, and never counts an action as done that was not asked and delivered", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const conversation = new Conversation();
        let asked: Action | undefined;
        let delivered = false;
        for (const one of steps) {
          if ("ask" in one) {
            try {
              conversation.request(one.ask);
              [asked, delivered] = [one.ask, false];
            } catch {}
          } else if ("delivered" in one) {
            conversation.delivered();
            delivered = true;
          } else if (conversation.receive(one.hear).type === "done") {
            expect(delivered && one.hear.includes(String(asked))).toBe(true);
            asked = undefined;
          }
        }
      }),
    );
  });
});
