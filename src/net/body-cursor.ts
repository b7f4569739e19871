import type { IncomingHttpHeaders } from 'node:http';
import { differs, parseContentRange, strongEtag, type Validator } from './content-range.ts';
import { NetError } from './net-error.ts';
import { AttemptError, statusFailure } from './retry.ts';
import type { WireRequest } from './wire-request.ts';

/** What the URL names is not what it was before. */
export class EntityChanged extends Error {
  override readonly name = 'EntityChanged';
}

/** What to ask for next: nothing set means the whole body. */
export interface RangeRequest {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

const wholeBody: RangeRequest = { range: undefined, ifRange: undefined };

/**
 * How far one body has come, over all its attempts and ranges: what to ask for next, and what an answer to that means.
 * RFC 9110 section 14.
 */
export class BodyCursor {
  readonly #request: WireRequest;
  readonly #takeBack: () => boolean;
  #restarted = false;
  #offset: number;
  #total: number | undefined;
  #complete = false;
  #validator: Validator | undefined;
  /** False once the server proved that it cannot be trusted with ranges. */
  #rangesWork = true;
  /** Where the range that was asked for begins; undefined for the whole body. */
  #asked: number | undefined;
  /** Bytes of the answer at hand that are there already. */
  #skip = 0;
  /** Bytes of the answer at hand that are still to come; undefined when the server does not say. */
  #left: number | undefined;

  /** `offset` bytes are there already; `takeBack` says whether they can be taken back, and does it. */
  constructor(request: WireRequest, offset: number, takeBack: () => boolean) {
    this.#request = request;
    this.#takeBack = takeBack;
    this.#offset = offset;
    this.#complete = offset > 0 && offset === request.expectedBytes;
  }

  /** Bytes of the body that are there. */
  get offset(): number {
    return this.#offset;
  }

  get complete(): boolean {
    return this.#complete;
  }

  /** The next range, of at most `segmentBytes` when given. */
  next(segmentBytes: number | undefined): RangeRequest {
    const from = this.#offset;
    const end = this.#total ?? this.#request.expectedBytes;
    const rest = end === undefined ? undefined : end - from;
    const oneGo = segmentBytes === undefined || (rest !== undefined && rest <= segmentBytes);
    if (!this.#rangesWork || (from === 0 && oneGo)) {
      this.#asked = undefined;
      return wholeBody;
    }
    this.#asked = from;
    const last = segmentBytes === undefined ? '' : Math.min(from + segmentBytes, end ?? Infinity) - 1;
    return {
      range: `bytes=${from}-${last}`,
      ifRange: from > 0 ? strongEtag(this.#validator) : undefined,
    };
  }

  /** Judges the head of an answer. Errors: AttemptError, EntityChanged, NetError. */
  answer(status: number, headers: IncomingHttpHeaders): void {
    const { url } = this.#request;
    if (status !== 200 && status !== 206 && status !== 416) {
      throw statusFailure(url, status, headers['retry-after']);
    }
    if (status === 416) return this.#unsatisfied(headers);
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity') {
      throw new NetError(
        'protocol',
        url,
        `body is encoded as ${encoding.slice(0, 40)}, which was not asked for`,
      );
    }
    const validator = { etag: headers.etag, lastModified: headers['last-modified'] };
    if (status === 206) this.#partial(headers, validator);
    else this.#whole(contentLength(headers), validator);
  }

  /** Takes a piece of the body; what is left of it without what was there before. Errors: NetError, AttemptError. */
  take(chunk: Buffer): Buffer {
    if (this.#left !== undefined) this.#left -= chunk.length;
    if (this.#left !== undefined && this.#left < 0) throw new AttemptError('more bytes than announced');
    const skipped = Math.min(this.#skip, chunk.length);
    this.#skip -= skipped;
    const fresh = chunk.subarray(skipped);
    const offset = this.#offset + fresh.length;
    this.#limit(offset);
    if (offset > (this.#request.expectedBytes ?? offset)) throw this.#otherLength('more');
    this.#offset = offset;
    this.#complete = offset === this.#total;
    return fresh;
  }

  /** The answer is over. Errors: AttemptError when bytes are missing. */
  finish(): void {
    if (this.#complete) return;
    if ((this.#left ?? 0) > 0 || this.#skip > 0) throw new AttemptError('body is shorter than announced');
    const { expectedBytes } = this.#request;
    // A proxy that lost its upstream ends the body as if all were well: only the image's own length tells.
    if (this.#asked === undefined && this.#offset < (expectedBytes ?? 0)) throw this.#otherLength('less');
    // A body of unannounced length ends where it ends.
    const end = this.#total ?? expectedBytes ?? (this.#asked === undefined ? this.#offset : undefined);
    this.#complete = this.#offset === end;
  }

  /** Forgets what is there, because the body changed. False when that is impossible, or happened before. */
  restart(): boolean {
    if (this.#restarted || !this.#takeBack()) return false;
    this.#restarted = true;
    this.#offset = 0;
    this.#total = undefined;
    this.#validator = undefined;
    this.#complete = false;
    return true;
  }

  #whole(length: number | undefined, validator: Validator): void {
    const changed = this.#isOther(validator, length) || (length !== undefined && length < this.#offset);
    // A new version from its beginning: exactly what starting over needs.
    if (changed && this.#offset > 0 && !this.restart()) throw new EntityChanged('changed on the server');
    this.#asked = undefined;
    this.#validator = validator;
    this.#announce(length);
    this.#skip = this.#offset;
    this.#left = length;
  }

  #partial(headers: IncomingHttpHeaders, validator: Validator): void {
    const range = parseContentRange(headers['content-range']);
    const length = contentLength(headers);
    const bytes = range?.bytes;
    const size = bytes === undefined ? 0 : bytes.last - bytes.first + 1;
    if (
      this.#asked === undefined ||
      bytes === undefined ||
      bytes.first > this.#asked ||
      bytes.last < this.#asked ||
      (length !== undefined && length !== size)
    ) {
      this.#rangesWork = false;
      throw new AttemptError('range of the answer is not what was asked for', { status: 206 });
    }
    if (this.#isOther(validator, range?.total)) throw new EntityChanged('changed on the server');
    this.#validator = validator;
    this.#announce(range?.total);
    this.#skip = this.#asked - bytes.first;
    this.#left = size;
  }

  /** 416: nothing lies beyond what we have, or the server knows another, shorter version. */
  #unsatisfied(headers: IncomingHttpHeaders): void {
    const total = parseContentRange(headers['content-range'])?.total;
    this.#skip = 0;
    this.#left = undefined;
    if (this.#asked === undefined)
      throw new NetError('protocol', this.#request.url, 'answers 416', { status: 416 });
    if (total === undefined || total > this.#asked) {
      this.#rangesWork = false;
      throw new AttemptError('the server cannot serve a range', { status: 416 });
    }
    if (total < this.#offset) throw new EntityChanged('shorter than what was received before');
    this.#announce(total);
    this.#complete = true;
  }

  #isOther(validator: Validator, total: number | undefined): boolean {
    if (this.#validator !== undefined && differs(this.#validator, validator)) return true;
    return this.#total !== undefined && total !== undefined && this.#total !== total;
  }

  #announce(total: number | undefined): void {
    if (total === undefined) return;
    this.#limit(total);
    const { expectedBytes } = this.#request;
    if (total !== (expectedBytes ?? total))
      throw this.#otherLength(total > (expectedBytes ?? 0) ? 'more' : 'less');
    this.#total = total;
  }

  #limit(total: number): void {
    const { url, maxBytes } = this.#request;
    if (total > maxBytes) throw new NetError('too_large', url, `body is longer than ${maxBytes} bytes`);
  }

  #otherLength(compared: 'more' | 'less'): AttemptError {
    const message = `body has ${compared} bytes than the image says (${this.#request.expectedBytes})`;
    return new AttemptError(message, { wrongLength: true });
  }
}

function contentLength(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['content-length'];
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
