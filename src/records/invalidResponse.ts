// A response of Kinesis that cannot be what the service sends.

/** An answer of the service that is no valid GetRecords response. It is thrown away and asked for again. */
export class InvalidResponse extends Error {
  override readonly name = "InvalidResponse";
}

/** @throws InvalidResponse for anything but the `null` that may stand where a value is missing. */
export function nullOnly(value: unknown, name: string): void {
  if (value === null) return;
  throw new InvalidResponse(`Kinesis answered with a ${name} of an unexpected type.`);
}
