// Reads what was published to CloudWatch on a moto server: the sets of name, dimensions and unit.

import { CloudWatch, type Metric } from "@aws-sdk/client-cloudwatch";

const DAY_MS = 86_400_000;

export function testCloudWatch(endpoint: string): CloudWatch {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  return new CloudWatch({ endpoint, region: "us-east-1", credentials });
}

/** Each metric as `NAME (UNIT) DIMENSION, …`, without the dimensions' values except operations. */
export async function publishedMetrics(
  client: CloudWatch,
  namespace: string,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const metric of await listed(client, namespace)) {
    found.add(await described(client, namespace, metric));
  }
  return found;
}

/** The sum of a metric over all its data. */
export async function sumOf(
  client: CloudWatch,
  namespace: string,
  { MetricName, Dimensions = [] }: Metric,
): Promise<number> {
  const points = await pointsOf(client, namespace, { MetricName, Dimensions });
  return points.reduce((sum, { Sum = 0 }) => sum + Sum, 0);
}

export async function listed(client: CloudWatch, Namespace: string): Promise<readonly Metric[]> {
  const metrics: Metric[] = [];
  let NextToken: string | undefined;
  do {
    const page = await client.listMetrics({ Namespace, ...(NextToken && { NextToken }) });
    metrics.push(...(page.Metrics ?? []));
    NextToken = page.NextToken;
  } while (NextToken);
  return metrics;
}

async function described(client: CloudWatch, namespace: string, metric: Metric): Promise<string> {
  const [point] = await pointsOf(client, namespace, metric);
  const dimensions = (metric.Dimensions ?? []).map(({ Name = "", Value }) =>
    Name === "Operation" ? `Operation=${Value}` : Name,
  );
  return `${metric.MetricName} (${point?.Unit}) ${dimensions.toSorted().join(", ")}`;
}

async function pointsOf(
  client: CloudWatch,
  Namespace: string,
  { MetricName, Dimensions = [] }: Metric,
) {
  const { Datapoints = [] } = await client.getMetricStatistics({
    Namespace,
    MetricName,
    Dimensions,
    StartTime: new Date(Date.now() - DAY_MS),
    EndTime: new Date(Date.now() + DAY_MS),
    Period: 60,
    Statistics: ["Sum", "SampleCount"],
  });
  return Datapoints;
}
