// The properties file that `init` writes: the keys that are required, those worth knowing, and no
// value that changes a default without saying so.

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

/** How a processor in each language is usually started. */
const STARTERS = {
  python: {
    command: "python3 processor.py",
    advice: "For a virtual environment: .venv/bin/python processor.py",
  },
  node: {
    command: "node processor.mjs",
    advice: "Compile TypeScript first, or start it with a loader.",
  },
  ruby: {
    command: "bundle exec ruby processor.rb",
    advice: "Without a Gemfile: ruby processor.rb",
  },
  go: { command: "./processor", advice: "Build it first: go build -o processor ." },
  rust: { command: "./target/release/processor", advice: "Build it first: cargo build --release" },
  java: {
    command: "java -jar processor.jar",
    advice: "Each shard has its own process: limit the memory of each JVM with -Xmx.",
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
  return `# Configuration of a Kinesis consumer, in the syntax of Java's properties files. A line that
# begins with # is a comment; a key in a comment shows a default or an example. A value may contain
# \${env:NAME} or \${file:PATH}. Environment variables such as KINESIS_MULTILANG_STREAM_NAME override
# this file.
# To see every setting: kinesis-multilang config -p FILE
# To read about one:    kinesis-multilang config --explain KEY

# --- What to run -----------------------------------------------------------------------

# The daemon starts this command once for each shard that it holds. It uses no shell: it splits the
# command at spaces, and quotes keep words together. Relative paths begin in the working directory.
# ${advice}
executableName = ${command}

# --- What to read ----------------------------------------------------------------------

# Alternatively: streamArn = arn:aws:kinesis:REGION:ACCOUNT:stream/NAME, also of another account.
streamName = ${streamName}

# The name of the lease table in DynamoDB, through which all workers of this application share the
# shards and store their checkpoints. An application with another name has its own checkpoints.
applicationName = ${applicationName}

# If it is not set: AWS_REGION, then the region of the profile, then that of the instance.
${regionName === undefined ? "# regionName = eu-west-1" : `regionName = ${regionName}`}

# Where an application without checkpoints begins: TRIM_HORIZON (at the oldest record) or LATEST
# (with new records). For a time, set initialPositionInStreamExtended instead.
initialPositionInStream = TRIM_HORIZON

# POLLING shares the read throughput of a shard with its other consumers. FANOUT has throughput of
# its own, at additional cost. If it is not set: FANOUT, unless a polling key below is set.
retrievalMode = POLLING

# --- Credentials -----------------------------------------------------------------------

# The default chain tries the environment, the profile, web identity, the container and the instance.
# To assume a role:
# StsAssumeRoleCredentialsProvider|arn:aws:iam::ACCOUNT:role/NAME|SESSION|externalId=...
# AwsCredentialsProvider = DefaultCredentialsProvider

# --- How to read -----------------------------------------------------------------------

# The most records in one batch.
# maxRecords = 10000

# The time between two reads of a shard. If it is not set, it adapts to the shard.
# idleTimeBetweenReadsInMillis = 1500

# --- How to share and how to stop ------------------------------------------------------

# How long a lease lasts without renewal. After that another worker takes it.
# failoverTimeMillis = 10000

# How long a graceful shutdown may take after SIGTERM: the processors finish their batches and
# checkpoint, and the worker releases its leases.
# shutdownGraceMillis = 10000

# How long a processor may take to answer a message. If it is not set: without limit.
# timeoutInSeconds = 300
`;
}
