import type { Call } from './call.ts';
import type { NetError } from './net-error.ts';
import { type PartFile, partError } from './part-file.ts';

/** Bytes that wait in memory for the reader or the disk before the network is told to wait. */
const roomBytes = 256 * 1024;

/**
 * Between the network, which pushes, and the reader, who pulls; memory is bounded. Without a part file the network
 * waits for the reader. With one, bytes go to the file as they come, and a reader who lags gets them from there: what
 * was received must not be lost in an interruption only because the reader is slow.
 */
export class BodyFeed {
  readonly #part: PartFile | undefined;
  /** Told when there is room again after `push` said that there is none. */
  #onRoom: () => void = () => {};
  #onFailure: (error: NetError) => void = () => {};
  #onEvent: (() => void) | undefined;
  /** Received, to be appended to the part file; a `discard` empties the file first. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #discard = false;
  #appending: Promise<void> | undefined;
  /** For the reader, continuing exactly at `#position`. */
  readonly #ready: Uint8Array[] = [];
  #readyBytes = 0;
  #position = 0;
  /** Bytes of the part file that the reader may fetch from there. */
  #stored: number;
  #handedOut = false;
  #dropped = false;
  #end: { readonly error?: unknown } | undefined;

  constructor(part: PartFile | undefined) {
    this.#part = part;
    this.#stored = part?.length ?? 0;
  }

  /** Told when the part file cannot be written. */
  set onFailure(listener: (error: NetError) => void) {
    this.#onFailure = listener;
  }

  set onRoom(listener: () => void) {
    this.#onRoom = listener;
  }

  /** Takes bytes from the network. False: no room for more until `onRoom`. */
  push(chunk: Uint8Array): boolean {
    if (chunk.length === 0) return this.#hasRoom;
    if (this.#part === undefined) {
      this.#makeReady(chunk);
    } else {
      this.#pending.push(chunk);
      this.#pendingBytes += chunk.length;
      this.#appending ??= this.#append(this.#part);
    }
    return this.#hasRoom;
  }

  /** Takes everything back, the part file's bytes too. False when the reader has some of it already. */
  startOver(): boolean {
    if (this.#handedOut) return false;
    this.drop();
    return true;
  }

  /** Forgets what was received, because it belongs to something else. */
  drop(): void {
    this.#dropped = this.#handedOut;
    this.#stored = 0;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#ready.length = 0;
    this.#readyBytes = 0;
    if (this.#part === undefined) return;
    this.#discard = true;
    this.#appending ??= this.#append(this.#part);
  }

  /** No more bytes follow; with an error, the reader gets it after the bytes. */
  async end(failure?: { readonly error: unknown }): Promise<void> {
    await this.settled();
    this.#end ??= failure ?? {};
    this.#onEvent?.();
  }

  /** Resolves when all that was received is in the part file. */
  async settled(): Promise<void> {
    while (this.#appending !== undefined) await this.#appending;
  }

  /** The next bytes, from the first that the part file had before; undefined at the end. */
  async next(call: Call): Promise<Uint8Array | undefined> {
    for (;;) {
      call.throwIfCancelled();
      const chunk = this.#ready.shift();
      if (chunk !== undefined) {
        this.#handedOut = true;
        const before = this.#hasRoom;
        this.#position += chunk.length;
        this.#readyBytes -= chunk.length;
        if (!before && this.#hasRoom) this.#onRoom();
        return chunk;
      }
      if (this.#part !== undefined && !this.#dropped && this.#position < this.#stored) {
        const stored = await this.#fromFile(this.#part);
        if (stored !== undefined) return stored;
      }
      if (this.#end !== undefined) {
        if ('error' in this.#end) throw this.#end.error;
        return undefined;
      }
      await new Promise<void>((resolve) => {
        this.#onEvent = resolve;
      });
    }
  }

  async #fromFile(part: PartFile): Promise<Uint8Array | undefined> {
    this.#handedOut = true;
    try {
      const chunk = await part.read(this.#position);
      this.#position += chunk.length;
      return chunk;
    } catch (error) {
      // Cut under our hands, because it belongs to something else; that error follows.
      if (this.#dropped) return undefined;
      throw partError(error);
    }
  }

  get #hasRoom(): boolean {
    return this.#part === undefined ? this.#readyBytes < roomBytes : this.#pendingBytes < roomBytes;
  }

  #makeReady(chunk: Uint8Array): void {
    this.#ready.push(chunk);
    this.#readyBytes += chunk.length;
    this.#onEvent?.();
  }

  /** Appends until nothing is pending: whatever came during one write goes out with the next. */
  async #append(part: PartFile): Promise<void> {
    try {
      // Let the pieces of one socket read come together.
      await Promise.resolve();
      while (this.#discard || this.#pending.length > 0) {
        if (this.#discard) {
          this.#discard = false;
          await part.discard();
          continue;
        }
        const chunks = this.#pending;
        this.#pending = [];
        await part.append(chunks);
        if (!this.#discard) this.#appended(chunks);
      }
    } catch (error) {
      this.#pending = [];
      this.#discard = false;
      this.#pendingBytes = 0;
      this.#onFailure(partError(error));
    } finally {
      this.#appending = undefined;
      this.#onRoom();
    }
  }

  /** Hands pieces to the reader from memory while they continue what it has and fit; it finds the rest in the file. */
  #appended(chunks: readonly Uint8Array[]): void {
    let contiguous = this.#position + this.#readyBytes === this.#stored;
    for (const chunk of chunks) {
      this.#stored += chunk.length;
      this.#pendingBytes -= chunk.length;
      contiguous &&= this.#readyBytes + chunk.length <= roomBytes;
      if (contiguous) this.#makeReady(chunk);
    }
    this.#onEvent?.();
    if (this.#hasRoom) this.#onRoom();
  }
}
