import { entryKinds, FileTable, type FileTableData } from '#image/file-table.ts';

/** Life of a resource (one content) during placing. Moves forward only, by compare-and-exchange. */
export const resourceStates = {
  /** Not found yet. */
  wanted: 0,
  /** A worker is writing its files. */
  placing: 1,
  /** All its files lie in the standby slot, hard-linked names aside. */
  placed: 2,
  /** Asked for over the network; a worker that finds it locally in the meantime still may place it. */
  requested: 3,
} as const;

/** Places in the control block. */
const controls = { stop: 0, nextCandidate: 1, nextResource: 2, nextGroup: 3, nextEntry: 4 } as const;
export type SliceCounter = Exclude<keyof typeof controls, 'stop'>;

/** What one worker has done so far; the main thread adds the rows up whenever somebody asks. */
const counterFields = [
  'copyFiles',
  'copyBytes',
  'linkFiles',
  'linkBytes',
  'downloadFiles',
  'downloadBytes',
  'removed',
] as const;
export type CounterField = (typeof counterFields)[number];

/** Everything that the threads of one update share, as plain typed arrays over shared memory. */
export interface SharedStateData {
  readonly table: FileTableData;
  readonly control: Int32Array;
  readonly counters: Float64Array;
  /** One of resourceStates per resource. */
  readonly resources: Int32Array;
  /** Entries in order of their resource: those of resource r are byResource[starts[r] .. starts[r + 1]]. */
  readonly resourceStarts: Uint32Array;
  readonly byResource: Uint32Array;
  /** 1 for entries that lie in the standby slot as they should. */
  readonly placed: Uint8Array;
  /** 1 for entries whose owner could not be set for want of privilege. */
  readonly unowned: Uint8Array;
  /** Per hard-link group: the entry that is written, the others are linked to it. */
  readonly groupLeaders: Uint32Array;
}

/** The most threads that take part in one update. */
const maxWorkers = 8;

/** Lays out the shared state for a file table. */
export function createSharedState(table: FileTable): SharedState {
  const { entryCount, resourceCount, groupCount } = table.data;
  const starts = u32(resourceCount + 1);
  for (let e = 0; e < entryCount; e++) {
    if (table.kind(e) === entryKinds.regular) {
      const r = table.resource(e) + 1;
      starts[r] = (starts[r] ?? 0) + 1;
    }
  }
  for (let r = 1; r <= resourceCount; r++) starts[r] = (starts[r] ?? 0) + (starts[r - 1] ?? 0);
  const byResource = u32(starts[resourceCount] ?? 0);
  const fill = starts.slice();
  const leaders = u32(groupCount + 1).fill(0xffffffff);
  for (let e = 0; e < entryCount; e++) {
    if (table.kind(e) !== entryKinds.regular) continue;
    const r = table.resource(e);
    const at = fill[r] ?? 0;
    byResource[at] = e;
    fill[r] = at + 1;
    const group = table.group(e);
    if (group > 0 && leaders[group] === 0xffffffff) leaders[group] = e;
  }
  return new SharedState({
    table: table.data,
    control: new Int32Array(new SharedArrayBuffer(32)),
    counters: new Float64Array(new SharedArrayBuffer(maxWorkers * counterFields.length * 8)),
    resources: new Int32Array(new SharedArrayBuffer(resourceCount * 4)),
    resourceStarts: starts,
    byResource,
    placed: new Uint8Array(new SharedArrayBuffer(entryCount)),
    unowned: new Uint8Array(new SharedArrayBuffer(entryCount)),
    groupLeaders: leaders,
  });
}

function u32(length: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(length * 4));
}

/** One thread's view of the shared state of an update. */
export class SharedState {
  readonly data: SharedStateData;
  readonly table: FileTable;
  readonly #row: number;

  constructor(data: SharedStateData, worker = 0) {
    this.data = data;
    this.table = new FileTable(data.table);
    this.#row = worker * counterFields.length;
  }

  /** Whether the update was stopped; workers look between two files. */
  get stopped(): boolean {
    return Atomics.load(this.data.control, controls.stop) !== 0;
  }

  stop(): void {
    Atomics.store(this.data.control, controls.stop, 1);
  }

  /** Hands out the next `count` numbers of a list that several threads work through. */
  take(counter: SliceCounter, count: number): number {
    return Atomics.add(this.data.control, controls[counter], count);
  }

  /** Where the next `take` starts. */
  seek(counter: SliceCounter, at: number): void {
    Atomics.store(this.data.control, controls[counter], at);
  }

  resourceState(resource: number): number {
    return Atomics.load(this.data.resources, resource);
  }

  /** Claims a resource for placing. False when another thread has it, or had it. */
  claim(resource: number): boolean {
    const { wanted, placing, requested } = resourceStates;
    const states = this.data.resources;
    return (
      Atomics.compareExchange(states, resource, wanted, placing) === wanted ||
      Atomics.compareExchange(states, resource, requested, placing) === requested
    );
  }

  /** Marks a wanted resource as asked for. False when it was found in the meantime. */
  request(resource: number): boolean {
    const { wanted, requested } = resourceStates;
    return Atomics.compareExchange(this.data.resources, resource, wanted, requested) === wanted;
  }

  finish(resource: number, placed: boolean): void {
    const { wanted, placed: done } = resourceStates;
    Atomics.store(this.data.resources, resource, placed ? done : wanted);
  }

  /** All entries with this content. */
  entriesOf(resource: number): Uint32Array {
    const starts = this.data.resourceStarts;
    return this.data.byResource.subarray(starts[resource] ?? 0, starts[resource + 1] ?? 0);
  }

  /** The entry of a hard-link group that is written; the others are linked to it. */
  leaderOf(group: number): number {
    return this.data.groupLeaders[group] ?? 0;
  }

  /** Whether an entry is a hard-linked name beside its group's leader. */
  isLinkedName(entry: number): boolean {
    const group = this.table.group(entry);
    return group > 0 && this.leaderOf(group) !== entry;
  }

  count(field: CounterField, amount: number): void {
    const at = this.#row + counterFields.indexOf(field);
    this.data.counters[at] = (this.data.counters[at] ?? 0) + amount;
  }

  /** The sum over all threads. */
  total(field: CounterField): number {
    let sum = 0;
    for (let at = counterFields.indexOf(field); at < this.data.counters.length; at += counterFields.length) {
      sum += this.data.counters[at] ?? 0;
    }
    return sum;
  }
}
