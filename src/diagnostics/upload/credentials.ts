import { readFile } from 'node:fs/promises';
import { type PutAnswer, PutClient, type PutOptions, type PutRequest, type PutTls } from '#net/put-client.ts';

/** Files of credentials; each may be replaced at any time. */
export interface CredentialFiles {
  readonly token: string | undefined;
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

/** Presents what the files hold at the moment: after a change, with connections of its own. Tells none of it to anybody. */
export class CredentialedClient implements AsyncDisposable {
  readonly #files: CredentialFiles;
  readonly #options: Omit<PutOptions, 'tls'>;
  #client: { readonly tls: PutTls; readonly put: PutClient } | undefined;

  constructor(files: CredentialFiles, options: Omit<PutOptions, 'tls'>) {
    this.#files = files;
    this.#options = options;
  }

  /** Errors: those of PutClient; those of the file system for a file that cannot be read. */
  async send(request: PutRequest, signal: AbortSignal): Promise<PutAnswer> {
    const tls = await this.#tls();
    if (this.#client === undefined || !isSame(this.#client.tls, tls)) {
      await this.#client?.put[Symbol.asyncDispose]();
      this.#client = { tls, put: new PutClient({ ...this.#options, tls }) };
    }
    return this.#client.put.send(request, signal);
  }

  /** A token that cannot be read is none: the receiver then says so. */
  async token(): Promise<string> {
    return (await textOf(this.#files.token).catch(() => undefined))?.trim() ?? '';
  }

  /** Another text whenever one of them changes. */
  async fingerprint(): Promise<string> {
    const tls = await this.#tls().catch(() => ({}));
    return JSON.stringify([await this.token(), tls]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.put[Symbol.asyncDispose]();
  }

  async #tls(): Promise<PutTls> {
    const { ca, certificate, key } = this.#files;
    const [caText, certificateText, keyText] = await Promise.all([ca, certificate, key].map(textOf));
    return {
      ...(caText === undefined ? {} : { ca: caText }),
      ...(certificateText === undefined ? {} : { certificate: certificateText }),
      ...(keyText === undefined ? {} : { key: keyText }),
    };
  }
}

async function textOf(path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : readFile(path, 'utf8');
}

function isSame(a: PutTls, b: PutTls): boolean {
  return a.ca === b.ca && a.certificate === b.certificate && a.key === b.key;
}
