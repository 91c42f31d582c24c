// Guards the first process group that it is given, and for a moment the second; then it is killed.
import { Watchdog } from "../../../.cache/js/child/process/watchdog.js";

const [guarded, released] = process.argv.slice(2).map(Number);
const watchdog = new Watchdog({ closeGraceMs: 0, terminateGraceMs: 0, emit: () => {} });
watchdog.guard(released);
watchdog.guard(guarded);
watchdog.release(released);
process.kill(process.pid, "SIGKILL");
