import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { VehicleClock } from '#diagnostics/clock/vehicle-clock.ts';
import type { Log } from '#domain/log.ts';
import type { Priority } from './priority.ts';
import { recoverSegment } from './recover.ts';
import { originOf, readMetadata, type SpooledSegment } from './segment.ts';
import { parseSegmentName, sealedPath } from './segment-name.ts';
import { SequenceFile } from './sequence-file.ts';
import { UpdateSession } from './session.ts';
import { Shelf } from './shelf.ts';

interface Mounted {
  readonly shelf: Shelf;
  readonly sequence: SequenceFile;
  readonly session: UpdateSession;
}

/** The files of a spool, as soon as the disk lets us have them. Calls must not overlap. */
export class SpoolDisk implements AsyncDisposable {
  readonly #directory: string;
  readonly #clock: VehicleClock;
  readonly #log: Log;
  readonly #onKept: () => void;
  /** Segments that an error of the disk cut short; they hold acknowledged blocks. */
  readonly #abandoned: { readonly priority: Priority; readonly path: string }[] = [];
  #mounted: Mounted | undefined;

  constructor(
    options: { readonly directory: string; readonly clock: VehicleClock; readonly log: Log },
    onKept: () => void,
  ) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onKept = onKept;
  }

  get shelf(): Shelf | undefined {
    return this.#mounted?.shelf;
  }

  /** Opens the files if they are not yet, and mends what is left to mend. Errors: those of the file system. */
  async mount(): Promise<Shelf> {
    this.#mounted ??= await this.#open();
    const { shelf } = this.#mounted;
    await this.#recoverAbandoned(shelf);
    return shelf;
  }

  /** A number that was never given out before. Errors: those of the file system. */
  async nextSequence(): Promise<number> {
    await this.mount();
    return this.#mounted?.sequence.next() ?? 0;
  }

  /** Notes a segment that has to be recovered before anything else is written. */
  abandon(priority: Priority, path: string | undefined): void {
    if (path !== undefined) this.#abandoned.push({ priority, path });
  }

  /** Errors: those of the file system. */
  async setSession(active: boolean): Promise<void> {
    await this.mount();
    if (this.#mounted === undefined) return;
    const { session, sequence } = this.#mounted;
    await session.set(active, sequence.upcoming);
  }

  /** Critical segments of the update that is under way. */
  isProtected({ priority, sequence }: SpooledSegment): boolean {
    return priority === 'critical' && this.#mounted?.session.has(sequence) === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mounted?.shelf[Symbol.asyncDispose]();
  }

  async #open(): Promise<Mounted> {
    const shelf = await Shelf.open(this.#directory, this.#log);
    const path = join(this.#directory, 'sequence');
    const sequence = await SequenceFile.open(path, shelf.highest, this.#clock.wallMs());
    const session = await UpdateSession.open(this.#directory);
    shelf.onKept(this.#onKept);
    return { shelf, sequence, session };
  }

  async #recoverAbandoned(shelf: Shelf): Promise<void> {
    for (let next = this.#abandoned[0]; next !== undefined; next = this.#abandoned[0]) {
      const { path: open, priority } = next;
      const { blocks } = await recoverSegment(open, (bytes) => shelf.keepDamaged(basename(open), bytes));
      this.#abandoned.shift();
      const path = sealedPath(open);
      const name = parseSegmentName(basename(path));
      if (blocks === 0 || name === undefined) continue;
      const { id, sequence, part } = name;
      const { size: bytes } = await stat(path);
      shelf.keep({
        id,
        sequence,
        part,
        priority,
        path,
        bytes,
        origin: originOf((await readMetadata(path)) ?? {}),
      });
    }
  }
}
