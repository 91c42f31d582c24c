// The word-count sample of each client: how to check that its language is installed, how to build
// it and how to start it. Compiled samples are built into a folder that the caller owns; nothing is
// written below clients/.

import { join } from "node:path";
import { inPackage } from "../package.ts";

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

export interface Program {
  /** Runs before the first start, in `cwd`, with `env` added to the environment. */
  readonly build?: {
    readonly command: Command;
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
  };
  readonly executable: Command;
}

export interface LanguageSample extends Program {
  /** Commands that end with exit code 0 if the language is installed. */
  readonly checks: readonly Command[];
  /** What to install if a check fails. */
  readonly missing: string;
  /**
   * The sample's properties file. Its `executableName` is an example; `executable` is what to
   * start.
   */
  readonly properties: string;
  /** Puts the lines of its STDIN, if the language has a producer client. */
  readonly producer?: Program;
}

const inClient = (...path: readonly string[]): string => inPackage("clients", ...path);

const SAMPLES = {
  python: () => ({
    checks: [["python3", "-c", "import sys; sys.exit(sys.version_info < (3, 8))"]],
    missing: "Python 3.8 or newer as python3 (https://www.python.org)",
    properties: inClient("python", "sample", "sample.properties"),
    executable: ["python3", inClient("python", "sample", "word_count.py")],
    producer: { executable: ["python3", inClient("python", "sample", "put_words.py")] },
  }),
  node: () => ({
    checks: [[process.execPath, "--version"]],
    missing: "Node 18 or newer (https://nodejs.org)",
    properties: inClient("node", "sample", "sample.properties"),
    executable: [process.execPath, inClient("node", "sample", "word_count.mjs")],
    producer: { executable: [process.execPath, inClient("node", "sample", "put_words.mjs")] },
  }),
  ruby: () => ({
    checks: [["ruby", "-e", "exit((RUBY_VERSION.split('.').map(&:to_i) <=> [2, 7]) >= 0)"]],
    missing: "Ruby 2.7 or newer as ruby (https://www.ruby-lang.org)",
    properties: inClient("ruby", "sample", "sample.properties"),
    executable: ["ruby", inClient("ruby", "sample", "word_count.rb")],
    producer: { executable: ["ruby", inClient("ruby", "sample", "put_words.rb")] },
  }),
  go: (built) => ({
    checks: [["go", "version"]],
    missing: "Go 1.18 or newer as go (https://go.dev)",
    build: {
      command: ["go", "build", "-o", join(built, "word-count-go"), "./sample"],
      cwd: inClient("go"),
      env: { GOTOOLCHAIN: "local", GOFLAGS: "-mod=mod -buildvcs=false" },
    },
    properties: inClient("go", "sample", "sample.properties"),
    executable: [join(built, "word-count-go")],
    producer: {
      build: {
        command: ["go", "build", "-o", join(built, "put-words-go"), "./sample/putwords"],
        cwd: inClient("go"),
        env: { GOTOOLCHAIN: "local", GOFLAGS: "-mod=mod -buildvcs=false" },
      },
      executable: [join(built, "put-words-go")],
    },
  }),
  rust: (built) => ({
    checks: [["cargo", "--version"]],
    missing: "Rust with cargo 1.75 or newer (https://rustup.rs)",
    build: {
      command: ["cargo", "build", "--release", "--offline", "--quiet", "--example", "word_count"],
      cwd: inClient("rust"),
      env: { CARGO_TARGET_DIR: join(built, "rust") },
    },
    properties: inClient("rust", "sample", "sample.properties"),
    executable: [join(built, "rust", "release", "examples", "word_count")],
    producer: {
      build: {
        command: [
          "cargo",
          ...["build", "--release", "--offline", "--quiet", "--example", "put_words"],
        ],
        cwd: inClient("rust"),
        env: { CARGO_TARGET_DIR: join(built, "rust") },
      },
      executable: [join(built, "rust", "release", "examples", "put_words")],
    },
  }),
  java: (built) => ({
    checks: [["javac", "--version"]],
    missing: "a JDK 11 or newer with javac (https://adoptium.net)",
    build: {
      command: [
        "javac",
        "-d",
        join(built, "java"),
        ...JAVA_SOURCES.map((file) => inClient("java", file)),
      ],
      cwd: inClient("java"),
      env: {},
    },
    properties: inClient("java", "sample", "sample.properties"),
    executable: ["java", "-XX:TieredStopAtLevel=1", "-cp", join(built, "java"), "WordCount"],
    producer: {
      build: {
        command: [
          "javac",
          "-d",
          join(built, "java-producer"),
          ...JAVA_PRODUCER_SOURCES.map((file) => inClient("java", file)),
        ],
        cwd: inClient("java"),
        env: {},
      },
      executable: [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        join(built, "java-producer"),
        "PutWords",
      ],
    },
  }),
  csharp: (built) => ({
    checks: [
      ["mcs", "--version"],
      ["mono", "--version"],
    ],
    missing: "Mono with its compiler mcs (https://www.mono-project.com; mono-mcs in Debian)",
    build: {
      command: [
        "mcs",
        `-out:${join(built, "word-count-csharp.exe")}`,
        inClient("csharp", "Json.cs"),
        inClient("csharp", "Kcl.cs"),
        inClient("csharp", "sample", "WordCount.cs"),
      ],
      cwd: inClient("csharp"),
      env: {},
    },
    properties: inClient("csharp", "sample", "sample.properties"),
    executable: ["mono", join(built, "word-count-csharp.exe")],
  }),
  php: () => ({
    checks: [["php", "-r", "exit(PHP_VERSION_ID >= 70400 && extension_loaded('json') ? 0 : 1);"]],
    missing: "PHP 7.4 or newer as php (https://www.php.net; php-cli in Debian)",
    properties: inClient("php", "sample", "sample.properties"),
    executable: ["php", inClient("php", "sample", "word_count.php")],
  }),
  bash: () => ({
    checks: [
      ["bash", "-c", "((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 401))"],
      ["jq", "--version"],
    ],
    missing: "Bash 4.1 or newer and jq (https://jqlang.org)",
    properties: inClient("bash", "sample", "sample.properties"),
    executable: ["bash", inClient("bash", "sample", "word_count.sh")],
    producer: { executable: ["bash", inClient("bash", "sample", "put_words.sh")] },
  }),
} satisfies Record<string, (built: string) => LanguageSample>;

const JAVA_SOURCES = [
  "src/main/java/kinesismultilang/Json.java",
  "src/main/java/kinesismultilang/Kcl.java",
  "sample/WordCount.java",
];

const JAVA_PRODUCER_SOURCES = [
  "src/main/java/kinesismultilang/Json.java",
  "src/main/java/kinesismultilang/Kcl.java",
  "src/main/java/kinesismultilang/KinesisProducer.java",
  "sample/PutWords.java",
];

export type Language = keyof typeof SAMPLES;

export const LANGUAGES = Object.keys(SAMPLES).filter(isLanguage);

export function isLanguage(name: string): name is Language {
  return Object.hasOwn(SAMPLES, name);
}

/**
 * @param buildFolder absolute. Programs are started from it, so only their user may write there.
 */
export function languageSample(language: Language, buildFolder: string): LanguageSample {
  return SAMPLES[language](buildFolder);
}
