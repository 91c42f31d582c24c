// Files as users write them: what works in Java works here, and errors say what to write instead.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { effectiveSettings } from "../../src/config/effective.ts";
import { hintsFor } from "../../src/config/hints.ts";
import { loadSettings } from "../../src/config/loadSettings.ts";

const REQUIRED = "executableName = node app.js\nstreamName = words\napplicationName = counter\n";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "written-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string | Buffer, environment: Readonly<Record<string, string>> = {}) {
  const file = join(folder, "a.properties");
  writeFileSync(file, text);
  return loadSettings({ file, environment });
}

const warningsOf = (text: string | Buffer) =>
  load(text)
    .warnings.filter(({ level }) => level === "warning")
    .map(({ source, key, message }) => {
      return `${source?.type === "file" ? source.line : "-"} ${key}: ${message}`;
    });

function errorOf(text: string | Buffer): string {
  try {
    load(text);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "none";
}

const javaOf = (text: string | Buffer, key: string) =>
  effectiveSettings(load(text)).find((setting) => setting.key === key)?.java;

describe("a stream's ARN with the account 000000000000, as in the official samples", () => {
  const arn = "arn:aws:kinesis:us-east-5:000000000000:stream/sample";
  const text = `executableName = a\napplicationName = counter\nstreamArn = ${arn}\n`;

  test("uses only the name, and warns about it", () => {
    const { settings } = load(text);
    expect(settings.streamName).toBe("sample");
    expect(settings.streamArn).toBeUndefined();
    expect(settings.services.kinesis.region).toBeUndefined();
    expect(settings.services.dynamodb.fallbackRegion).toBeUndefined();
    expect(warningsOf(text)).toEqual([
      "3 streamArn: the account 000000000000 stands for any account: only the stream's name is used, as in Java",
    ]);
    expect(javaOf(text, "streamArn")).toBeUndefined();
  });

  test("is shown by config, with the source of the name", () => {
    const settings = effectiveSettings(load(text));
    expect(settings.find(({ key }) => key === "streamArn")?.value).toBe(arn);
    expect(settings.find(({ key }) => key === "streamName")?.follows).toBe("streamArn");
  });
});

describe("an endpoint without a scheme", () => {
  test.each([
    ["localhost:4568", "http://localhost:4568"],
    ["kinesis:4568", "http://kinesis:4568"],
    ["127.0.0.1:4568/", "http://127.0.0.1:4568/"],
    ["[::1]:4568", "http://[::1]:4568"],
    ["kinesis.eu-west-1.amazonaws.com", "https://kinesis.eu-west-1.amazonaws.com"],
    [
      "vpce-1.kinesis.eu-west-1.vpce.amazonaws.com:443",
      "https://vpce-1.kinesis.eu-west-1.vpce.amazonaws.com:443",
    ],
  ])("%s is %s", (written, url) => {
    for (const key of ["kinesisEndpoint", "dynamoDBEndpoint"]) {
      const { settings, warnings } = load(`${REQUIRED}${key} = ${written}\n`);
      const { kinesis, dynamodb } = settings.services;
      expect([kinesis.endpoint, dynamodb.endpoint]).toContain(url);
      expect(warnings.map(({ message }) => message)).toEqual([
        `has no scheme: ${url} is used; write the whole URL`,
      ]);
    }
  });

  test.each(["ftp://x", "host:port", "a b", "//x", "http:/x", "host:99999", "user:pw@host:1"])(
    "%s is refused",
    (written) => {
      expect(errorOf(`${REQUIRED}kinesisEndpoint = ${written}\n`)).toContain("allowed: a URL");
    },
  );
});

describe("bytes beyond ASCII", () => {
  test("are the same in Java if the file is ISO-8859-1", () => {
    expect(javaOf(Buffer.from(`${REQUIRED}workerId = é\n`, "latin1"), "workerId")).toBeUndefined();
  });

  test("are the same in Java as an escape", () => {
    expect(javaOf(`${REQUIRED}workerId = \\u00e9\n`, "workerId")).toBeUndefined();
  });

  test("differ in UTF-8, also after an escape", () => {
    expect(javaOf(`${REQUIRED}workerId = \\u00e9é\n`, "workerId")).toBe(
      '"éÃ©": it reads the file as ISO-8859-1',
    );
  });
});

describe("a file in UTF-16", () => {
  const bytes = Buffer.from(REQUIRED, "utf16le");
  const marked = Buffer.from(`\uFEFF${REQUIRED}`, "utf16le");
  test.each([
    ["little endian", bytes],
    ["big endian", Buffer.from(bytes).swap16()],
    ["little endian with a mark", marked],
    ["big endian with a mark", Buffer.from(marked).swap16()],
  ])("%s is reported as UTF-16", (_, text) => {
    expect(errorOf(text)).toBe(
      `${join(folder, "a.properties")} is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)`,
    );
  });
});

describe("a key that is written more than once", () => {
  test("gives one warning, which says which value is used", () => {
    expect(warningsOf(`${REQUIRED}workerId = a\nworkerId = b\nworkerId = c\n`)).toEqual([
      "6 workerId: set 3 times, in lines 4, 5 and here; this one is used",
    ]);
  });

  test("under any of its names", () => {
    const text = `${REQUIRED}workerId = a\nworkerIdentifier = b\nworkerId = c\n`;
    expect(warningsOf(text)).toEqual([
      "6 workerId: set 3 times, in lines 4, 5 (as workerIdentifier) and here; this one is used",
    ]);
  });

  test("gives no warning about the file where the environment decides", () => {
    const text = `${REQUIRED}workerId = a\nworkerId = b\n`;
    const { settings, warnings } = load(text, { KINESIS_MULTILANG_WORKER_ID: "c" });
    expect(settings.workerId).toBe("c");
    expect(warnings).toEqual([]);
  });
});

test("warnings are shown with errors", () => {
  expect(errorOf("executableName = a\nstreamName = s\nmaxRecrods = 1\nworkerId = w\n")).toBe(
    [
      "the configuration has 1 problem and 1 warning:",
      "  applicationName: is missing: it names the lease table and is required",
      `  warning: ${join(folder, "a.properties")}:3: maxRecrods: unknown key, ignored; did you mean maxRecords?`,
    ].join("\n"),
  );
});

test("metricsLevel gives no warning, because metrics are published", () => {
  expect(warningsOf(`${REQUIRED}metricsLevel = none\n`)).toEqual([]);
  expect(warningsOf(`${REQUIRED}metricsLevel = summary\n`)).toEqual([]);
});

const env = (name: string) => `\${env:${name}}`;
const braces = (name: string) => `\${${name}}`;

const NOT_RUN = `no shell reads this file, so the command in $(…) or \`…\` is not run: store its output in a variable before the start, and write ${env("NAME")}`;

describe("hints", () => {
  test.each([
    ["workerId", "$HOSTNAME", [`$HOSTNAME is not expanded: write ${env("HOSTNAME")}`]],
    [
      "workerId",
      `host-${braces("HOSTNAME")}`,
      [`${braces("HOSTNAME")} is not expanded: write ${env("HOSTNAME")}`],
    ],
    ["tableName", `${braces("app")}-x`, [`${braces("app")} is not expanded: write ${env("app")}`]],
    ["executableName", "$HOME/bin/app", [`$HOME is not expanded: write ${env("HOME")}`]],
    [
      "executableName",
      "cd /srv && node app.js",
      [
        `no shell runs the command, so && is an ordinary argument: write sh -c "exec …", or use a script`,
      ],
    ],
    [
      "executableName",
      "cat | node app.js",
      [
        `no shell runs the command, so | is an ordinary argument: write sh -c "exec …", or use a script`,
      ],
    ],
    [
      "executableName",
      "node app.js 2>log.txt",
      [
        `no shell runs the command, so 2>log.txt is an ordinary argument: write sh -c "exec …", or use a script`,
      ],
    ],
    [
      "workerId",
      `\${HOSTNAME:-hunter2}`,
      [`${braces("HOSTNAME")} is not expanded: write ${env("HOSTNAME")}`],
    ],
    ["workerId", "$(hostname)", [NOT_RUN]],
    ["workerId", "host-`hostname`", [NOT_RUN]],
    ["executableName", "$(pwd)/app --x", [NOT_RUN]],
    ["executableName", "~/bin/app", ["~ is not expanded: write the whole path"]],
    [
      "executableName",
      "export A=hunter2; node app.js",
      [
        `no shell runs the command, so ; is an ordinary argument: write sh -c "exec …", or use a script`,
      ],
    ],
    [
      "executableName",
      "TOKEN=hunter2 node app.js",
      [
        "no shell runs the command, so TOKEN=… would be the program: write env TOKEN=… before the program",
      ],
    ],
    [
      "executableName",
      "node app.js # the app",
      ["# begins a comment only at the start of a line: here it belongs to the value"],
    ],
    [
      "maxRecords",
      "100 # at most",
      ["# begins a comment only at the start of a line: here it belongs to the value"],
    ],
    ["workerId", "w ! of ours", []],
    ["executableName", `sh -c "cd x && A=b exec node $APP # x"`, []],
    ["executableName", "awk '{ print $NF }'", []],
    ["executableName", "node app.js --color=#fff a=b", []],
    ["executableName", "env A=b node app.js", []],
    ["executableName", "sh -c 'cd ~/app; exec node $(pwd)/app.js'", []],
    ["executableName", "node app.js --until=$5 a~b", []],
    ["workerId", "costs-5$", []],
    ["workerId", `$${env("X")}`, []],
    ["workerId", env("X"), []],
  ] as const)("%s = %s", (key, text, expected) => {
    expect(hintsFor(key, text)).toEqual(expected);
  });

  test("are warnings with their line, shown with the error that they explain", () => {
    const text = `${REQUIRED}workerId = host-${braces("HOSTNAME")}\n`;
    expect(warningsOf(text)).toEqual([
      `4 workerId: ${braces("HOSTNAME")} is not expanded: write ${env("HOSTNAME")}`,
    ]);
    expect(errorOf(`${REQUIRED}maxRecords = 100 # at most\n`)).toContain(
      "# begins a comment only at the start of a line",
    );
  });

  test("never contain a value", () => {
    const word = fc.stringMatching(/^[A-Za-z]{8}$/);
    const shapes = (secret: string) => [
      `A=${secret} run`,
      `run ${secret} # ${secret}`,
      `run ${secret} && ${secret}`,
      `run ${secret}; $(${secret}) \`${secret}\` ~/${secret} \${X:-${secret}}`,
    ];
    fc.assert(
      fc.property(word, (secret) => {
        for (const text of shapes(secret))
          expect(hintsFor("executableName", text).join()).not.toContain(secret);
      }),
    );
  });
});

test("an apostrophe in a path gets advice on how to write it", () => {
  expect(
    errorOf("executableName = python3 /home/o'brien/app.py\nstreamName=s\napplicationName=a\n"),
  ).toContain(
    `the quote that begins at 'brien/app.py is not closed; write a word with an apostrophe in double quotes: "it's"`,
  );
});
