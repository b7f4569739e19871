/** FNV-1a over bytes, 32 bits: small, fast, and good enough for names that are already unique. */
export function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  return hash >>> 0;
}

/** Smallest power of two that keeps an open-addressing table at most half full. */
export function tableSize(count: number): number {
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
