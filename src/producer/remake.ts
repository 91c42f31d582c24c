// Envelopes that cannot go as they are: the shards have changed, a record has expired, or the
// service cannot accept them. Their records go into new envelopes, in the same order.

import { Container, type ContainerLimits } from "./container.ts";
import { attemptsOf, type Envelope, type Pending, payloadOf } from "./record.ts";

/**
 * Puts the records of an envelope that pass `keep` into new envelopes, one or more for each shard.
 * They have the envelope's order, and are due at once.
 *
 * @param shardOf absent: the shards are not known yet.
 */
export function remake(
  envelope: Envelope,
  limits: ContainerLimits,
  shardOf: (record: Pending) => string | undefined,
): Envelope[] {
  const { order, collectByMs } = envelope;
  const made: Envelope[] = [];
  const open = new Map<string | undefined, Container>();
  const close = (shardId: string | undefined, container: Container) =>
    made.push(container.close({ order, shardId, collectByMs }));
  for (const record of envelope.records) {
    const data = payloadOf(envelope, record);
    record.earlier = attemptsOf(record, envelope.attempts);
    const shardId = shardOf(record);
    const container = open.get(shardId);
    if (container?.add(record, data)) continue;
    if (container) close(shardId, container);
    const next = new Container(limits, record.arrivedMs);
    next.add(record, data);
    open.set(shardId, next);
  }
  for (const [shardId, container] of open) close(shardId, container);
  return made;
}
