import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export const projectRoot = join(import.meta.dirname, '../..');

export interface OtaRun {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
}

/** A running `ota` process. */
export interface RunningOta {
  readonly child: ChildProcessWithoutNullStreams;
  readonly end: Promise<OtaRun>;
  /** Resolves when stdout holds a match; rejects when the process ends without one. */
  waitFor(pattern: RegExp): Promise<RegExpMatchArray>;
  /** The same for stderr. */
  waitForError(pattern: RegExp): Promise<RegExpMatchArray>;
}

/** Starts `ota` as its users do: a process of its own, run from the sources. Ended with the test. */
export function startOta(t: TestContext, args: readonly string[], options: RunOptions = {}): RunningOta {
  const child = spawn(process.execPath, [join(projectRoot, 'src/cli.ts'), ...args], {
    env: {
      PATH: process.env['PATH'] ?? '',
      LANG: 'C',
      // Compiled once for all runs: start-up is most of the time of these tests.
      NODE_COMPILE_CACHE: join(projectRoot, '.cache/compiled'),
      ...options.env,
    },
  });
  t.after(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  const seen = new EventTarget();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    seen.dispatchEvent(new Event('output'));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    seen.dispatchEvent(new Event('output'));
  });
  // A process that never reads its stdin closes it.
  child.stdin.on('error', () => {});
  child.stdin.end(options.stdin ?? '');
  const end = once(child, 'close').then(([code]: (number | null)[]) => {
    seen.dispatchEvent(new Event('output'));
    return { code: code ?? null, stdout, stderr };
  });
  const waitUntil = async (pattern: RegExp, written: () => string): Promise<RegExpMatchArray> => {
    for (;;) {
      const match = pattern.exec(written());
      if (match !== null) return match;
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`ota ended without ${pattern}: ${stdout}${stderr}`);
      }
      await once(seen, 'output');
    }
  };
  return {
    child,
    end,
    waitFor: (pattern) => waitUntil(pattern, () => stdout),
    waitForError: (pattern) => waitUntil(pattern, () => stderr),
  };
}

/** Runs `ota` to its end. */
export function runOta(t: TestContext, args: readonly string[], options: RunOptions = {}): Promise<OtaRun> {
  return startOta(t, args, options).end;
}
