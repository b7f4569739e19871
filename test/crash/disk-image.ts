import { hash } from 'node:crypto';
import { diskSectors, layout, type PartitionName, partitionNames } from './recorded-disk.ts';
import { type LogEntry, sectorBytes } from './write-log.ts';

const blockBytes = 4096;

/** One fingerprint for each partition: equal when, and as good as only when, all bytes are. */
export type Fingerprints = Readonly<Record<PartitionName, string>>;

/** Which sectors of a write reached the disk; all when it is undefined. */
export type TornSectors = ReadonlySet<number> | undefined;

/**
 * A disk in memory to which recorded writes are applied, some of them for a while only. It knows at any time what each
 * partition's fingerprint is, for the price of the blocks that changed.
 */
export class DiskImage {
  readonly bytes: Buffer;
  readonly #log: Buffer;
  readonly #sums: Record<PartitionName, bigint> = { boot: 0n, slot_a: 0n, slot_b: 0n };
  #before: Map<number, Buffer> | undefined;

  constructor(log: Buffer) {
    this.#log = log;
    this.bytes = Buffer.alloc(diskSectors * sectorBytes);
  }

  /** Applies the sectors of a write that reached the disk. Discards are taken for what they allow: nothing happened. */
  apply(entry: LogEntry, torn?: TornSectors): void {
    if (entry.kind !== 'write') return;
    const [start, length] = [entry.sector * sectorBytes, entry.sectors * sectorBytes];
    const first = Math.floor(start / blockBytes);
    const last = Math.floor((start + length - 1) / blockBytes);
    for (let block = first; block <= last; block++) this.#leave(block);
    if (torn === undefined) this.#log.copy(this.bytes, start, entry.at, entry.at + length);
    else {
      for (const sector of torn) {
        const at = entry.at + sector * sectorBytes;
        this.#log.copy(this.bytes, start + sector * sectorBytes, at, at + sectorBytes);
      }
    }
    for (let block = first; block <= last; block++) this.#count(block);
  }

  /** What `attempt` applies is gone afterwards. */
  async trying<T>(attempt: () => Promise<T>): Promise<T> {
    const before = new Map<number, Buffer>();
    const sums = { ...this.#sums };
    this.#before = before;
    try {
      return await attempt();
    } finally {
      this.#before = undefined;
      for (const [block, bytes] of before) bytes.copy(this.bytes, block * blockBytes);
      Object.assign(this.#sums, sums);
    }
  }

  fingerprints(): Fingerprints {
    const print = (name: PartitionName): string => BigInt.asUintN(64, this.#sums[name]).toString(16);
    return { boot: print('boot'), slot_a: print('slot_a'), slot_b: print('slot_b') };
  }

  partition(name: PartitionName): Buffer {
    const { start, sectors } = layout[name];
    return this.bytes.subarray(start * sectorBytes, (start + sectors) * sectorBytes);
  }

  #leave(block: number): void {
    const at = block * blockBytes;
    if (this.#before !== undefined && !this.#before.has(block)) {
      this.#before.set(block, Buffer.from(this.bytes.subarray(at, at + blockBytes)));
    }
    this.#add(block, -1n);
  }

  #count(block: number): void {
    this.#add(block, 1n);
  }

  /** The sum of the blocks' numbers; each is made of a block's content and place. */
  #add(block: number, sign: bigint): void {
    const sector = (block * blockBytes) / sectorBytes;
    const name = partitionNames.find(
      (one) => sector >= layout[one].start && sector < layout[one].start + layout[one].sectors,
    );
    if (name === undefined) return;
    const bytes = this.bytes.subarray(block * blockBytes, (block + 1) * blockBytes);
    if (bytes.equals(zeros)) return;
    const content = hash('sha256', bytes, 'buffer').readBigUInt64LE(0);
    const number = BigInt.asUintN(64, (content ^ BigInt(block)) * 0x9e3779b97f4a7c15n);
    this.#sums[name] = BigInt.asUintN(64, this.#sums[name] + sign * number);
  }
}

const zeros = Buffer.alloc(blockBytes);

/** Runs of blocks that are not zero: what has to be written into a sparse file. */
export function* usedRuns(bytes: Buffer): Generator<{ readonly at: number; readonly data: Buffer }> {
  let from = -1;
  for (let at = 0; at <= bytes.length; at += blockBytes) {
    const used = at < bytes.length && !bytes.subarray(at, at + blockBytes).equals(zeros);
    if (used && from < 0) from = at;
    if (!used && from >= 0) {
      yield { at: from, data: bytes.subarray(from, at) };
      from = -1;
    }
  }
}
