// A pool of large buffers: response bodies are read into them, and records are rendered into them.
// Reusing memory is cheaper than allocating it: the kernel clears fresh pages, and a discarded
// buffer counts twice until the garbage collector finds it.
//
// The rule of ownership:
//   1. `takeBuffer` lends a whole ArrayBuffer. The taker owns it, and may hand out views of it.
//   2. The owner calls `giveBuffer` once, when nothing reads any view any more. A batch of records
//      does so in `RecordBatch.free`.
//   3. A buffer that is not given back is not lost: the garbage collector takes it.
// A buffer that is given back twice, or that never came from here, would be lent to two owners and
// corrupt records. `giveBuffer` therefore throws.

/** The pool keeps this much memory for later: a few large bodies, or many small ones. */
const MAX_SPARE_BYTES = 20 * 1024 * 1024;

/** Smaller buffers should not come from here: Node cuts them from a slab, which is cheap. */
export const POOLED_FROM_BYTES = 64 * 1024;

declare const pooled: unique symbol;

/** A buffer from `takeBuffer` that spans its whole ArrayBuffer. */
export type PooledBuffer = Buffer & { readonly [pooled]: true };

const spares: PooledBuffer[] = [];
let spareBytes = 0;
/** The memory that has an owner now. */
const lent = new WeakSet<ArrayBufferLike>();

/** Lends a buffer of at least `bytes` bytes, and of less than a quarter more. */
export function takeBuffer(bytes: number): PooledBuffer {
  const size = sizeFor(bytes);
  const fitting = spares.findLastIndex(({ length }) => length === size);
  const [spare] = fitting < 0 ? [] : spares.splice(fitting, 1);
  if (spare) spareBytes -= spare.length;
  const buffer = spare ?? (Buffer.allocUnsafeSlow(size) as PooledBuffer);
  lent.add(buffer.buffer);
  return buffer;
}

/** Buffers have few different sizes, four for each power of two, so that they can be reused. */
function sizeFor(bytes: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(bytes)) - 2);
  return Math.ceil(bytes / step) * step;
}

/**
 * The buffer that a view belongs to.
 *
 * @throws Error when the view's memory is not on loan from the pool.
 */
export function ownerOf(view: Buffer): PooledBuffer {
  if (!lent.has(view.buffer)) throw new Error("This memory is not on loan from the buffer pool.");
  return Buffer.from(view.buffer) as PooledBuffer;
}

/**
 * Takes a buffer back. The caller guarantees that nothing reads it any more.
 *
 * @throws Error when the buffer is not on loan, or is only a part of its ArrayBuffer.
 */
export function giveBuffer(buffer: PooledBuffer): void {
  if (buffer.length !== buffer.buffer.byteLength) {
    throw new Error("Only a whole buffer can be given back to the pool.");
  }
  if (!lent.delete(buffer.buffer)) throw new Error("The buffer pool did not lend this buffer.");
  spares.push(buffer);
  spareBytes += buffer.length;
  while (spareBytes > MAX_SPARE_BYTES) spareBytes -= spares.shift()?.length ?? 0;
}
