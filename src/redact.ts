// Takes secrets out of what is written to the log or the terminal, whoever put them there: AWS answers a wrong signature
// with all that it had expected to be signed, the session token included; a child prints the URL of its database.
//
// Secrets that this process uses itself are known by their values. Others are known by what stands before them.

const MASK = "*****";
/** Shorter words are no secrets, and would be found everywhere. */
const SHORTEST_SECRET = 8;
/** Keys of a role live for an hour or more: these are those of days. */
const SECRETS_MAX = 100;

/** The newest last. */
const secrets = new Set<string>();
let known: RegExp | undefined;

/** From now on these are never written. Of very many, the oldest are forgotten. */
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

/** A name, perhaps in quotes, as a tag of XML or with escapes of JSON in JSON; a sign; and the secret. */
const AFTER_NAME = new RegExp(
  `((?:${NAMED})\\\\*["']?(?:\\s*[:=]\\s*|>)\\\\*["']?)[^\\s"',&<\\\\]+`,
  "gi",
);
/** The last @ before the host ends the password. */
const URL_PASSWORD = /(:\/\/[^/\s:@"]*:)[^/\s"]+(?=@)/g;

export function redact(text: string): string {
  const named = text.replace(AFTER_NAME, `$1${MASK}`).replace(URL_PASSWORD, `$1${MASK}`);
  return known === undefined ? named : named.replace(known, MASK);
}

function escapeForRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
