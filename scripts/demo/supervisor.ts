import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DemoError } from './demo-error.ts';

/** One ECU's daemon. */
export interface DaemonSpec {
  readonly ecuId: string;
  /** Working directory; no file of another vehicle is found there. */
  readonly directory: string;
  readonly ecuInfoFile: string;
  readonly optionsFile: string;
  /** Gets what the daemon writes. */
  readonly logFile: string;
}

/** A daemon has ended and was started again: as a reboot, or after it had ended by itself. */
export interface Restart {
  readonly ecuId: string;
  readonly kind: 'reboot' | 'unexpected';
  /** `exit code 1`, `SIGKILL`. */
  readonly end: string;
}

export interface SupervisorOptions {
  /** The daemon's own script. */
  readonly main: string;
  /** Exit code by which a daemon says that it has to boot again. */
  readonly rebootExitCode: number;
  /** Where Node may keep compiled code, so that restarts are quick. */
  readonly compileCache: string;
  readonly onRestart: (restart: Restart) => void;
}

/** A daemon that ends by itself so often within this time is not started again. */
const hopeless = { ends: 5, withinMs: 30_000 } as const;

/** How long a daemon may take to end in order. */
const endTimeoutMs = 8000;

interface Watched {
  readonly spec: DaemonSpec;
  child: ChildProcess;
  /** Times of unexpected ends, in milliseconds. */
  ends: number[];
}

/**
 * Keeps daemons running, each in a process of its own, and starts a daemon again that has ended: what an init system
 * does on an ECU. No daemon outlives it: disposing of it ends them all, and so does the end of its process in any way.
 */
export class Supervisor implements AsyncDisposable {
  readonly #options: SupervisorOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #failure = new AbortController();
  #closing = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Fires, with a DemoError, when a daemon cannot be kept running. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  start(spec: DaemonSpec): void {
    const watched: Watched = { spec, child: this.#spawn(spec), ends: [] };
    this.#watched.set(spec.ecuId, watched);
    this.#watch(watched);
  }

  /** Process id of an ECU's daemon; it changes with every boot. */
  pid(ecuId: string): number | undefined {
    return this.#watched.get(ecuId)?.child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#watched.values()].map(({ child }) => end(child)));
  }

  #spawn(spec: DaemonSpec): ChildProcess {
    const log = openSync(spec.logFile, 'a');
    try {
      const lifeline = pathToFileURL(join(import.meta.dirname, 'end-with-parent.ts')).href;
      return spawn(process.execPath, ['--import', lifeline, this.#options.main], {
        cwd: spec.directory,
        env: {
          ...withoutOptions(process.env),
          OTA_ECU_INFO: spec.ecuInfoFile,
          OTA_OPTIONS: spec.optionsFile,
          NODE_COMPILE_CACHE: this.#options.compileCache,
        },
        stdio: ['ignore', log, log, 'pipe'],
        // A group of its own: Ctrl-C in the terminal is for the supervisor, which ends the daemons in order.
        detached: true,
      });
    } finally {
      closeSync(log);
    }
  }

  #watch(watched: Watched): void {
    const { child, spec } = watched;
    child.once('error', (cause) => {
      this.#fail(`the daemon of ${spec.ecuId} could not be started: ${cause.message}`, spec);
    });
    child.once('exit', (code, signal) => {
      if (this.#closing) return;
      const how = signal ?? `exit code ${code}`;
      const kind = code === this.#options.rebootExitCode ? 'reboot' : 'unexpected';
      if (kind === 'unexpected' && this.#isHopeless(watched)) {
        this.#fail(`the daemon of ${spec.ecuId} keeps ending (${how})`, spec);
        return;
      }
      watched.child = this.#spawn(spec);
      this.#watch(watched);
      this.#options.onRestart({ ecuId: spec.ecuId, kind, end: how });
    });
  }

  #isHopeless(watched: Watched): boolean {
    const now = performance.now();
    watched.ends = [...watched.ends.filter((at) => now - at < hopeless.withinMs), now];
    return watched.ends.length >= hopeless.ends;
  }

  #fail(what: string, spec: DaemonSpec): void {
    const lines = readFileSync(spec.logFile, 'utf8').trimEnd().split('\n').map(complaint);
    const last = lines.filter((line) => line !== '').slice(-3);
    const message = [`${what}; its log ${spec.logFile} ends with`, ...last].join('\n  ');
    this.#failure.abort(new DemoError('daemon_failed', message));
  }
}

/** What a line of a daemon's log complains of; empty when it only tells. */
function complaint(line: string): string {
  try {
    const entry = JSON.parse(line) as { level: number; msg: string; err?: { message?: string } };
    const warning = 40;
    return entry.level < warning ? '' : [entry.msg, entry.err?.message].filter(Boolean).join(': ');
  } catch {
    // Written by Node itself, before there was a log or when it could not go on.
    return line;
  }
}

/** What was set for another daemon in the caller's shell is not for these. */
function withoutOptions(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('OTA_')));
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), endTimeoutMs);
  await ended;
  clearTimeout(timer);
}
