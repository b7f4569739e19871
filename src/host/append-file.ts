import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';

/**
 * A file that only grows, in pieces that are whole or absent: each is one write and then fdatasync, and what a failed one
 * left is cut off again before the next. Errors: those of the file system.
 */
export class AppendFile implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  #bytes: number;
  #dirty = false;

  private constructor(path: string, file: FileHandle, bytes: number) {
    this.path = path;
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Makes a new file; its name is durable only after the caller has synced the directory. */
  static async create(path: string, mode = 0o600): Promise<AppendFile> {
    const { O_CREAT, O_EXCL, O_RDWR } = constants;
    return new AppendFile(path, await open(path, O_CREAT | O_EXCL | O_RDWR, mode), 0);
  }

  /** Goes on with a file of which the first `bytes` bytes count; what lies behind them is cut off before the next piece. */
  static async reopen(path: string, bytes: number): Promise<AppendFile> {
    const file = new AppendFile(path, await open(path, constants.O_RDWR), bytes);
    file.#dirty = true;
    return file;
  }

  /** Acknowledged bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Durable when it resolves, unless `sync` is false: then it is with the next piece. After an error nothing of `data`
   * counts.
   */
  async append(data: Uint8Array | string, { sync = true } = {}): Promise<void> {
    if (typeof data === 'string') return this.append(Buffer.from(data), { sync });
    if (this.#dirty) await this.#file.truncate(this.#bytes);
    this.#dirty = true;
    let written = 0;
    while (written < data.length) {
      const { bytesWritten } = await this.#file.write(
        data,
        written,
        data.length - written,
        this.#bytes + written,
      );
      written += bytesWritten;
    }
    if (sync) await this.#file.datasync();
    this.#bytes += written;
    this.#dirty = false;
  }

  /** Errors: those of closing. What a failed piece left and cannot be cut off now is as after a power cut. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#dirty) await this.#file.truncate(this.#bytes).catch(() => {});
    } finally {
      await this.#file.close();
    }
  }
}
