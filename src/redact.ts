// Removes secrets from everything that is written to the log or the terminal, whatever their
// source. For example, AWS answers a wrong signature with the whole text that it expected to be
// signed, session token included, and a child may print the URL of its database.
//
// Secrets that this process uses itself are recognized by their values, others by the text before
// them.

const MASK = "*****";
/** Shorter values are not secrets, and would match everywhere. */
const SHORTEST_SECRET = 8;
/** A role's keys are valid for an hour or more, so this covers days. */
const SECRETS_MAX = 100;

/** The newest last. */
const secrets = new Set<string>();
let known: RegExp | undefined;

/** From now on these values are never written. Beyond the limit, the oldest are dropped. */
export function neverShow(...values: readonly (string | undefined)[]): void {
  for (const value of values) {
    if (value === undefined || value.length < SHORTEST_SECRET) continue;
    secrets.delete(value);
    secrets.add(value);
    const [oldest] = secrets;
    if (secrets.size > SECRETS_MAX && oldest !== undefined) secrets.delete(oldest);
  }
  known =
    secrets.size > 0 ? new RegExp([...secrets].map(escapeForRegExp).join("|"), "g") : undefined;
}

const NAMED = [
  "x-amz-security-token",
  "(?:aws_?)?secret_?access_?key",
  "(?:aws_?)?(?:session|security)_?token",
  "\\bSignature",
].join("|");

/**
 * A name, perhaps in quotes, as an XML tag or as escaped JSON in JSON; a separator; and the secret.
 */
const AFTER_NAME = new RegExp(
  `((?:${NAMED})\\\\*["']?(?:\\s*[:=]\\s*|>)\\\\*["']?)[^\\s"',&<\\\\]+`,
  "gi",
);
/** The password ends at the last @ before the host. */
const URL_PASSWORD = /(:\/\/[^/\s:@"]*:)[^/\s"]+(?=@)/g;

export function redact(text: string): string {
  const named = text.replace(AFTER_NAME, `$1${MASK}`).replace(URL_PASSWORD, `$1${MASK}`);
  return known === undefined ? named : named.replace(known, MASK);
}

function escapeForRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
