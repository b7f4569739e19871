import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { projectRoot } from './run-ota.ts';

/** What a terminal shows: understands the sequences that a full-screen view writes, and that it is given back. */
export class TerminalPicture {
  isAlternate = false;
  hasCursor = true;
  wraps = true;
  #lines: string[][] = [];
  #row = 0;
  #column = 0;
  #rest = '';

  write(text: string): void {
    // oxlint-disable-next-line no-control-regex -- escape sequences are what this reads
    const piece = /\u001b\[(\??)([\d;]*)([A-Za-z])|\u001b|([^\u001b])/gsuy;
    const all = this.#rest + text;
    // oxlint-disable-next-line no-control-regex -- escape sequences are what this reads
    const begun = /\u001b(\[\??[\d;]*)?$/.exec(all);
    this.#rest = begun?.[0] ?? '';
    for (const [, mark, numbers = '', command, char] of all.slice(0, begun?.index).matchAll(piece)) {
      if (char !== undefined) this.#put(char);
      else if (mark === '?') this.#mode(numbers, command === 'h');
      else this.#command(command ?? '', numbers);
    }
  }

  get lines(): string[] {
    return Array.from(this.#lines, (line) =>
      Array.from(line ?? [], (char) => char ?? ' ')
        .join('')
        .trimEnd(),
    );
  }

  get text(): string {
    return this.lines.join('\n');
  }

  #put(char: string): void {
    if (char === '\n') this.#row += 1;
    else if (char === '\r') this.#column = 0;
    else {
      const line = (this.#lines[this.#row] ??= []);
      line[this.#column] = char;
      this.#column += 1;
    }
  }

  #mode(number: string, isSet: boolean): void {
    if (number === '1049') {
      this.isAlternate = isSet;
      this.#lines = [];
      this.#row = 0;
    } else if (number === '25') this.hasCursor = isSet;
    else if (number === '7') this.wraps = isSet;
  }

  #command(command: string, numbers: string): void {
    if (command === 'H') {
      const [row = 1, column = 1] = numbers === '' ? [] : numbers.split(';').map(Number);
      [this.#row, this.#column] = [row - 1, column - 1];
    } else if (command === 'K') (this.#lines[this.#row] ??= []).length = this.#column;
    else if (command === 'J') this.#lines = [];
  }
}

/** A command on a terminal of its own, made by `script` of util-linux. */
export interface OnTerminal {
  readonly picture: TerminalPicture;
  /** All that was written to the terminal. */
  output(): string;
  press(keys: string): void;
  /** Process id of the command. */
  pid(): number;
  /** Resolves when the picture is as wanted; rejects when the command ends before. */
  waitFor(what: string, isSo: (picture: TerminalPicture) => boolean): Promise<void>;
  /** Exit code, as a shell has it. */
  readonly end: Promise<number | null>;
}

interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `ota` on a terminal. Ended with the test. */
export function otaOnTerminal(
  t: TestContext,
  args: readonly string[],
  options: TerminalOptions = {},
): OnTerminal {
  const { columns = 100, rows = 30, env } = options;
  const quoted = [process.execPath, 'src/cli.ts', ...args].map((word) => `'${word}'`).join(' ');
  // A shell tells the process id before it becomes the command, and another one how the command left the terminal.
  const inner = `echo "pid=$$"; exec ${quoted}`;
  const command = `stty cols ${columns} rows ${rows}; sh -c "${inner.replaceAll(/["$]/g, '\\$&')}"; code=$?; stty -a; exit $code`;
  const child = spawn('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], {
    cwd: projectRoot,
    env: {
      PATH: process.env['PATH'] ?? '',
      SHELL: '/bin/sh',
      LANG: 'C.UTF-8',
      TERM: 'xterm-256color',
      NODE_COMPILE_CACHE: '.cache/compiled',
      ...env,
    },
  });
  const picture = new TerminalPicture();
  let written = '';
  const seen = new EventTarget();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written += text;
    picture.write(text);
    seen.dispatchEvent(new Event('output'));
  });
  child.stdin.on('error', () => {});
  const pid = (): number => Number(/pid=(\d+)/.exec(written)?.[1]);
  t.after(() => {
    if (child.exitCode !== null) return;
    if (pid() > 0 && readFileSync(`/proc/${pid()}/cmdline`, 'utf8').includes('cli.ts')) {
      process.kill(pid(), 'SIGKILL');
    }
    child.kill('SIGKILL');
  });
  const end = once(child, 'close').then(([code]: (number | null)[]) => {
    seen.dispatchEvent(new Event('output'));
    return code ?? null;
  });
  return {
    picture,
    output: () => written,
    press: (keys) => void child.stdin.write(keys),
    pid,
    end,
    waitFor: async (what, isSo) => {
      while (!isSo(picture)) {
        if (child.exitCode !== null) throw new Error(`ota ended before ${what}:\n${written}`);
        await once(seen, 'output');
      }
    },
  };
}
