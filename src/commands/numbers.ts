// Parsers for numbers and URLs on the command line. They reject a wrong value with a message that
// says what is allowed.

import { InvalidArgumentError } from "commander";

export interface Allowed {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

/** A parser for commander, which prints the option's name before the message. */
export function numberFrom({ min, max, integer = false }: Allowed): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const isAllowed = text.trim() !== "" && value >= min && value <= max;
    if (isAllowed && (!integer || Number.isInteger(value))) return value;
    const kind = integer ? "a whole number" : "a number";
    throw new InvalidArgumentError(`Allowed: ${kind} from ${min} to ${max}.`);
  };
}

/** An HTTP or HTTPS URL. */
export function endpointUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text;
  throw new InvalidArgumentError("Allowed: a URL such as http://127.0.0.1:4567.");
}
