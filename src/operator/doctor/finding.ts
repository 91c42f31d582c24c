// The result of one check of the doctor.

import { redact } from "../../redact.ts";

export type Verdict =
  /** As it should be. */
  | "ok"
  /** The daemon works, but perhaps not as intended, or not for long. */
  | "warning"
  /** The daemon will not work, or not as configured. */
  | "failed"
  /** A check that this one depends on failed, or the check would do harm. */
  | "not checked";

export interface Finding {
  /** `stream`, `permission kinesis:GetRecords`, … */
  readonly check: string;
  readonly verdict: Verdict;
  readonly message: string;
  /** What to do. */
  readonly remedy?: string;
}

export function ok(check: string, message: string): Finding {
  return { check, verdict: "ok", message };
}

export function warning(check: string, message: string, remedy?: string): Finding {
  return { check, verdict: "warning", message, ...(remedy !== undefined && { remedy }) };
}

export function failed(check: string, message: string, remedy?: string): Finding {
  return { check, verdict: "failed", message, ...(remedy !== undefined && { remedy }) };
}

export function notChecked(check: string, why: string): Finding {
  return { check, verdict: "not checked", message: why };
}

/** `AccessDeniedException: …` */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return redact(String(error));
  return redact(error.name === "Error" ? error.message : `${error.name}: ${error.message}`);
}
