import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { join } from 'node:path';
import { type SegmentStore, segmentListener } from '#diagnostics/collect/segment-listener.ts';
import {
  type Answer,
  folderOf,
  type ReceivedSegment,
  type SegmentTarget,
} from '#diagnostics/collect/segment-request.ts';

// The reference receiver of diagnostics: PUT /vehicles/<vehicle>/diagnostics/<segment id> with an Avro container file as
// body. It keeps each file as it comes, `<directory>/<vehicle>/<id>.avro`, so that Spark, DuckDB or fastavro read the
// directory as it is. An id is stored once: the same bytes again are acknowledged again, other bytes are refused.

export interface ReceiverOptions {
  readonly directory: string;
  /** Largest body that is taken. */
  readonly maxBytes: number;
  /** Required bearer token; empty for none. */
  readonly token: string;
}

const partFolder = '.parts';
const maxBodies = 64;

/** A server that is not listening yet. What an earlier life left half written is removed. */
export function createReceiver(options: ReceiverOptions): Server {
  const { directory, maxBytes } = options;
  const parts = join(directory, partFolder);
  mkdirSync(parts, { recursive: true });
  for (const name of readdirSync(parts)) rmSync(join(parts, name), { force: true });
  const onError = (error: unknown): void => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  };
  const listener = segmentListener(new PlainFiles(options), {
    maxBytes,
    needsDigest: false,
    maxBodies,
    onError,
  });
  return createServer({ requestTimeout: 600_000 }, listener);
}

/** One plain file per segment. */
class PlainFiles implements SegmentStore {
  readonly #directory: string;
  readonly #token: string;
  #parts = 0;

  constructor({ directory, token }: ReceiverOptions) {
    this.#directory = directory;
    this.#token = token;
  }

  refuse(_: SegmentTarget, { headers }: IncomingMessage): Answer | undefined {
    if (this.#token === '' || headers.authorization === `Bearer ${this.#token}`) return undefined;
    return { status: 401, text: 'not authorised', headers: { 'www-authenticate': 'Bearer' } };
  }

  async store(segment: ReceivedSegment): Promise<{ sha256: string; isNew: boolean }> {
    const folder = join(this.#directory, folderOf(segment.vehicleId));
    if ((await mkdir(folder, { recursive: true })) !== undefined) await sync(this.#directory);
    const isNew = await this.#link(segment.body, this.#path(segment));
    if (isNew) await sync(folder);
    return { sha256: isNew ? segment.sha256 : ((await this.digestOf(segment)) ?? ''), isNew };
  }

  async digestOf(target: SegmentTarget): Promise<string | undefined> {
    try {
      return createHash('sha256')
        .update(await readFile(this.#path(target)))
        .digest('hex');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** False when there is a file already. Unlike rename, link never replaces what is there: one of several wins. */
  async #link(body: Buffer, target: string): Promise<boolean> {
    const part = join(this.#directory, partFolder, `${process.pid}-${++this.#parts}`);
    const file = await open(part, 'wx');
    try {
      await file.writeFile(body);
      await file.sync();
      await link(part, target);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      return false;
    } finally {
      await file.close();
      await rm(part, { force: true });
    }
  }

  #path({ vehicleId, id }: SegmentTarget): string {
    return join(this.#directory, folderOf(vehicleId), `${id}.avro`);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
