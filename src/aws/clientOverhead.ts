// Removes work that the SDK repeats for each call and that this program does not need. Reading an
// idle shard consists of such calls.

import { VERSION } from "../package.ts";

/** The parts that the clients of all services share. */
interface Client<Scheme, Signer> {
  readonly config: { signer: (scheme?: Scheme) => Promise<Signer> };
  readonly middlewareStack: { remove(name: string): boolean };
}

/**
 * Client configuration: our user agent. The SDK would assemble and escape its own for each call.
 */
export const USER_AGENT = {
  defaultUserAgentProvider: async (): Promise<[string, string][]> => [
    ["kinesis-multilang", VERSION],
    ["md/nodejs", process.versions.node],
  ],
};

/**
 * - Removes the SDK's logger, which renders each request and response although no logger is set.
 * - Removes the detection of recursion, which matters inside AWS Lambda only.
 * - Keeps one signer. The SDK would make one for each call, with a copy of the whole configuration.
 *   The signer gets the credentials each time it signs, so it uses new credentials at once.
 */
export function removeOverhead<Scheme, Signer>(client: Client<Scheme, Signer>): void {
  client.middlewareStack.remove("loggerMiddleware");
  client.middlewareStack.remove("recursionDetectionMiddleware");
  const { config } = client;
  const make = config.signer;
  let made: Promise<Signer> | undefined;
  config.signer = (scheme) => {
    made ??= make(scheme);
    return made;
  };
}
