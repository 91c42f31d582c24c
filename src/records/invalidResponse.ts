// The error for a response that Kinesis cannot have meant: malformed, or contradicting itself.

/** The reader discards the response and repeats the call. */
export class InvalidResponse extends Error {
  override readonly name = "InvalidResponse";
}

/** @throws InvalidResponse unless the value is `null`, which may stand for a missing value. */
export function nullOnly(value: unknown, name: string): void {
  if (value === null) return;
  throw new InvalidResponse(`Kinesis sent a response whose ${name} has an unexpected type.`);
}
