import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** How a file may be sent, best first, and the name of what the build left beside it. */
const encodings = [
  { name: 'br', suffix: '.br' },
  { name: 'gzip', suffix: '.gz' },
] as const;

type Encoding = (typeof encodings)[number]['name'] | 'identity';

/** One file in one encoding, ready to be sent. */
export interface PageFile {
  readonly body: Buffer;
  readonly encoding: Encoding;
  /** With its quotes; another one for every encoding (RFC 9110, 8.8.3.3). */
  readonly etag: string;
}

/** Small: the whole page is. More is no file of ours. */
const maxBytes = 4_000_000;

/** What a name may be: no dots at a beginning, so nothing above the directory and nothing hidden is ever reached. */
const plainName = /^(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*\/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*$/;

/** The built page on disk. What was sent once is kept, until it changes on disk. */
export class PageFiles {
  readonly #directory: string;
  readonly #kept = new Map<string, { readonly mtimeMs: number; readonly file: PageFile }>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The file in the best encoding that the browser takes; undefined when there is none. */
  async find(name: string, acceptEncoding: string): Promise<PageFile | undefined> {
    if (!plainName.test(name) || /\.(?:br|gz)$/.test(name)) return undefined;
    for (const { name: encoding, suffix } of encodings) {
      if (!accepts(acceptEncoding, encoding)) continue;
      const file = await this.#read(name + suffix, encoding);
      if (file !== undefined) return file;
    }
    return this.#read(name, 'identity');
  }

  async #read(name: string, encoding: Encoding): Promise<PageFile | undefined> {
    const path = join(this.#directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || !found.isFile() || found.size > maxBytes) return undefined;
    const kept = this.#kept.get(name);
    if (kept?.mtimeMs === found.mtimeMs) return kept.file;
    const body = await readFile(path);
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    const file = { body, encoding, etag };
    this.#kept.set(name, { mtimeMs: found.mtimeMs, file });
    return file;
  }
}

/** RFC 9110, 12.5.3: named or by `*`, and not with weight 0. */
function accepts(header: string, encoding: string): boolean {
  const weights = new Map(
    header
      .toLowerCase()
      .split(',')
      .map((item) => {
        const [name = '', ...parameters] = item.split(';').map((part) => part.trim());
        const weight = parameters.find((part) => part.startsWith('q='))?.slice(2);
        return [name, weight === undefined ? 1 : Number(weight)] as const;
      }),
  );
  return (weights.get(encoding) ?? weights.get('*') ?? 0) > 0;
}
