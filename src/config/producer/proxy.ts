// The KPL's keys for a proxy, as the variable of the environment that names one to every call.

import type { ProducerValues } from "./producerKeys.ts";

/** The KPL's default. */
const DEFAULT_PORT = 443;

/** @param environment of this process: it is changed if the settings name a proxy. */
export function useProxy(
  { proxyHost, proxyPort = DEFAULT_PORT, proxyUserName, proxyPassword = "" }: ProducerValues,
  environment: Record<string, string | undefined>,
): void {
  if (!proxyHost) return;
  const user = proxyUserName && `${encodeURIComponent(proxyUserName)}:`;
  const who = user ? `${user}${encodeURIComponent(proxyPassword)}@` : "";
  // The lower case comes first, whatever else is set.
  environment["https_proxy"] = `http://${who}${proxyHost}:${proxyPort}`;
}
