// Clients of the SDK whose calls survive a rotation of keys: a call that a service refuses for its keys is made once more
// with those that there are now. The service did nothing with it, so repeating it is safe, writes included.

import type { Credentials, ProvideCredentials } from "./keptCredentials.ts";

/** The keys themselves are refused: not what they may do, and not the request's time. */
const KEYS_REFUSED: ReadonlySet<string> = new Set([
  "ExpiredTokenException",
  "ExpiredToken",
  "TokenRefreshRequired",
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  "InvalidAccessKeyId",
  "InvalidToken",
  "RequestExpired",
  // Half of a pair was read while the file was being written.
  "InvalidSignatureException",
  "SignatureDoesNotMatch",
]);

type Handle<Args, Output> = (args: Args) => Promise<Output>;

/** Of all clients that are made here, whatever service they are for. */
export interface Client<Args, Output> {
  readonly middlewareStack: {
    add(
      middleware: (next: Handle<Args, Output>) => Handle<Args, Output>,
      options: { readonly step: "initialize"; readonly name: string },
    ): void;
  };
}

/** @param credentials what the client was made with; keys that were given as they are cannot change. */
export function renewRefusedKeys<Args, Output>(
  client: Client<Args, Output>,
  credentials: object | undefined,
): void {
  if (!canRenew(credentials)) return;
  client.middlewareStack.add(
    (next) => async (args) => {
      const used: Credentials = await credentials();
      try {
        return await next(args);
      } catch (error) {
        if (!(error instanceof Error && KEYS_REFUSED.has(error.name))) throw error;
        if (!(await credentials.renew(used, error.name))) throw error;
        return await next(args);
      }
    },
    { step: "initialize", name: "renewRefusedKeys" },
  );
}

function canRenew(credentials: object | undefined): credentials is ProvideCredentials {
  return typeof credentials === "function" && "renew" in credentials;
}
