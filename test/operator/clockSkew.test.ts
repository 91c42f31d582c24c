// The clock's difference from AWS's, from the date headers of responses.

import { describe, expect, it } from "vitest";
import { ClockSkew } from "../../src/operator/doctor/clockSkew.ts";

async function seen(...offsetsMs: readonly number[]) {
  const clock = new ClockSkew();
  for (const offset of offsetsMs) {
    const date = new Date(Date.now() + offset).toUTCString();
    await clock.timed(async () => ({ response: { headers: { date } } }));
  }
  return clock.check();
}

describe("the clock", () => {
  it("is right when one response agrees with it", async () => {
    expect(await seen(-400)).toMatchObject({ verdict: "ok" });
    expect(await seen(-400_000, 0)).toMatchObject({ verdict: "ok" });
  });

  it.each([
    [120_000, /(119|120) s behind AWS's$/],
    [-120_000, /(120|121) s ahead of AWS's$/],
    [-400_000, /40[01] s ahead of AWS's\. AWS rejects signatures/],
  ])("that is %d ms off is reported with a remedy", async (offsetMs, message) => {
    expect(await seen(offsetMs)).toMatchObject({
      verdict: "warning",
      message: expect.stringMatching(message),
      remedy: expect.stringContaining("NTP"),
    });
  });

  it("is not checked without a date header", async () => {
    const clock = new ClockSkew();
    await clock.timed(async () => ({ response: {} }));
    expect(clock.check()).toMatchObject({ verdict: "not checked" });
  });
});
