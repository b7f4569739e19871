import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { DemoError } from './demo-error.ts';

/** A program beside the vehicle: one of the project's scripts, in a process of its own. */
export class Program implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #lines: string[] = [];
  readonly #news = new EventTarget();
  readonly #ended: Promise<void>;
  #isEnded = false;

  /** `logFile` gets what it complains of. It ends with the demo, however that one ends. */
  constructor(
    name: string,
    script: string,
    args: readonly string[],
    place: { readonly logFile: string; readonly compileCache: string },
  ) {
    this.name = name;
    this.#logFile = place.logFile;
    const log = openSync(place.logFile, 'a');
    const lifeline = pathToFileURL(join(import.meta.dirname, 'end-with-parent.ts')).href;
    this.#child = spawn(process.execPath, ['--import', lifeline, script, ...args], {
      env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: place.compileCache },
      stdio: ['pipe', 'pipe', log, 'pipe'],
      // Ctrl-C in the terminal is for the demo, which ends it in order.
      detached: true,
    });
    closeSync(log);
    this.#child.stdin?.on('error', () => {});
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        this.#lines.push(line);
        this.#news.dispatchEvent(new Event('line'));
      });
    }
    const end = (): void => {
      this.#isEnded = true;
      this.#news.dispatchEvent(new Event('line'));
    };
    this.#ended = once(this.#child, 'close').then(end, end);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What a line that it writes says. Errors: DemoError, when it ends without one. */
  async says(pattern: RegExp, signal: AbortSignal): Promise<RegExpExecArray> {
    for (;;) {
      signal.throwIfAborted();
      for (const line of this.#lines) {
        const found = pattern.exec(line);
        if (found !== null) return found;
      }
      if (this.#isEnded) {
        const last = readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-3);
        throw new DemoError(
          'program_failed',
          [`${this.name} ended by itself; its log ends with`, ...last].join('\n  '),
        );
      }
      await once(this.#news, 'line', { signal });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await this.#ended;
    clearTimeout(timer);
  }
}
