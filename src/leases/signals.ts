// Signals that many requests listen to at a time. Node warns of a leak at the eleventh listener of a signal; here
// each request in flight is one, and takes its listener away when it ends.

import { setMaxListeners } from "node:events";

export function sharedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
