import { access, readFile } from 'node:fs/promises';
import { CommandError, runCommand } from '#host/command.ts';

/**
 * The two clocks of an ECU. Windows, ages and waits go by the monotonic one, which nobody can set; stamps go by the wall
 * clock, which may start in 1970 and jump.
 */
export interface VehicleClock {
  /** Milliseconds since this boot, the same for every process. Means nothing in another boot. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  /** Whether the wall clock is known to be right. */
  readonly isSynced: () => boolean;
  /** Names the boot that `now` counts from; empty where the kernel does not tell. */
  readonly bootId: string;
}

/** Earlier than this software: such a wall clock was never set, whoever says otherwise. */
const neverSetMs = Date.UTC(2025, 0, 1);
const syncMark = '/run/systemd/timesync/synchronized';
const askEveryMs = 15_000;
const commandMs = 3000;

/** The clocks of this computer, and whether they are set by a time service: asked now and then, in the background. */
export class SystemVehicleClock implements VehicleClock, Disposable {
  readonly bootId: string;
  readonly #syncedFile: string | undefined;
  readonly #stop = new AbortController();
  #synced = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(bootId: string, syncedFile: string | undefined) {
    this.bootId = bootId;
    this.#syncedFile = syncedFile;
  }

  /** `syncedFile` is a file whose existence says that the clock is set; without it, systemd is asked. */
  static async open(syncedFile?: string): Promise<SystemVehicleClock> {
    const clock = new SystemVehicleClock(await readBootId(), syncedFile);
    await clock.#ask();
    clock.#timer = setInterval(() => void clock.#ask(), askEveryMs).unref();
    return clock;
  }

  // Not performance.now(), which counts from the start of the process: a receiver needs a pair that two lives share.
  readonly now = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;
  readonly wallMs = (): number => Date.now();
  readonly isSynced = (): boolean => this.#synced && Date.now() >= neverSetMs;

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#stop.abort();
  }

  async #ask(): Promise<void> {
    this.#synced = await isSetByService(this.#syncedFile, this.#stop.signal);
  }
}

async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
}

async function isSetByService(file: string | undefined, signal: AbortSignal): Promise<boolean> {
  if (await exists(file ?? syncMark)) return true;
  if (file !== undefined) return false;
  try {
    const { exitCode, stdout } = await runCommand(
      { argv: ['timedatectl', 'show', '--property=NTPSynchronized', '--value'], timeoutMs: commandMs },
      signal,
    );
    return exitCode === 0 && stdout.trim() === 'yes';
  } catch (error) {
    // No systemd here: nobody says that the clock is right.
    if (error instanceof CommandError) return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
