import { randomBytes } from 'node:crypto';
import { HttpSource, type HttpSourceOptions } from '#net/http-source.ts';
import type { WireMeter } from '#net/wire-meter.ts';

/** Counts as a reader does. */
export class CountingMeter implements WireMeter {
  wireBytes = 0;
  readonly failures: unknown[] = [];

  bytes(count: number): void {
    this.wireBytes += count;
  }

  failedAttempt(error: unknown): void {
    this.failures.push(error);
  }
}

/** A source that retries at once and gives up soon. */
export function quickSource(origin: URL, options: Partial<HttpSourceOptions> = {}): HttpSource {
  return new HttpSource({
    origin,
    cookies: new Map(),
    clientVersion: '1.2.3',
    attempts: 4,
    backoffBaseMs: 1,
    backoffMaxMs: 5,
    ...options,
  });
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** Bytes in which no two places look alike. */
export function content(bytes: number): Buffer {
  return randomBytes(bytes);
}

export const never = new AbortController().signal;
