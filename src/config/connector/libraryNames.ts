// How the property names of the Kinesis Connector Library are read: as another name of one of the
// daemon's keys, or as a key that does nothing here, with its reason.

import type { Key } from "../keys.ts";

/** Names of the library for keys of the daemon. */
export const LIBRARY_ALIASES: Readonly<Record<string, Key>> = {
  kinesisInputStream: "streamName",
  appName: "applicationName",
  workerID: "workerId",
  failoverTime: "failoverTimeMillis",
  idleTimeBetweenReads: "idleTimeBetweenReadsInMillis",
  parentShardPollInterval: "parentShardPollIntervalMillis",
  cleanupTerminatedShardsBeforeExpiry: "cleanupLeasesUponShardCompletion",
  cloudWatchBufferTime: "metricsBufferTimeMillis",
  cloudWatchMaxQueueSize: "metricsMaxQueueSize",
};

const CREATES = "it creates AWS resources in the library's samples; create them yourself";
const TRANSPORT = "it configures the transport protocol of Elasticsearch 1";

export const LIBRARY_IGNORED: Readonly<Record<string, string>> = {
  batchRecordsInPutRequest: "it configures the library's sample producer; use put or produce",
  kinesisInputStreamShardCount: CREATES,
  kinesisOutputStreamShardCount: CREATES,
  shardSyncInterval: "the daemon does not pause after a shard sync",
  callProcessRecordsEvenForEmptyList: "a connector always receives empty lists, as in the library",
  cloudWatchNamespace: "the namespace is the name of the application",
  createKinesisInputStream: CREATES,
  createKinesisOutputStream: CREATES,
  createRedshiftCluster: CREATES,
  createRedshiftTables: CREATES,
  createS3Bucket: CREATES,
  createDynamoDBTable: CREATES,
  createElasticsearchCluster: CREATES,
  elasticsearchCloudFormationTemplateUrl: CREATES,
  elasticsearchCloudFormationStackName: CREATES,
  elasticsearchCloudFormationKeyPairName: CREATES,
  elasticsearchCloudFormationClusterInstanceType: CREATES,
  elasticsearchCloudFormationSSHLocation: CREATES,
  elasticsearchCloudFormationClusterSize: CREATES,
  elasticsearchDefaultTypeName: "Elasticsearch 8 and OpenSearch 2 have no types",
  elasticsearchClusterName: TRANSPORT,
  clientTransportSniff: TRANSPORT,
  clientTransportIgnoreClusterName: TRANSPORT,
  clientTransportPingTimeout: TRANSPORT,
  clientTransportNodesSamplerInterval: TRANSPORT,
  elasticsearchVersionNumber: "all versions from 7 on take the same requests",
};

/** Keys whose names the library's users also write in another case, or its samples use. */
export function libraryName(name: string): string {
  return name.replace(/^elasticSearch/, "elasticsearch");
}
