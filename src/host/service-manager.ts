import type { Log } from '#domain/log.ts';
import { runCommand } from './command.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const never = new AbortController().signal;
const notifyTimeoutMs = 10_000;

/**
 * Tells systemd that the daemon is ready, what it is at, and that it is alive. Silent where no service manager listens.
 *
 * Node has no datagram sockets of the Unix family, hence `systemd-notify`. It waits until systemd has read the message
 * (sd_notify_barrier, systemd 246), so that it cannot be gone before systemd has found out whose message it is; the unit
 * needs `NotifyAccess=all`, since it is not the daemon's main process that sends. See systemd-notify(1).
 */
export class ServiceManager implements AsyncDisposable {
  readonly #socket: string;
  readonly #log: Log;
  /** Milliseconds between two signs of life; 0 without a watchdog. */
  readonly watchdogMs: number;
  #status = '';
  #last: Promise<void> = Promise.resolve();
  #failed = false;
  #watchdog: NodeJS.Timeout | undefined;

  private constructor(socket: string, watchdogMs: number, log: Log) {
    this.#socket = socket;
    this.watchdogMs = watchdogMs;
    this.#log = log;
  }

  /**
   * Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, and takes them out of the process's own environment, so
   * that no program that the daemon starts speaks for it.
   */
  static take(env: Environment, log: Log): ServiceManager {
    const socket = env['NOTIFY_SOCKET'] ?? '';
    const period = Number(env['WATCHDOG_USEC'] ?? 0) / 1000;
    const meant = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(process.pid);
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete process.env[name];
    const watched = socket !== '' && meant && Number.isFinite(period) && period > 0;
    return new ServiceManager(socket, watched ? period / 2 : 0, log);
  }

  /** The daemon serves. From here on it gives signs of life as long as `isAlive` says so. */
  ready(isAlive: () => boolean): void {
    this.#send(['READY=1']);
    if (this.watchdogMs === 0) return;
    // A hung event loop gives no sign by itself.
    this.#watchdog = setInterval(() => {
      if (isAlive()) this.#send(['WATCHDOG=1']);
    }, this.watchdogMs);
    this.#watchdog.unref();
  }

  /** What `systemctl status` shows. */
  status(text: string): void {
    const line = text.replace(/\p{Cc}+/gu, ' ').slice(0, 512);
    if (line === this.#status) return;
    this.#status = line;
    this.#send([`STATUS=${line}`]);
  }

  /** The daemon ends. */
  stopping(): void {
    this.#send(['STOPPING=1']);
  }

  /** Resolves when everything was said. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watchdog);
    await this.#last;
  }

  #send(words: readonly string[]): void {
    if (this.#socket === '') return;
    // One after the other: a status must not overtake the one before it.
    this.#last = this.#last.then(() => this.#run(words));
  }

  async #run(words: readonly string[]): Promise<void> {
    try {
      const { exitCode, stderr } = await runCommand(
        {
          argv: ['systemd-notify', ...words],
          env: { NOTIFY_SOCKET: this.#socket },
          timeoutMs: notifyTimeoutMs,
        },
        never,
      );
      if (exitCode !== 0)
        throw new Error(`systemd-notify ended with exit code ${exitCode}: ${stderr.trim()}`);
      this.#failed = false;
    } catch (error) {
      // Once: what is wrong stays wrong, and there is one message every few seconds.
      if (!this.#failed) this.#log.warn({ err: error }, 'the service manager could not be told');
      this.#failed = true;
    }
  }
}
