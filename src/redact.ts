// Takes out of other people's error messages what must not be in a log. AWS answers a wrong signature with all that it
// had expected to be signed, the session token included.

const SECRETS = /(x-amz-security-token["']?\s*[:=]\s*["']?|\bSignature=)[^\s"',&]+/gi;

export function redact(message: string): string {
  return message.replace(SECRETS, "$1*****");
}
