import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Sha256 } from '#domain/digest.ts';
import { ImageError } from '#image/image-error.ts';

/**
 * Bytes of one line. The longest honest one is a symlink whose path and target have 4095 bytes each, all of them quotes,
 * which are escaped by four characters.
 */
const maxLineBytes = 40_000;
/** Bytes that are decoded at a time: the longest string that is ever made of a file. */
const pieceBytes = 64 * 1024;
/** Milliseconds of parsing after which others get their turn on the event loop. */
const turnMs = 8;

export interface SignedText {
  /** For messages. */
  readonly name: string;
  readonly sha256: Sha256;
  readonly maxBytes: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * Gives each line of a signed UTF-8 text to `onLine`, without surrounding white space and without blank lines, in
 * bounded memory. Resolves only when the digest of exactly the bytes that were parsed matches: until then, what `onLine`
 * took is not to be used.
 *
 * Errors: ImageError metadata_digest_mismatch, even when the text is malformed, because then it is simply not the signed
 * one; metadata_too_large, metadata_malformed, and those that `onLine` throws, with file and line number added; whatever
 * `chunks` throws; the signal's reason.
 */
export async function readSignedLines(
  text: SignedText,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const hash = createHash('sha256');
  const lines = new LineSplitter(text.name, onLine);
  let bytes = 0;
  let turn = performance.now();
  for await (const chunk of text.chunks) {
    signal.throwIfAborted();
    bytes += chunk.length;
    if (bytes > text.maxBytes) {
      throw new ImageError('metadata_too_large', `${text.name} has more than ${text.maxBytes} bytes`);
    }
    hash.update(chunk);
    for (let at = 0; at < chunk.length && lines.refusal === undefined; at += pieceBytes) {
      lines.push(chunk.subarray(at, at + pieceBytes));
      if (performance.now() - turn > turnMs) {
        await setImmediate(undefined, { signal });
        turn = performance.now();
      }
    }
  }
  lines.end();
  const found = hash.digest('hex');
  if (found !== text.sha256) {
    throw new ImageError(
      'metadata_digest_mismatch',
      `${text.name} has the digest ${found}, but ${text.sha256} was signed; it was changed or cut off`,
    );
  }
  if (lines.refusal !== undefined) throw lines.refusal;
}

/** Cuts pieces of bytes into lines of text. After a refusal it does nothing any more. */
class LineSplitter {
  readonly #name: string;
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** Start of a line whose end has not come yet. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Lines that were ended so far. */
  #count = 0;
  refusal: unknown;

  constructor(name: string, onLine: (line: string) => void) {
    this.#name = name;
    this.#onLine = onLine;
  }

  push(piece: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    // A newline byte is never part of a longer UTF-8 sequence, so that whole lines decode on their own.
    const end = bytes.lastIndexOf(0x0a) + 1;
    this.#take(bytes.subarray(0, end));
    // A copy: the chunk's memory may be reused by whoever gave it.
    this.#rest = Uint8Array.from(bytes.subarray(end));
    if (this.#rest.length > maxLineBytes) this.#refuse(this.#tooLong());
  }

  end(): void {
    if (this.#rest.length > 0 && this.refusal === undefined) this.#take(this.#rest);
  }

  #take(bytes: Uint8Array): void {
    let text: string;
    try {
      text = this.#decoder.decode(bytes);
    } catch (cause) {
      this.#refuse(new ImageError('metadata_malformed', 'text is not UTF-8', { cause }), firstBadLine(bytes));
      return;
    }
    try {
      for (let from = 0; from < text.length; ) {
        let to = text.indexOf('\n', from);
        if (to === -1) to = text.length;
        if (to - from > maxLineBytes) throw this.#tooLong();
        const line = text.slice(from, to).trim();
        if (line !== '') this.#onLine(line);
        this.#count++;
        from = to + 1;
      }
    } catch (error) {
      this.#refuse(error);
    }
  }

  #tooLong(): ImageError {
    return new ImageError('metadata_too_large', `line has more than ${maxLineBytes} bytes`);
  }

  #refuse(error: unknown, linesAhead = 0): void {
    this.refusal =
      error instanceof ImageError
        ? new ImageError(error.code, `${this.#name}:${this.#count + linesAhead + 1}: ${error.message}`, {
            cause: error,
          })
        : error;
  }
}

/** How many lines of `bytes` come before the first that is not UTF-8. */
function firstBadLine(bytes: Uint8Array): number {
  let line = 0;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let from = 0; from < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, from);
    const to = newline === -1 ? bytes.length : newline + 1;
    try {
      decoder.decode(bytes.subarray(from, to));
    } catch {
      return line;
    }
    from = to;
  }
  return line;
}
