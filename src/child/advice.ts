// What to tell the person whose child failed to do what every record processor has to.

export const ONE_STATUS =
  "A record processor sends exactly one status for each action, after it is done; is one sent twice, or printed? See protocol/README.md.";
export const TOO_SLOW = "Find out what it is busy with, or raise timeoutInSeconds.";
export const STUCK =
  "One that has to wait for long can write a line on STDERR now and then; else raise progressTimeoutSeconds.";
export const KEEP_PIPES =
  "A record processor keeps its STDIN and STDOUT open until its STDIN ends; output of its own belongs on STDERR.";
export const STAY =
  "A record processor runs until its STDIN ends; does the command start something in the background?";
export const SEE_WHY = "Its last words usually say why; if not, run the command by hand.";
