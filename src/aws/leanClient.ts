// Takes from a client of the SDK what it does for each call and nobody needs. A quiet shard costs a call and little else.

import { VERSION } from "../package.ts";

/** Of all clients that are made here, whatever service they are for. */
interface Client<Scheme, Signer> {
  readonly config: { signer: (scheme?: Scheme) => Promise<Signer> };
  readonly middlewareStack: { remove(name: string): boolean };
}

/** Configuration for a client: says who we are. The SDK's own words are put together, and escaped, for each call. */
export const USER_AGENT = {
  defaultUserAgentProvider: async (): Promise<[string, string][]> => [
    ["kinesis-multilang", VERSION],
    ["md/nodejs", process.versions.node],
  ],
};

/**
 * Without its logger, which renders each request and answer although nobody listens, and without the trace that only exists
 * inside Lambda. With one signer instead of one for each call, made out of a copy of the whole configuration; it asks for
 * credentials each time that it signs, so new ones are used as soon as they are there.
 */
export function makeLean<Scheme, Signer>(client: Client<Scheme, Signer>): void {
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
