// The tools that npm does not provide: the Go programs, and the Java daemon and its DynamoDB from
// Maven. They are built or downloaded once, into the bench's folder.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/model/errors.ts";
import { BENCH, BIN, WORK } from "./paths.ts";
import { runToEnd } from "./processes.ts";

export interface MavenArtifact {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
}

/** The library that the daemon is built on. */
export const JAVA_CORE: Omit<MavenArtifact, "version"> = {
  group: "software.amazon.kinesis",
  artifact: "amazon-kinesis-client",
};

/** The newest MultiLangDaemon in Maven Central. */
export const JAVA_DAEMON: MavenArtifact = {
  group: "software.amazon.kinesis",
  artifact: "amazon-kinesis-client-multilang",
  version: "3.1.3",
};

/** KCL 3 adds an index to its lease table, which dynalite does not support. */
export const DYNAMODB_LOCAL: MavenArtifact = {
  group: "software.amazon.dynamodb",
  artifact: "DynamoDBLocal",
  version: "3.3.1",
};

/** Runs `go build` each time, which does nothing if nothing has changed. */
export async function buildGoPrograms(): Promise<void> {
  mkdirSync(BIN, { recursive: true });
  const command = ["go", "build", "-buildvcs=false", "-o", `${BIN}/`, "./..."] as const;
  try {
    await runToEnd(command, join(BENCH, "go"));
  } catch (cause) {
    throw new UserError(
      "The fake Kinesis and the echo child are written in Go and could not be built. Install Go 1.24 or newer (https://go.dev/dl).",
      { cause },
    );
  }
}

/**
 * The folder with its jar and all runtime dependencies.
 *
 * @param instead another version of one of the dependencies.
 */
export async function mavenLibrary(what: MavenArtifact, instead?: MavenArtifact): Promise<string> {
  // Its own dependencies come with it: at equal depth Maven uses the first.
  const all = [...(instead ? [instead] : []), what];
  const name = all.map(({ artifact, version }) => `${artifact}-${version}`).join("+");
  const folder = join(WORK, "maven", name);
  const library = join(folder, "lib");
  if (existsSync(library)) return library;
  console.error(`fetching ${what.artifact} ${what.version} from Maven Central`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "pom.xml"), pomOf(all));
  try {
    await runToEnd(
      [
        "mvn",
        "--quiet",
        "--batch-mode",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        "-DoutputDirectory=fetched",
      ],
      folder,
    );
  } catch (cause) {
    throw new UserError(
      `--java needs a JDK 17 or newer and Maven (https://maven.apache.org), and ${what.artifact} could not be fetched.`,
      { cause },
    );
  }
  renameSync(join(folder, "fetched"), library);
  return library;
}

export interface FolderSize {
  readonly files: number;
  readonly bytes: number;
}

export function sizeOf(folder: string): FolderSize {
  let files = 0;
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files += 1;
    bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return { files, bytes };
}

/** The artifacts named here take precedence over the dependencies of others. */
function pomOf(artifacts: readonly MavenArtifact[]): string {
  const dependencies = artifacts.map(
    ({ group, artifact, version }) => `    <dependency>
      <groupId>${group}</groupId>
      <artifactId>${artifact}</artifactId>
      <version>${version}</version>
    </dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>fetch</artifactId>
  <version>1</version>
  <dependencies>
${dependencies.join("\n")}
  </dependencies>
</project>
`;
}
