/** FNV-1a over bytes, 32 bits: small, fast, and good enough for names that are already unique. */
export function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = hashSeed;
  for (let i = from; i < to; i++) hash = hashStep(hash, bytes[i] ?? 0);
  return hash >>> 0;
}

/** Where a hash that is made byte by byte starts. */
export const hashSeed = 0x811c9dc5;

/** Adds a byte; the last result becomes the hash by `>>> 0`. */
export function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

/** An empty table in shared memory that holds `count` entries well. */
export function makeSlots(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(tableSize(count) * 4));
}

/** Smallest power of two that keeps an open-addressing table at most half full. */
function tableSize(count: number): number {
  let size = 16;
  while (size < count * 2) size *= 2;
  return size;
}

/** Whether the keys of two entries are the same bytes. */
type SameKey = (entry: number) => boolean;

/**
 * Open-addressing table of entry numbers over caller-owned keys, in one shared array: no object per entry, and
 * readable from worker threads. A slot holds entry + 1; 0 is free.
 */
export function insertEntry(slots: Uint32Array, hash: number, entry: number, same: SameKey): boolean {
  const mask = slots.length - 1;
  for (let at = hash & mask; ; at = (at + 1) & mask) {
    const held = slots[at] ?? 0;
    if (held === 0) {
      slots[at] = entry + 1;
      return true;
    }
    if (same(held - 1)) return false;
  }
}

/** The entry whose key is the same, or -1. */
export function findEntry(slots: Uint32Array, hash: number, same: SameKey): number {
  const mask = slots.length - 1;
  for (let at = hash & mask; ; at = (at + 1) & mask) {
    const held = slots[at] ?? 0;
    if (held === 0) return -1;
    if (same(held - 1)) return held - 1;
  }
}
