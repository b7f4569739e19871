import { join } from 'node:path';
import { readAtMost, removeDurably, writeDurably } from '#host/durable-file.ts';

/**
 * The update that is under way, as far as the spool is concerned: since which sequence number its segments were begun. Kept
 * on disk, since an update goes on over a reboot.
 */
export class UpdateSession {
  readonly #path: string;
  #from: number | undefined;

  private constructor(path: string, from: number | undefined) {
    this.#path = path;
    this.#from = from;
  }

  /** Errors: those of the file system. */
  static async open(directory: string): Promise<UpdateSession> {
    const path = join(directory, 'session');
    const text = (await readAtMost(path, 32))?.toString('latin1').trim() ?? '';
    return new UpdateSession(path, /^\d{1,10}$/.test(text) ? Number(text) : undefined);
  }

  /** Whether a segment with this number belongs to it. */
  has(sequence: number): boolean {
    return this.#from !== undefined && sequence >= this.#from;
  }

  /** Begins it with the next number, or ends it. Errors: those of the file system. */
  async set(active: boolean, nextSequence: number): Promise<void> {
    if (active === (this.#from !== undefined)) return;
    if (active) await writeDurably(this.#path, `${nextSequence}\n`, 0o600);
    else await removeDurably(this.#path);
    this.#from = active ? nextSequence : undefined;
  }
}
