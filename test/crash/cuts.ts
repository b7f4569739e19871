import { layout } from './recorded-disk.ts';
import type { LogEntry } from './write-log.ts';

/** Reproducible numbers from 0 to 1 (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What lies between two flushes: the writes that a cut may lose, each by itself. Positions are those of the log. */
export interface Epoch {
  /** First position that no flush covers. */
  readonly from: number;
  /** Position of the flush that covers it, or the end of the log. */
  readonly to: number;
}

/** A write that reached the disk although nothing had flushed it; `torn` names its sectors, if not all. */
export interface Survivor {
  readonly position: number;
  readonly torn?: readonly number[];
}

/** One power cut: everything before the epoch is on the disk, and of what was written since, the survivors. */
export interface Cut {
  readonly epoch: Epoch;
  /** The power went before the entry at this position was made. */
  readonly at: number;
  readonly survivors: readonly Survivor[];
  /** Right after this promise was made, and before the next one was, in case both have the same position. */
  readonly promise?: number;
}

export function epochsOf(entries: readonly LogEntry[], from: number): Epoch[] {
  const epochs: Epoch[] = [];
  let start = from;
  for (let position = from; position <= entries.length; position++) {
    if (position < entries.length && entries[position]?.kind !== 'flush') continue;
    epochs.push({ from: start, to: position });
    start = position + 1;
  }
  return epochs;
}

/** Cuts right after each promise that was made in an epoch: with everything lost that was not flushed, and with nothing. */
export function* cutsAtPromises(
  epoch: Epoch,
  entries: readonly LogEntry[],
  promises: readonly { readonly from: number }[],
): Generator<Cut> {
  for (const [promise, { from: at }] of promises.entries()) {
    if (at < epoch.from || at > epoch.to) continue;
    const writes: Survivor[] = [];
    for (let position = epoch.from; position < at; position++) {
      if (entries[position]?.kind === 'write') writes.push({ position });
    }
    yield { epoch, at, promise, survivors: writes.filter(({ position }) => entries[position]?.fua === true) };
    if (writes.length > 0) yield { epoch, at, promise, survivors: writes };
  }
}

/**
 * Cuts in one epoch, in the order in which they are worth trying: everything lost, nothing lost, each write lost alone and each
 * write alone, then for ever subsets by chance, with torn writes among them. Nothing is repeated on purpose, but two
 * cuts may leave the same bytes. `byChanceOnly` leaves out what comes before.
 */
export function* cutsIn(
  epoch: Epoch,
  entries: readonly LogEntry[],
  random: () => number,
  byChanceOnly = false,
): Generator<Cut> {
  const writes: number[] = [];
  for (let at = epoch.from; at < epoch.to; at++) if (entries[at]?.kind === 'write') writes.push(at);
  const cut = (at: number, survivors: readonly Survivor[]): Cut => {
    const forced = writes.filter((position) => position < at && entries[position]?.fua === true);
    const chosen = survivors.filter(({ position }) => position < at && !forced.includes(position));
    const all = [...chosen, ...forced.map((position) => ({ position }))];
    return { epoch, at, survivors: all.toSorted((a, b) => a.position - b.position) };
  };
  if (!byChanceOnly) yield cut(epoch.to, []);
  if (writes.length === 0) return;
  const whole = writes.map((position) => ({ position }));
  if (!byChanceOnly) yield cut(epoch.to, whole);
  if (writes.length > 1 && !byChanceOnly) {
    for (const lost of sample(writes, 12, random)) {
      yield cut(
        epoch.to,
        whole.filter(({ position }) => position !== lost),
      );
      yield cut(epoch.to, [{ position: lost }]);
    }
  }
  for (;;) {
    const at = random() < 0.5 ? epoch.to : epoch.from + 1 + Math.floor(random() * (epoch.to - epoch.from));
    const share = writes.length < 6 ? 0.8 : ([0.1, 0.5, 0.9][Math.floor(random() * 3)] ?? 0.5);
    // Few writes have few subsets, but sectors enough.
    const tearing = random() < (writes.length < 6 ? 0.9 : 0.4);
    const kept = whole.flatMap(({ position }): Survivor[] => {
      if (random() >= share) return [];
      const { sector = 0, sectors = 0 } = entries[position] ?? {};
      return tearing && sectors > 1 && random() < 0.6
        ? [{ position, torn: withWholeSuperblock(sector, tear(sectors, random)) }]
        : [{ position }];
    });
    yield cut(at, kept);
  }
}

function sample(values: readonly number[], most: number, random: () => number): readonly number[] {
  if (values.length <= most) return values;
  return Array.from({ length: most }, () => values[Math.floor(random() * values.length)] ?? 0);
}

/**
 * The superblock of ext4 is two sectors with one checksum, and written in place at every mount: ext4 itself relies on a disk that
 * writes them together, and so does everything that is on ext4. Both survive, or none.
 */
function withWholeSuperblock(first: number, torn: readonly number[]): readonly number[] {
  const halves = Object.values(layout).map(({ start }) => [start + 2 - first, start + 3 - first] as const);
  const [one, other] = halves.find((pair) => pair.some((sector) => torn.includes(sector))) ?? [];
  if (one === undefined || other === undefined) return torn;
  if (torn.includes(one) && torn.includes(other)) return torn;
  return torn.filter((sector) => sector !== one && sector !== other);
}

/** The beginning of a write, its end, or sectors by chance: disks promise no more than whole sectors. */
function tear(sectors: number, random: () => number): readonly number[] {
  const all = Array.from({ length: sectors }, (_, sector) => sector);
  const middle = 1 + Math.floor(random() * (sectors - 1));
  const kind = random();
  if (kind < 0.4) return all.slice(0, middle);
  if (kind < 0.7) return all.slice(middle);
  return all.filter(() => random() < 0.5);
}
