// Which of the daemon's environment variables a child inherits: all of them, as under Java, unless
// the user restricts them. This keeps secrets out of logs, crash reports and careless code. It is
// not a sandbox: a child that runs as the same user can read everything that the daemon can read.

export interface EnvironmentRules {
  /** Names, or prefixes such as `APP_*`, that pass in addition to `ALWAYS`. Absent: all pass. */
  readonly childEnv?: readonly string[] | undefined;
  /**
   * False: no variable passes from which an AWS SDK takes credentials, even if `childEnv` names it.
   */
  readonly passCredentials: boolean;
}

/** Most programs need these to run as expected. */
const ALWAYS = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_*", "TZ", "TMPDIR"];
const ALWAYS_ON_WINDOWS = ["SYSTEMROOT", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE"];

/**
 * Where AWS SDKs, the AWS command line and this daemon look for credentials, old names included.
 */
const CREDENTIALS = [
  "AWS_ACCESS_KEY_ID",
  "AWS_ACCESS_KEY",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SECRET_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_SECURITY_TOKEN",
  "AWS_CREDENTIAL_*",
  "AWS_PROFILE",
  "AWS_DEFAULT_PROFILE",
  "AWS_CONFIG_FILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_ROLE_*",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "AWS_CONTAINER_CREDENTIALS_*",
  "AWS_CONTAINER_AUTHORIZATION_*",
  "AWS_BEARER_TOKEN_*",
  "KINESIS_MULTILANG_AWS_CREDENTIALS_PROVIDER*",
];

/**
 * Set where credentials do not pass. Otherwise an SDK in the child would use the instance's role.
 */
const NO_INSTANCE_ROLE = { AWS_EC2_METADATA_DISABLED: "true" };

type Environment = Readonly<Record<string, string | undefined>>;

/** The variables of an environment that pass the rules. */
export function childEnvironment(whole: Environment, rules: EnvironmentRules): Environment {
  const always = process.platform === "win32" ? [...ALWAYS, ...ALWAYS_ON_WINDOWS] : ALWAYS;
  const allowed = rules.childEnv && matcher([...always, ...rules.childEnv]);
  const secret = matcher(rules.passCredentials ? [] : CREDENTIALS);
  const passed = Object.entries(whole).filter(
    ([name]) => (allowed === undefined || allowed(name)) && !secret(name),
  );
  return { ...Object.fromEntries(passed), ...(rules.passCredentials ? {} : NO_INSTANCE_ROLE) };
}

/** On Windows, names are not case-sensitive. */
function matcher(patterns: readonly string[]): (name: string) => boolean {
  const fold = (text: string) => (process.platform === "win32" ? text.toUpperCase() : text);
  const folded = patterns.map(fold);
  const names = new Set(folded.filter((pattern) => !pattern.endsWith("*")));
  const starts = folded.filter((pattern) => pattern.endsWith("*")).map((each) => each.slice(0, -1));
  return (name) => names.has(fold(name)) || starts.some((start) => fold(name).startsWith(start));
}
