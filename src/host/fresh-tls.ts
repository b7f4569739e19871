import type { Log } from '#domain/log.ts';
import type { TlsMaterial } from './tls-material.ts';

export interface FreshTlsParts {
  /** Who speaks TLS, for the log. */
  readonly who: string;
  /** Reads the files and tries them out. */
  readonly read: () => Promise<TlsMaterial>;
  /** Presents it to connections that are made from now on. */
  readonly present: (material: TlsMaterial) => void;
  readonly log: Log;
  /** Milliseconds between two looks at the files. */
  readonly lookEveryMs?: number;
}

/**
 * Certificates that are renewed while a server runs: their files are read again every half minute and on SIGHUP. What
 * cannot be used is logged, and the server goes on with what it has. Connections that are open go on as they are.
 */
export class FreshTls implements Disposable {
  readonly #parts: FreshTlsParts;
  readonly #timer: NodeJS.Timeout;
  readonly #look = (): void => void this.look();
  #presented: TlsMaterial | undefined;
  #refused = '';
  #looking: Promise<void> = Promise.resolve();

  /** `presented` is what the server has already. */
  constructor(parts: FreshTlsParts, presented?: TlsMaterial) {
    this.#parts = parts;
    this.#presented = presented;
    this.#timer = setInterval(this.#look, parts.lookEveryMs ?? 30_000).unref();
    process.on('SIGHUP', this.#look);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    process.off('SIGHUP', this.#look);
  }

  /** Looks at the files now. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#load());
    return this.#looking;
  }

  async #load(): Promise<void> {
    const { who, read, present, log } = this.#parts;
    try {
      const material = await read();
      if (this.#presented === undefined || !isSame(material, this.#presented)) {
        present(material);
        log.info({}, `${who} has a new certificate, key or list of authorities`);
      }
      this.#presented = material;
      this.#refused = '';
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      // Once, not every half minute.
      if (why !== this.#refused)
        log.error({ err: error }, `${who} goes on with the certificate that it has: ${why}`);
      this.#refused = why;
    }
  }
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  const isSameCa = one.ca === undefined ? other.ca === undefined : other.ca?.equals(one.ca) === true;
  return one.cert.equals(other.cert) && one.key.equals(other.key) && isSameCa;
}
