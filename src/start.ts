#!/usr/bin/env node
// The first code of the program. It holds signals before it loads the rest, because loading takes
// about a tenth of a second, in which a signal without a listener would end the process.

import { HeldSignals } from "./heldSignals.ts";

const signals = new HeldSignals();
const { main } = await import("./main.ts");
process.exitCode = await main(process.argv, signals);
