// Workers with the decisions of the coordinator, which act with callbacks.

import { Crew, type CrewParts, type Stop, type Worker } from "../crew.ts";
import { lead } from "./leader.ts";
import { PureWorker } from "./worker.ts";

export class PureFleet extends Crew {
  constructor(parts: CrewParts) {
    super(parts);
    if (parts.scenario.led) lead(parts, () => this.active);
  }

  protected begin(worker: Worker): Stop {
    const pure = new PureWorker({
      ...this.parts,
      workerId: worker.workerId,
      process: worker.process,
      count: (what, about) => {
        this.count(what);
        this.parts.trace(worker.process.name, `${what} ${about}`);
      },
      ended: () => this.ended(worker),
    });
    pure.scan();
    return (atOnce) => pure.stop(atOnce);
  }
}
