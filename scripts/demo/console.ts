import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { digestOfToken } from '#api/console/token-digest.ts';
import { ConsoleClient } from '#api/console-client.ts';
import { type ConsoleSignal, listSignals } from '#api/console-diagnostics.ts';
import { authority } from '#domain/ecu.ts';
import { DemoError } from './demo-error.ts';
import { eventually } from './eventually.ts';

/** The console of the vehicle's main ECU, and a token of an operator that outlives restarts of its daemon. */
export class DemoConsole {
  readonly host: string;
  readonly port: number;
  /** Holds the token, for programs. */
  readonly tokenFile: string;
  /** Holds its digest, for the daemon: the option `console.tokens_file`. */
  readonly tokensFile: string;
  readonly #token: string;

  private constructor(host: string, port: number, directory: string, token: string) {
    this.host = host;
    this.port = port;
    this.tokenFile = join(directory, 'console-token');
    this.tokensFile = join(directory, 'console-tokens.yml');
    this.#token = token;
  }

  /** Makes the token, and its files in `directory`. Errors: those of the file system. */
  static async create(host: string, port: number, directory: string): Promise<DemoConsole> {
    const token = randomBytes(32).toString('base64url');
    const made = new DemoConsole(host, port, directory, token);
    const entry = { name: 'demo', role: 'operator', sha256: digestOfToken(token) };
    await writeFile(made.tokensFile, stringify({ tokens: [entry] }), { mode: 0o600 });
    await writeFile(made.tokenFile, `${token}\n`, { mode: 0o600 });
    return made;
  }

  get url(): string {
    return `http://${authority(this)}`;
  }

  /** Address of the dashboard that lets an operator in. */
  get link(): string {
    return `${this.url}/#token=${this.#token}`;
  }

  /** Waits until the signals are as `isFine` says. Errors: DemoError timed_out. */
  async until(
    what: string,
    paths: readonly string[],
    isFine: (values: ReadonlyMap<string, ConsoleSignal['value']>) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    await eventually(what, signal, async (either) => {
      using client = new ConsoleClient({ url: this.url, token: this.#token });
      const signals = await listSignals(client, 'Vehicle.', { signal: either, budgetMs: 10_000 });
      const values = new Map(signals.map(({ path, value }) => [path, value]));
      return paths.every((path) => values.has(path)) && isFine(values);
    });
  }

  /** Waits until a browser gets the page: the daemon serves people a little later than ECUs. Errors: DemoError timed_out. */
  async page(signal: AbortSignal): Promise<void> {
    await eventually('the dashboard', signal, async (either) => {
      const answer = await fetch(this.url, { signal: either });
      const text = await answer.text();
      if (answer.ok && text.includes('<script')) return true;
      throw new DemoError('not_ready', `the dashboard at ${this.url} is not served: ${answer.status}`);
    });
  }
}
