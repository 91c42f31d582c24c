// Properties of a connector: beside the daemon's, from files of the Kinesis Connector Library.

import { describe, expect, it } from "vitest";
import { loadConnector } from "../../src/config/connector/loadConnector.ts";
import { propertiesFile } from "../support/daemon.ts";

const COMMAND = ["/usr/bin/node", "/opt/a b/connector.js", '{"it\'s":"\\"'];

async function load(properties: Readonly<Record<string, string | number>>) {
  return loadConnector({ file: await propertiesFile(properties) }, COMMAND);
}

const NEEDED = { connectorDestination: "file", path: "out.ndjson" };

describe("a properties file of the library", () => {
  it("sets the daemon's keys by its old names", async () => {
    const { daemon, values } = await load({
      ...NEEDED,
      appName: "search",
      kinesisInputStream: "clicks",
      workerID: "one",
      failoverTime: 20_000,
      idleTimeBetweenReads: 700,
      regionName: "eu-west-1",
      bufferRecordCountLimit: " 10 ",
      bufferByteSizeLimit: 2048,
      bufferMillisecondsLimit: "9223372036854775807",
      retryLimit: 3,
      backoffInterval: 500,
    });
    expect(daemon.settings).toMatchObject({
      applicationName: "search",
      streamName: "clicks",
      workerId: "one",
      failoverTimeMillis: 20_000,
      idleTimeBetweenReadsInMillis: 700,
      initialPosition: { type: "TRIM_HORIZON" },
      callProcessRecordsEvenForEmptyRecordList: true,
    });
    expect(values).toMatchObject({
      bufferRecordCountLimit: 10,
      bufferByteSizeLimit: 2048,
      bufferMillisecondsLimit: 2 ** 31 - 1,
      retryLimit: 3,
      backoffInterval: 500,
    });
    expect(daemon.warnings).toEqual([]);
  });

  it("may contain keys that do nothing here, and names the reason", async () => {
    const { daemon } = await load({
      ...NEEDED,
      kinesisInputStream: "clicks",
      elasticSearchClusterName: "es",
      createKinesisInputStream: "true",
    });
    expect(daemon.warnings.map(({ level, key, message }) => [level, key, message])).toEqual([
      ["info", "elasticSearchClusterName", expect.stringContaining("transport protocol")],
      ["info", "createKinesisInputStream", expect.stringContaining("samples")],
    ]);
  });
});

describe("the settings of a connector", () => {
  it("have defaults", async () => {
    const { daemon, values } = await load({ ...NEEDED, streamName: "clicks" });
    expect(values).toMatchObject({
      bufferRecordCountLimit: 1_000,
      bufferByteSizeLimit: 1_048_576,
      bufferMillisecondsLimit: 60_000,
      backoffInterval: 10_000,
    });
    expect(values.retryLimit).toBeUndefined();
    expect(daemon.settings.applicationName).toBe("clicks-to-file");
  });

  it("start the connector by a command that keeps its words", async () => {
    const { daemon } = await load({ ...NEEDED, streamName: "clicks" });
    const { file, args } = daemon.settings.command;
    expect([file, ...args]).toEqual(COMMAND);
  });

  it("are overridden by flags", async () => {
    const file = await propertiesFile({ ...NEEDED, streamName: "clicks" });
    const flags = { kinesisInputStream: "views", path: "other.ndjson" };
    const { daemon, values } = loadConnector({ file, flags }, COMMAND);
    expect([daemon.settings.streamName, values.path]).toEqual(["views", "other.ndjson"]);
  });

  it("are wrong all at once, each with its line", async () => {
    const wrong = {
      connectorDestination: "fax",
      bufferRecordCountLimit: "many",
      filter: `\${env:NO}`,
    };
    await expect(load(wrong)).rejects.toThrow(
      /3 problems[\s\S]*:3: filter: .*NO does not exist[\s\S]*:1: connectorDestination: found "fax"; allowed: file[\s\S]*:2: bufferRecordCountLimit: found "many"; allowed: a whole number from 1/,
    );
  });

  it("need a target", async () => {
    await expect(load({ streamName: "clicks" })).rejects.toThrow(
      /connectorDestination: is missing.*--to/,
    );
  });

  it("suggest a key for a misspelled one", async () => {
    const { daemon } = await load({ ...NEEDED, streamName: "s1", bufferRecordCountLimits: 1 });
    expect(daemon.warnings[0]?.message).toBe(
      "unknown key, ignored; did you mean bufferRecordCountLimit?",
    );
  });

  it("accept a destination for dead letters without limits for retries", async () => {
    const place = { onFailureDestination: "file:dead.ndjson" };
    expect((await load({ ...NEEDED, ...place, streamName: "s1" })).daemon.warnings).toEqual([]);
  });
});
