// Buffers that were used and are not any more: for answers of the service, and for the records that are cut out of them.
// Fresh memory has to be cleared by the kernel and found again by the collector, and until it is found it counts twice.

/** As much memory is kept for what comes: some large answers, or many small ones. */
const MAX_SPARE_BYTES = 20 * 1024 * 1024;

const spares: Buffer[] = [];
let spareBytes = 0;

/** A buffer of at least that size, to be given back with `giveBuffer` where that is easy. */
export function takeBuffer(bytes: number): Buffer {
  const fitting = spares.findLastIndex(({ length }) => length >= bytes && length <= 4 * bytes);
  const [buffer = Buffer.allocUnsafeSlow(bytes)] = fitting < 0 ? [] : spares.splice(fitting, 1);
  if (fitting >= 0) spareBytes -= buffer.length;
  return buffer;
}

/** A buffer that came from `takeBuffer`, or a part of it, and that nobody looks at any more. */
export function giveBuffer(used: Buffer): void {
  const buffer = Buffer.from(used.buffer);
  spares.push(buffer);
  spareBytes += buffer.length;
  while (spareBytes > MAX_SPARE_BYTES) spareBytes -= spares.shift()?.length ?? 0;
}
