// Findings as text for the terminal.

import type { Finding, Verdict } from "./finding.ts";

const MARKS: Readonly<Record<Verdict, string>> = {
  ok: "ok",
  warning: "warn",
  failed: "FAIL",
  "not checked": "-",
};

/** The codes for colours and bold text of a terminal (SGR). */
const COLOURS: Readonly<Record<Verdict, string>> = {
  ok: "32",
  warning: "33",
  failed: "31;1",
  "not checked": "2",
};

const MARK_WIDTH = 4;
/** The length of the longest check name. */
const CHECK_WIDTH = 30;

export function findingText(
  { check, verdict, message, remedy }: Finding,
  coloured: boolean,
): string {
  const mark = MARKS[verdict].padEnd(MARK_WIDTH);
  const shown = coloured ? `\x1b[${COLOURS[verdict]}m${mark}\x1b[0m` : mark;
  const text = verdict === "not checked" ? `not checked: ${message}` : message;
  const margin = " ".repeat(MARK_WIDTH + 2);
  const name = check.replace(/^permission /, "");
  const [first = "", ...rest] = text.split("\n");
  return [
    `${shown}  ${name.padEnd(CHECK_WIDTH)}  ${first}`.trimEnd(),
    ...rest.map((line) => `${margin}${" ".repeat(CHECK_WIDTH)}  ${line}`.trimEnd()),
    ...(remedy ?? "")
      .split("\n")
      .filter(Boolean)
      .map((line) => `${margin}-> ${line}`),
  ].join("\n");
}

/** `14 ok, 1 warning, 2 failed, 3 not checked` */
export function summaryText(findings: readonly Finding[]): string {
  const verdicts: readonly Verdict[] = ["ok", "warning", "failed", "not checked"];
  return verdicts
    .map(
      (verdict) =>
        [findings.filter((finding) => finding.verdict === verdict).length, verdict] as const,
    )
    .filter(([count]) => count > 0)
    .map(
      ([count, verdict]) => `${count} ${verdict}${verdict === "warning" && count > 1 ? "s" : ""}`,
    )
    .join(", ");
}
