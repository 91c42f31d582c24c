// Makes a client's calls survive a rotation of access keys. When a service refuses the keys of a
// call, the client repeats the call once with newer keys. This is safe for writes, too: the service
// did not execute the refused call.

import { areKeysRefused } from "./errors.ts";
import type { Credentials, ProvideCredentials } from "./keptCredentials.ts";

type Handle<Args, Output> = (args: Args) => Promise<Output>;

/** The part that the clients of all services share. */
export interface Client<Args, Output> {
  readonly middlewareStack: {
    add(
      middleware: (next: Handle<Args, Output>) => Handle<Args, Output>,
      options: { readonly step: "initialize"; readonly name: string },
    ): void;
  };
}

/** @param credentials the client's. Without effect for literal keys, which cannot be renewed. */
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
        if (!areKeysRefused(error)) throw error;
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
