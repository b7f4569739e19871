import { createHash, timingSafeEqual } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { formatProblem } from '#config/config-error.ts';
import { type ConsoleToken, readConsoleTokens } from '#config/console-tokens.ts';
import type { Log } from '#domain/log.ts';
import type { Identity } from '#domain/role.ts';

export interface TokenBookOptions {
  /** Path of the tokens file, if there is one. */
  readonly file: string | undefined;
  /** The token of this machine; undefined when it could not be written. */
  readonly localToken: string | undefined;
  readonly log: Log;
}

/** The file is looked at no more often than this. Milliseconds. */
const lookAgainMs = 1000;

/** Longer tokens than this are nobody's. */
const maxTokenLength = 1024;

/** Knows whose a token is. The tokens file is read again when it has changed; a broken one lets nobody in. */
export class TokenBook {
  readonly #options: TokenBookOptions;
  readonly #local: Buffer | undefined;
  #tokens: readonly ConsoleToken[] = [];
  #version = '';
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(options: TokenBookOptions) {
    this.#options = options;
    this.#local = options.localToken === undefined ? undefined : sha256(options.localToken);
  }

  /** The one who holds the token of this machine, which nobody can guess. */
  local(token: string): Identity | undefined {
    if (this.#local === undefined || token.length > maxTokenLength) return undefined;
    return timingSafeEqual(sha256(token), this.#local) ? { name: 'local', role: 'operator' } : undefined;
  }

  /** Whose token of the file it is. Takes as long for one that is nobody's. */
  async named(token: string): Promise<Identity | undefined> {
    if (token.length > maxTokenLength) return undefined;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
    const digest = sha256(token);
    let found: Identity | undefined;
    for (const entry of this.#tokens) {
      if (timingSafeEqual(digest, entry.sha256)) found ??= { name: entry.name, role: entry.role };
    }
    return found;
  }

  async #look(): Promise<void> {
    const { file, log } = this.#options;
    if (file === undefined || performance.now() - this.#lookedAt < lookAgainMs) return;
    this.#lookedAt = performance.now();
    const version = await versionOf(file);
    if (version === this.#version) return;
    const { tokens, problems } = await readConsoleTokens(file);
    this.#version = version;
    this.#tokens = tokens;
    if (problems.length === 0) log.info({ file, tokens: tokens.length }, 'tokens of the console were read');
    const first = problems[0];
    if (first !== undefined)
      log.error({ file }, `nobody gets in by a token of this file: ${formatProblem(first)}`);
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

async function versionOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
