// Every setting of a producer as it takes effect, for display: its value, its source, and what the
// KPL would do with it.

import type { Source } from "../configError.ts";
import { maskValue } from "../secrets.ts";
import type { LoadedProducer } from "./loadProducer.ts";
import { isKplKey, kplDefaults, type ProducerKey, producerKeys } from "./producerKeys.ts";

export interface EffectiveProducerSetting {
  readonly key: ProducerKey;
  /** With secrets masked; `null` when the key is not set and has no default. */
  readonly value: unknown;
  readonly source: Source;
  /** What the KPL would do instead; absent when it does the same. */
  readonly kpl?: string;
}

export function effectiveProducerSettings({
  values,
  sources,
}: Pick<LoadedProducer, "values" | "sources">): EffectiveProducerSetting[] {
  return producerKeys.map((key) => {
    const value = values[key];
    const source = sources.get(key);
    const kpl = source === undefined ? kplDefaults[key] : kplReading(key);
    return {
      key,
      value: typeof value === "string" ? maskValue(key, value) : (value ?? null),
      source: source ?? { type: "default" },
      ...(kpl !== undefined && { kpl }),
    };
  });
}

function kplReading(key: ProducerKey): string | undefined {
  return isKplKey(key) ? undefined : "does not know it, and ignores it";
}
