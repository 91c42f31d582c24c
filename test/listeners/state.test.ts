// The state that /shards, the page and `top` show, as a function of events and times.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Event } from "../../src/events.ts";
import { liveness, readiness } from "../../src/listeners/state/health.ts";
import { STEP_MS, STEPS } from "../../src/listeners/state/history.ts";
import { overview, shardDetail, shardSummaries } from "../../src/listeners/state/snapshot.ts";
import { DaemonState } from "../../src/listeners/state.ts";
import type { SeenLease } from "../../src/model/events/seenLease.ts";
import { parsePosition, SHARD_END, TRIM_HORIZON } from "../../src/model/position.ts";
import { neverShow } from "../../src/redact.ts";

const STARTED = {
  type: "daemonStarted",
  applicationName: "words",
  streamName: "words",
  workerId: "me",
  version: "1",
} as const;
const FAILOVER_MS = 10_000;
const settings = { failoverTimeMillis: FAILOVER_MS };
const position = (n: number) => parsePosition(String(n), 0) ?? TRIM_HORIZON;

const batch = (shardId: string, records: number, behindMs = 0): Event => ({
  type: "batchProcessed",
  shardId,
  pid: 1,
  records,
  bytes: records * 10,
  position: position(records),
  millisBehindLatest: behindMs,
  elapsedMs: 1,
});
const lease = (shardId: string, more: Partial<SeenLease> = {}): SeenLease => ({
  shardId,
  counter: 1,
  checkpoint: TRIM_HORIZON,
  parentShardIds: [],
  ...more,
});
const seen = (...leases: SeenLease[]): Event => ({
  type: "leasesSeen",
  leases: leases.length,
  rows: () => leases,
});
const taken = (shardId: string): Event => ({ type: "leaseTaken", shardId, how: "unowned" });

function stateAfter(...events: readonly (readonly [Event, number] | Event)[]): DaemonState {
  const state = new DaemonState();
  for (const each of events) {
    const [event, atMs] = Array.isArray(each) ? each : [each as Event, 0];
    state.saw(event, atMs);
  }
  return state;
}
const moment = (nowMs: number) => ({ nowMs, wallMs: 1_800_000_000_000 + nowMs });

describe("any events at any times", () => {
  const shardId = fc.integer({ min: 0, max: 300 }).map((n) => `shardId-${n}`);
  const text = fc.string({ maxLength: 3_000 });
  const pid = fc.integer({ min: 1, max: 5 });
  const error = text.map((message) => Object.assign(new Error(message), { lastStderr: [message] }));
  const range = { first: undefined, last: undefined };
  const event: fc.Arbitrary<Event> = fc.oneof(
    shardId.map(taken),
    fc.tuple(shardId, fc.nat(9_999), fc.nat()).map((all) => batch(...all)),
    shardId.map((id): Event => ({ type: "leaseReleased", shardId: id })),
    fc.record({ type: fc.constant("leaseLost" as const), shardId, reason: text }),
    fc.record({ type: fc.constant("leaseDeleted" as const), shardId, reason: text }),
    fc.record({ type: fc.constant("childStarted" as const), shardId, pid, argv: fc.constant([]) }),
    fc.record({
      type: fc.constant("childOutput" as const),
      shardId,
      pid,
      stream: fc.constantFrom("stdout" as const, "stderr" as const),
      line: text,
    }),
    fc.record({ type: fc.constant("childExited" as const), shardId, pid, expected: fc.boolean() }),
    fc
      .record({
        type: fc.constant("childFailed" as const),
        shardId,
        attempt: pid,
        error,
        records: fc.nat(9),
        next: fc.constantFrom("restart" as const, "releaseLease" as const),
      })
      .map((some) => ({ ...some, ...range, cause: "exit", retryInMs: undefined })),
    fc
      .record({ type: fc.constant("recordsBuried" as const), shardId, records: fc.nat(9) })
      .map((some) => ({ ...some, ...range, condition: "age" as const })),
    fc.array(shardId, { maxLength: 20 }).map((ids) => seen(...ids.map((id) => lease(id)))),
  );
  const history = fc.array(fc.tuple(event, fc.nat(20 * 60_000)), { maxLength: 400 });

  it("make a state of bounded size that is plain JSON and counts what happened", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const state = stateAfter(STARTED);
        let nowMs = 0;
        for (const [each, waitMs] of steps) {
          nowMs += waitMs;
          state.saw(each, nowMs);
        }
        const of = <T extends Event["type"]>(type: T) =>
          steps.flatMap(([each]) =>
            each.type === type ? [each as Extract<Event, { type: T }>] : [],
          );
        const sum = (all: readonly { readonly records: number }[]) =>
          all.reduce((total, { records }) => total + records, 0);
        expect(state.totals.records).toBe(sum(of("batchProcessed")));
        expect(state.totals.deadLetters).toBe(sum(of("recordsBuried")));
        const held = [...state.shards.values()].filter(({ isHeld }) => isHeld);
        expect(state.shards.size - held.length).toBeLessThanOrEqual(100);
        expect(state.incidents.length).toBeLessThanOrEqual(40);
        expect(state.burials.length).toBeLessThanOrEqual(20);
        const shown = {
          ...overview(state, moment(nowMs), FAILOVER_MS),
          shards: shardSummaries(state, moment(nowMs)),
        };
        expect(JSON.parse(JSON.stringify(shown))).toEqual(shown);
        for (const { shardId: id } of shown.shards) {
          const detail = shardDetail(id, state, moment(nowMs));
          expect(JSON.stringify(detail).length).toBeLessThan(60_000);
          expect(detail?.stderr.length).toBeLessThanOrEqual(8);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("are the same state each time, and the history holds the last fifteen minutes", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(500), fc.nat(120_000)), { maxLength: 60 }), (steps) => {
        let nowMs = 0;
        const [one, other] = [new DaemonState(), new DaemonState()];
        const added: (readonly [number, number])[] = [];
        for (const [records, waitMs] of steps) {
          nowMs += waitMs;
          for (const state of [one, other]) state.saw(batch("s", records), nowMs);
          added.push([records, nowMs]);
        }
        const oldest = Math.floor(nowMs / STEP_MS) - STEPS + 1;
        const inside = added.filter(([, atMs]) => Math.floor(atMs / STEP_MS) >= oldest);
        const series = one.history.series(nowMs);
        expect(series).toEqual(other.history.series(nowMs));
        expect(series.records).toHaveLength(STEPS);
        const total = series.records.reduce((a, b) => a + b, 0);
        expect(total).toBe(inside.reduce((a, [records]) => a + records, 0));
      }),
    );
  });
});

describe("a shard", () => {
  it("is shown with its child, its rate, its lag and its last error", () => {
    const error = Object.assign(new Error("s: the child exited.\nmore"), { lastStderr: ["cat"] });
    const state = stateAfter(
      STARTED,
      taken("s"),
      { type: "childStarted", shardId: "s", pid: 7, argv: [] },
      { type: "shardStarted", shardId: "s", position: TRIM_HORIZON, elapsedMs: 5 },
      [batch("s", 40, 1_500), 5_000],
      [{ type: "checkpointed", shardId: "s", position: position(9) }, 5_000],
      [{ type: "childOutput", shardId: "s", pid: 7, stream: "stderr", line: "hello" }, 5_000],
    );
    expect(shardDetail("s", state, moment(10_000))).toMatchObject({
      held: true,
      owner: "me",
      state: "processing",
      position: "40",
      checkpoint: "9",
      lagMs: 1_500,
      recordsPerSecond: 8,
      records: 40,
      pid: 7,
      restarts: 0,
      stderr: ["hello"],
    });
    const failed = { shardId: "s", attempt: 1, cause: "exit", error, records: 0, first: undefined };
    const next = { last: undefined, next: "restart", retryInMs: 100 } as const;
    state.saw({ type: "childExited", shardId: "s", pid: 7, exitCode: 3, expected: false }, 11_000);
    state.saw({ type: "childFailed", ...failed, ...next }, 12_000);
    const shown = shardDetail("s", state, moment(12_000));
    expect(shown).toMatchObject({ state: "restarting", pid: null, restarts: 1 });
    expect(shown?.lastErrorLines).toEqual(["cat"]);
    expect(shown?.lastError?.message).toBe("s: the child exited.");
    expect(state.totals.restarts).toBe(1);
  });

  it("shows no secret that its child wrote", () => {
    neverShow("s3cret-value-of-the-child");
    const line = "password is s3cret-value-of-the-child";
    const state = stateAfter(STARTED, taken("s"), {
      type: "childOutput",
      shardId: "s",
      pid: 1,
      stream: "stderr",
      line,
    });
    expect(shardDetail("s", state, moment(0))?.stderr).toEqual(["password is *****"]);
  });

  it("of another worker is shown as its lease is", () => {
    const state = stateAfter(
      STARTED,
      seen(
        lease("a", { owner: "other", checkpoint: position(5) }),
        lease("b"),
        lease("c", { owner: "other", checkpoint: SHARD_END }),
      ),
    );
    expect(shardSummaries(state, moment(0))).toMatchObject([
      { shardId: "a", held: false, owner: "other", state: "elsewhere", checkpoint: "5" },
      { shardId: "b", held: false, owner: null, state: "unowned" },
      { shardId: "c", state: "ended" },
    ]);
  });
});

describe("the fleet", () => {
  it("counts whose counters change as alive, and remembers who is gone", () => {
    const state = stateAfter(
      STARTED,
      seen(lease("a", { owner: "me" }), lease("b", { owner: "dead" }), lease("c")),
      [seen(lease("a", { owner: "me", counter: 2 }), lease("b", { owner: "dead" })), 11_000],
    );
    const { workers } = overview(state, moment(11_000), FAILOVER_MS).fleet;
    expect(workers).toMatchObject([
      { workerId: "dead", leases: 1, alive: false, isThis: false },
      { workerId: "me", leases: 1, alive: true, isThis: true },
    ]);
    state.saw(seen(lease("a", { owner: "me", counter: 3 }), lease("b", { owner: "me" })), 12_000);
    expect(overview(state, moment(12_000), FAILOVER_MS).fleet.workers).toMatchObject([
      { workerId: "me", leases: 2 },
      { workerId: "dead", leases: 0, alive: false },
    ]);
  });
});

const trouble = (attempt: number): Event => ({
  type: "serviceTrouble",
  service: "dynamodb",
  operation: "Scan",
  scope: "Scan",
  lasting: false,
  error: new Error("refused"),
  attempt,
  retryInMs: 1,
});

describe("ready", () => {
  it("is the daemon once it has looked at the leases", () => {
    const state = stateAfter(STARTED);
    expect(readiness(state)).toMatchObject({ ok: false });
    state.saw(seen(), 0);
    expect(readiness(state)).toEqual({ ok: true, reasons: [] });
  });

  it("is not a daemon that waits for its stream", () => {
    const state = stateAfter(STARTED, { type: "waitingForStream", message: "no stream." });
    expect(readiness(state).reasons).toEqual(["The daemon waits for the stream: no stream."]);
  });

  it("is not a daemon that reaches no table, until it does", () => {
    const state = stateAfter(STARTED, seen(), trouble(1));
    expect(readiness(state).ok).toBe(true);
    state.saw(trouble(2), 0);
    expect(readiness(state).reasons).toEqual([expect.stringContaining("dynamodb Scan failed")]);
    const call = { service: "dynamodb", operation: "Scan", scope: "Scan", attempts: 2 } as const;
    state.saw({ type: "serviceRecovered", ...call }, 0);
    expect(readiness(state).ok).toBe(true);
  });

  it("is not a daemon whose credentials are refused, until it reads the table", () => {
    const refused = { type: "credentialsTrouble", error: new Error("x"), validForMs: 0 } as const;
    const state = stateAfter(STARTED, seen(), refused);
    expect(readiness(state).reasons).toEqual([expect.stringContaining("credentials")]);
    state.saw({ ...refused, validForMs: 9 }, 0);
    state.saw(seen(), 0);
    expect(readiness(state).ok).toBe(true);
  });

  it("is not a drained daemon, until it is resumed and looks at the leases", () => {
    const state = stateAfter(STARTED, seen(), { type: "drainRequested", reason: "x" });
    expect(readiness(state).ok).toBe(false);
    state.saw({ type: "drained" }, 0);
    state.saw(seen(), 0);
    expect(readiness(state).reasons).toEqual([expect.stringContaining("drained")]);
    state.saw({ type: "resumed", reason: "x" }, 0);
    expect(readiness(state).ok).toBe(false);
    state.saw(seen(), 0);
    expect(readiness(state).ok).toBe(true);
  });

  it("is not a daemon that stops, whatever its parts still do", () => {
    const state = stateAfter(
      STARTED,
      seen(),
      { type: "stopRequested", reason: "x", graceMs: 1 },
      seen(),
    );
    expect(readiness(state).reasons).toEqual(["The daemon is stopping."]);
  });
});

describe("alive", () => {
  const RENEWED = { type: "leaseRenewed", shardId: "s" } as const;

  it("is a daemon whose lease loop goes on, even where DynamoDB refuses every call", () => {
    const state = stateAfter(STARTED, seen());
    expect(liveness(state, settings, 99_000).ok).toBe(true);
    expect(liveness(state, settings, 101_000).reasons).toEqual([
      "The lease loop has made no call for 101 s.",
    ]);
    state.saw(RENEWED, 100_500);
    expect(liveness(state, settings, 101_000).ok).toBe(true);
    state.saw(trouble(1), 300_000);
    expect(liveness(state, settings, 301_000).ok).toBe(true);
  });

  it("is a drained daemon, which looks at no lease", () => {
    const state = stateAfter(STARTED, seen(), { type: "drained" });
    expect(liveness(state, settings, 9_999_000).ok).toBe(true);
  });

  it("is not a daemon with a shard that stays stuck beyond the limit", () => {
    const limits = { ...settings, progressTimeoutSeconds: 5 };
    const stuck = { waitingFor: "child", step: "restartChild", quietMs: 5_000 } as const;
    const state = stateAfter(STARTED, seen(), taken("s"), {
      type: "shardStuck",
      shardId: "s",
      ...stuck,
    });
    expect(liveness(state, limits, 5_000).ok).toBe(true);
    expect(liveness(state, limits, 6_000).reasons).toEqual([
      expect.stringMatching(/^s has made no progress/),
    ]);
    expect(liveness(state, settings, 6_000).ok).toBe(true);
    state.saw(batch("s", 1), 6_000);
    expect(liveness(state, limits, 20_000).ok).toBe(true);
  });
});
