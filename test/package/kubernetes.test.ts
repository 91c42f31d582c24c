// The Kubernetes manifests: each object fits its schema, and the objects fit each other.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Deployment, type IDeployment } from "kubernetes-models/apps/v1/Deployment";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";

const FILE = join(import.meta.dirname, "../../docs/operating/kubernetes/words.yaml");
const objects = parseAllDocuments(readFileSync(FILE, "utf8"), { version: "1.1" }).map(
  (document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  },
);

const KINDS = { ServiceAccount, ConfigMap, Deployment, PodDisruptionBudget };

describe("each object", () => {
  it.each(Object.entries(KINDS))("of the kind %s fits its schema", (kind, Kind) => {
    const found = objects.filter((object) => object.kind === kind);
    expect(found).toHaveLength(1);
    expect(() => new Kind(found[0]).validate()).not.toThrow();
  });

  it("is of one of these kinds", () => {
    expect(objects.map(({ kind }) => kind).toSorted()).toEqual(Object.keys(KINDS).toSorted());
  });

  it("that has a field of another type would be refused", () => {
    const wrong = structuredClone(of("Deployment"));
    wrong.spec.template.spec.containers[0].livenessProbe.periodSeconds = "often";
    expect(() => new Deployment(wrong).validate()).toThrow(/periodSeconds/);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: the schema has checked the object.
const of = (kind: keyof typeof KINDS): any => objects.find((object) => object.kind === kind);
const deployment = of("Deployment") as IDeployment;
const pod = deployment.spec?.template.spec;
const container = pod?.containers[0];

describe("the objects", () => {
  it("belong to the same pods", () => {
    const labels = deployment.spec?.template.metadata?.labels;
    expect(deployment.spec?.selector.matchLabels).toEqual(labels);
    expect(of("PodDisruptionBudget").spec.selector.matchLabels).toEqual(labels);
    expect(pod?.serviceAccountName).toBe(of("ServiceAccount").metadata.name);
  });

  it("mount every volume, and no other", () => {
    const mounted = container?.volumeMounts?.map(({ name }) => name);
    expect(mounted?.toSorted()).toEqual(pod?.volumes?.map(({ name }) => name).toSorted());
    const configMap = pod?.volumes?.flatMap((volume) => volume.configMap?.name ?? []);
    expect(configMap).toEqual([of("ConfigMap").metadata.name]);
  });

  it("probe the port that the daemon listens on", () => {
    const [port] = container?.ports ?? [];
    const probes = [container?.startupProbe, container?.readinessProbe, container?.livenessProbe];
    expect(probes.map((probe) => probe?.httpGet?.port)).toEqual(probes.map(() => port?.name));
    expect(probes.map((probe) => probe?.httpGet?.path)).toEqual(["/readyz", "/readyz", "/livez"]);
    expect(properties()["httpListen"]).toBe(`0.0.0.0:${port?.containerPort}`);
    const preStop = container?.lifecycle?.preStop?.exec?.command?.join(" ");
    expect(preStop).toContain(`127.0.0.1:${port?.containerPort}/drain`);
  });

  it("give the daemon more time to stop than its children", () => {
    const graceSeconds = Number(properties()["shutdownGraceMillis"]) / 1000;
    expect(pod?.terminationGracePeriodSeconds).toBeGreaterThan(graceSeconds);
  });

  it("run without root, and without a writable root", () => {
    expect(pod?.securityContext?.runAsNonRoot).toBe(true);
    expect(container?.securityContext?.readOnlyRootFilesystem).toBe(true);
    expect(container?.securityContext?.allowPrivilegeEscalation).toBe(false);
  });
});

function properties(): Record<string, string> {
  const text: string = of("ConfigMap").data["application.properties"];
  const lines = text.split("\n").filter((line) => /^\w/.test(line));
  return Object.fromEntries(lines.map((line) => line.split(" = ") as [string, string]));
}
