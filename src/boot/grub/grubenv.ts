import { join } from 'node:path';
import { BootError } from '#boot/boot-error.ts';
import { readAtMost } from '#host/durable-file.ts';
import type { BootPartition } from '#host/settled-file.ts';
import { replaceSettled } from '#host/settled-file.ts';

/** The environment block of GRUB: variables in the order in which they stand in the file. */
export type GrubEnvironment = ReadonlyMap<string, string>;

/** A block of another size is refused by GRUB, which overwrites it in place. */
const size = 1024;
const header = '# GRUB Environment Block\n';

/**
 * Reads an environment block. Undefined when it is none: wrong size, wrong header, a variable without an end.
 * @see grub-core/lib/envblk.c of GRUB: `\` escapes the character after it
 */
export function parseGrubenv(bytes: Uint8Array): GrubEnvironment | undefined {
  if (bytes.length !== size) return undefined;
  const text = Buffer.from(bytes).toString('latin1');
  if (!text.startsWith(header)) return undefined;
  const variables = new Map<string, string>();
  let rest = text.slice(header.length);
  while (rest !== '') {
    if (rest.startsWith('#')) {
      // A comment, which grub-editenv writes since 2.06, or the padding.
      const end = rest.indexOf('\n');
      if (end < 0) return variables;
      rest = rest.slice(end + 1);
      continue;
    }
    const line = /^((?:[^\\\n]|\\[^])*)\n/.exec(rest);
    if (line === null) return undefined;
    rest = rest.slice(line[0].length);
    const [name, value] = splitAt(line[1] ?? '', '=');
    if (value !== undefined && name !== '') variables.set(name, value.replace(/\\([^])/g, '$1'));
  }
  return variables;
}

/** Errors: BootError `switch_failed` when the variables do not fit. */
export function formatGrubenv(environment: GrubEnvironment): Buffer {
  const lines = [...environment].map(([name, value]) => `${name}=${value.replace(/[\\\n]/g, '\\$&')}\n`);
  const text = `${header}${lines.join('')}`;
  if (text.length > size) {
    throw new BootError(
      'switch_failed',
      `the environment block of GRUB is full: ${text.length} of ${size} bytes; remove variables with grub-editenv`,
    );
  }
  return Buffer.from(text.padEnd(size, '#'), 'latin1');
}

function splitAt(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** `grubenv` of a GRUB directory, replaced as a whole and read back. */
export class GrubenvFile {
  readonly path: string;
  readonly #partition: BootPartition;

  constructor(grubDirectory: string, partition: BootPartition) {
    this.path = join(grubDirectory, 'grubenv');
    this.#partition = partition;
  }

  /** No variables where there is no file yet. Errors: BootError `startup_failed` when it is damaged. */
  async read(): Promise<GrubEnvironment> {
    const bytes = await readAtMost(this.path, size + 1);
    if (bytes === undefined) return new Map();
    const environment = parseGrubenv(bytes);
    if (environment !== undefined) return environment;
    const found = bytes.length > size ? `more than ${size}` : String(bytes.length);
    throw new BootError(
      'startup_failed',
      `${this.path} is damaged: ${found} bytes that are no GRUB environment block; check the file system and run ` +
        `\`grub-editenv ${this.path} create\`, then start the daemon again`,
    );
  }

  /** Sets variables and removes those that are undefined; all others stay. Errors: BootError `switch_failed`. */
  async change(
    changes: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
  ): Promise<GrubEnvironment> {
    const before = await this.read();
    const after = new Map(before);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) after.delete(name);
      else after.set(name, value);
    }
    const bytes = formatGrubenv(after);
    const current = await readAtMost(this.path, size + 1);
    if (current === undefined || !bytes.equals(current)) {
      await replaceSettled(this.#partition, this.path, bytes, signal);
    }
    return after;
  }
}
