import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/configError.ts";
import { type ConfigInput, loadSettings } from "../../src/config/loadSettings.ts";

const REQUIRED = "executableName = node app.js\nstreamName = words\napplicationName = counter\n";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "settings-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileWith(text: string | Buffer): string {
  files += 1;
  const file = join(folder, `${files}.properties`);
  writeFileSync(file, text);
  return file;
}

function load(text: string, more: Omit<ConfigInput, "file"> = {}) {
  return loadSettings({ file: fileWith(text), environment: {}, ...more });
}

/** The minimal file, in which `text` begins in line 4. */
const loadWith = (text: string, more: Omit<ConfigInput, "file"> = {}) =>
  load(REQUIRED + text, more);

function problemsOf(text: string, more: Omit<ConfigInput, "file"> = {}): string[] {
  try {
    load(text, more);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ source, key, message }) => {
      const line = source?.type === "file" ? source.line : (source?.type ?? "-");
      return `${line} ${key}: ${message}`;
    });
  }
  return [];
}

function warningsOf(text: string, more: Omit<ConfigInput, "file"> = {}): string[] {
  return loadWith(text, more).warnings.map(({ level, source, key, message }) => {
    const line = source?.type === "file" ? source.line : (source?.type ?? "-");
    return `${level} ${line} ${key}: ${message}`;
  });
}

describe("a minimal file", () => {
  test("gives the defaults of Java, except for the grace period", () => {
    const { settings, warnings } = load(REQUIRED);
    expect(warnings).toEqual([]);
    expect(settings.maxBufferedBytes).toBeUndefined();
    expect(settings).toMatchObject({
      command: { file: "node", args: ["app.js"] },
      applicationName: "counter",
      streamName: "words",
      tableName: "counter",
      initialPosition: { type: "LATEST" },
      retrieval: "FANOUT",
      shutdownGraceMillis: 10_000,
      failoverTimeMillis: 10_000,
      leaseAssignmentIntervalMillis: 20_000,
      maxLeasesForWorker: 2_147_483_647,
      maxLeasesToStealAtOneTime: 1,
      maxLeaseRenewalThreads: 20,
      parentShardPollIntervalMillis: 10_000,
      listShardsBackoffTimeInMillis: 1_500,
      maxListShardsRetryAttempts: 50,
      schedulerInitializationBackoffTimeMillis: 1_000,
      taskBackoffTimeMillis: 500,
      cleanupLeasesUponShardCompletion: true,
      maxRecords: 10_000,
      idleTimeBetweenReadsInMillis: 1_500,
      metricsLevel: "DETAILED",
      metricsEnabledDimensions: ["ALL"],
      fanoutConfig: { consumerName: "counter", retryBackoffMillis: 1_000 },
      workerMetricsTableName: "counter-WorkerMetricStats",
      coordinatorStateTableName: "counter-CoordinatorState",
      onChildFailure: "restart",
      passCredentials: true,
      services: { kinesis: { credentials: [{ type: "default" }] } },
    });
    expect(settings.timeoutInSeconds).toBeUndefined();
    expect(Object.keys(settings).filter((key) => key.includes("."))).toEqual([]);
  });

  test("gets a new worker id at each start", () => {
    const [one, two] = [load(REQUIRED).settings, load(REQUIRED).settings];
    expect(one.workerId).toMatch(/^[0-9a-f-]{36}$/);
    expect(one.workerId).not.toBe(two.workerId);
  });

  test("gives settings that cannot be changed", () => {
    const { settings } = load(REQUIRED);
    expect(Object.isFrozen(settings)).toBe(true);
    expect(Object.isFrozen(settings.services.kinesis)).toBe(true);
    expect(Object.isFrozen(settings.command.args)).toBe(true);
  });

  test("records where each value was written", () => {
    const { sources } = loadWith("maxRecords = 7\n");
    expect(sources.maxRecords).toMatchObject({ type: "file", line: 4 });
    expect(sources.workerId).toEqual({ type: "default" });
  });
});

describe("problems", () => {
  test("are all reported at once, each with line, key, what was found and what is allowed", () => {
    const text =
      "maxRecords = lots\nfailoverTimeMillis = 1.5\nregionName: eu west\nx=\\u12\nmetricsLevel = LOUD\n";
    expect(problemsOf(text)).toEqual([
      "- executableName: is missing: the command that processes the records is required",
      "- applicationName: is missing: it names the lease table and is required",
      "- streamName: is missing: streamName or streamArn is required",
      '1 maxRecords: found "lots"; allowed: a whole number from 1 to 10000',
      '2 failoverTimeMillis: found "1.5"; allowed: a whole number of milliseconds from 1 to 2147483647',
      '3 regionName: found "eu west"; allowed: a region such as eu-west-1',
      "4 undefined: invalid escape \\u12: \\u must be followed by four hexadecimal digits (write a backslash itself as \\\\)",
      '5 metricsLevel: found "LOUD"; allowed: NONE, SUMMARY, DETAILED',
    ]);
  });

  test("name the file in the message", () => {
    expect(() => loadWith("maxRecords = 0x10")).toThrow(
      /\.properties:4: maxRecords: found "0x10"; allowed: a whole number from 1 to 10000/,
    );
  });

  test.each([
    ["maxRecords = 10001", "from 1 to 10000"],
    ["maxRecords = 1,000", "a whole number"],
    ["maxRecords =", "found nothing"],
    ["timeoutInSeconds = 0", "from 1 to"],
    ["failoverTimeMillis = 99999999999", "to 2147483647"],
    ["cleanupLeasesUponShardCompletion = maybe", "true, yes, y, on or 1"],
    [
      "initialPositionInStream = AT_TIMESTAMP",
      "AT_TIMESTAMP needs initialPositionInStreamExtended",
    ],
    ["initialPositionInStreamExtended = yesterday", "seconds since 1970"],
    ["initialPositionInStreamExtended = 1.5", "seconds since 1970"],
    ["kinesisEndpoint = ftp://localhost:4567", "a URL that begins with https:// or http://"],
    ["streamArn = arn:aws:kinesis:eu-west-1:12:stream/words", "arn:aws:kinesis:REGION"],
    ["streamName = two words", "a stream name"],
    ["applicationName = ab", "a table name"],
    ["kinesisClient.retryPolicy = x", "allowed: kinesisClient.region, endpointOverride"],
    ["kinesisCredentialsProvider.roleArn = x", "use AwsCredentialsProvider ="],
    ["staleWorkerMetricsEntryCleanupDuration = -P1D", "ISO-8601"],
    ["coordinatorStateTags = a=b=c", "name=value"],
    ["onFailureDestination = ftp://x", "file:PATH, sqs:"],
    ['executableName = "my app', "is not closed"],
    ["executableName = ''", "names no program"],
    ["executableName =   ", "is empty"],
    ["AwsCredentialsProvider = Nonsense", "unknown credentials provider Nonsense; known: Default"],
  ])("%s", (line, expected) => {
    const problems = problemsOf(`${REQUIRED}${line}`);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(expected);
    expect(problems[0]).toMatch(/^4 /);
  });

  test.each([
    ["no such file", () => join(folder, "nothing.properties"), "no such file"],
    ["a directory", () => folder, "it is a directory"],
    ["a folder that is a file", () => join(fileWith(""), "x.properties"), "no such file"],
  ])("%s", (_, file, expected) => {
    expect(() => loadSettings({ file: file(), environment: {} })).toThrow(
      `cannot read the properties file ${file().slice(0, 5)}`,
    );
    expect(() => loadSettings({ file: file(), environment: {} })).toThrow(expected);
  });
});

describe("values", () => {
  test("lose the blanks around numbers, booleans and words", () => {
    const { settings } = loadWith(
      "maxRecords = 12  \nignoreUnexpectedChildShards = Yes  \nmetricsLevel = none \nfailoverTimeMillis=+5\n",
    );
    expect(settings).toMatchObject({
      maxRecords: 12,
      ignoreUnexpectedChildShards: true,
      metricsLevel: "NONE",
      failoverTimeMillis: 5,
    });
  });

  test("false has an effect, also where Java ignores it", () => {
    const { settings } = loadWith("cleanupLeasesUponShardCompletion = false");
    expect(settings.cleanupLeasesUponShardCompletion).toBe(false);
  });

  test("0 means not set where it does in Java, and 0 elsewhere", () => {
    const { settings, warnings } = loadWith("failoverTimeMillis = 0\nshutdownGraceMillis = 0\n");
    expect(settings.failoverTimeMillis).toBe(10_000);
    expect(settings.shutdownGraceMillis).toBe(0);
    expect(warnings.map(({ key }) => key)).toEqual(["failoverTimeMillis"]);
  });

  test("blank texts count as not set", () => {
    const { settings } = loadWith("workerId =\ntableName =  \nstreamArn =\nregionName=\n");
    expect(settings.workerId).toMatch(/^[0-9a-f-]{36}$/);
    expect(settings.tableName).toBe("counter");
    expect(settings.services.kinesis).not.toHaveProperty("region");
  });

  test("a text keeps its trailing blanks", () => {
    expect(loadWith("workerId = w  ").settings.workerId).toBe("w  ");
  });

  test("may be in ISO-8859-1, as Java reads them, or have a byte order mark", () => {
    const latin = loadSettings({
      file: fileWith(Buffer.from(`${REQUIRED}workerId=é`, "latin1")),
      environment: {},
    });
    expect(latin.settings.workerId).toBe("é");
    expect(latin.warnings[0]?.message).toContain("is not UTF-8");
    expect(load(`\uFEFF${REQUIRED}workerId=é`).settings.workerId).toBe("é");
    const marked = fileWith(Buffer.from(`\xef\xbb\xbf${REQUIRED}workerId=é`, "latin1"));
    expect(loadSettings({ file: marked, environment: {} }).settings.workerId).toBe("é");
  });

  test("dimensions, tags and durations", () => {
    const { settings } = loadWith(
      "metricsEnabledDimensions = Operation, ShardId WorkerIdentifier\nworkerMetricsTags = a = 1, b=2\nstaleWorkerMetricsEntryCleanupDuration = P1DT2H3M4.5S\nchildEnv=PATH,HOME",
    );
    expect(settings.metricsEnabledDimensions).toEqual(["Operation", "ShardId", "WorkerIdentifier"]);
    expect(settings.workerMetricsTags).toEqual({ a: "1", b: "2" });
    expect(settings.staleWorkerMetricsEntryCleanupDuration).toBe(93_784_500);
    expect(settings.childEnv).toEqual(["PATH", "HOME"]);
  });

  test.each([
    ["", "FANOUT"],
    ["maxRecords=10", "POLLING"],
    ["pollingConfig.idleTimeBetweenReadsInMillis=300", "POLLING"],
    ["retryGetRecordsInSeconds=1", "POLLING"],
    ["retrievalMode=polling", "POLLING"],
    ["retrievalMode=auto", "AUTO"],
    ["retrievalMode=FANOUT\nmaxRecords=10", "FANOUT"],
    ["retrievalMode=DEFAULT\nmaxRecords=10", "POLLING"],
  ])("%s → %s", (text, expected) => {
    expect(loadWith(text).settings.retrieval).toBe(expected);
  });

  test.each([
    ["initialPositionInStream=trim_horizon", { type: "TRIM_HORIZON" }],
    [
      "initialPositionInStreamExtended=1700000000",
      { type: "AT_TIMESTAMP", timestamp: new Date(1.7e12) },
    ],
    [
      "initialPositionInStream=AT_TIMESTAMP\ninitialPositionInStreamExtended=2023-11-14T22:13:20Z",
      { type: "AT_TIMESTAMP", timestamp: new Date(1.7e12) },
    ],
    [
      "initialPositionInStreamExtended=1700000000\ninitialPositionInStream=LATEST",
      { type: "AT_TIMESTAMP", timestamp: new Date(1.7e12) },
    ],
  ])("%j", (text, expected) => {
    expect(loadWith(text).settings.initialPosition).toEqual(expected);
  });

  test("a stream's ARN gives name and region", () => {
    const arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/other";
    const { settings, warnings } = loadWith(`streamArn = ${arn}`);
    expect(settings.streamName).toBe("other");
    expect(settings.streamArn).toEqual({
      arn,
      region: "eu-west-1",
      accountId: "123456789012",
      streamName: "other",
    });
    expect(settings.services.kinesis.region).toBe("eu-west-1");
    // The lease table stays where the region chain puts it, as under Java.
    expect(settings.services.dynamodb).not.toHaveProperty("region");
    expect(settings.services.dynamodb.fallbackRegion).toBe("eu-west-1");
    expect(warnings.map(({ message }) => message)).toEqual([
      "streamArn names other, which is used",
    ]);
  });

  test("a region that differs from the ARN is used, with a warning", () => {
    const text =
      "streamArn = arn:aws:kinesis:eu-west-1:123456789012:stream/words\nregionName = us-west-2";
    const { settings, warnings } = loadWith(text);
    expect(settings.services.kinesis.region).toBe("us-west-2");
    expect(warnings.map(({ key }) => key)).toEqual(["regionName"]);
  });

  test("clients have their own region, endpoint and credentials", () => {
    const { settings } = loadWith(
      [
        "regionName = eu-west-1",
        "kinesisEndpoint = http://127.0.0.1:1",
        "dynamoDBEndpoint = http://127.0.0.1:2",
        "kinesisClient.endpointOverride = http://127.0.0.1:3",
        "dynamoDbClient.region = eu-west-2",
        "cloudWatchClient.fipsEnabled = true",
        "awscredentialsprovider = EnvironmentVariableCredentialsProvider",
        "AWSCredentialsProviderDynamoDB = ProfileCredentialsProvider|tables",
      ].join("\n"),
    );
    expect(settings.services).toEqual({
      kinesis: {
        region: "eu-west-1",
        endpoint: "http://127.0.0.1:3",
        credentials: [{ type: "environment" }],
      },
      dynamodb: {
        region: "eu-west-2",
        endpoint: "http://127.0.0.1:2",
        credentials: [{ type: "profile", profileName: "tables" }],
      },
      cloudwatch: {
        region: "eu-west-1",
        fipsEnabled: true,
        credentials: [{ type: "environment" }],
      },
    });
  });
});

describe("warnings", () => {
  test.each([
    ["RetrievalMode = FANOUT", "did you mean retrievalMode?"],
    ["dynamoDbEndpoint = http://x", "did you mean dynamoDBEndpoint?"],
    ["consumerName = x", "did you mean fanoutConfig.consumerName?"],
    ["AwsCredentialsProviderdynamodb = x", "did you mean AwsCredentialsProviderDynamoDB?"],
    ["failoverTimeMilis = 1", "did you mean failoverTimeMillis?"],
    ["maxRecrods = 1", "did you mean maxRecords?"],
    ["worker.id = 1", "did you mean workerId?"],
    ["quiteSomethingElse = 1", "unknown key, ignored"],
  ])("%s", (line, expected) => {
    const warnings = warningsOf(line);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^warning 4 /);
    expect(warnings[0]).toMatch(new RegExp(`${expected.replaceAll("?", "\\?")}$`));
  });

  test.each([
    ["processingLanguage = python/3", "info 4 processingLanguage: has no effect"],
    [
      "pollingConfig.maxGetRecordsThreadPool = 3",
      "info 4 pollingConfig.maxGetRecordsThreadPool: has no effect",
    ],
    [
      "timestampAtInitialPositionInStream = 3",
      "warning 4 timestampAtInitialPositionInStream: has no effect",
    ],
    ["idleTimeBetweenReadsInMillis = 50", "warning 4 idleTimeBetweenReadsInMillis: raised to 200"],
    [
      "workerId = a\nworkerIdentifier = b",
      "warning 5 workerIdentifier: set twice, in line 4 (as workerId) and here",
    ],
    ["workerId = a\nworkerId = b", "warning 5 workerId: set twice, in line 4 and here"],
    [
      "AwsCredentialsProvider = Bad, EnvironmentVariableCredentialsProvider",
      "warning 4 AwsCredentialsProvider: unknown credentials provider Bad",
    ],
    [
      "initialPositionInStream=LATEST\ninitialPositionInStreamExtended=17",
      "warning 4 initialPositionInStream: initialPositionInStreamExtended is also set",
    ],
  ])("%j", (text, expected) => {
    const warnings = warningsOf(text);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(expected);
  });
});

describe("precedence", () => {
  test("flags, then environment, then file", () => {
    const environment = {
      KINESIS_MULTILANG_MAX_RECORDS: "2",
      KINESIS_MULTILANG_FAILOVER_TIME_MILLIS: "22",
    };
    const { settings, sources, warnings } = loadWith(
      "maxRecords=1\nfailoverTimeMillis=11\nworkerId=w\n",
      {
        environment,
        flags: { maxRecords: "3" },
      },
    );
    expect(settings).toMatchObject({ maxRecords: 3, failoverTimeMillis: 22, workerId: "w" });
    expect(sources.maxRecords).toEqual({ type: "flag", name: "--max-records" });
    expect(sources.failoverTimeMillis).toEqual({
      type: "environment",
      name: "KINESIS_MULTILANG_FAILOVER_TIME_MILLIS",
    });
    expect(warnings).toEqual([]);
  });

  test("nested names and unusual capitals have a variable too", () => {
    const { settings } = loadWith("", {
      environment: {
        KINESIS_MULTILANG_FANOUT_CONFIG_CONSUMER_NAME: "c",
        KINESIS_MULTILANG_DYNAMO_DB_ENDPOINT: "http://127.0.0.1:9",
        KINESIS_MULTILANG_AWS_CREDENTIALS_PROVIDER: "AnonymousCredentialsProvider",
        KINESIS_MULTILANG_WORKER_ID: "",
      },
    });
    expect(settings.fanoutConfig.consumerName).toBe("c");
    expect(settings.services.dynamodb.endpoint).toBe("http://127.0.0.1:9");
    expect(settings.services.kinesis.credentials).toEqual([{ type: "anonymous" }]);
    expect(settings.workerId).not.toBe("");
  });

  test("an unknown variable with our prefix is a warning, other variables are not", () => {
    const environment = { KINESIS_MULTILANG_MAX_RECRODS: "2", MAX_RECORDS: "3" };
    expect(warningsOf("", { environment })).toEqual([
      "warning environment KINESIS_MULTILANG_MAX_RECRODS: unknown key, ignored; did you mean KINESIS_MULTILANG_MAX_RECORDS?",
    ]);
  });

  test("variables that another daemon set for its child are ignored, but not a worker id for this daemon", () => {
    const KINESIS_MULTILANG_WORKER_ID = "w";
    expect(loadWith("", { environment: { KINESIS_MULTILANG_WORKER_ID } }).settings.workerId).toBe(
      "w",
    );
    const { settings, warnings } = loadWith("", {
      environment: { KINESIS_MULTILANG_WORKER_ID, KINESIS_MULTILANG_SHARD_ID: "shard-0" },
    });
    expect(settings.workerId).not.toBe("w");
    expect(warnings).toEqual([]);
  });

  test("the source with higher precedence decides between the two initial positions", () => {
    const flags = { initialPositionInStream: "TRIM_HORIZON" };
    const { settings, warnings } = loadWith("initialPositionInStreamExtended = 17", { flags });
    expect(settings.initialPosition).toEqual({ type: "TRIM_HORIZON" });
    expect(warnings).toEqual([]);
  });

  test("a file is not required", () => {
    const flags = { executableName: "a", streamName: "s", applicationName: "app" };
    expect(loadSettings({ environment: {}, flags }).settings.streamName).toBe("s");
  });
});

describe("references", () => {
  test("take values from the environment and from files next to the properties file", () => {
    mkdirSync(join(folder, "run"), { recursive: true });
    writeFileSync(join(folder, "run", "name"), "from-file\n");
    const { settings } = loadWith(
      `workerId = \${env:HOST}-\${env:NUMBER}\ntableName = \${file:run/name}\nonFailureDestination = file:$\${env:HOST}/$x`,
      { environment: { HOST: "h", NUMBER: "1" } },
    );
    expect(settings.workerId).toBe("h-1");
    expect(settings.tableName).toBe("from-file");
    expect(settings.onFailureDestination).toBe(`file:\${env:HOST}/$x`);
  });

  test("that cannot be resolved are problems with their line", () => {
    expect(problemsOf(`${REQUIRED}workerId=\${env:NONE}\ntableName=\${file:none}`)).toEqual([
      `4 workerId: \${env:NONE}: the environment variable NONE does not exist`,
      `5 tableName: \${file:none}: cannot read ${join(folder, "none")} (no such file)`,
    ]);
  });
});

describe("dead letters into the stream that the daemon reads", () => {
  const ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/words";
  const consumer = (arn: string) => `fanoutConfig.consumerArn = ${arn}/consumer/app:1`;
  const elsewhere = ARN.replace("words", "letters");
  const anyAccount = ARN.replace("123456789012", "000000000000");
  const load = (lines: readonly string[]) =>
    loadWith([...lines, "maximumRetryAttempts = 3"].join("\n")).settings;

  test.each([
    ["by name", ["onFailureDestination = kinesis:words"]],
    ["by the name in the ARN", [`streamArn = ${ARN}`, "onFailureDestination = kinesis:words"]],
    ["by ARN", [`streamArn = ${ARN}`, `onFailureDestination = kinesis:${ARN}`]],
    ["by ARN, while a name is read", [`onFailureDestination = kinesis:${ARN}`]],
    [
      "by ARN, in the region of the name",
      ["regionName = eu-west-1", `onFailureDestination = kinesis:${ARN}`],
    ],
    ["by the consumer's", [consumer(elsewhere), `onFailureDestination = kinesis:${elsewhere}`]],
    ["by the consumer's name", [consumer(elsewhere), "onFailureDestination = kinesis:letters"]],
    [
      "by ARN, while the account in streamArn stands for any",
      [`streamArn = ${anyAccount}`, `onFailureDestination = kinesis:${ARN}`],
    ],
    [
      "by an ARN whose account stands for any",
      [`streamArn = ${ARN}`, `onFailureDestination = kinesis:${anyAccount}`],
    ],
  ])("%s are refused", (_how, lines) => {
    const text = [...lines, "maximumRetryAttempts = 3"].join("\n");
    const problems = problemsOf(`${REQUIRED}${text}`);
    expect(problems).toEqual([
      expect.stringMatching(/the stream that the daemon reads: .*Use another/),
    ]);
  });

  test.each([
    ["another name", ["onFailureDestination = kinesis:words-letters"]],
    [
      "the same name in another account",
      [
        `streamArn = ${ARN}`,
        `onFailureDestination = kinesis:${ARN.replace("123456789012", "999999999999")}`,
      ],
    ],
    [
      "the same name in another region",
      ["regionName = us-east-1", `onFailureDestination = kinesis:${ARN}`],
    ],
    ["a queue of the name", [`onFailureDestination = sqs:https://sqs.test/1/words`]],
    ["a bucket of the name", ["onFailureDestination = s3:words"]],
  ])("are not records that go to %s", (_what, lines) => {
    expect(load(lines).onFailureDestination).toBeDefined();
  });
});

describe("secrets", () => {
  test.each([
    "dbPassword = hunter2",
    "AwsCredentialsProvider = Nonsense|hunter2",
    "AwsCredentialsProvider = StsAssumeRoleCredentialsProvider|arn|session|externalId=hunter2=",
    "maxRecords = \u0024{env:API_TOKEN}",
    "kinesisEndpoint = https://user:hunter2@",
    'executableName = run --password hunter2 "',
  ])("%s is never printed", (line) => {
    const environment = { API_TOKEN: "hunter2" };
    let told = "";
    try {
      const { warnings } = load(REQUIRED + line, { environment });
      told = JSON.stringify(warnings);
    } catch (error) {
      told = error instanceof ConfigError ? error.message : String(error);
    }
    expect(told).not.toBe("[]");
    expect(told).not.toContain("hunter2");
  });
});

describe("several streams", () => {
  const named = (streamName: string, rest = "") =>
    `executableName = node app.js\napplicationName = counter\nstreamName = ${streamName}\n${rest}`;
  const ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream";

  test("by names, ARNs and identifiers of KCL", () => {
    const { settings } = load(named(`orders, ${ARN}/clicks,123456789012:views:1700000000`));
    expect(settings.streamName).toBe("orders, clicks, views");
    expect(settings.streams).toMatchObject([
      { streamName: "orders" },
      { streamName: "clicks", arn: `${ARN}/clicks` },
      { streamName: "views", streamId: "123456789012:views:1700000000" },
    ]);
    expect(settings.services.kinesis.region).toBe("eu-west-1");
  });

  test("one name is no list, and one identifier is", () => {
    expect(load(named("orders")).settings.streams).toBeUndefined();
    expect(load(named("123456789012:orders:1700000000")).settings.streams).toHaveLength(1);
  });

  test.each([
    ["orders,,clicks", "", /streamName.*list such as/],
    ["orders, bad name", "", /streamName.*list such as/],
    ["orders, orders", "", /streamName.*orders is named twice/],
    [`${ARN}/orders`, "", /streamName.*For one ARN set streamArn/],
    [
      `${ARN}/a, arn:aws:kinesis:us-east-1:123456789012:stream/b`,
      "",
      /streamName.*eu-west-1 and us-east-1/,
    ],
    ["a, b", `streamArn = ${ARN}/a`, /streamName: names several streams, and streamArn one/],
    [
      "a, b",
      `fanoutConfig.consumerArn = ${ARN}/a/consumer/c:1700000000`,
      /consumerArn: is the consumer of one stream/,
    ],
    [
      "a, b",
      "onFailureDestination = kinesis:b\nmaximumRetryAttempts = 1",
      /stream that the daemon/,
    ],
  ])("%s %s", (streams, rest, problem) => {
    expect(problemsOf(named(streams, rest)).join("\n")).toMatch(problem);
  });
});
