import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConsoleClient } from '#api/console-client.ts';
import { type ConsoleSignal, listSignals } from '#api/console-diagnostics.ts';
import { DemoError } from './demo-error.ts';
import { eventually } from './eventually.ts';

/** The console of the vehicle's main ECU. Its token is another one after every start of the daemon. */
export class DemoConsole {
  readonly url: string;
  readonly tokenFile: string;

  /** `state` is the state directory of the main ECU. */
  constructor(url: string, state: string) {
    this.url = url;
    this.tokenFile = join(state, 'console/local-token');
  }

  /** Address of the dashboard that lets an operator in. Errors: those of the file system. */
  async link(): Promise<string> {
    const token = (await readFile(this.tokenFile, 'utf8')).trim();
    return `${this.url}/#token=${token}`;
  }

  /** Waits until the signals are as `isFine` says. Errors: DemoError timed_out. */
  async until(
    what: string,
    paths: readonly string[],
    isFine: (values: ReadonlyMap<string, ConsoleSignal['value']>) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    await eventually(what, signal, async (either) => {
      const token = (await readFile(this.tokenFile, 'utf8')).trim();
      using client = new ConsoleClient({ url: this.url, token });
      const signals = await listSignals(client, 'Vehicle.', { signal: either, budgetMs: 10_000 });
      const values = new Map(signals.map(({ path, value }) => [path, value]));
      return paths.every((path) => values.has(path)) && isFine(values);
    });
  }

  /** The page as a browser gets it. Errors: DemoError. */
  async page(signal: AbortSignal): Promise<void> {
    const answer = await fetch(this.url, { signal });
    const text = await answer.text();
    if (!answer.ok || !text.includes('<script')) {
      throw new DemoError('not_ready', `the dashboard at ${this.url} is not served: ${answer.status}`);
    }
  }
}
