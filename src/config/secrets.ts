// Which parts of a configuration may be printed. A value whose name suggests a secret is masked.

const SECRET_NAME =
  /pass(word|wd|phrase)|pwd|secret|token|private_?-?key|access_?-?key|api_?-?key|external_?-?id/i;

export const MASK = "*****";

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** The value as it may be printed: whole, masked whole, or with the secrets in it masked. */
export function maskValue(key: string, value: string): string {
  if (value !== "" && isSecretName(key)) return MASK;
  if (/^awscredentialsprovider|credentialsprovider\b/i.test(key)) return maskProviders(value);
  return maskText(value);
}

/**
 * Shows names of credentials providers, role ARNs, session names and profiles, and masks every
 * other argument that may be a secret.
 */
function maskProviders(value: string): string {
  return value
    .split(",")
    .map((provider) => {
      const [name, ...args] = provider.split("|");
      const role = /assumerole/i.test(name ?? "") || /profile/i.test(name ?? "");
      return [name, ...args.map((arg, index) => maskArgument(arg, role ? index : 9))].join("|");
    })
    .join(",");
}

const OPEN_ARGUMENTS = /^(endpoint|endpointRegion)=/;

function maskArgument(argument: string, index: number): string {
  const name = /^([^=]*)=/.exec(argument)?.[1];
  if (name !== undefined) return OPEN_ARGUMENTS.test(argument) ? argument : `${name}=${MASK}`;
  return index < 2 ? argument : MASK;
}

/** Masks the secrets in `--password x`, `TOKEN=x` and `https://user:x@host`, in any text. */
export function maskText(text: string): string {
  return text
    .replace(/([\w-]+)(=|(?<=--[\w-]+)\s+)("[^"]*"|'[^']*'|\S+)/g, (whole, name, separator) =>
      isSecretName(name) ? `${name}${separator}${MASK}` : whole,
    )
    .replace(/(:\/\/[^/\s:@]*:)[^/\s@]*@/g, `$1${MASK}@`);
}

/** A command line as it may be printed: the word after `--password` is masked too. */
export function maskWords(words: readonly string[]): readonly string[] {
  return words.map((word, index) => {
    const option = /^--?([\w-]+)$/.exec(words[index - 1] ?? "")?.[1] ?? "";
    return isSecretName(option) && !word.startsWith("-") ? MASK : maskText(word);
  });
}
