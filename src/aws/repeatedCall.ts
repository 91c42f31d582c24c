// Calls one operation of a service again and again, for a fraction of the CPU time that the SDK's
// middleware takes for each call. The SDK makes the first call. Each later one copies its request
// and replaces the body, the date and the signature. Whatever does not succeed goes through the
// SDK after all, which receives the response or the failure that we have already: so errors, the
// correction of the clock and the renewal of refused keys remain the SDK's, and no call is sent
// twice.

import type { SdkHandler, SdkRequest, SdkResponse } from "./connections/keptConnections.ts";
import type { Credentials } from "./keptCredentials.ts";
import { RequestTemplate } from "./requestTemplate.ts";
import { beginCall } from "./watchedCalls.ts";

export interface SdkOperation<Input> {
  readonly name: string;
  /** The client's configuration. */
  readonly config: {
    readonly requestHandler: SdkHandler;
    readonly credentials: () => Promise<Credentials>;
    /** What the SDK adds to our clock after the service has refused a request's time. */
    readonly systemClockOffset: number;
  };
  /** Makes the call with the SDK, through this handler in place of the client's. */
  readonly send: (input: Input, handler: SdkHandler, signal: AbortSignal) => Promise<unknown>;
}

type Handle = SdkHandler["handle"];

export class RepeatedCall<Input extends object> {
  readonly #operation: SdkOperation<Input>;
  #template: RequestTemplate | undefined;

  constructor(operation: SdkOperation<Input>) {
    this.#operation = operation;
  }

  /**
   * @param input equal to its form in JSON: no bytes, no dates.
   * @returns the body of the successful response.
   * @throws what the SDK throws.
   */
  async send(input: Input, signal: AbortSignal): Promise<Buffer> {
    const { name, config } = this.#operation;
    const { requestHandler, credentials, systemClockOffset } = config;
    const keys = await credentials();
    if (!this.#template?.isFor(keys)) return this.#throughSdk(input, keys, signal);
    const succeeded = beginCall(config, name, input);
    const now = new Date(Date.now() + systemClockOffset);
    const request = this.#template.request(JSON.stringify(input), now);
    let outcome: Handle;
    try {
      const { response } = await requestHandler.handle(request, { abortSignal: signal });
      if (response.statusCode < 300) {
        succeeded(response.body.length);
        return response.body;
      }
      outcome = async () => ({ response });
    } catch (error) {
      outcome = () => Promise.reject(error);
    }
    return this.#throughSdk(input, keys, signal, outcome);
  }

  /** @param first stands for the first attempt; absent: it is made. */
  async #throughSdk(
    input: Input,
    keys: Credentials,
    signal: AbortSignal,
    first?: Handle,
  ): Promise<Buffer> {
    const { config, send } = this.#operation;
    let last: { readonly request: SdkRequest; readonly response: SdkResponse } | undefined;
    let replay = first;
    const handle: Handle = async (request, options) => {
      const call = replay ?? ((...args) => config.requestHandler.handle(...args));
      replay = undefined;
      const answer = await call(request, options);
      last = { request, response: answer.response };
      return answer;
    };
    await send(input, { handle }, signal);
    if (!last) throw new Error("The SDK succeeded without a response.");
    this.#template = RequestTemplate.of(last.request, keys);
    return last.response.body;
  }
}
