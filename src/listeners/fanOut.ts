// Hands each event to every listener. Whoever hears the daemon's events is in the list that is
// given here.

import type { Emit } from "../events.ts";

export function fanOut(listeners: readonly Emit[]): Emit {
  return (event) => {
    for (const hear of listeners) hear(event);
  };
}
