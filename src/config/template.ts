// The properties file that `init` writes: what must be said, what is worth knowing, and nothing that changes a default.

export interface TemplateChoices {
  readonly language: Language;
  readonly streamName: string;
  readonly applicationName: string;
  readonly regionName?: string;
}

interface Starter {
  readonly command: string;
  readonly advice: string;
}

/** How a processor of each language is usually started. */
const STARTERS = {
  python: {
    command: "python3 processor.py",
    advice: "An environment's own Python works too: .venv/bin/python processor.py",
  },
  node: {
    command: "node processor.mjs",
    advice: "TypeScript must be compiled, or run by a loader of yours.",
  },
  ruby: {
    command: "bundle exec ruby processor.rb",
    advice: "Without a Gemfile: ruby processor.rb",
  },
  go: { command: "./processor", advice: "Build it first: go build -o processor ." },
  rust: { command: "./target/release/processor", advice: "Build it first: cargo build --release" },
  java: {
    command: "java -jar processor.jar",
    advice: "Each shard has a process of its own: -Xmx keeps a JVM small.",
  },
  csharp: {
    command: "mono Processor.exe",
    advice: "Build it first: mcs Processor.cs Kcl.cs Json.cs",
  },
  dotnet: { command: "dotnet Processor.dll", advice: "Build it first: dotnet publish -o ." },
  php: { command: "php processor.php", advice: "The json extension must be loaded." },
  bash: { command: "bash processor.sh", advice: "jq must be installed." },
} as const satisfies Readonly<Record<string, Starter>>;

export type Language = keyof typeof STARTERS;

export const LANGUAGES = Object.keys(STARTERS).filter(isLanguage);

export function isLanguage(name: string): name is Language {
  return Object.hasOwn(STARTERS, name);
}

export function propertiesTemplate(choices: TemplateChoices): string {
  const { language, streamName, applicationName, regionName } = choices;
  const { command, advice } = STARTERS[language];
  return `# Configuration of a consumer of Kinesis records, in the syntax of Java's properties files.
# Lines that begin with # are comments; a setting behind one is its default.
# Any value may hold \${env:NAME} or \${file:PATH}; the environment overrules this file,
# as in KINESIS_MULTILANG_STREAM_NAME. See it all: kinesis-multilang config -p FILE

# --- What to run -----------------------------------------------------------------------

# Started once for each shard that this worker holds. No shell is involved: words are split
# at spaces, quotes keep a word together. Relative paths begin in the working directory.
# ${advice}
executableName = ${command}

# --- What to read ----------------------------------------------------------------------

# Or streamArn = arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, also of another account.
streamName = ${streamName}

# Names the lease table in DynamoDB, in which the workers of this application share the shards
# and keep their checkpoints. Another name is another application, which starts afresh.
applicationName = ${applicationName}

# Without it: AWS_REGION, the profile, the instance.
${regionName === undefined ? "# regionName = eu-west-1" : `regionName = ${regionName}`}

# Where an application without checkpoints begins: TRIM_HORIZON (the oldest record),
# LATEST (what comes from now on), or a time in initialPositionInStreamExtended.
initialPositionInStream = TRIM_HORIZON

# POLLING shares the throughput of the shard with its other readers; FANOUT has its own, and costs.
# Without it: FANOUT, unless one of the polling settings below is set.
retrievalMode = POLLING

# --- Who we are ------------------------------------------------------------------------

# The default chain: environment, profile, web identity, container, instance. A role:
# StsAssumeRoleCredentialsProvider|arn:aws:iam::ACCOUNT:role/NAME|SESSION|externalId=...
# AwsCredentialsProvider = DefaultCredentialsProvider

# --- How to read -----------------------------------------------------------------------

# maxRecords = 10000
# idleTimeBetweenReadsInMillis = 1500

# --- How to share and how to stop ------------------------------------------------------

# A worker that has not renewed its leases for so long loses them.
# failoverTimeMillis = 10000

# How long a SIGTERM may take: finish the batch, checkpoint, release the leases.
# shutdownGraceMillis = 10000

# How long the processor may take for one answer. Without it: for ever.
# timeoutInSeconds = 300
`;
}
