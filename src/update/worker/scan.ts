import { hash } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { type CandidateData, candidatePath } from '#update/candidates.ts';
import { resourceStates, type SharedState } from '#update/shared-state.ts';
import {
  bufferBytes,
  digestOf,
  placeBytes,
  placeFile,
  placeReflink,
  readFully,
  reflinkBytes,
} from './place.ts';
import type { SlotWriter } from './slot-writer.ts';

/** Candidates that a worker takes at a time. */
const sliceSize = 16;

export interface ScanJob {
  readonly kind: 'scan';
  readonly list: CandidateData;
  /** Root of the slot in which the candidates lie. */
  readonly root: string;
  /** Candidates from where the counter stands up to here are worked off, shared among the workers. */
  readonly to: number;
  /** Whether the file systems can share blocks between the slots. */
  readonly reflink: boolean;
  /** Only find out which resources there are; place nothing. */
  readonly dryRun: boolean;
}

/** Reads candidates of the active slot, recognises their content by its hash, and places it. */
export class Scanner {
  readonly #state: SharedState;
  readonly #writer: SlotWriter;
  readonly #drain: () => void;
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);

  /** `drain` is called between two files, to work off what came in meanwhile. */
  constructor(state: SharedState, writer: SlotWriter, drain: () => void) {
    this.#state = state;
    this.#writer = writer;
    this.#drain = drain;
  }

  scan(job: ScanJob): void {
    for (;;) {
      const from = this.#state.take('nextCandidate', sliceSize);
      if (from >= job.to) return;
      for (let i = from; i < Math.min(from + sliceSize, job.to); i++) {
        if (this.#state.stopped) return;
        this.#drain();
        this.#look(job, i);
      }
    }
  }

  #look(job: ScanJob, i: number): void {
    const { table } = this.#state;
    const entry = job.list.entries[i] ?? -1;
    const expected = entry >= 0 && i >= job.list.strays ? table.resource(entry) : -1;
    if (expected >= 0 && this.#state.resourceState(expected) === resourceStates.placed) return;
    const path = job.root + candidatePath(job.list, table, i);
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch {
      // Gone, or not readable for this process: its content is looked for elsewhere.
      return;
    }
    try {
      const size = job.list.sizes[i] ?? 0;
      if (job.reflink && size >= reflinkBytes) this.#shared(job, fd, path);
      else if (size <= bufferBytes) this.#small(job, fd);
      else this.#large(job, fd, expected);
    } finally {
      closeSync(fd);
    }
  }

  #small(job: ScanJob, fd: number): void {
    const bytes = this.#buffer.subarray(0, readFully(fd, this.#buffer, 0));
    this.#claimed(this.#state.table.findDigest(hash('sha256', bytes, 'buffer')), (resource) => {
      if (!job.dryRun) placeBytes(this.#state, this.#writer, resource, bytes, 'copy');
      return true;
    });
  }

  /** Written while it is hashed when its content can be guessed; else hashed first. */
  #large(job: ScanJob, fd: number, expected: number): void {
    let digest: Buffer | undefined;
    const guessed =
      !job.dryRun &&
      this.#claimed(expected, () => {
        digest = placeFile(this.#state, this.#writer, expected, fd, this.#buffer);
        return digest === undefined || this.#state.table.findDigest(digest) === expected;
      });
    if (guessed) return;
    digest ??= digestOf(this.#state, fd, this.#buffer);
    this.#claimed(this.#state.table.findDigest(digest), (resource) => {
      if (job.dryRun) return true;
      const again = placeFile(this.#state, this.#writer, resource, fd, this.#buffer);
      return again === undefined || this.#state.table.findDigest(again) === resource;
    });
  }

  #shared(job: ScanJob, fd: number, path: string): void {
    const digest = digestOf(this.#state, fd, this.#buffer);
    this.#claimed(this.#state.table.findDigest(digest), (resource) => {
      if (job.dryRun) return true;
      if (placeReflink(this.#state, this.#writer, resource, path, this.#buffer)) return true;
      const copied = placeFile(this.#state, this.#writer, resource, fd, this.#buffer);
      return copied === undefined || this.#state.table.findDigest(copied) === resource;
    });
  }

  /** Runs `place` if this thread gets hold of the resource. Whether it is placed now. */
  #claimed(resource: number, place: (resource: number) => boolean): boolean {
    if (resource < 0 || !this.#state.claim(resource)) return false;
    let good = false;
    try {
      good = place(resource);
    } finally {
      this.#state.finish(resource, good);
    }
    return good;
  }
}
