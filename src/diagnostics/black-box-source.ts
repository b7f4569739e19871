import { join } from 'node:path';
import { readAtMost, writeDurably } from '#host/durable-file.ts';
import type { Message } from './messages/types.ts';

/** A black box as this part sees it: the whole of it is told as it is. */
export interface ToldBlackBox {
  /** Sorts by time. */
  readonly id: string;
  /** Unix time in milliseconds. */
  readonly at: number;
  /** False until the release that came back has told its part. */
  readonly complete: boolean;
}

export interface BlackBoxOptions {
  /** Where the last one that was recorded is remembered. */
  readonly directory: string;
  /** The signal that carries it. */
  readonly path: string;
  /** All that this ECU keeps, oldest first. */
  readonly read: () => Promise<readonly ToldBlackBox[]>;
  /** Whether it is stored durably. */
  readonly store: (message: Message) => Promise<boolean>;
}

const maxIdBytes = 256;

/** Records every black box of this ECU once: each is the JSON text of one record, at the time of the return. */
export class BlackBoxSource implements AsyncDisposable {
  readonly #options: BlackBoxOptions;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: BlackBoxOptions) {
    this.#options = options;
  }

  /** Records those that were not yet. What cannot be read or stored now is tried at the next look. */
  async look(): Promise<void> {
    this.#looking = this.#looking.then(async () => this.#record()).catch(() => {});
    await this.#looking;
  }

  /** Ends with what is being recorded. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#looking;
  }

  async #record(): Promise<void> {
    const { directory, path, read, store } = this.#options;
    const file = join(directory, 'last-black-box');
    const last = (await readAtMost(file, maxIdBytes))?.toString('utf8') ?? '';
    for (const box of await read()) {
      if (!box.complete || box.id <= last) continue;
      const record = {
        signal_identifier: path,
        ts: BigInt(Math.round(box.at)) * 1000n,
        value: { item: { string: JSON.stringify(box) } },
      };
      if (!(await store({ item: { SpecifiedTimeStampedRecord: record } }))) return;
      await writeDurably(file, box.id, 0o600);
    }
  }
}
