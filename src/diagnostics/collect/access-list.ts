import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** Whether the bearer may hand over segments of an ECU or a vehicle of this name. */
export type Allowed = (name: string) => boolean;

/**
 * Who may hand over segments. With a file of tokens, read anew every time, those whose token is in it, for the names behind
 * it: one line per child, `<token> <name> [<name> ...]`. Without one, everybody, for the names of this vehicle.
 */
export class AccessList {
  readonly #names: ReadonlySet<string>;
  readonly #tokensFile: string | undefined;

  constructor(names: readonly string[], tokensFile: string | undefined) {
    this.#names = new Set(names);
    this.#tokensFile = tokensFile;
  }

  /** Undefined for one who may hand over nothing. Errors: those of the file system, for the file of tokens. */
  async allowed(authorization: string | undefined): Promise<Allowed | undefined> {
    if (this.#tokensFile === undefined) return (name) => this.#names.has(name);
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined) return undefined;
    const text = await readFile(this.#tokensFile, 'utf8');
    let names: ReadonlySet<string> | undefined;
    // All lines are compared, so that the time tells nothing.
    for (const line of text.split('\n')) {
      const [first = '', ...rest] = line.trim().split(/\s+/);
      if (first === '' || first.startsWith('#') || !isSame(first, token)) continue;
      names = new Set(rest.length === 0 ? this.#names : rest);
    }
    return names === undefined ? undefined : (name) => names.has(name);
  }
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
