import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { projectRoot } from './run-ota.ts';

/** A run of `npm start`, without npm. */
export interface DemoProcess {
  readonly pid: number;
  /** What it has written so far. */
  readonly output: () => string;
  /** Resolves when the output holds a match; rejects when the demo ends without one. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
  /** Its exit code, or the signal that ended it. */
  readonly end: Promise<number | NodeJS.Signals>;
}

/** Starts the demo; it is killed with the test. */
export function startDemo(t: TestContext, args: readonly string[]): DemoProcess {
  const child = spawn(process.execPath, [join(projectRoot, 'scripts/demo.ts'), ...args], {
    env: { PATH: process.env['PATH'] ?? '', LANG: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  const seen = new EventTarget();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      seen.dispatchEvent(new Event('news'));
    });
  }
  let ended = false;
  const end = once(child, 'close').then(([code, signal]) => {
    ended = true;
    seen.dispatchEvent(new Event('news'));
    return (code ?? signal) as number | NodeJS.Signals;
  });
  return {
    pid: child.pid ?? 0,
    output: () => output,
    kill: (signal) => child.kill(signal),
    end,
    waitFor: async (pattern) => {
      for (;;) {
        const match = pattern.exec(output);
        if (match !== null) return match;
        if (ended) throw new Error(`the demo ended without ${pattern}:\n${output}`);
        await once(seen, 'news');
      }
    },
  };
}

/** Process ids of the daemons, from the table that the demo prints, and of the programs around them. */
export function allPids(output: string): number[] {
  const around = [...output.matchAll(/^(?:its signals|diagnostics) .* \(process (\d+)\)$/gm)];
  return [...daemonPids(output), ...around.map(([, pid]) => Number(pid))];
}

/** Process ids of the daemons alone. */
export function daemonPids(output: string): number[] {
  return [...output.matchAll(/^ *(?:main|adas|camera|cockpit) +127\.0\.0\.\d:\d+ +(\d+)$/gm)].map(([, pid]) =>
    Number(pid),
  );
}

/** Whether a process runs. One that has ended and that nobody has waited for yet does not: state Z of proc(5). */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}
