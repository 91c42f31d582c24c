// The keys in ~/.aws/credentials are rotated under a daemon that works, and the old ones end.

import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, inject, it, onTestFinished } from "vitest";
import { startDaemon, temporaryFolder } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { Journal } from "../support/journal.ts";

it("continues with the new ones, and loses no lease", async () => {
  const folder = await temporaryFolder();
  const file = join(folder, "credentials");
  const rotate = async (key: string) => {
    await writeFile(
      `${file}.new`,
      `[default]\naws_access_key_id = ${key}\naws_secret_access_key = secret\n`,
    );
    await rename(`${file}.new`, file);
  };
  await rotate("OLDKEY");
  const services = await Promise.all([
    startFaultProxy(inject("kinesisUrl")),
    startFaultProxy(inject("dynamoUrl")),
  ]);
  onTestFinished(async () => {
    await Promise.all(services.map((service) => service.stop()));
  });
  const [kinesis, dynamo] = services;
  const stream = await createStream("rotated", 2);
  const journal = await Journal.create();
  const daemon = await startDaemon({
    properties: {
      executableName: journal.command(),
      applicationName: stream,
      streamName: stream,
      kinesisEndpoint: kinesis.url,
      dynamoDBEndpoint: dynamo.url,
      failoverTimeMillis: 3_000,
    },
    env: {
      ...journal.env,
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      AWS_SHARED_CREDENTIALS_FILE: file,
      AWS_CONFIG_FILE: join(folder, "none"),
    },
  });
  await put(stream, ["before"]);
  await until("before", async () => (await journal.words()).includes("before"));

  await rotate("NEWKEY");
  for (const service of services) service.expire("OLDKEY");
  await daemon.waitFor("credentialsRenewed");
  await put(stream, ["after"]);
  await until("after", async () => (await journal.words()).includes("after"));
  // Renewals of both leases, with the new keys.
  const renewals = () => daemon.events.filter(({ event }) => event === "leaseRenewed").length;
  const before = renewals();
  await daemon.waitFor(() => renewals() > before + 2);
  expect(await daemon.stop()).toBe(0);
  const troubles = ["leaseLost", "serviceTrouble", "credentialsTrouble", "checkpointTrouble"];
  expect(daemon.events.filter(({ event }) => troubles.includes(event))).toEqual([]);
});
