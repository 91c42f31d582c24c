// The values of `leaseStore`: DynamoDB, as in Java, or a local directory.

export const LEASE_STORE = /^(?:dynamodb|file:.+)$/;
export const LEASE_STORE_FORM = "dynamodb or file:DIRECTORY, such as file:/var/lib/words";

/** `undefined`: the leases are in DynamoDB. */
export function leaseDirectoryIn(leaseStore: string | undefined): string | undefined {
  return /^file:(.+)$/.exec(leaseStore ?? "")?.[1];
}
