// How far this machine's clock is from AWS's: every answer carries the time, to the second.

import { type Finding, notChecked, ok, warning } from "./finding.ts";

/** AWS refuses signatures that are five minutes off. The SDK corrects that by itself, other programs do not. */
const REFUSED_MS = 300_000;
/** Beyond what a header of whole seconds can hide. */
const NOTICED_MS = 30_000;

export class ClockSkew {
  /** Ours ahead of theirs; positive = ours is fast. The smallest seen: a slow answer makes it larger. */
  #skewMs: number | undefined;

  /** For the innermost middleware of a client: sees the headers of each answer, refusals too. */
  async timed<T extends { readonly response: unknown }>(call: () => Promise<T>): Promise<T> {
    const startMs = Date.now();
    const result = await call();
    this.#note(dateOf(result.response), (startMs + Date.now()) / 2);
    return result;
  }

  check(): Finding {
    const skewMs = this.#skewMs;
    if (skewMs === undefined) return notChecked("clock", "no service has answered");
    const seconds = Math.round(Math.abs(skewMs) / 1_000);
    if (Math.abs(skewMs) < NOTICED_MS) return ok("clock", "agrees with AWS's to the second or so");
    const what = `this machine's clock is ${seconds} s ${skewMs > 0 ? "ahead of" : "behind"} AWS's`;
    const consequence =
      Math.abs(skewMs) >= REFUSED_MS
        ? "; AWS refuses signatures that are 300 s off (this daemon corrects them, other programs do not)"
        : "";
    return warning(
      "clock",
      what + consequence,
      "Set the clock, and keep it right: NTP, chrony or systemd-timesyncd.",
    );
  }

  #note(dateMs: number, localMs: number): void {
    if (Number.isNaN(dateMs)) return;
    // The header is cut to the second: half of one is the best guess for the rest.
    const skewMs = localMs - (dateMs + 500);
    if (Math.abs(skewMs) < Math.abs(this.#skewMs ?? Number.POSITIVE_INFINITY))
      this.#skewMs = skewMs;
  }
}

function dateOf(response: unknown): number {
  if (typeof response !== "object" || response === null || !("headers" in response))
    return Number.NaN;
  const { headers } = response;
  if (typeof headers !== "object" || headers === null || !("date" in headers)) return Number.NaN;
  return typeof headers.date === "string" ? Date.parse(headers.date) : Number.NaN;
}
