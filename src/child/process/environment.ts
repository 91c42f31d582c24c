// Which of the daemon's environment variables a child gets. All of them, as under Java, unless the person said less.
// This keeps secrets out of logs, crash reports and careless code; it is no sandbox: a child that runs as the same
// user can read what the daemon can.

export interface EnvironmentRules {
  /** Names, or beginnings of names such as `APP_*`, that pass beside `ALWAYS`; absent = all pass. */
  readonly childEnv?: readonly string[] | undefined;
  /** False: nothing passes that an AWS SDK takes credentials from, even if it is named in `childEnv`. */
  readonly passCredentials: boolean;
}

/** Without these hardly a program runs as one expects. */
const ALWAYS = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_*", "TZ", "TMPDIR"];
const ALWAYS_ON_WINDOWS = ["SYSTEMROOT", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE"];

/** Where AWS's SDKs and command line look for credentials, old names included, and where this daemon is told of them. */
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

/** Set where credentials do not pass, lest an SDK in the child quietly takes the instance's role instead. */
const NO_INSTANCE_ROLE = { AWS_EC2_METADATA_DISABLED: "true" };

type Environment = Readonly<Record<string, string | undefined>>;

/** What is left of an environment under the rules. */
export function childEnvironment(whole: Environment, rules: EnvironmentRules): Environment {
  const always = process.platform === "win32" ? [...ALWAYS, ...ALWAYS_ON_WINDOWS] : ALWAYS;
  const allowed = rules.childEnv && matcher([...always, ...rules.childEnv]);
  const secret = matcher(rules.passCredentials ? [] : CREDENTIALS);
  const passed = Object.entries(whole).filter(
    ([name]) => (allowed === undefined || allowed(name)) && !secret(name),
  );
  return { ...Object.fromEntries(passed), ...(rules.passCredentials ? {} : NO_INSTANCE_ROLE) };
}

/** On Windows names have no case. */
function matcher(patterns: readonly string[]): (name: string) => boolean {
  const fold = (text: string) => (process.platform === "win32" ? text.toUpperCase() : text);
  const folded = patterns.map(fold);
  const names = new Set(folded.filter((pattern) => !pattern.endsWith("*")));
  const starts = folded.filter((pattern) => pattern.endsWith("*")).map((each) => each.slice(0, -1));
  return (name) => names.has(fold(name)) || starts.some((start) => fold(name).startsWith(start));
}
